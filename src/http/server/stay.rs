//! Lets one worker at a time wait a moment for the next request of the client that it has just answered.
//!
//! A client that asks one thing after the other is answered without a detour over the poller. Where that does not pay,
//! because clients take longer, it is tried ever more rarely.
//!
//! Invariant: no more than one worker of a listener waits like this, for [`MOMENT`] at the most, and never while there
//! is work for it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// How long a worker waits: a client on the same machine or the next one needs less than that to ask again.
pub const MOMENT: Duration = Duration::from_micros(100);

/// The most chances that are let pass after a vain wait.
const MOST_PASSED: u32 = 1024;

/// The right to wait for a client.
#[derive(Debug, Default)]
pub struct Stay {
    is_taken: AtomicBool,
    /// Chances to let pass before the next try.
    to_pass: AtomicU32,
    /// How many to let pass after the next vain wait.
    after_miss: AtomicU32,
}

/// The right, while somebody has it.
pub struct Waiting<'a>(&'a Stay);

impl Stay {
    /// Takes the right, unless another worker has it or it is too soon after a vain wait.
    pub fn begin(&self) -> Option<Waiting<'_>> {
        if self.to_pass.load(Ordering::Relaxed) > 0 {
            // Two at once may count one chance twice, which does no harm.
            let _ = self.to_pass.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            return None;
        }
        (!self.is_taken.swap(true, Ordering::Acquire)).then_some(Waiting(self))
    }
}

impl Waiting<'_> {
    /// Takes note of whether the client asked in time.
    pub fn end(self, has_asked: HasAsked) {
        let stay = self.0;
        match has_asked {
            HasAsked::Yes => stay.after_miss.store(1, Ordering::Relaxed),
            HasAsked::No => {
                let pass = stay.after_miss.load(Ordering::Relaxed).clamp(1, MOST_PASSED);
                stay.to_pass.store(pass, Ordering::Relaxed);
                stay.after_miss.store(pass * 2, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.is_taken.store(false, Ordering::Release);
    }
}

/// Whether a client asked while it was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HasAsked {
    /// It did.
    Yes,
    /// It took longer.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_may_wait() {
        let stay = Stay::default();
        let first = stay.begin().unwrap();
        assert!(stay.begin().is_none());
        first.end(HasAsked::Yes);
        assert!(stay.begin().is_some());
    }

    #[test]
    fn vain_waits_become_rare_and_one_success_makes_them_frequent_again() {
        let stay = Stay::default();
        let mut passed_before_each = Vec::new();
        for _ in 0..14 {
            let mut passed = 0;
            while stay.begin().map(|waiting| waiting.end(HasAsked::No)).is_none() {
                passed += 1;
            }
            passed_before_each.push(passed);
        }
        assert_eq!(passed_before_each, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
        while stay.begin().map(|waiting| waiting.end(HasAsked::Yes)).is_none() {}
        assert!(stay.begin().is_some());
    }
}
