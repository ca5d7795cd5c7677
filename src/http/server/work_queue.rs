//! What the workers of one listener wait for: connections that became ready, and jobs that another thread queued.
//!
//! The workers are leaders and followers. Those that poll wait at the readiness poller themselves, so that a connection
//! that becomes ready wakes one thread, and under load none at all. More of them than can run at once would wake for each
//! other's work, so the others are parked, until one is needed because all that polled have stepped out into handlers that
//! may block.
//!
//! Invariant: a worker polls, or was woken to poll, unless none can. The poller is notified for as long as jobs are queued.

use std::collections::VecDeque;
use std::mem;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::http::net::poll::{Poller, Ready};

/// How often a worker polls in vain, and gives way to other threads, before it sleeps.
const POLLS_BEFORE_SLEEP: usize = 2;

/// The queue, and its workers by what they do.
#[derive(Debug)]
pub struct WorkQueue<J> {
    poller: Arc<Poller>,
    /// At most `max_polling`, except for a moment after a worker returns from its handler.
    polling: AtomicUsize,
    max_polling: usize,
    /// Jobs are queued, or the queue is closed, and workers are to be notified. Changed under the lock, read without it.
    has_work: AtomicBool,
    /// The standard library's lock and not `parking_lot`'s, which gives way to other threads before it sleeps: with 64
    /// connections and Couchbase that raised the 99th percentile by a sixth (docs/benchmarks.md).
    state: Mutex<QueueState<J>>,
    wake: Condvar,
}

#[derive(Debug)]
struct QueueState<J> {
    jobs: VecDeque<J>,
    parked: usize,
    /// How many of the parked workers are to poll.
    woken: usize,
    is_closed: bool,
}

/// What one worker polls with.
pub struct Polling {
    ready: Ready,
    /// Take a queued job first. Alternates, so that neither jobs nor connections wait for as long as there are others.
    jobs_first: bool,
}

/// A worker that does not poll for a while. Dropping this makes it poll again.
pub struct SteppedOut<'a, J>(&'a WorkQueue<J>);

impl<J> WorkQueue<J> {
    /// Returns an empty queue without workers, of which at most `max_polling` will poll.
    #[must_use]
    pub fn new(poller: Arc<Poller>, max_polling: usize) -> Self {
        let state = QueueState { jobs: VecDeque::new(), parked: 0, woken: 0, is_closed: false };
        Self {
            poller,
            polling: AtomicUsize::new(0),
            max_polling: max_polling.max(1),
            has_work: AtomicBool::new(false),
            state: Mutex::new(state),
            wake: Condvar::new(),
        }
    }

    /// Returns the poller that tells workers of connections.
    #[must_use]
    pub fn poller(&self) -> &Arc<Poller> {
        &self.poller
    }

    /// Queues a job.
    pub fn push(&self, job: J) {
        self.change(|state| state.jobs.push_back(job));
    }

    /// Ends the work once the queued jobs are done: [`WorkQueue::poll`] returns `None` then.
    pub fn close(&self) {
        self.change(|state| state.is_closed = true);
        self.wake.notify_all();
    }

    /// Adds the calling worker to those that poll.
    #[must_use]
    pub fn join(&self) -> Polling {
        self.polling.fetch_add(1, Ordering::SeqCst);
        Polling { ready: Ready::of(1), jobs_first: false }
    }

    /// Takes the calling worker out of those that poll, for as long as it is in a handler that may block.
    #[must_use]
    pub fn step_out(&self) -> SteppedOut<'_, J> {
        self.leave();
        SteppedOut(self)
    }

    /// Waits for a job and returns it; `None` after the queue was closed, and then the worker has left. `claim` makes a
    /// job of the key of a connection that became ready, unless there is nothing to do for it.
    pub fn poll(&self, polling: &mut Polling, mut claim: impl FnMut(usize) -> Option<J>) -> Option<J> {
        self.park_if_too_many();
        if mem::take(&mut polling.jobs_first)
            && let ControlFlow::Break(job) = self.pop()
        {
            return job;
        }
        let mut vain_polls = 0;
        loop {
            let timeout = (vain_polls < POLLS_BEFORE_SLEEP).then_some(Duration::ZERO);
            // A wait that fails (a signal can interrupt it) is a wait that was short.
            let _ = self.poller.wait(&mut polling.ready, timeout);
            let mut claimed = polling.ready.keys().filter_map(&mut claim);
            if let Some(job) = claimed.next() {
                // There is room for one, but the standard library may have reserved more.
                claimed.for_each(|job| self.push(job));
                // The wait may have used up the notification of a queued job.
                self.notify_again();
                polling.jobs_first = true;
                return Some(job);
            }
            if let ControlFlow::Break(job) = self.pop() {
                return job;
            }
            vain_polls += 1;
            // A thread that has something to ask, or to answer, goes first: then there is more to do before the next sleep.
            thread::yield_now();
        }
    }

    /// Breaks with a job if there is one, and with `None` if there will be none.
    fn pop(&self) -> ControlFlow<Option<J>> {
        if !self.has_work.load(Ordering::SeqCst) {
            return ControlFlow::Continue(());
        }
        let (job, is_closed) = self.change(|state| (state.jobs.pop_front(), state.is_closed));
        if job.is_none() && is_closed {
            self.leave();
            return ControlFlow::Break(None);
        }
        job.map_or(ControlFlow::Continue(()), |job| ControlFlow::Break(Some(job)))
    }

    fn change<T>(&self, change: impl FnOnce(&mut QueueState<J>) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        self.has_work.store(!state.jobs.is_empty() || state.is_closed, Ordering::SeqCst);
        drop(state);
        self.notify_again();
        result
    }

    /// Ends another wait, if workers need to be notified: several notifications end one.
    fn notify_again(&self) {
        if self.has_work.load(Ordering::SeqCst) {
            self.poller.notify();
        }
    }

    fn park_if_too_many(&self) {
        if self.polling.load(Ordering::SeqCst) <= self.max_polling {
            return;
        }
        let mut state = self.lock();
        // Counted down only if enough remain: the last one that leaves finds this worker parked.
        let one_less = |polling| (polling > self.max_polling).then(|| polling - 1);
        if self.polling.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
            return;
        }
        state.parked += 1;
        let is_parked = |state: &mut QueueState<J>| state.woken == 0 && !state.is_closed;
        state = self.wake.wait_while(state, is_parked).unwrap_or_else(PoisonError::into_inner);
        state.woken = state.woken.saturating_sub(1);
        state.parked -= 1;
        self.polling.fetch_add(1, Ordering::SeqCst);
    }

    fn leave(&self) {
        if self.polling.fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        let mut state = self.lock();
        if self.polling.load(Ordering::SeqCst) + state.woken == 0 && state.parked > 0 {
            state.woken += 1;
            self.wake.notify_one();
        }
    }

    /// Nothing under this lock can panic.
    fn lock(&self) -> MutexGuard<'_, QueueState<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Drop for SteppedOut<'_, J> {
    fn drop(&mut self) {
        self.0.polling.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads;

    fn queue(max_polling: usize) -> Arc<WorkQueue<&'static str>> {
        Arc::new(WorkQueue::new(Arc::new(Poller::new().unwrap()), max_polling))
    }

    fn next(queue: &WorkQueue<&'static str>, polling: &mut Polling) -> Option<&'static str> {
        queue.poll(polling, |_| None)
    }

    #[test]
    fn jobs_are_done_in_order_and_before_the_end() {
        let queue = queue(1);
        let mut polling = queue.join();
        queue.push("a");
        queue.push("b");
        queue.close();
        assert_eq!([(); 3].map(|()| next(&queue, &mut polling)), [Some("a"), Some("b"), None]);
        assert_eq!(queue.polling.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_parked_worker_is_woken_when_the_last_one_steps_out_and_only_then() {
        let queue = queue(2);
        let _two = [queue.join(), queue.join()];
        let its_own = Arc::clone(&queue);
        let worker = threads::spawn("worker", move || next(&its_own, &mut its_own.join())).unwrap();
        while queue.lock().parked == 0 {
            thread::yield_now();
        }
        queue.push("a");
        let one = queue.step_out();
        assert_eq!(queue.lock().woken, 0);
        let other = queue.step_out();
        assert_eq!(worker.join().unwrap(), Some("a"));
        let polling = || queue.polling.load(Ordering::SeqCst);
        {
            let state = queue.lock();
            assert_eq!((polling(), state.parked, state.woken), (1, 0, 0));
        }
        drop((one, other));
        assert_eq!(polling(), 3);
    }

    #[test]
    fn nobody_is_woken_where_nobody_is_parked() {
        let queue = queue(1);
        let _polling = queue.join();
        drop(queue.step_out());
        assert_eq!(queue.lock().woken, 0);
        // One polls, and that is not too many.
        queue.park_if_too_many();
        assert_eq!(queue.polling.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn parked_workers_end_with_the_queue() {
        let queue = queue(1);
        let _polling = queue.join();
        let its_own = Arc::clone(&queue);
        let worker = threads::spawn("worker", move || next(&its_own, &mut its_own.join())).unwrap();
        while queue.lock().parked == 0 {
            thread::yield_now();
        }
        queue.close();
        assert_eq!(worker.join().unwrap(), None);
    }
}
