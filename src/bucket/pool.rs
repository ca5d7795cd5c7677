//! Lends bucket connections to requests, to one request at a time each, in both modes of `[bucket] connections`.
//!
//! `r2d2` does the counting and the waiting for both. What it pools are permits, which cost nothing to make; a permit is
//! the right to one connection. The borrower opens the connection itself, in its own thread and within its own
//! deadline, so that it also gets the true error. `per-request` empties the permit when it comes back; `pooled` leaves
//! the connection in it.
//!
//! Invariant: there are never more connections open than permits, a connection that failed is never lent again, and none
//! carries the names of the request that had it before.

use std::convert::Infallible;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use scheduled_thread_pool::ScheduledThreadPool;

use super::{Bucket, BucketError, BucketTimeouts, Database, Document, ErrorKind, Trace, get_bucket};
use crate::clock::{self, Deadline};
use crate::config::{BucketSettings, Connections};
use crate::model::DocumentId;
use crate::observe::metrics::BucketGauges;
use crate::observe::{Observation, Observer, SlowOperation};

/// What holds for the connections of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// How long operations may take.
    pub timeouts: BucketTimeouts,
    /// How long a request may wait for a connection.
    pub wait_timeout: Duration,
    /// What takes as long is logged.
    pub slow_operation: Duration,
    /// Whether connections are kept.
    pub connections: Connections,
    /// How many there may be at once; one at least.
    pub max_connections: u32,
}

impl PoolOptions {
    /// Returns those of `[bucket]`; `max_connections` is for when no setting says otherwise.
    #[must_use]
    pub fn new(settings: &BucketSettings, max_connections: u32) -> Self {
        Self {
            timeouts: BucketTimeouts::from(settings),
            wait_timeout: settings.wait_timeout,
            slow_operation: settings.slow_operation,
            connections: settings.connections,
            max_connections: settings.max_connections.unwrap_or(max_connections).max(1),
        }
    }
}

/// Lends bucket connections.
pub struct BucketPool {
    database: Arc<dyn Database>,
    options: ArcSwap<PoolOptions>,
    observer: Observer,
    permits: r2d2::Pool<PermitMaker>,
    /// The thread that `r2d2` wants to have.
    thread: Arc<ScheduledThreadPool>,
    /// How many connections are open.
    open: Arc<AtomicUsize>,
}

impl BucketPool {
    /// Makes at most `max_connections` permits. Opens no connection: the server starts while the database is down.
    #[must_use]
    pub fn new(database: Arc<dyn Database>, options: PoolOptions, observer: &Observer) -> Self {
        let thread = ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("bucket-permits").build();
        Self::with_thread(database, options, Arc::new(thread), observer)
    }

    fn with_thread(
        database: Arc<dyn Database>,
        options: PoolOptions,
        thread: Arc<ScheduledThreadPool>,
        observer: &Observer,
    ) -> Self {
        let permits = r2d2::Pool::builder()
            .max_size(options.max_connections)
            .test_on_check_out(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .thread_pool(Arc::clone(&thread))
            .build_unchecked(PermitMaker);
        Self {
            database,
            options: ArcSwap::from_pointee(options),
            observer: observer.clone(),
            permits,
            thread,
            open: Arc::default(),
        }
    }

    /// Lets other options hold from now on. Kept connections are used again unless they were opened within other timeouts.
    ///
    /// For another number of connections there has to be another pool, which is returned: it lends connections of its own
    /// while those of this one are in use or kept, which they are until the last request of this pool has ended.
    #[must_use]
    pub fn set_options(self: &Arc<Self>, options: PoolOptions) -> Arc<Self> {
        if options.max_connections == self.options().max_connections {
            self.options.store(Arc::new(options));
            return Arc::clone(self);
        }
        let (database, thread) = (Arc::clone(&self.database), Arc::clone(&self.thread));
        Arc::new(Self::with_thread(database, options, thread, &self.observer))
    }

    /// What holds for its connections.
    #[must_use]
    pub fn options(&self) -> PoolOptions {
        **self.options.load()
    }

    /// Lends a connection, with `deadline` and `trace` set, to `operation`. Waits for a permit for `wait_timeout` at most,
    /// and never past the deadline. What takes as long as `slow_operation` from then on is logged once.
    ///
    /// # Errors
    /// [`BucketError::Busy`] if no permit became free; what opening a connection failed with (see [`get_bucket`]); what
    /// `operation` answered.
    pub fn with_bucket<T>(
        &self,
        deadline: Deadline,
        trace: &Trace,
        operation: impl FnOnce(&mut dyn Bucket) -> Result<T, BucketError>,
    ) -> Result<T, BucketError> {
        let (asked_at, options) = (clock::now(), self.options());
        let wait = options.wait_timeout.min(deadline.remaining(asked_at));
        let permit = self.permits.get_timeout(wait).map_err(|_| BucketError::Busy { waited: wait });
        let start = clock::now();
        let database = self.database.name();
        let report = |outcome: &'static str, bucket: Option<&dyn Bucket>, end| {
            let (waited, duration) = (start - asked_at, end - start);
            self.observer.emit(&Observation::BucketUsed { database, outcome, waited, duration });
            self.report_if_slow(trace, outcome, bucket, duration);
        };
        let mut permit = permit.inspect_err(|busy| report(busy.kind().as_str(), None, start))?;
        let idle = permit.idle.take().filter(|idle| idle.is_usable(&options, start));
        // Declared after the permit, and so closed before it: else there could be one connection too many for a moment.
        let mut bucket = match idle {
            Some(idle) => idle.bucket,
            None => {
                self.open(&options, deadline).inspect_err(|error| report(error.kind().as_str(), None, clock::now()))?
            }
        };
        bucket.set_deadline(deadline);
        bucket.set_trace(trace);
        let outcome = operation(&mut *bucket);
        let end = clock::now();
        let kind = outcome.as_ref().err().map(BucketError::kind);
        report(kind.map_or("ok", ErrorKind::as_str), Some(&*bucket), end);
        let is_sound = kind.is_none_or(ErrorKind::is_of_one_document);
        if is_sound && options.connections == Connections::Pooled {
            permit.idle = Some(Idle { bucket, since: end, timeouts: options.timeouts });
        }
        outcome
    }

    fn open(&self, options: &PoolOptions, deadline: Deadline) -> Result<OpenBucket, BucketError> {
        let bucket = get_bucket(self.database.as_ref(), &options.timeouts, deadline)?;
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(OpenBucket { bucket, open: Arc::clone(&self.open) })
    }

    fn report_if_slow(&self, trace: &Trace, outcome: &'static str, bucket: Option<&dyn Bucket>, duration: Duration) {
        if duration < self.options().slow_operation {
            return;
        }
        let details = bucket.and_then(Bucket::last_details).unwrap_or_default();
        self.observer.emit(&Observation::SlowOperation(&SlowOperation {
            request_id: trace.request_id.as_deref(),
            database: self.database.name(),
            node: bucket.and_then(Bucket::node).as_deref(),
            code: details.code.as_deref(),
            server_elapsed: details.elapsed,
            server_execution: details.execution,
            duration,
            outcome,
        }));
    }

    /// Reads through a connection of its own, beside the permits, so that whoever asks whether the database is well gets
    /// an answer while all of them are lent. To be called by one thread at a time.
    ///
    /// # Errors
    /// As [`get_bucket`] and [`Bucket::get`].
    pub fn probe(&self, deadline: Deadline, trace: &Trace, id: &DocumentId) -> Result<Option<Document>, BucketError> {
        let mut bucket = get_bucket(self.database.as_ref(), &self.options().timeouts, deadline)?;
        bucket.set_trace(trace);
        bucket.get(id)
    }

    /// The database that the connections are to.
    #[must_use]
    pub fn database(&self) -> &dyn Database {
        self.database.as_ref()
    }

    /// How many connections there are at the moment.
    #[must_use]
    pub fn gauges(&self) -> BucketGauges {
        let permits = self.permits.state();
        let in_use = permits.connections.saturating_sub(permits.idle_connections) as usize;
        BucketGauges {
            in_use,
            idle: self.open.load(Ordering::Relaxed).saturating_sub(in_use),
            max: self.permits.max_size() as usize,
        }
    }
}

/// The right to one connection, with the connection in it while it is kept.
struct Permit {
    idle: Option<Idle>,
}

struct Idle {
    bucket: OpenBucket,
    since: Instant,
    /// Those that it was opened with.
    timeouts: BucketTimeouts,
}

impl Idle {
    fn is_usable(&self, options: &PoolOptions, now: Instant) -> bool {
        self.timeouts == options.timeouts && self.bucket.is_fresh(self.since, now)
    }
}

/// A connection that is counted for as long as it is open.
struct OpenBucket {
    bucket: Box<dyn Bucket>,
    open: Arc<AtomicUsize>,
}

impl Deref for OpenBucket {
    type Target = dyn Bucket;

    fn deref(&self) -> &Self::Target {
        self.bucket.as_ref()
    }
}

impl DerefMut for OpenBucket {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.bucket.as_mut()
    }
}

impl Drop for OpenBucket {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

struct PermitMaker;

impl r2d2::ManageConnection for PermitMaker {
    type Connection = Permit;
    type Error = Infallible;

    fn connect(&self) -> Result<Permit, Infallible> {
        Ok(Permit { idle: None })
    }

    fn is_valid(&self, _: &mut Permit) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Permit) -> bool {
        false
    }
}
