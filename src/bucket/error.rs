//! What can go wrong with a bucket, in the words that the rest of the program understands.
//!
//! Invariant: a `reason` is fit for a log line: no document, no value of one, no secret, no full connection string.

use std::fmt;
use std::time::Duration;

use crate::model::InvalidDocument;

/// Why a bucket did not do what it was asked. One variant a meaning, not one a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketError {
    /// The database refuses us, lacks what the settings name, or is not what the settings take it for: nothing gets
    /// better until somebody changes something. Caused by the section of that database.
    Misconfigured {
        /// What is wrong, and exactly what to change.
        reason: String,
    },
    /// The database is out of reach, overloaded, restarting, or failed by itself: asking again later may do.
    Unavailable {
        /// What was seen.
        reason: String,
    },
    /// No bucket connection became free in time. Caused by `[bucket] max_connections` and `wait_timeout`.
    Busy {
        /// How long it was waited for.
        waited: Duration,
    },
    /// There was no answer in time. Caused by `[bucket] operation_timeout`, or by a request that had less left.
    Timeout {
        /// What was being waited for.
        reason: String,
    },
    /// There is a document, but it is no user profile.
    InvalidDocument(InvalidDocument),
}

impl fmt::Display for BucketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misconfigured { reason } => {
                write!(f, "the database or the settings for it must be changed: {reason}")
            }
            Self::Unavailable { reason } => write!(f, "the database is unavailable: {reason}"),
            Self::Busy { waited } => write!(
                f,
                "no bucket connection became free within {} ms ([bucket] max_connections, wait_timeout)",
                waited.as_millis()
            ),
            Self::Timeout { reason } => write!(f, "the database did not answer in time: {reason}"),
            Self::InvalidDocument(rule) => write!(f, "the document is not a user profile: {rule}"),
        }
    }
}

impl std::error::Error for BucketError {}
