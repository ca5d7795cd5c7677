//! Keeps some workers free of handlers that block.
//!
//! A blocking handler needs one of the places, of which there are fewer than workers. A request that finds none waits in a
//! queue, without a worker, so that pages, refusals and errors are answered quickly whatever the database does. Once no
//! place was given or returned for as long as a request may wait, further requests are rejected at once.
//!
//! Invariant: at most `places` requests are admitted, in the order in which they came, and each waits for `queue_timeout`
//! at most.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::clock::Deadline;

/// The places, and the requests that wait for one.
#[derive(Debug)]
pub struct Admission<T> {
    places: usize,
    occupancy: Mutex<Occupancy<T>>,
}

#[derive(Debug)]
struct Occupancy<T> {
    queue_timeout: Duration,
    admitted: usize,
    /// When a place was last given or returned.
    last_change: Option<Instant>,
    queue: VecDeque<(Deadline, T)>,
    /// No request is queued any more.
    is_closed: bool,
}

/// What [`Admission::request`] did with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision<T> {
    /// It has a place, which [`Admission::leave`] must return.
    Admitted(T),
    /// It waits in the queue.
    Queued,
    /// There is no place, and none was returned for so long that the request would wait in vain.
    Rejected(T),
}

impl<T> Admission<T> {
    /// Returns an admission with `places`, one at least.
    #[must_use]
    pub fn new(places: usize, queue_timeout: Duration) -> Self {
        let queue = VecDeque::new();
        let occupancy = Occupancy { queue_timeout, admitted: 0, last_change: None, queue, is_closed: false };
        Self { places: places.max(1), occupancy: Mutex::new(occupancy) }
    }

    /// Lets requests wait for `queue_timeout` at most from `now` on, those that wait already too.
    pub fn set_queue_timeout(&self, queue_timeout: Duration, now: Instant) {
        let mut occupancy = self.occupancy.lock();
        occupancy.queue_timeout = queue_timeout;
        let latest = Deadline::after(now, queue_timeout);
        // So their deadlines stay in the order of the queue.
        occupancy.queue.iter_mut().for_each(|(deadline, _)| *deadline = deadline.earlier(latest));
    }

    /// Admits a request, queues it, or rejects it.
    pub fn request(&self, request: T, now: Instant) -> Decision<T> {
        let mut occupancy = self.occupancy.lock();
        if occupancy.admitted < self.places && occupancy.queue.is_empty() {
            occupancy.admitted += 1;
            occupancy.last_change = Some(now);
            return Decision::Admitted(request);
        }
        let queue_timeout = occupancy.queue_timeout;
        let is_stuck = occupancy.last_change.is_some_and(|at| now.saturating_duration_since(at) >= queue_timeout);
        if is_stuck || occupancy.is_closed {
            return Decision::Rejected(request);
        }
        occupancy.queue.push_back((Deadline::after(now, queue_timeout), request));
        Decision::Queued
    }

    /// Returns the place of a request, or passes it on to the next one in the queue, which is returned and must leave too.
    pub fn leave(&self, now: Instant) -> Option<T> {
        let mut occupancy = self.occupancy.lock();
        occupancy.last_change = Some(now);
        if let Some((_, next)) = occupancy.queue.pop_front() {
            return Some(next);
        }
        occupancy.admitted -= 1;
        None
    }

    /// Returns how many requests are admitted, how many are queued, and how many places there are.
    #[must_use]
    pub fn occupancy(&self) -> (usize, usize, usize) {
        let occupancy = self.occupancy.lock();
        (occupancy.admitted, occupancy.queue.len(), self.places)
    }

    /// Empties the queue and closes it: a request that is not admitted at once is rejected from now on.
    #[must_use]
    pub fn close_queue(&self) -> Vec<T> {
        let mut occupancy = self.occupancy.lock();
        occupancy.is_closed = true;
        occupancy.queue.drain(..).map(|(_, request)| request).collect()
    }

    /// Returns when the first request in the queue will have waited for too long.
    #[must_use]
    pub fn next_overdue(&self) -> Option<Instant> {
        self.occupancy.lock().queue.front().map(|(deadline, _)| deadline.instant())
    }

    /// Takes those requests out of the queue that have waited for too long.
    #[must_use]
    pub fn take_overdue(&self, now: Instant) -> Vec<T> {
        let mut occupancy = self.occupancy.lock();
        let count = occupancy.queue.iter().take_while(|(deadline, _)| deadline.is_over(now)).count();
        occupancy.queue.drain(..count).map(|(_, request)| request).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);

    #[test]
    fn queued_requests_are_admitted_in_order() {
        let admission = Admission::new(1, QUEUE_TIMEOUT);
        let now = clock::now();
        assert_eq!(admission.request("a", now), Decision::Admitted("a"));
        assert_eq!(admission.request("b", now), Decision::Queued);
        assert_eq!(admission.request("c", now), Decision::Queued);
        assert_eq!(admission.leave(now), Some("b"));
        assert_eq!(admission.request("d", now), Decision::Queued);
        assert_eq!(admission.leave(now), Some("c"));
        assert_eq!(admission.leave(now), Some("d"));
        assert_eq!(admission.leave(now), None);
        assert_eq!(admission.request("e", now), Decision::Admitted("e"));
    }

    #[test]
    fn a_shorter_timeout_holds_for_those_who_wait_too() {
        let admission = Admission::new(1, 30 * QUEUE_TIMEOUT);
        let start = clock::now();
        assert_eq!(admission.request("a", start), Decision::Admitted("a"));
        assert_eq!(admission.request("b", start), Decision::Queued);
        admission.set_queue_timeout(QUEUE_TIMEOUT, start);
        assert_eq!(admission.next_overdue(), Some(start + QUEUE_TIMEOUT));
        assert_eq!(admission.take_overdue(start + QUEUE_TIMEOUT), ["b"]);
    }

    #[test]
    fn while_no_place_is_returned_the_next_request_is_rejected() {
        let admission = Admission::new(1, QUEUE_TIMEOUT);
        let start = clock::now();
        assert_eq!(admission.request("a", start), Decision::Admitted("a"));
        assert_eq!(admission.request("b", start + QUEUE_TIMEOUT / 2), Decision::Queued);
        assert_eq!(admission.request("c", start + QUEUE_TIMEOUT), Decision::Rejected("c"));
        assert_eq!(admission.take_overdue(start + QUEUE_TIMEOUT), Vec::<&str>::new());
        assert_eq!(admission.take_overdue(start + QUEUE_TIMEOUT * 3 / 2), ["b"]);
        assert_eq!(admission.leave(start + QUEUE_TIMEOUT * 2), None);
        assert_eq!(admission.request("d", start + QUEUE_TIMEOUT * 9), Decision::Admitted("d"));
    }
}
