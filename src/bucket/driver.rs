//! What `drivers` calls of each database: opening and checking it.
//!
//! Invariant: opening asks nothing over a network, and checking creates and changes nothing.

use std::sync::Arc;

use super::report::Report;
use super::{BucketError, BucketTimeouts, Database};
use crate::config::Settings;
use crate::observe::Observer;

/// A database by its name.
pub trait Driver: Sync {
    /// Opens it.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for settings that can never work, such as a file that is no database;
    /// [`BucketError::Unavailable`] if a thread cannot be started.
    fn open(&self, opening: &Opening) -> Result<Arc<dyn Database>, BucketError>;

    /// Checks it step by step. Every wait is bounded by the timeouts of `[bucket]`.
    fn check(&self, opening: &Opening, report: &mut Report);
}

/// What a database is opened with.
pub struct Opening<'a> {
    /// All of them; each database has a section of its own.
    pub settings: &'a Settings,
    /// Those of `[bucket]`.
    pub timeouts: BucketTimeouts,
    /// Where observations are reported.
    pub observer: &'a Observer,
    /// What a file that is not there is to be.
    pub if_missing: IfMissing,
}

/// What a database that is not there yet is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Made, where it is a file.
    Create,
    /// An error: who reads from it has mistyped something.
    Refuse,
}
