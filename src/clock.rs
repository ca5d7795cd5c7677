//! The one place that asks what time it is, and the one type in which a wait is bounded.
//!
//! Invariant: nothing else in the crate calls `Instant::now` or `SystemTime::now` (`clippy.toml` forbids it).
//! Pure code takes `now` as an argument, so that a test can be at any moment it likes.

use std::time::{Duration, Instant, SystemTime};

/// A wait that is longer than this is not told from "for ever"; it also keeps sums from overflowing.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The present moment on the monotonic clock, which no administrator and no NTP server moves.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// The present moment on the wall clock, for `Date` fields and log lines only: it may jump.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
#[must_use]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// The moment after which an answer is of no use to anybody. It travels with a request: whoever waits, waits for
/// [`Deadline::remaining`] at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The moment that lies `wait` after `start`; a wait of over a year is cut to a year.
    #[must_use]
    pub fn after(start: Instant, wait: Duration) -> Self {
        Self(start + wait.min(LONGEST_WAIT))
    }

    /// A deadline that does not come while anybody looks: a year after `start`.
    #[must_use]
    pub fn never(start: Instant) -> Self {
        Self::after(start, LONGEST_WAIT)
    }

    /// What is left of it at `now`; zero once it is over.
    #[must_use]
    pub fn remaining(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// True from the moment itself on.
    #[must_use]
    pub fn is_over(self, now: Instant) -> bool {
        now >= self.0
    }

    /// The earlier of two deadlines.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        self.min(other)
    }

    /// The moment itself.
    #[must_use]
    pub fn instant(self) -> Instant {
        self.0
    }
}

/// Pauses between attempts that fail: each twice as long as the one before, up to a bound, and cut by chance so that many
/// who failed at the same moment do not come back at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// The first pause.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl BackOff {
    /// The pause after `failures` failures before this one. `chance` is from 0 to 1: it cuts a pause to half at most.
    #[must_use]
    pub fn pause(&self, failures: u32, chance: f64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures)).min(self.longest);
        doubled.mul_f64(0.5 + 0.5 * chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_over_at_its_own_moment_and_not_before() {
        let start = now();
        let deadline = Deadline::after(start, Duration::from_secs(2));
        assert!(!deadline.is_over(start + Duration::from_millis(1999)));
        assert!(deadline.is_over(start + Duration::from_secs(2)));
        assert_eq!(deadline.remaining(start + Duration::from_secs(3)), Duration::ZERO);
    }

    #[test]
    fn an_absurd_wait_does_not_overflow() {
        let start = now();
        assert!(Deadline::after(start, Duration::MAX).remaining(start) > Duration::from_secs(1_000_000));
    }

    #[test]
    fn pauses_double_up_to_their_bound_and_vary() {
        let back_off = BackOff { first: Duration::from_millis(50), longest: Duration::from_secs(5) };
        for (failures, longest_ms) in [(0, 50), (1, 100), (6, 3200), (7, 5000), (u32::MAX, 5000)] {
            assert_eq!(back_off.pause(failures, 1.0), Duration::from_millis(longest_ms));
            assert_eq!(back_off.pause(failures, 0.0), Duration::from_millis(longest_ms) / 2);
        }
    }

    #[test]
    fn the_earlier_one_wins_whichever_is_asked() {
        let start = now();
        let soon = Deadline::after(start, Duration::from_secs(1));
        let late = Deadline::never(start);
        assert_eq!(soon.earlier(late), soon);
        assert_eq!(late.earlier(soon), soon);
    }
}
