//! The bucket of a command that makes many calls, one after the other.
//!
//! Invariant: each call has the batch timeout for itself, and a connection that failed or was idle for too long is never
//! used again.

use std::time::Instant;

use crate::bucket::{Bucket, BucketError, BucketTimeouts, Database, get_bucket};
use crate::clock::{self, Deadline};

/// A database, with the connection to it that was used last.
pub(super) struct CommandBucket<'a> {
    database: &'a dyn Database,
    timeouts: &'a BucketTimeouts,
    kept: Option<(Box<dyn Bucket>, Instant)>,
}

impl<'a> CommandBucket<'a> {
    /// Opens nothing yet.
    pub(super) fn new(database: &'a dyn Database, timeouts: &'a BucketTimeouts) -> Self {
        Self { database, timeouts, kept: None }
    }

    /// Makes one call, over the kept connection if it may be used again.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Bucket) -> Result<T, BucketError>,
    ) -> Result<T, BucketError> {
        let now = clock::now();
        let deadline = Deadline::after(now, self.timeouts.batch);
        let mut bucket = match self.kept.take() {
            Some((bucket, idle_since)) if bucket.is_fresh(idle_since, now) => bucket,
            _ => get_bucket(self.database, self.timeouts, deadline)?,
        };
        bucket.set_deadline(deadline);
        let outcome = call(bucket.as_mut())?;
        self.kept = Some((bucket, clock::now()));
        Ok(outcome)
    }
}
