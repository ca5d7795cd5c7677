//! Lends bucket connections to requests, one request at a time each, in the two ways of `[bucket] connections`.
//!
//! `r2d2` does the counting and the waiting for both. What it pools are slots, which cost nothing to make; a slot is
//! the right to one connection. The borrower opens the connection itself, in its own thread and within its own
//! deadline, so that it also gets the true error. `per-request` empties the slot when it comes back; `pooled` leaves
//! the connection in it.
//!
//! Invariant: there are never more connections open than slots, and a connection that failed is never lent again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scheduled_thread_pool::ScheduledThreadPool;

use super::{Bucket, BucketError, BucketTimeouts, Database, get_bucket};
use crate::clock::{self, Deadline};
use crate::config::{BucketSettings, Connections};

/// Where requests get their bucket connections from.
pub struct Buckets {
    database: Arc<dyn Database>,
    timeouts: BucketTimeouts,
    wait_timeout: Duration,
    connections: Connections,
    slots: r2d2::Pool<SlotMaker>,
}

impl Buckets {
    /// Makes at most `max_connections` slots. Opens no connection: the server starts while the database is down.
    #[must_use]
    pub fn new(database: Arc<dyn Database>, settings: &BucketSettings, max_connections: u32) -> Self {
        let one_thread = ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("bucket-slots").build();
        let slots = r2d2::Pool::builder()
            .max_size(max_connections.max(1))
            .test_on_check_out(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .thread_pool(Arc::new(one_thread))
            .build_unchecked(SlotMaker);
        Self {
            database,
            timeouts: BucketTimeouts::from(settings),
            wait_timeout: settings.wait_timeout,
            connections: settings.connections,
            slots,
        }
    }

    /// Lends a connection, with `deadline` set, to `operation`. Waits for a slot for `wait_timeout` at most, and never
    /// past the deadline.
    ///
    /// # Errors
    /// [`BucketError::Busy`] if no slot became free; what opening a connection failed with (see [`get_bucket`]); what
    /// `operation` answered.
    pub fn with_bucket<T>(
        &self,
        deadline: Deadline,
        operation: impl FnOnce(&mut dyn Bucket) -> Result<T, BucketError>,
    ) -> Result<T, BucketError> {
        let wait = self.wait_timeout.min(deadline.remaining(clock::now()));
        let mut slot = self.slots.get_timeout(wait).map_err(|_| BucketError::Busy { waited: wait })?;
        let now = clock::now();
        let kept = slot.kept.take().filter(|kept| kept.bucket.is_fresh(kept.idle_since, now));
        // Declared after the slot, and so closed before it: else there could be one connection too many for a moment.
        let mut bucket = match kept {
            Some(kept) => kept.bucket,
            None => get_bucket(self.database.as_ref(), &self.timeouts, deadline)?,
        };
        bucket.set_deadline(deadline);
        let outcome = operation(bucket.as_mut());
        let is_sound = matches!(&outcome, Ok(_) | Err(BucketError::InvalidDocument(_)));
        if is_sound && self.connections == Connections::Pooled {
            slot.kept = Some(Kept { bucket, idle_since: clock::now() });
        }
        outcome
    }

    /// How long one operation may take.
    #[must_use]
    pub fn operation_timeout(&self) -> Duration {
        self.timeouts.operation
    }
}

/// The right to one connection, with the connection in it while it is kept.
struct Slot {
    kept: Option<Kept>,
}

struct Kept {
    bucket: Box<dyn Bucket>,
    idle_since: Instant,
}

struct SlotMaker;

impl r2d2::ManageConnection for SlotMaker {
    type Connection = Slot;
    type Error = Infallible;

    fn connect(&self) -> Result<Slot, Infallible> {
        Ok(Slot { kept: None })
    }

    fn is_valid(&self, _: &mut Slot) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Slot) -> bool {
        false
    }
}
