//! The state of one connection, from its first byte to its last, as a machine over bytes and moments.
//!
//! Invariant: this module never does I/O and never asks the time. Whoever owns the socket tells it what came
//! ([`Connection::received`]), what went ([`Connection::sent`]) and what time it is, and does what [`Connection::next`]
//! says. Every state has a deadline, and no deadline is moved by a client that merely sends or takes another byte.

use std::time::Instant;

use super::limits::{LINGER_TIMEOUT, Limits, MAX_BATCH_BYTES, MAX_HEAD_BYTES, MAX_LINGER_BYTES};
use super::message::framing::Persistence;
use super::message::head::{self, Head, Parsed};
use super::message::refusal::Refusal;
use crate::clock::Deadline;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    state: State,
    /// When the state ends if nothing else ends it.
    deadline: Deadline,
    /// What came and belongs to no request yet.
    input: Vec<u8>,
    /// What is to go out.
    output: Vec<u8>,
    /// How much of `output` went already.
    sent_bytes: usize,
    /// When the oldest answer in `output` must have gone.
    write_deadline: Option<Deadline>,
    /// How the head came that was read last.
    arrival: Arrival,
    /// What becomes of it once the last answer has gone.
    persistence: Persistence,
    input_end: InputEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing came yet.
    FirstByte,
    /// A head was begun.
    Head,
    /// At least one request was answered, and none was begun since.
    Idle,
    /// A request is being handled, or its answer waits to be sent before anything else is looked at.
    Answering,
    /// The last answer went out; what still comes is thrown away for a while.
    Lingering { discarded_bytes: usize },
    /// There is nothing left to do.
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

/// What the owner of the socket is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Read, and wait if there is nothing to read.
    Receive,
    /// Handle this request, append its answer to the output, and say so with [`Connection::answered`].
    Handle(Head),
    /// Append this refusal to the output, and say so with [`Connection::answered`].
    Refuse(Refusal),
    /// Send the output, and wait if it cannot go.
    Send,
    /// End our side of the connection, and go on reading.
    ShutDownWrite,
    /// Close it, unless there is something to read.
    CloseIfQuiet,
    /// Close it.
    Close,
}

/// What is to become of a connection whose deadline is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It waits for a request that was not begun: closing it is no loss to anybody.
    Quietly,
    /// Its head was begun: a 408 is owed ([`Connection::refuse_unfinished`]).
    WithTimeout,
    /// It does not take its answer: cut off.
    CutOff,
}

impl Connection {
    /// A connection that was accepted at `now`.
    #[must_use]
    pub fn new(limits: &Limits, now: Instant) -> Self {
        let deadline = Deadline::after(now, limits.first_byte_timeout);
        Self {
            state: State::FirstByte,
            deadline,
            input: Vec::new(),
            output: Vec::new(),
            sent_bytes: 0,
            write_deadline: None,
            arrival: Arrival::AtOnce,
            persistence: Persistence::KeepAlive,
            input_end: InputEnd::NotSeen,
        }
    }

    /// What to do now. Output that is there may wait, so that the answers to pipelined requests share one `write`,
    /// unless this says [`Step::Send`]; before any wait it must be sent.
    pub fn next(&mut self, limits: &Limits, reads: &[&str], now: Instant) -> Step {
        match self.state {
            State::FirstByte | State::Head | State::Idle => self.next_head(limits, reads, now),
            State::Answering if self.has_output() => Step::Send,
            State::Answering => self.after_last_answer(now),
            State::Lingering { .. } if self.input_end == InputEnd::Seen => self.finish(),
            State::Lingering { .. } => Step::Receive,
            State::Over => Step::Close,
        }
    }

    fn next_head(&mut self, limits: &Limits, reads: &[&str], now: Instant) -> Step {
        let empty_lines = head::leading_empty_lines(&self.input);
        self.input.drain(..empty_lines);
        match if self.input.is_empty() { Parsed::Incomplete } else { head::parse(&self.input, reads) } {
            Parsed::Complete(head, length) => {
                self.input.drain(..length);
                self.arrival = if self.state == State::Head { Arrival::InPieces } else { Arrival::AtOnce };
                self.state = State::Answering;
                Step::Handle(head)
            }
            Parsed::Refused(refusal) => {
                self.state = State::Answering;
                Step::Refuse(refusal)
            }
            Parsed::Incomplete if self.input_end == InputEnd::Seen => {
                if self.has_output() {
                    self.persistence = Persistence::Close;
                    self.state = State::Answering;
                    return Step::Send;
                }
                self.finish()
            }
            Parsed::Incomplete => {
                if self.state != State::Head && !self.input.is_empty() && self.input != b"\r" {
                    self.state = State::Head;
                    self.deadline = Deadline::after(now, limits.head_timeout);
                }
                Step::Receive
            }
        }
    }

    fn after_last_answer(&mut self, now: Instant) -> Step {
        match self.persistence {
            _ if self.input_end == InputEnd::Seen => self.finish(),
            Persistence::KeepAlive => self.finish(),
            // Who sends in pieces, or has sent more than it said, may be sending yet more.
            Persistence::LastRequest if self.arrival == Arrival::AtOnce && !self.has_input() => Step::CloseIfQuiet,
            Persistence::LastRequest | Persistence::Close => {
                self.state = State::Lingering { discarded_bytes: 0 };
                self.deadline = Deadline::after(now, LINGER_TIMEOUT);
                self.input = Vec::new();
                Step::ShutDownWrite
            }
        }
    }

    fn finish(&mut self) -> Step {
        self.state = State::Over;
        Step::Close
    }

    /// Takes note of bytes that came.
    pub fn received(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Lingering { discarded_bytes } => {
                *discarded_bytes += bytes.len();
                if *discarded_bytes > MAX_LINGER_BYTES {
                    self.state = State::Over;
                }
            }
            _ => self.input.extend_from_slice(bytes),
        }
    }

    /// How many bytes [`Connection::received`] takes at the most: what is left of one head. Pipelined requests beyond
    /// that stay with the operating system.
    #[must_use]
    pub fn room_bytes(&self) -> usize {
        MAX_HEAD_BYTES.saturating_sub(self.input.len())
    }

    /// Takes note that no more bytes will come. What was received completely is still answered.
    pub fn received_end(&mut self) {
        self.input_end = InputEnd::Seen;
    }

    /// Where the answer to the request that is being handled is appended.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// What was received and belongs to no request yet.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.input
    }

    /// True while there is more to look at than what was answered.
    #[must_use]
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Gives it up: it is closed without another byte.
    pub fn abandon(&mut self) {
        self.output.clear();
        self.sent_bytes = 0;
        self.write_deadline = None;
        self.state = State::Over;
    }

    /// True while there is something to send.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.sent_bytes < self.output.len()
    }

    /// What is to be sent next.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        &self.output[self.sent_bytes..]
    }

    /// Takes note that an answer was appended to the output, and of what follows it.
    pub fn answered(&mut self, persistence: Persistence, limits: &Limits, now: Instant) {
        self.write_deadline.get_or_insert(Deadline::after(now, limits.write_timeout));
        match persistence {
            Persistence::KeepAlive => self.state = State::Idle,
            Persistence::LastRequest | Persistence::Close => self.persistence = persistence,
        }
    }

    /// Takes note that so many bytes of [`Connection::unsent`] went.
    pub fn sent(&mut self, bytes: usize, limits: &Limits, now: Instant) {
        self.sent_bytes += bytes;
        if self.has_output() {
            return;
        }
        self.output.clear();
        self.sent_bytes = 0;
        self.write_deadline = None;
        if self.state == State::Idle {
            self.deadline = Deadline::after(now, limits.idle_timeout);
        }
    }

    /// The moment at which [`Connection::expiry`] applies.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.write_deadline.unwrap_or(self.deadline)
    }

    /// What is to become of it once its deadline is over.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        match self.state {
            _ if self.has_output() => Expiry::CutOff,
            State::FirstByte | State::Idle | State::Lingering { .. } | State::Over => Expiry::Quietly,
            State::Head => Expiry::WithTimeout,
            State::Answering => Expiry::CutOff,
        }
    }

    /// Gives up waiting for the rest of a head: a refusal is about to be appended to the output.
    pub fn refuse_unfinished(&mut self) {
        self.state = State::Answering;
    }

    /// Takes note that the server is going down: nothing is waited for past `end`.
    pub fn hurry(&mut self, end: Deadline) {
        self.deadline = self.deadline.earlier(end);
        self.write_deadline = self.write_deadline.map(|deadline| deadline.earlier(end));
    }

    /// True while closing it would leave no request unanswered, as far as anybody can know.
    #[must_use]
    pub fn is_between_requests(&self) -> bool {
        matches!(self.state, State::FirstByte | State::Idle) && self.input.is_empty() && !self.has_output()
    }

    /// True if it has answered a request already, and nothing of the next one came.
    #[must_use]
    pub fn waits_for_request(&self) -> bool {
        self.state == State::Idle && self.is_between_requests()
    }

    /// Uses `buffers`, which may have room from an earlier connection, in place of those that it does not have.
    pub fn lend_buffers(&mut self, buffers: &mut Buffers) {
        lend(&mut self.input, &mut buffers.input);
        lend(&mut self.output, &mut buffers.output);
    }

    /// Gives empty buffers back, so that a connection which waits costs none.
    pub fn return_buffers(&mut self, buffers: &mut Buffers) {
        give_back(&mut self.input, &mut buffers.input);
        give_back(&mut self.output, &mut buffers.output);
    }
}

/// The buffers of one worker, used by each connection in its turn.
#[derive(Debug, Default)]
pub struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
}

/// Moves a buffer to a borrower that has none.
fn lend(borrower: &mut Vec<u8>, lender: &mut Vec<u8>) {
    if borrower.capacity() == 0 {
        std::mem::swap(borrower, lender);
    }
}

/// Moves an empty buffer back. What its owner has no use for, or is too large to be kept, is freed.
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
