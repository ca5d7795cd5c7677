//! Which workers look for work: a few at a time, and never none.
//!
//! A worker that looks waits at the poller itself, so that a connection which becomes ready wakes one thread, and under
//! load none at all. More of them than can run at once would wake up for each other's work; so the others rest, until one
//! is called because all that looked are in handlers that may wait.
//!
//! Invariant: one looks, or has been called, unless there is none that could.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The workers of one listener, by what they do.
#[derive(Debug)]
pub struct Lookout {
    /// So many look, and no more, but for the moment after one has come back from its handler.
    enough: usize,
    looking: AtomicUsize,
    others: Mutex<Others>,
    is_called: Condvar,
}

#[derive(Debug, Default)]
struct Others {
    resting: usize,
    /// How many of those who rest are to look.
    called: usize,
}

impl Lookout {
    /// Nobody looks yet.
    #[must_use]
    pub fn new(enough: usize) -> Self {
        Self {
            enough: enough.max(1),
            looking: AtomicUsize::new(0),
            others: Mutex::default(),
            is_called: Condvar::new(),
        }
    }

    /// A worker looks from now on.
    pub fn join(&self) {
        self.looking.fetch_add(1, Ordering::SeqCst);
    }

    /// A worker does not look for a while, or for good.
    pub fn leave(&self) {
        if self.looking.fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        let mut others = self.others();
        if self.looking.load(Ordering::SeqCst) + others.called == 0 && others.resting > 0 {
            others.called += 1;
            self.is_called.notify_one();
        }
    }

    /// Lets a worker that looks rest until it is called, if enough others look.
    pub fn rest_if_enough_look(&self) {
        if self.looking.load(Ordering::SeqCst) <= self.enough {
            return;
        }
        let mut others = self.others();
        // One less only where one is left: whoever is the last to leave finds this one at rest.
        let one_less = |looking| (looking > self.enough).then(|| looking - 1);
        if self.looking.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
            return;
        }
        others.resting += 1;
        while others.called == 0 {
            others = self.is_called.wait(others).unwrap_or_else(PoisonError::into_inner);
        }
        others.called -= 1;
        others.resting -= 1;
        self.looking.fetch_add(1, Ordering::SeqCst);
    }

    /// Nothing under this lock can panic.
    fn others(&self) -> MutexGuard<'_, Others> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    #[test]
    fn one_is_called_when_the_last_one_leaves_and_only_then() {
        let lookout = Arc::new(Lookout::new(2));
        (0..2).for_each(|_| lookout.join());
        let (awake, is_awake) = mpsc::channel();
        let its_own = Arc::clone(&lookout);
        let worker = thread::Builder::new().spawn(move || {
            its_own.join();
            its_own.rest_if_enough_look();
            awake.send(()).unwrap();
            its_own.leave();
        });
        let worker = worker.unwrap();
        while lookout.others().resting == 0 {
            thread::yield_now();
        }
        lookout.leave();
        assert!(lookout.others().called == 0 && is_awake.try_recv().is_err());
        lookout.leave();
        is_awake.recv().unwrap();
        worker.join().unwrap();
        let others = lookout.others();
        assert_eq!((lookout.looking.load(Ordering::SeqCst), others.resting, others.called), (0, 0, 0));
    }

    #[test]
    fn nobody_is_called_where_nobody_rests() {
        let lookout = Lookout::new(1);
        lookout.join();
        lookout.leave();
        assert_eq!(lookout.others().called, 0);
        (0..2).for_each(|_| lookout.join());
        lookout.leave();
        // One is left, and that is not too many.
        lookout.rest_if_enough_look();
        assert_eq!(lookout.looking.load(Ordering::SeqCst), 1);
    }
}
