//! Going down in order: until when what is waited for, and the requests that may be without an answer at the end.
//!
//! Invariant: each request in flight is answered once, by its worker or at the end of the drain; whoever takes the record
//! out of [`InFlight`] answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::Socket;

use crate::clock::Deadline;
use crate::http::connection::Connection;
use crate::http::message::head::Head;
use crate::http::net::poll::Watched;

/// How long a kept connection may still send a request that was on its way when the drain began.
const GRACE: Duration = Duration::from_millis(300);

/// How long before the end unfinished requests are answered, so that the answers still arrive.
const TIME_FOR_LAST_ANSWERS: Duration = Duration::from_millis(200);

/// The deadlines of a drain.
#[derive(Clone, Copy, Debug)]
pub struct DrainDeadlines {
    /// When requests that still have no answer are answered with 503.
    pub work: Deadline,
    /// When nothing is waited for any more.
    pub end: Deadline,
}

impl DrainDeadlines {
    /// Returns those of a drain of `timeout` that begins `now`.
    #[must_use]
    pub fn new(now: Instant, timeout: Duration) -> Self {
        let work = timeout.saturating_sub(TIME_FOR_LAST_ANSWERS.min(timeout / 4));
        Self { work: Deadline::after(now, work), end: Deadline::after(now, timeout) }
    }
}

/// Lets a connection wait for nothing past `end`, and for its next request only [`GRACE`].
pub fn cap_deadlines(connection: &mut Connection, end: Deadline, now: Instant) {
    connection.cap_deadlines(end);
    if connection.is_between_requests() {
        connection.cap_deadlines(Deadline::after(now, GRACE));
    }
}

/// The request that one worker is in a blocking handler for, if any.
#[derive(Debug, Default)]
pub struct InFlight(Mutex<Option<PendingAnswer>>);

/// What it takes to answer a request in place of its worker.
#[derive(Debug)]
pub struct PendingAnswer {
    /// Where the answer goes.
    pub socket: Arc<Watched<Socket>>,
    /// The peer of its connection; `None` on a unix socket.
    pub peer: Option<SocketAddr>,
    /// The head of the request.
    pub head: Head,
    /// The request id that the handler was given.
    pub request_id: String,
    /// When the request was received.
    pub since: Instant,
}

impl InFlight {
    /// Records that the worker has begun to wait for an answer.
    pub fn begin(&self, pending: PendingAnswer) {
        *self.0.lock() = Some(pending);
    }

    /// Takes the record out. Returns `None` if that was done before: then the request is answered already.
    #[must_use]
    pub fn take(&self) -> Option<PendingAnswer> {
        self.0.lock().take()
    }
}
