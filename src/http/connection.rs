//! The state of one connection, from its first byte to its last, as a machine over bytes and moments.
//!
//! Invariant: this module never does I/O and never asks the time. The owner of the socket passes in the bytes that it
//! received ([`Connection::received`]), the number that it sent ([`Connection::sent`]) and the time, and does what
//! [`Connection::next`] returns. Every stage has a deadline, and no deadline is moved by a client that merely sends or
//! takes another byte.

use std::time::Instant;

use super::limits::{LINGER_TIMEOUT, Limits, MAX_BATCH_BYTES, MAX_HEAD_BYTES, MAX_LINGER_BYTES};
use super::message::framing::Persistence;
use super::message::head::{self, Head, Parsed};
use super::message::refusal::Refusal;
use crate::clock::Deadline;

/// The state of one connection.
#[derive(Debug)]
pub struct Connection {
    stage: Stage,
    /// When the stage ends if nothing else ends it.
    deadline: Deadline,
    /// When the last answer was sent.
    answered_at: Instant,
    /// Received bytes that belong to no request yet.
    input: Vec<u8>,
    /// Answers that are to be sent.
    output: Vec<u8>,
    /// How many bytes of `output` were sent already.
    sent_bytes: usize,
    /// When the oldest answer in `output` must have been sent.
    write_deadline: Option<Deadline>,
    /// How the last head was received.
    arrival: Arrival,
    /// What follows the last answer.
    persistence: Persistence,
    input_end: InputEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was received yet.
    FirstByte,
    /// A head was begun.
    Head,
    /// At least one request was answered, and none was begun since.
    Idle,
    /// A request is being handled, or its answer must be sent before anything else is read.
    Answering,
    /// The last answer was sent; what the client still sends is discarded for a while.
    Lingering { discarded_bytes: usize },
    /// It is to be closed.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    AtOnce,
    InPieces,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InputEnd {
    NotSeen,
    Seen,
}

/// What the owner of the socket is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Read, and wait if there is nothing to read.
    Receive,
    /// Handle this request, append its answer to the output, and call [`Connection::answered`].
    Handle(Head),
    /// Append this refusal to the output, and call [`Connection::answered`].
    Refuse(Refusal),
    /// Send the output, and wait if the socket takes no more.
    Send,
    /// End our side of the connection, and go on reading.
    ShutDownWrite,
    /// Close it, unless there is something to read.
    CloseIfQuiet,
    /// Close it.
    Close,
}

/// How a connection whose deadline is over ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// No request was begun: it is closed without an answer.
    Quietly,
    /// A head was begun: it is answered with 408 ([`Connection::refuse_unfinished`]).
    WithTimeout,
    /// The client does not take its answer: it is cut off.
    CutOff,
}

impl Connection {
    /// Returns a connection that was accepted at `now`.
    #[must_use]
    pub fn new(limits: &Limits, now: Instant) -> Self {
        let deadline = Deadline::after(now, limits.first_byte_timeout);
        Self {
            stage: Stage::FirstByte,
            deadline,
            answered_at: now,
            input: Vec::new(),
            output: Vec::new(),
            sent_bytes: 0,
            write_deadline: None,
            arrival: Arrival::AtOnce,
            persistence: Persistence::KeepAlive,
            input_end: InputEnd::NotSeen,
        }
    }

    /// Returns what to do next. Output may be kept back, so that the answers to pipelined requests share one `write`,
    /// until this returns [`Instruction::Send`]; it must be sent before any wait.
    pub fn next(&mut self, limits: &Limits, reads: &[&str], now: Instant) -> Instruction {
        match self.stage {
            Stage::FirstByte | Stage::Head | Stage::Idle => self.next_head(limits, reads, now),
            Stage::Answering if self.has_output() => Instruction::Send,
            Stage::Answering => self.after_last_answer(now),
            Stage::Lingering { .. } if self.input_end == InputEnd::Seen => self.finish(),
            Stage::Lingering { .. } => Instruction::Receive,
            Stage::Over => Instruction::Close,
        }
    }

    fn next_head(&mut self, limits: &Limits, reads: &[&str], now: Instant) -> Instruction {
        let empty_lines = head::leading_empty_lines(&self.input);
        self.input.drain(..empty_lines);
        match if self.input.is_empty() { Parsed::Incomplete } else { head::parse(&self.input, reads) } {
            Parsed::Complete(head, length) => {
                self.input.drain(..length);
                self.arrival = if self.stage == Stage::Head { Arrival::InPieces } else { Arrival::AtOnce };
                self.stage = Stage::Answering;
                Instruction::Handle(head)
            }
            Parsed::Refused(refusal) => {
                self.stage = Stage::Answering;
                Instruction::Refuse(refusal)
            }
            Parsed::Incomplete if self.input_end == InputEnd::Seen => {
                if self.has_output() {
                    self.persistence = Persistence::Close;
                    self.stage = Stage::Answering;
                    return Instruction::Send;
                }
                self.finish()
            }
            Parsed::Incomplete => {
                if self.stage != Stage::Head && !self.input.is_empty() && self.input != b"\r" {
                    self.stage = Stage::Head;
                    self.deadline = Deadline::after(now, limits.head_timeout);
                }
                Instruction::Receive
            }
        }
    }

    fn after_last_answer(&mut self, now: Instant) -> Instruction {
        match self.persistence {
            _ if self.input_end == InputEnd::Seen => self.finish(),
            Persistence::KeepAlive => self.finish(),
            // A client that sends in pieces, or sends more after its last request, may be sending yet more.
            Persistence::LastRequest if self.arrival == Arrival::AtOnce && !self.has_input() => {
                Instruction::CloseIfQuiet
            }
            Persistence::LastRequest | Persistence::Close => {
                self.stage = Stage::Lingering { discarded_bytes: 0 };
                self.deadline = Deadline::after(now, LINGER_TIMEOUT);
                self.input = Vec::new();
                Instruction::ShutDownWrite
            }
        }
    }

    fn finish(&mut self) -> Instruction {
        self.stage = Stage::Over;
        Instruction::Close
    }

    /// Takes the bytes that were received.
    pub fn received(&mut self, bytes: &[u8]) {
        match &mut self.stage {
            Stage::Lingering { discarded_bytes } => {
                *discarded_bytes += bytes.len();
                if *discarded_bytes > MAX_LINGER_BYTES {
                    self.stage = Stage::Over;
                }
            }
            _ => self.input.extend_from_slice(bytes),
        }
    }

    /// Returns how many bytes [`Connection::received`] may be given: the rest of one head. Pipelined requests beyond that
    /// stay in the socket's buffer.
    #[must_use]
    pub fn room_bytes(&self) -> usize {
        MAX_HEAD_BYTES.saturating_sub(self.input.len())
    }

    /// Records that the client has ended its side. Requests that were received completely are still answered.
    pub fn received_end(&mut self) {
        self.input_end = InputEnd::Seen;
    }

    /// Returns the buffer to which the answer to the current request is appended.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Returns the received bytes that belong to no request yet.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.input
    }

    /// Returns true if bytes were received behind the last request.
    #[must_use]
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Drops the output: the connection is to be closed without sending another byte.
    pub fn abandon(&mut self) {
        self.output.clear();
        self.sent_bytes = 0;
        self.write_deadline = None;
        self.stage = Stage::Over;
    }

    /// Returns true if there is something to send.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.sent_bytes < self.output.len()
    }

    /// Returns the bytes to send.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        &self.output[self.sent_bytes..]
    }

    /// Records that an answer was appended to the output, and what follows it.
    pub fn answered(&mut self, persistence: Persistence, limits: &Limits, now: Instant) {
        self.write_deadline.get_or_insert(Deadline::after(now, limits.write_timeout));
        match persistence {
            Persistence::KeepAlive => self.stage = Stage::Idle,
            Persistence::LastRequest | Persistence::Close => self.persistence = persistence,
        }
    }

    /// Records that `bytes` of [`Connection::unsent`] were sent.
    pub fn sent(&mut self, bytes: usize, limits: &Limits, now: Instant) {
        self.sent_bytes += bytes;
        if self.has_output() {
            return;
        }
        self.output.clear();
        self.sent_bytes = 0;
        self.write_deadline = None;
        if self.stage == Stage::Idle {
            self.deadline = Deadline::after(now, limits.idle_timeout);
            self.answered_at = now;
        }
    }

    /// Returns the moment at which [`Connection::expiry`] applies.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.write_deadline.unwrap_or(self.deadline)
    }

    /// Returns how it ends once its deadline is over.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        match self.stage {
            _ if self.has_output() => Expiry::CutOff,
            Stage::FirstByte | Stage::Idle | Stage::Lingering { .. } | Stage::Over => Expiry::Quietly,
            Stage::Head => Expiry::WithTimeout,
            Stage::Answering => Expiry::CutOff,
        }
    }

    /// Stops waiting for the rest of a head; a refusal is appended to the output next.
    pub fn refuse_unfinished(&mut self) {
        self.stage = Stage::Answering;
    }

    /// Moves deadlines that are later than `end` to `end`.
    pub fn cap_deadlines(&mut self, end: Deadline) {
        self.deadline = self.deadline.earlier(end);
        self.write_deadline = self.write_deadline.map(|deadline| deadline.earlier(end));
    }

    /// Returns true if no request was begun and every answer was sent: it may be closed at any time.
    #[must_use]
    pub fn is_between_requests(&self) -> bool {
        matches!(self.stage, Stage::FirstByte | Stage::Idle) && self.input.is_empty() && !self.has_output()
    }

    /// Returns when it answered its last request, if nothing of the next one was received.
    #[must_use]
    pub fn idle_since(&self) -> Option<Instant> {
        (self.stage == Stage::Idle && self.is_between_requests()).then_some(self.answered_at)
    }

    /// Borrows those of `buffers` that it has none of its own for.
    pub fn lend_buffers(&mut self, buffers: &mut Buffers) {
        lend(&mut self.input, &mut buffers.input);
        lend(&mut self.output, &mut buffers.output);
    }

    /// Gives its empty buffers back, so that a connection that waits holds none.
    pub fn return_buffers(&mut self, buffers: &mut Buffers) {
        give_back(&mut self.input, &mut buffers.input);
        give_back(&mut self.output, &mut buffers.output);
    }
}

/// The buffers of one worker, which the connection that it serves borrows.
#[derive(Debug, Default)]
pub struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
}

/// Swaps a buffer into a borrower that has none.
fn lend(borrower: &mut Vec<u8>, lender: &mut Vec<u8>) {
    if borrower.capacity() == 0 {
        std::mem::swap(borrower, lender);
    }
}

/// Moves an empty buffer back. One that is smaller than its owner's, or too large to keep, is freed.
fn give_back(borrower: &mut Vec<u8>, owner: &mut Vec<u8>) {
    if borrower.is_empty() {
        let buffer = std::mem::take(borrower);
        if (owner.capacity()..=MAX_BATCH_BYTES).contains(&buffer.capacity()) {
            *owner = buffer;
        }
    }
}

#[cfg(test)]
mod tests;
