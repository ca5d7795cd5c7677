//! Everything about the running program that somebody may want to see, as one enum; what becomes of it is decided
//! here, and nowhere else.
//!
//! Invariant: an observation holds no document, no value of one, no secret and no full connection string, and what
//! came from a client is escaped before it reaches a log line.

pub mod format;
mod lines;

use std::fmt;
use std::time::Duration;

use crate::bucket::{BucketError, Exchange};
use crate::config::DatabaseName;
use crate::model::{DocumentId, InvalidDocument};
use crate::problem::ProblemCode;

/// Something that happened and that an operator may want to know.
#[derive(Debug)]
pub enum Observation<'a> {
    /// An answer went out.
    Answered(&'a Answered<'a>),
    /// A request needed the database, and that failed. `id` is the request's.
    BucketFailed {
        /// The id of the request.
        request_id: &'a str,
        /// What it was.
        error: &'a BucketError,
    },
    /// A stored document is no user profile.
    DocumentInvalid {
        /// The id of the request.
        request_id: &'a str,
        /// The document.
        id: &'a DocumentId,
        /// The rule that it breaks.
        rule: &'a InvalidDocument,
    },
    /// The document of one user says that it is another's. It is answered all the same.
    UsernameDiffers {
        /// The id of the request.
        request_id: &'a str,
        /// The document.
        id: &'a DocumentId,
    },
    /// The database did what it was asked and had something to say about it.
    DatabaseWarned {
        /// The database's own number for it.
        code: i64,
        /// What that means for us.
        meaning: &'a str,
    },
    /// An operation of the database took as long as `[bucket] slow_operation`, or longer.
    SlowOperation(&'a SlowOperation<'a>),
    /// A connection was refused, cut off, or closed by us for a reason that is counted.
    Rejected {
        /// From a fixed set.
        reason: &'static str,
    },
    /// Connections cannot be accepted for want of files or memory; said once an episode.
    AcceptPaused {
        /// The operating system's words.
        error: &'a std::io::Error,
    },
    /// Connections are accepted again.
    AcceptResumed {
        /// How long the episode was.
        after: Duration,
    },
    /// The server went down before the database had answered everybody; they were told so.
    DrainCutShort {
        /// How many requests that were.
        unanswered: usize,
    },
    /// A handler panicked, and its request got a 500; or, with `-` for an id, a worker did, and its connection was closed.
    WorkerPanicked {
        /// The id of the request.
        request_id: &'a str,
    },
    /// Something worth a line at start-up, at the end, or when a state changes.
    Note(fmt::Arguments<'a>),
    /// Something that works and should be changed.
    Warning(fmt::Arguments<'a>),
}

/// One answer, for the access line and the metrics.
#[derive(Debug)]
pub struct Answered<'a> {
    /// As it came.
    pub method: &'a str,
    /// The target as it came.
    pub target: &'a str,
    /// The route's template, from a fixed set.
    pub route: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The size of the body, in bytes.
    pub body_bytes: usize,
    /// From the moment when the request was complete.
    pub duration: Duration,
    /// The request's id, the client's own or ours.
    pub request_id: &'a str,
    /// The problem that was answered.
    pub code: Option<ProblemCode>,
}

/// A slow operation, whichever way it ended.
#[derive(Debug)]
pub struct SlowOperation<'a> {
    /// The id of the request, if there was one.
    pub request_id: Option<&'a str>,
    /// Which database.
    pub database: DatabaseName,
    /// What the database says about its last exchange with us.
    pub exchange: Option<Exchange<'a>>,
    /// How long it took us: opening a connection where there was none, and every attempt.
    pub duration: Duration,
    /// `ok`, or the name of the error.
    pub outcome: &'static str,
}

/// Where observations go. Cheap to clone; one for the whole program.
#[derive(Clone, Debug, Default)]
pub struct Observer {}

impl Observer {
    /// Takes note of something. Never blocks for longer than writing one log line takes, and never fails.
    pub fn emit(&self, observation: &Observation<'_>) {
        lines::log(observation);
    }
}
