//! The threads that read, parse, handle and answer.
//!
//! Each waits at the poller for a connection that became ready, or for a job, and does it to the end itself.
//!
//! Invariant: a worker never waits for one client. It reads
//! what is there, answers what is complete, writes what the socket takes, and gives the connection back; only a handler
//! may wait, and only within its lane, and then others look ([`super::lookout`]).

use std::convert::Infallible;
use std::io::{ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::admission::Entry;
use super::drain::{self, InFlight};
use super::responder::Responder;
use super::{Job, LaneRequest, Shared};
use crate::clock;
use crate::http::LaneChoice;
use crate::http::connection::{Buffers, Step};
use crate::http::limits::{MAX_BATCH_BYTES, MAX_HEAD_BYTES, MAX_REQUESTS_PER_TURN};
use crate::http::message::head::Head;
use crate::http::message::refusal::Refusal;
use crate::http::net::poll::{Interest, Ready};
use crate::http::net::table::Wire;
use crate::observe::Observation;

/// How often a worker looks in vain before it goes to sleep.
const VAIN_LOOKS: usize = 2;

/// One worker thread's belongings.
pub struct Worker {
    shared: Arc<Shared>,
    responder: Responder,
    buffers: Buffers,
    scratch: Box<[u8]>,
    next_look: NextLook,
}

/// What a look asks for first. In turns, so that neither waits for as long as there is some of the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextLook {
    Connections,
    Jobs,
}

/// How a turn of a connection ended.
enum Turn {
    /// It waits for its client.
    Wait(Interest),
    /// It has more requests, and others have their turn first.
    Again,
    /// Its next request may wait for a database.
    NeedsLane(Head),
    /// It is closed.
    Over,
}

/// What is left of a connection's turn.
struct Budget {
    /// When a worker was told of what is being answered.
    since: Instant,
    /// A second read would nearly always find nothing.
    may_read: bool,
    requests: usize,
}

impl Budget {
    fn since(since: Instant) -> Self {
        Self { since, may_read: true, requests: MAX_REQUESTS_PER_TURN }
    }
}

impl Worker {
    /// A worker that leaves a record of what it handles in `in_flight`.
    pub fn new(shared: Arc<Shared>, in_flight: Arc<InFlight>) -> Self {
        Self {
            responder: Responder::new(Arc::clone(&shared), in_flight),
            shared,
            buffers: Buffers::default(),
            scratch: vec![0; MAX_HEAD_BYTES].into_boxed_slice(),
            next_look: NextLook::Connections,
        }
    }

    /// Works until it is told to stop.
    pub fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut ready = Ready::of(1);
        shared.lookout.join();
        loop {
            shared.lookout.rest_if_enough_look();
            let job = self.look(&mut ready);
            if matches!(job, Job::Stop) {
                return shared.lookout.leave();
            }
            // A defect of ours costs the connection that met it, not the worker: the job owns the connection, and
            // closes it on the way out.
            if catch_unwind(AssertUnwindSafe(|| self.work(job))).is_err() {
                self.shared.observer.emit(&Observation::WorkerPanicked { request_id: "-" });
                self.buffers = Buffers::default();
            }
            self.responder.report();
        }
    }

    /// Looks until there is something to do.
    fn look(&mut self, ready: &mut Ready) -> Job {
        if std::mem::replace(&mut self.next_look, NextLook::Connections) == NextLook::Jobs
            && let Some(job) = self.shared.next_job()
        {
            return job;
        }
        let mut vain_looks = 0;
        loop {
            let timeout = (vain_looks < VAIN_LOOKS).then_some(Duration::ZERO);
            // A wait that fails (it can be interrupted) is a wait that was short.
            let _ = self.shared.poller.wait(ready, timeout);
            let since = clock::now();
            let mut ours = None;
            for wire in ready.keys().filter_map(|key| self.shared.table.take(key)) {
                if wire.connection.deadline().is_over(since) {
                    // A byte that is read too late does not save a connection from its deadline.
                    self.shared.expire(wire, since);
                } else if let Some(another) = ours.replace(Job::Ready { wire, since }) {
                    // There is room for one, but the standard library may have made more.
                    self.shared.send(another);
                }
            }
            if let Some(ours) = ours {
                // A wait that tells of a connection may have used up the notification of a job.
                self.shared.tell_of_jobs();
                self.next_look = NextLook::Jobs;
                return ours;
            }
            if let Some(job) = self.shared.next_job() {
                return job;
            }
            vain_looks += 1;
            // Who has something to ask, or to answer, may do so first: then there is more to do before the next sleep.
            thread::yield_now();
        }
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Ready { mut wire, since } => {
                wire.connection.lend_buffers(&mut self.buffers);
                self.converse(wire, Budget::since(since));
            }
            Job::Admitted(LaneRequest { mut wire, head, since }) => {
                wire.connection.lend_buffers(&mut self.buffers);
                self.answer_in_lane(&mut wire, head, since);
                self.converse(wire, Budget::since(clock::now()));
            }
            Job::Overdue(LaneRequest { mut wire, head, since }) => {
                wire.connection.lend_buffers(&mut self.buffers);
                self.responder.turn_away(&mut wire, head, since);
                self.converse(wire, Budget::since(clock::now()));
            }
            Job::HeadExpired(mut wire) => {
                wire.connection.lend_buffers(&mut self.buffers);
                wire.connection.refuse_unfinished();
                let now = clock::now();
                self.responder.refuse(&mut wire, Refusal::HeadTimeout, now);
                self.converse(wire, Budget::since(now));
            }
            Job::Stop => {}
        }
    }

    /// Goes on with a connection for as long as that needs no waiting for its client.
    fn converse(&mut self, mut wire: Box<Wire>, mut budget: Budget) {
        loop {
            let ControlFlow::Break(turn) = self.turn(&mut wire, &mut budget);
            match turn {
                Turn::Wait(interest) => return self.give_back(wire, interest),
                Turn::Again => return self.shared.send(Job::Ready { wire, since: clock::now() }),
                Turn::Over => return wire.connection.return_buffers(&mut self.buffers),
                Turn::NeedsLane(head) => {
                    // Answers to earlier requests of the same client must not wait for the database too. If they cannot
                    // go now, they go with the next one.
                    let _ = self.flush(&mut wire);
                    let request = LaneRequest { wire, head, since: budget.since };
                    match self.shared.lane.enter(request, clock::now()) {
                        Entry::Entered(request) => {
                            wire = request.wire;
                            self.answer_in_lane(&mut wire, request.head, request.since);
                        }
                        Entry::TurnedAway(request) => {
                            wire = request.wire;
                            self.responder.turn_away(&mut wire, request.head, request.since);
                        }
                        Entry::InLine => return,
                    }
                    budget.since = clock::now();
                }
            }
        }
    }

    fn turn(&mut self, wire: &mut Wire, budget: &mut Budget) -> ControlFlow<Turn, Infallible> {
        // What an earlier turn could not send goes first: else a slow reader that asks on and on has us store without end.
        self.flush(wire)?;
        loop {
            if budget.requests == 0 && wire.connection.has_input() {
                self.flush(wire)?;
                return ControlFlow::Break(Turn::Again);
            }
            if wire.connection.unsent().len() > MAX_BATCH_BYTES {
                self.flush(wire)?;
            }
            let now = clock::now();
            match wire.connection.next(&self.shared.limits, &self.shared.reads, now) {
                Step::Handle(head) => {
                    budget.requests = budget.requests.saturating_sub(1);
                    if now.saturating_duration_since(budget.since) > self.shared.limits.queue_timeout {
                        self.responder.turn_away(wire, head, budget.since);
                    } else if (self.shared.service.lane)(&head.method, &head.target) == LaneChoice::Waiting {
                        return ControlFlow::Break(Turn::NeedsLane(head));
                    } else {
                        self.responder.answer(wire, head, budget.since);
                    }
                }
                Step::Refuse(refusal) => self.responder.refuse(wire, refusal, budget.since),
                Step::Send => self.flush(wire)?,
                Step::Receive => {
                    self.flush(wire)?;
                    self.read(wire, budget)?;
                }
                Step::ShutDownWrite => {
                    if wire.socket.socket().shut_down_write().is_err() {
                        return ControlFlow::Break(Turn::Over);
                    }
                }
                Step::CloseIfQuiet => {
                    budget.may_read = true;
                    match self.read(wire, budget) {
                        ControlFlow::Break(Turn::Wait(_)) => return ControlFlow::Break(Turn::Over),
                        turn => turn?,
                    }
                }
                Step::Close => return ControlFlow::Break(Turn::Over),
            }
        }
    }

    /// Answers a request that is in the lane, and lets the next one in.
    fn answer_in_lane(&mut self, wire: &mut Wire, head: Head, since: Instant) {
        let shared = Arc::clone(&self.shared);
        shared.lookout.leave();
        let _leave = OnDrop(|| {
            shared.lookout.join();
            if let Some(next) = shared.lane.leave(clock::now()) {
                shared.send(Job::Admitted(next));
            }
        });
        self.responder.answer_waiting(wire, head, since);
    }

    fn read(&mut self, wire: &mut Wire, budget: &mut Budget) -> ControlFlow<Turn> {
        if !budget.may_read {
            return ControlFlow::Break(Turn::Wait(Interest::Read));
        }
        let room = wire.connection.room_bytes().min(self.scratch.len());
        loop {
            return match wire.socket.socket().read(&mut self.scratch[..room]) {
                Ok(0) => {
                    wire.connection.received_end();
                    ControlFlow::Continue(())
                }
                Ok(length) => {
                    budget.may_read = false;
                    wire.connection.received(&self.scratch[..length]);
                    ControlFlow::Continue(())
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => ControlFlow::Break(Turn::Wait(Interest::Read)),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => ControlFlow::Break(Turn::Over),
            };
        }
    }

    /// Sends what there is to send, in one `write` if the socket takes it.
    fn flush(&mut self, wire: &mut Wire) -> ControlFlow<Turn> {
        while wire.connection.has_output() {
            match wire.socket.socket().write(wire.connection.unsent()) {
                Ok(0) => return ControlFlow::Break(Turn::Over),
                Ok(length) => wire.connection.sent(length, &self.shared.limits, clock::now()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return ControlFlow::Break(Turn::Wait(Interest::Write));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return ControlFlow::Break(Turn::Over),
            }
        }
        ControlFlow::Continue(())
    }

    fn give_back(&mut self, mut wire: Box<Wire>, interest: Interest) {
        wire.connection.return_buffers(&mut self.buffers);
        if let Some(end) = self.shared.drain_end() {
            let now = clock::now();
            drain::hurry(&mut wire.connection, end, now);
            if wire.connection.is_between_requests() && wire.connection.deadline().is_over(now) {
                return;
            }
        }
        self.shared.table.park(wire, interest);
    }
}

/// Runs something on the way out, whichever way that is.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
