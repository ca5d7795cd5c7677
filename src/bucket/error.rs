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
    /// There is a document, but it is not a user profile.
    InvalidDocument(InvalidDocument),
    /// The database cannot be asked for this id, whatever is stored.
    UnusableId {
        /// The rule, fit for a client: nothing of the database in it.
        rule: &'static str,
    },
}

/// The variants of [`BucketError`], without their contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// [`BucketError::Misconfigured`]
    Misconfigured,
    /// [`BucketError::Unavailable`]
    Unavailable,
    /// [`BucketError::Busy`]
    Busy,
    /// [`BucketError::Timeout`]
    Timeout,
    /// [`BucketError::InvalidDocument`]
    InvalidDocument,
    /// [`BucketError::UnusableId`]
    UnusableId,
}

impl ErrorKind {
    /// One word for it, from a fixed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Misconfigured => "misconfigured",
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::InvalidDocument => "invalid-document",
            Self::UnusableId => "unusable-id",
        }
    }

    /// True if the error says something of one document or id only: the database is well.
    #[must_use]
    pub const fn is_of_one_document(self) -> bool {
        matches!(self, Self::InvalidDocument | Self::UnusableId)
    }
}

impl BucketError {
    /// [`BucketError::Misconfigured`]
    #[must_use]
    pub fn misconfigured(reason: impl Into<String>) -> Self {
        Self::Misconfigured { reason: reason.into() }
    }

    /// [`BucketError::Unavailable`]
    #[must_use]
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }

    /// [`BucketError::Timeout`]
    #[must_use]
    pub fn timeout(reason: impl Into<String>) -> Self {
        Self::Timeout { reason: reason.into() }
    }

    /// Which variant it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Misconfigured { .. } => ErrorKind::Misconfigured,
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::Busy { .. } => ErrorKind::Busy,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::InvalidDocument(_) => ErrorKind::InvalidDocument,
            Self::UnusableId { .. } => ErrorKind::UnusableId,
        }
    }

    /// The reason, without the sentence that says what kind of error it is.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Misconfigured { reason } | Self::Unavailable { reason } | Self::Timeout { reason } => reason.clone(),
            Self::Busy { .. } | Self::InvalidDocument(_) | Self::UnusableId { .. } => self.to_string(),
        }
    }

    /// The same error with another reason, if it has one.
    #[must_use]
    pub fn map_reason(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Misconfigured { reason } => Self::Misconfigured { reason: change(reason) },
            Self::Unavailable { reason } => Self::Unavailable { reason: change(reason) },
            Self::Timeout { reason } => Self::Timeout { reason: change(reason) },
            other @ (Self::Busy { .. } | Self::InvalidDocument(_) | Self::UnusableId { .. }) => other,
        }
    }

    /// The same error for a request that failed at once because another one had met it: it waited for nothing, so what
    /// was a timeout there is an outage here.
    #[must_use]
    pub fn of_another_request(self) -> Self {
        match self {
            Self::Timeout { reason } => Self::Unavailable { reason },
            other => other,
        }
    }
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
            Self::UnusableId { rule } => f.write_str(rule),
            Self::InvalidDocument(rule) => write!(f, "the document is not a user profile: {rule}"),
        }
    }
}

impl std::error::Error for BucketError {}
