//! Keeps some workers free of anything that waits for a database.
//!
//! Requests that may wait go through a lane with fewer places than there are workers. A request that finds it full
//! stands in line without a worker, so that pages, refusals and errors stay quick whatever the database does; if the
//! lane has not moved for as long as a request may stand in line, the next one is turned away at once.
//!
//! Invariant: no more than `places` requests are in the lane, they are let in by their order in line, and each waits in
//! line for `queue_timeout` at the most.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Deadline;

/// A lane, with the requests that stand in line for it.
#[derive(Debug)]
pub struct Lane<T> {
    places: usize,
    queue_timeout: Duration,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    inside: usize,
    last_move: Option<Instant>,
    line: VecDeque<(Deadline, T)>,
    /// Nobody is let in line any more.
    is_closed: bool,
}

/// What became of a request that wanted into the lane.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<T> {
    /// It is in, and must [`Lane::leave`].
    Entered(T),
    /// It stands in line now.
    InLine,
    /// The lane is full and does not move: nobody could say when it would be let in.
    TurnedAway(T),
}

impl<T> Lane<T> {
    /// A lane with so many places.
    #[must_use]
    pub fn new(places: usize, queue_timeout: Duration) -> Self {
        let state = State { inside: 0, last_move: None, line: VecDeque::new(), is_closed: false };
        Self { places: places.max(1), queue_timeout, state: Mutex::new(state) }
    }

    /// Lets a request in, or in line, or turns it away.
    pub fn enter(&self, request: T, now: Instant) -> Entry<T> {
        let mut state = self.state();
        if state.inside < self.places && state.line.is_empty() {
            state.inside += 1;
            state.last_move = Some(now);
            return Entry::Entered(request);
        }
        let stands_still = state.last_move.is_some_and(|at| now.saturating_duration_since(at) >= self.queue_timeout);
        if stands_still || state.is_closed {
            return Entry::TurnedAway(request);
        }
        state.line.push_back((Deadline::after(now, self.queue_timeout), request));
        Entry::InLine
    }

    /// Takes note that a request left, and lets in the one whose turn it is: that one is returned, and must leave too.
    pub fn leave(&self, now: Instant) -> Option<T> {
        let mut state = self.state();
        state.last_move = Some(now);
        if let Some((_, next)) = state.line.pop_front() {
            return Some(next);
        }
        state.inside -= 1;
        None
    }

    /// Takes everybody out of the line, and closes it: from now on whoever does not get in at once is turned away.
    pub fn close_line(&self) -> Vec<T> {
        let mut state = self.state();
        state.is_closed = true;
        state.line.drain(..).map(|(_, request)| request).collect()
    }

    /// When the first one in line will have stood there for too long.
    #[must_use]
    pub fn next_overdue(&self) -> Option<Instant> {
        self.state().line.front().map(|(deadline, _)| deadline.instant())
    }

    /// Takes those out of the line that stood there for too long.
    pub fn take_overdue(&self, now: Instant) -> Vec<T> {
        let mut state = self.state();
        let mut overdue = Vec::new();
        while state.line.front().is_some_and(|(deadline, _)| deadline.is_over(now)) {
            overdue.extend(state.line.pop_front().map(|(_, request)| request));
        }
        overdue
    }

    /// A worker that panicked never holds this lock: there is no foreign code under it.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);

    #[test]
    fn those_in_line_are_let_in_by_their_order() {
        let lane = Lane::new(1, QUEUE_TIMEOUT);
        let now = clock::now();
        assert_eq!(lane.enter("a", now), Entry::Entered("a"));
        assert_eq!(lane.enter("b", now), Entry::InLine);
        assert_eq!(lane.enter("c", now), Entry::InLine);
        assert_eq!(lane.leave(now), Some("b"));
        assert_eq!(lane.enter("d", now), Entry::InLine);
        assert_eq!(lane.leave(now), Some("c"));
        assert_eq!(lane.leave(now), Some("d"));
        assert_eq!(lane.leave(now), None);
        assert_eq!(lane.enter("e", now), Entry::Entered("e"));
    }

    #[test]
    fn a_lane_that_stands_still_turns_the_next_one_away() {
        let lane = Lane::new(1, QUEUE_TIMEOUT);
        let start = clock::now();
        assert_eq!(lane.enter("a", start), Entry::Entered("a"));
        assert_eq!(lane.enter("b", start + QUEUE_TIMEOUT / 2), Entry::InLine);
        assert_eq!(lane.enter("c", start + QUEUE_TIMEOUT), Entry::TurnedAway("c"));
        assert_eq!(lane.take_overdue(start + QUEUE_TIMEOUT), Vec::<&str>::new());
        assert_eq!(lane.take_overdue(start + QUEUE_TIMEOUT * 3 / 2), ["b"]);
        assert_eq!(lane.leave(start + QUEUE_TIMEOUT * 2), None);
        assert_eq!(lane.enter("d", start + QUEUE_TIMEOUT * 9), Entry::Entered("d"));
    }
}
