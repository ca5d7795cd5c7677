//! Many documents stored or listed: cut into requests, and each request repeated for as long as that may help.
//!
//! Storing may be repeated because it replaces whole documents: twice is as good as once. What a failed request has
//! stored is not known, so it is sent again whole.
//!
//! Invariant: nothing waits past the deadline of the connection, and a failure that nothing helps against is told at
//! once.

use std::thread;
use std::time::Duration;

use super::failure::{Failure, Remedy};
use super::transport::Reply;
use super::way::{BulkWay, Page, Request, Way};
use crate::bucket::{BucketError, Listed, NewDocument, Trace};
use crate::clock::{self, Deadline};
use crate::model::{DocumentId, InvalidDocument, MAX_DOCUMENT_BYTES};
use crate::observe::{Observation, Observer};

/// The largest page that is read, in bytes: there is room for one document of any size. A page that is longer is asked
/// for again with fewer documents.
const MAX_PAGE_BYTES: usize = MAX_DOCUMENT_BYTES + 64 * 1024;

/// The largest reply to a write, in bytes: counts and errors.
const MAX_STORED_REPLY_BYTES: usize = 1024 * 1024;

/// The waits between tries: the first, and where doubling ends.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What brings requests to a node: a bucket connection.
pub trait Carrier {
    /// When an answer is of no use any more.
    fn deadline(&self) -> Deadline;

    /// When the exchange that begins now has to be over: [`Carrier::deadline`], or earlier where another node is left.
    fn attempt_deadline(&self) -> Deadline;

    /// For whom the requests are.
    fn trace(&self) -> &Trace;

    /// Whom to tell that something is tried again.
    fn observer(&self) -> &Observer;

    /// Who is asked, in words for a reason.
    fn peer(&self) -> &str;

    /// One exchange.
    ///
    /// # Errors
    /// [`Failure`] if no answer came, or not all of it.
    fn send(&mut self, request: &Request, deadline: Deadline, max_body_bytes: usize) -> Result<Reply, Failure>;

    /// Gets ready for another try after a failure with this remedy.
    fn recover(&mut self, remedy: Remedy);
}

/// Stores documents. If it fails, some of them may be stored.
///
/// # Errors
/// Each variant of [`BucketError`] but `Busy`; its reason says how many documents are stored for certain.
pub fn store(way: &dyn Way, carrier: &mut dyn Carrier, documents: &[NewDocument]) -> Result<(), BucketError> {
    let bulk = bulk(way)?;
    let mut stored = 0;
    while stored < documents.len() {
        let rest = &documents[stored..];
        let some = &rest[..bulk.fitting(rest).clamp(1, rest.len())];
        persist(carrier, "storing documents", |carrier| {
            // The service is told the same limit as we keep, so that it does not go on with what nobody waits for.
            let deadline = carrier.attempt_deadline();
            let left = deadline.remaining(clock::now());
            let request = bulk.store_request(some, left, carrier.trace()).map_err(Failure::lasting)?;
            let reply = carrier.send(&request, deadline, MAX_STORED_REPLY_BYTES)?;
            bulk.read_stored(&reply, some.len(), carrier.peer())
        })
        .map_err(|error| with_count(error, stored, documents.len()))?;
        stored += some.len();
    }
    Ok(())
}

/// Lists documents: see [`crate::bucket::Bucket::list`].
///
/// # Errors
/// Each variant of [`BucketError`] but `Busy`.
pub fn list(
    way: &dyn Way,
    carrier: &mut dyn Carrier,
    after: Option<&DocumentId>,
    most: usize,
) -> Result<Vec<Listed>, BucketError> {
    let bulk = bulk(way)?;
    let mut page = Page { after, most };
    loop {
        let listed = persist(carrier, "listing documents", |carrier| {
            // The service is told the same limit as we keep, so that it does not go on with what nobody waits for.
            let deadline = carrier.attempt_deadline();
            let left = deadline.remaining(clock::now());
            let request = bulk.list_request(page, left, carrier.trace());
            let reply = carrier.send(&request, deadline, MAX_PAGE_BYTES)?;
            bulk.read_listed(&reply, page, carrier.peer())
        });
        match listed {
            Err(BucketError::InvalidDocument(InvalidDocument::TooLarge)) if page.most > 1 => {
                page.most = page.most.div_ceil(4);
            }
            listed => return listed,
        }
    }
}

fn bulk(way: &dyn Way) -> Result<&dyn BulkWay, BucketError> {
    way.bulk().ok_or_else(|| BucketError::Misconfigured {
        reason: format!(
            "{} reads single documents only; to import and export, set [couchbase] api = \"query\" (for the one \
             command: --set couchbase.api=query)",
            way.service_name()
        ),
    })
}

/// Tries until it succeeds, nothing helps, or the time is over. Then the last failure is what is told.
fn persist<T>(
    carrier: &mut dyn Carrier,
    what: &str,
    mut attempt: impl FnMut(&mut dyn Carrier) -> Result<T, Failure>,
) -> Result<T, BucketError> {
    let mut failures = 0;
    loop {
        let Failure { error, remedy } = match attempt(carrier) {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        let wait = match remedy {
            Remedy::None | Remedy::Unasked | Remedy::NewLogin => return Err(error),
            Remedy::Redial => Duration::ZERO,
            Remedy::AnotherNode | Remedy::Later => pause(failures, fastrand::f64()),
        };
        let left = carrier.deadline().remaining(clock::now());
        if left <= wait {
            return Err(error);
        }
        // Once: a person who waits wants to know why, and not how often.
        if failures == 0 && remedy != Remedy::Redial {
            carrier.observer().emit(&Observation::Warning(format_args!(
                "{what} failed and is tried again, for {} s at the most ([bucket] n1ql_timeout): {error}",
                left.as_secs()
            )));
        }
        failures += u32::from(remedy != Remedy::Redial);
        thread::sleep(wait);
        carrier.recover(remedy);
    }
}

/// The wait after so many failures before this one. `chance` is from 0 to 1, so that many do not come back at once.
fn pause(failures: u32, chance: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_PAUSE);
    doubled.mul_f64(0.5 + 0.5 * chance)
}

fn with_count(error: BucketError, stored: usize, all: usize) -> BucketError {
    let add = |reason: String| format!("{reason} (of {all} documents {stored} are stored, of the others some may be)");
    match error {
        BucketError::Misconfigured { reason } => BucketError::Misconfigured { reason: add(reason) },
        BucketError::Unavailable { reason } => BucketError::Unavailable { reason: add(reason) },
        BucketError::Timeout { reason } => BucketError::Timeout { reason: add(reason) },
        BucketError::Busy { .. } | BucketError::InvalidDocument(_) | BucketError::UnusableId { .. } => error,
    }
}

#[cfg(test)]
mod tests {
    use super::super::way::{Reading, Service};
    use super::*;

    /// Fails as it is told to, and keeps count.
    struct Scripted {
        deadline: Deadline,
        trace: Trace,
        observer: Observer,
        recovered: Vec<Remedy>,
    }

    impl Scripted {
        fn new(wait: Duration) -> Self {
            let deadline = Deadline::after(clock::now(), wait);
            Self { deadline, trace: Trace::default(), observer: Observer::default(), recovered: Vec::new() }
        }
    }

    impl Carrier for Scripted {
        fn deadline(&self) -> Deadline {
            self.deadline
        }

        fn trace(&self) -> &Trace {
            &self.trace
        }

        fn observer(&self) -> &Observer {
            &self.observer
        }

        fn peer(&self) -> &'static str {
            "nobody"
        }

        fn attempt_deadline(&self) -> Deadline {
            self.deadline
        }

        fn send(&mut self, _: &Request, _: Deadline, _: usize) -> Result<Reply, Failure> {
            Err(failure(Remedy::None))
        }

        fn recover(&mut self, remedy: Remedy) {
            self.recovered.push(remedy);
        }
    }

    fn failure(remedy: Remedy) -> Failure {
        Failure { error: BucketError::Unavailable { reason: "x".to_owned() }, remedy }
    }

    /// A way that only reads.
    struct Reader;

    impl Way for Reader {
        fn service(&self) -> Service {
            Service::Manager
        }

        fn service_name(&self) -> &'static str {
            "the cluster manager"
        }

        fn read_request(&self, _: &DocumentId, _: Duration, _: &Trace) -> Result<Request, BucketError> {
            Err(failure(Remedy::None).error)
        }

        fn max_reply_bytes(&self) -> usize {
            0
        }

        fn warning(&self, _: i64) -> &'static str {
            ""
        }

        fn read_reply(&self, _: &Reply, _: &DocumentId, _: &str) -> Reading {
            Reading::plain(Err(failure(Remedy::None)))
        }
    }

    #[test]
    fn a_way_that_only_reads_says_which_way_to_take_instead() {
        let mut carrier = Scripted::new(Duration::from_secs(60));
        let outcomes = [store(&Reader, &mut carrier, &[]).err(), list(&Reader, &mut carrier, None, 1).err()];
        for outcome in outcomes {
            let Some(BucketError::Misconfigured { reason }) = outcome else { panic!("{outcome:?}") };
            assert!(reason.contains("[couchbase] api = \"query\""), "{reason}");
        }
    }

    #[test]
    fn what_may_help_is_tried_until_it_does() {
        let mut carrier = Scripted::new(Duration::from_secs(60));
        let mut script = [Remedy::Redial, Remedy::Later, Remedy::AnotherNode].into_iter();
        let outcome = persist(&mut carrier, "a test", |_| script.next().map_or(Ok(7), |remedy| Err(failure(remedy))));
        assert_eq!(outcome, Ok(7));
        assert_eq!(carrier.recovered, [Remedy::Redial, Remedy::Later, Remedy::AnotherNode]);
    }

    #[test]
    fn what_nothing_helps_against_is_told_at_once_and_so_is_the_end_of_the_time() {
        for (remedy, wait) in [
            (Remedy::None, Duration::from_secs(60)),
            (Remedy::NewLogin, Duration::from_secs(60)),
            (Remedy::Later, Duration::ZERO),
            (Remedy::Redial, Duration::ZERO),
        ] {
            let mut carrier = Scripted::new(wait);
            let mut tries = 0;
            let outcome: Result<(), _> = persist(&mut carrier, "a test", |_| {
                tries += 1;
                Err(failure(remedy))
            });
            assert_eq!((outcome.is_err(), tries, carrier.recovered.len()), (true, 1, 0), "{remedy:?}");
        }
    }

    #[test]
    fn the_last_failure_is_told_when_the_time_is_over() {
        let mut carrier = Scripted::new(Duration::from_millis(200));
        let mut tries = 0;
        let outcome: Result<(), _> = persist(&mut carrier, "a test", |_| {
            tries += 1;
            Err(failure(Remedy::Later))
        });
        assert!(outcome.is_err() && tries > 1, "{tries}");
    }

    #[test]
    fn pauses_double_up_to_five_seconds_and_vary() {
        for (failures, longest_ms) in [(0, 50), (1, 100), (6, 3200), (7, 5000), (u32::MAX, 5000)] {
            assert_eq!(pause(failures, 1.0), Duration::from_millis(longest_ms));
            assert_eq!(pause(failures, 0.0), Duration::from_millis(longest_ms) / 2);
        }
    }
}
