//! Whether the database can be asked, as it was found out at most a second ago.
//!
//! Invariant: one check at a time, however many ask, and none waits for another one beyond its deadline.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::bucket::BucketError;
use crate::clock::{self, Deadline};

/// How long `/ready` waits for the database: short enough for every prober, and independent of what requests may take.
pub const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// For how long the outcome of a check is taken for the present state.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// The last check.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<Checked>>);

#[derive(Debug)]
struct Checked {
    ended_at: Instant,
    outcome: Result<(), BucketError>,
}

impl Readiness {
    /// Returns the outcome of the last check if it is fresh; else checks, or waits for the check that is under way.
    ///
    /// # Errors
    /// What the check failed with; [`BucketError::Timeout`] if the deadline came first.
    pub fn check(
        &self,
        deadline: Deadline,
        check: impl FnOnce() -> Result<(), BucketError>,
    ) -> Result<(), BucketError> {
        let Some(mut last) = self.0.try_lock_until(deadline.instant()) else {
            return Err(BucketError::timeout("a check that others wait for too has not ended"));
        };
        if let Some(checked) = last.as_ref()
            && clock::now().saturating_duration_since(checked.ended_at) < FRESH_FOR
        {
            return checked.outcome.clone();
        }
        let outcome = check();
        *last = Some(Checked { ended_at: clock::now(), outcome: outcome.clone() });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    fn soon() -> Deadline {
        Deadline::after(clock::now(), Duration::from_secs(60))
    }

    #[test]
    fn those_who_ask_at_once_share_one_check() {
        let (readiness, checks) = (Readiness::default(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let outcome = readiness.check(soon(), || {
                        checks.fetch_add(1, Ordering::SeqCst);
                        thread::sleep(Duration::from_millis(20));
                        Err(BucketError::unavailable("down"))
                    });
                    assert_eq!(outcome, Err(BucketError::unavailable("down")));
                });
            }
        });
        assert_eq!(checks.into_inner(), 1);
    }

    #[test]
    fn nobody_waits_for_another_check_beyond_the_deadline() {
        let readiness = Readiness::default();
        let under_way = readiness.0.lock();
        let outcome = readiness.check(Deadline::after(clock::now(), Duration::ZERO), || Ok(()));
        assert!(matches!(outcome, Err(BucketError::Timeout { .. })), "{outcome:?}");
        drop(under_way);
        assert_eq!(readiness.check(soon(), || Ok(())), Ok(()));
    }
}
