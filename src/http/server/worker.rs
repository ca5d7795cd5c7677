//! The threads that read, parse, handle and answer.
//!
//! Each polls the work queue for a connection that became ready, or for a job, and does it to the end itself.
//!
//! Invariant: a worker never waits for one client. It reads what was received, answers complete requests, writes what the
//! socket takes, and puts the connection back into the table. Only a handler may block, only once it is admitted, and
//! while it may, this worker does not count among those that poll.

use std::convert::Infallible;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::admission::Decision;
use super::drain::{self, InFlight};
use super::responder::Responder;
use super::shared::{Job, ListenerState, PlannedRequest, QueuedRequest, Task};
use crate::clock;
use crate::http::application::Class;
use crate::http::connection::{Buffers, Instruction};
use crate::http::limits::{MAX_BATCH_BYTES, MAX_HEAD_BYTES, MAX_REQUESTS_PER_TURN};
use crate::http::message::refusal::Refusal;
use crate::http::net::poll::Interest;
use crate::http::net::shares::{Share, ShareTaken};
use crate::http::net::table::OpenConnection;
use crate::http::proxies::Client;
use crate::observe::Observation;

/// What one worker thread owns.
pub struct Worker {
    shared: Arc<ListenerState>,
    in_flight: Arc<InFlight>,
    responder: Responder,
    buffers: Buffers,
    scratch: Box<[u8]>,
}

/// Why a worker stops serving a connection for now.
enum Pause {
    /// The connection waits for its client.
    Wait(Interest),
    /// It has more requests, but others are served first.
    Yield,
    /// Its next request needs to be admitted.
    NeedsAdmission(PlannedRequest),
    /// It is closed.
    Closed,
}

/// How much a worker may do for one connection before it serves others.
struct Budget {
    /// When the requests that are being answered were received.
    since: Instant,
    /// A second read would nearly always find nothing.
    may_read: bool,
    requests: usize,
}

impl Budget {
    fn new(since: Instant) -> Self {
        Self { since, may_read: true, requests: MAX_REQUESTS_PER_TURN }
    }
}

/// The place of an admitted request. Dropping it passes the place on.
struct Place<'a>(&'a ListenerState);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(QueuedRequest { connection, request }) = self.0.admission.leave(clock::now()) {
            self.0.queue.push(Job { connection, task: Task::Answer(request) });
        }
    }
}

impl Worker {
    /// Returns a worker that records in `in_flight` what it handles.
    pub fn new(shared: Arc<ListenerState>, in_flight: Arc<InFlight>) -> Self {
        Self {
            responder: Responder::new(Arc::clone(&shared)),
            shared,
            in_flight,
            buffers: Buffers::default(),
            scratch: vec![0; MAX_HEAD_BYTES].into_boxed_slice(),
        }
    }

    /// Works until the queue is closed.
    pub fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut polling = shared.queue.join();
        while let Some(job) = shared.queue.poll(&mut polling, |key| shared.claim(key)) {
            // A defect of ours costs the connection that met it, not the worker: the job owns the connection, which is
            // closed when the job is dropped.
            if catch_unwind(AssertUnwindSafe(|| self.work(job))).is_err() {
                self.shared.observer.emit(&Observation::WorkerPanicked { request_id: "-" });
                self.buffers = Buffers::default();
            }
            self.responder.report();
        }
    }

    fn work(&mut self, Job { mut connection, task }: Job) {
        connection.state.lend_buffers(&mut self.buffers);
        match task {
            Task::Serve(since) => return self.serve(connection, Budget::new(since)),
            Task::Answer(request) => self.answer_blocking(&mut connection, request),
            Task::Reject(PlannedRequest { head, since, .. }) => {
                self.responder.reject(&mut connection, head, since, Refusal::Overloaded);
            }
            Task::RefuseHead => {
                connection.state.refuse_unfinished();
                self.responder.refuse_head(&mut connection, Refusal::HeadTimeout, clock::now());
            }
        }
        self.serve(connection, Budget::new(clock::now()));
    }

    /// Serves a connection for as long as its client need not be waited for.
    fn serve(&mut self, mut connection: Box<OpenConnection>, mut budget: Budget) {
        loop {
            let ControlFlow::Break(pause) = self.serve_until_pause(&mut connection, &mut budget);
            match pause {
                Pause::Wait(interest) => return self.put_back(connection, interest),
                Pause::Yield => return self.shared.queue.push(Job { connection, task: Task::Serve(clock::now()) }),
                Pause::Closed => return connection.state.return_buffers(&mut self.buffers),
                Pause::NeedsAdmission(request) => {
                    // Answers to earlier requests of the same client must not wait for the database too. If the socket
                    // takes none now, they are sent with the next one.
                    let _ = self.flush(&mut connection);
                    match self.shared.admission.request(QueuedRequest { connection, request }, clock::now()) {
                        Decision::Admitted(admitted) => {
                            connection = admitted.connection;
                            self.answer_blocking(&mut connection, admitted.request);
                        }
                        Decision::Rejected(rejected) => {
                            connection = rejected.connection;
                            let PlannedRequest { head, since, .. } = rejected.request;
                            self.responder.reject(&mut connection, head, since, Refusal::Overloaded);
                        }
                        Decision::Queued => return,
                    }
                    budget.since = clock::now();
                }
            }
        }
    }

    fn serve_until_pause(
        &mut self,
        connection: &mut OpenConnection,
        budget: &mut Budget,
    ) -> ControlFlow<Pause, Infallible> {
        // Pending output goes first: otherwise a slow reader that keeps sending requests would make it grow without bound.
        self.flush(connection)?;
        let service = self.shared.service.load();
        loop {
            if budget.requests == 0 && connection.state.has_input() {
                self.flush(connection)?;
                return ControlFlow::Break(Pause::Yield);
            }
            if connection.state.unsent().len() > MAX_BATCH_BYTES {
                self.flush(connection)?;
            }
            let now = clock::now();
            match connection.state.next(&service.limits, &service.reads, now) {
                Instruction::Handle(head) => {
                    let since = budget.since;
                    budget.requests = budget.requests.saturating_sub(1);
                    if now.saturating_duration_since(since) > service.limits.queue_timeout {
                        self.responder.reject(connection, head, since, Refusal::Overloaded);
                        continue;
                    }
                    let client = service.trusted_proxies.client(connection.peer, &head.fields);
                    let Ok(share) = self.take_share(client) else {
                        self.responder.reject(connection, head, since, Refusal::ShareTaken);
                        continue;
                    };
                    let plan = (service.application.plan)(&head.method, &head.target);
                    let request = PlannedRequest { head, plan, since, share };
                    match request.plan.class {
                        Class::Immediate => self.responder.answer(connection, request),
                        Class::Blocking => return ControlFlow::Break(Pause::NeedsAdmission(request)),
                    }
                }
                Instruction::Refuse(refusal) => self.responder.refuse_head(connection, refusal, budget.since),
                Instruction::Send => self.flush(connection)?,
                Instruction::Receive => {
                    self.flush(connection)?;
                    self.read(connection, budget)?;
                }
                Instruction::ShutDownWrite => {
                    if connection.socket.socket().shutdown(Shutdown::Write).is_err() {
                        return ControlFlow::Break(Pause::Closed);
                    }
                }
                Instruction::CloseIfQuiet => {
                    budget.may_read = true;
                    match self.read(connection, budget) {
                        ControlFlow::Break(Pause::Wait(_)) => return ControlFlow::Break(Pause::Closed),
                        flow => flow?,
                    }
                }
                Instruction::Close => return ControlFlow::Break(Pause::Closed),
            }
        }
    }

    /// Counts a request that a proxy has forwarded for its client.
    fn take_share(&self, client: Option<Client>) -> Result<Option<Share>, ShareTaken> {
        match client {
            Some(Client::Forwarded(address)) => self.shared.table.shares().take(Some(address)),
            Some(Client::Peer(_)) | None => Ok(None),
        }
    }

    /// Answers an admitted request, and passes its place on.
    fn answer_blocking(&mut self, connection: &mut OpenConnection, request: PlannedRequest) {
        let shared = Arc::clone(&self.shared);
        let _place = Place(&shared);
        let _stepped_out = shared.queue.step_out();
        self.responder.answer_blocking(connection, request, &self.in_flight);
    }

    fn read(&mut self, connection: &mut OpenConnection, budget: &mut Budget) -> ControlFlow<Pause> {
        if !budget.may_read {
            return ControlFlow::Break(Pause::Wait(Interest::Read));
        }
        let room = connection.state.room_bytes().min(self.scratch.len());
        loop {
            return match connection.socket.socket().read(&mut self.scratch[..room]) {
                Ok(0) => {
                    connection.state.received_end();
                    ControlFlow::Continue(())
                }
                Ok(length) => {
                    budget.may_read = false;
                    connection.state.received(&self.scratch[..length]);
                    ControlFlow::Continue(())
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => ControlFlow::Break(Pause::Wait(Interest::Read)),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => ControlFlow::Break(Pause::Closed),
            };
        }
    }

    /// Sends what there is to send, in one `write` if the socket takes it.
    fn flush(&mut self, connection: &mut OpenConnection) -> ControlFlow<Pause> {
        while connection.state.has_output() {
            match connection.socket.socket().write(connection.state.unsent()) {
                Ok(0) => return ControlFlow::Break(Pause::Closed),
                Ok(length) => connection.state.sent(length, &self.shared.limits(), clock::now()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return ControlFlow::Break(Pause::Wait(Interest::Write));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return ControlFlow::Break(Pause::Closed),
            }
        }
        ControlFlow::Continue(())
    }

    fn put_back(&mut self, mut connection: Box<OpenConnection>, interest: Interest) {
        connection.state.return_buffers(&mut self.buffers);
        if let Some(end) = self.shared.drain_deadline() {
            let now = clock::now();
            drain::cap_deadlines(&mut connection.state, end, now);
            if connection.state.is_between_requests() && connection.state.deadline().is_over(now) {
                return;
            }
        }
        self.shared.table.insert(connection, interest);
    }
}
