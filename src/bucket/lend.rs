//! Lends bucket connections to requests, one request at a time each, in the two ways of `[bucket] connections`.
//!
//! `r2d2` does the counting and the waiting for both. What it pools are slots, which cost nothing to make; a slot is
//! the right to one connection. The borrower opens the connection itself, in its own thread and within its own
//! deadline, so that it also gets the true error. `per-request` empties the slot when it comes back; `pooled` leaves
//! the connection in it.
//!
//! Invariant: there are never more connections open than slots, a connection that failed is never lent again, and none
//! carries the names of the request that had it before.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scheduled_thread_pool::ScheduledThreadPool;

use super::{Bucket, BucketError, BucketTimeouts, Database, Trace, get_bucket};
use crate::clock::{self, Deadline};
use crate::config::{BucketSettings, Connections};
use crate::observe::{Observation, Observer, SlowOperation};

/// Where requests get their bucket connections from.
pub struct Buckets {
    database: Arc<dyn Database>,
    timeouts: BucketTimeouts,
    wait_timeout: Duration,
    slow_operation: Duration,
    connections: Connections,
    observer: Observer,
    slots: r2d2::Pool<SlotMaker>,
}

impl Buckets {
    /// Makes at most `max_connections` slots. Opens no connection: the server starts while the database is down.
    #[must_use]
    pub fn new(
        database: Arc<dyn Database>,
        settings: &BucketSettings,
        max_connections: u32,
        observer: &Observer,
    ) -> Self {
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
            slow_operation: settings.slow_operation,
            connections: settings.connections,
            observer: observer.clone(),
            slots,
        }
    }

    /// Lends a connection, with `deadline` and `trace` set, to `operation`. Waits for a slot for `wait_timeout` at most,
    /// and never past the deadline. What takes as long as `slow_operation` from then on is logged once.
    ///
    /// # Errors
    /// [`BucketError::Busy`] if no slot became free; what opening a connection failed with (see [`get_bucket`]); what
    /// `operation` answered.
    pub fn with_bucket<T>(
        &self,
        deadline: Deadline,
        trace: &Trace,
        operation: impl FnOnce(&mut dyn Bucket) -> Result<T, BucketError>,
    ) -> Result<T, BucketError> {
        let wait = self.wait_timeout.min(deadline.remaining(clock::now()));
        let mut slot = self.slots.get_timeout(wait).map_err(|_| BucketError::Busy { waited: wait })?;
        let start = clock::now();
        let kept = slot.kept.take().filter(|kept| kept.bucket.is_fresh(kept.idle_since, start));
        let tell = |outcome, bucket: Option<&dyn Bucket>, end| {
            self.tell_if_slow(trace, outcome, bucket, end - start);
        };
        // Declared after the slot, and so closed before it: else there could be one connection too many for a moment.
        let mut bucket = match kept {
            Some(kept) => kept.bucket,
            None => get_bucket(self.database.as_ref(), &self.timeouts, deadline)
                .inspect_err(|error| tell(error.name(), None, clock::now()))?,
        };
        bucket.set_deadline(deadline);
        bucket.set_trace(trace);
        let outcome = operation(bucket.as_mut());
        let end = clock::now();
        tell(outcome.as_ref().map_or_else(BucketError::name, |_| "ok"), Some(bucket.as_ref()), end);
        let is_sound =
            matches!(&outcome, Ok(_) | Err(BucketError::InvalidDocument(_) | BucketError::UnusableId { .. }));
        if is_sound && self.connections == Connections::Pooled {
            slot.kept = Some(Kept { bucket, idle_since: end });
        }
        outcome
    }

    fn tell_if_slow(&self, trace: &Trace, outcome: &'static str, bucket: Option<&dyn Bucket>, duration: Duration) {
        if duration >= self.slow_operation {
            self.observer.emit(&Observation::SlowOperation(&SlowOperation {
                request_id: trace.request_id.as_deref(),
                database: self.database.name(),
                exchange: bucket.and_then(Bucket::last_exchange),
                duration,
                outcome,
            }));
        }
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
