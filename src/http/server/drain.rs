//! Going down in order: what is in flight, and the last word to those who wait for an answer that will not come.
//!
//! Invariant: each request in flight is answered once, by its worker or, at the end of the drain, from here; whoever takes
//! the record out of [`InFlight`] is the one to answer.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::{self, Deadline};
use crate::http::connection::Connection;
use crate::http::context::NO_ROUTE;
use crate::http::message::encode::{AnswerFrame, DateCache, encode};
use crate::http::message::framing::{Persistence, Version};
use crate::http::message::grammar::path_of;
use crate::http::message::refusal::Refusal;
use crate::http::net::poll::Watched;
use crate::http::net::stream::Stream;
use crate::observe::{Answered, Observation, Observer};

/// For how long a kept connection may still send the request that its client was about to send when TERM came.
pub const GRACE: Duration = Duration::from_millis(300);

/// The last words are spoken this long before the end, so that they can still be heard.
pub const LAST_WORDS: Duration = Duration::from_millis(200);

/// When a server that goes down does what.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Whoever has no answer by then is told so.
    pub last_words: Deadline,
    /// Nothing is waited for any more.
    pub end: Deadline,
}

/// Sees to it that a connection waits for nothing past the end of the drain, and for its next request hardly at all.
pub fn hurry(connection: &mut Connection, end: Deadline, now: Instant) {
    connection.hurry(end);
    if connection.is_between_requests() {
        connection.hurry(Deadline::after(now, GRACE));
    }
}

/// The request that one worker is waiting for an answer to.
#[derive(Debug, Default)]
pub struct InFlight(Mutex<Option<Waiting>>);

/// Where, and how, the last word would go.
#[derive(Debug)]
pub struct Waiting {
    /// Where the answer goes.
    pub socket: Arc<Watched<Stream>>,
    /// The request's method.
    pub method: String,
    /// The request's target.
    pub target: String,
    /// The version that it came in.
    pub version: Version,
    /// Its id.
    pub request_id: String,
    /// When it was there.
    pub since: Instant,
}

impl InFlight {
    /// Takes note of a request that is being handled.
    pub fn begin(&self, waiting: Waiting) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(waiting);
    }

    /// Takes the record out. `None`: it was answered from here already, and nothing more may be written.
    #[must_use]
    pub fn end(&self) -> Option<Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Answers 503 in place of the worker, if it still waits. Says whether it did.
    pub fn speak_last_words(&self, observer: &Observer) -> bool {
        let Some(waiting) = self.end() else { return false };
        let mut date = DateCache::default();
        let framing = AnswerFrame {
            method: &waiting.method,
            version: waiting.version,
            persistence: Persistence::Close,
            date: date.at(clock::wall()),
            request_id: &waiting.request_id,
        };
        let refusal = Refusal::ShuttingDown;
        let response = refusal.problem().response(Some(path_of(&waiting.target)), &waiting.request_id);
        let mut bytes = Vec::new();
        let Ok(body_bytes) = encode(response, &framing, &mut bytes) else { return false };
        // There is no time left to wait for a peer that does not read.
        if waiting.socket.socket().write_all(&bytes).is_err() {
            return false;
        }
        observer.emit(&Observation::Rejected { reason: refusal.reason() });
        observer.emit(&Observation::Answered(&Answered {
            method: &waiting.method,
            target: &waiting.target,
            route: NO_ROUTE,
            status: refusal.code().status(),
            body_bytes,
            duration: clock::now().saturating_duration_since(waiting.since),
            request_id: &waiting.request_id,
            code: Some(refusal.code()),
        }));
        true
    }
}
