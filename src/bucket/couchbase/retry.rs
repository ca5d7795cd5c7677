//! How often and how long one operation is tried.
//!
//! Invariant: pure; no attempt and no pause ends past the deadline of the operation, and their number is bounded.

use std::time::{Duration, Instant};

use super::health::Others;
use crate::clock::Deadline;

/// The pauses before later tries, before chance shortens them. Busy clusters and nodes that restart need a moment; what
/// takes longer than all of these together is better told to the client than waited for with a worker.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(10), Duration::from_millis(30), Duration::from_millis(90), Duration::from_millis(270)];

/// The deadline of one attempt: `attempt_timeout` at most where another node is left, and never so much that nothing
/// is left for the other.
#[must_use]
pub fn attempt_deadline(now: Instant, deadline: Deadline, attempt_timeout: Duration, others: Others) -> Deadline {
    match others {
        Others::None => deadline,
        Others::Left => {
            let share = attempt_timeout.min(deadline.remaining(now) / 2);
            deadline.earlier(Deadline::after(now, share))
        }
    }
}

/// The pause before one more try of all nodes, after so many pauses. `None`: it is enough, or there is no time left.
/// `chance` is from 0 to 1: many requests that failed at the same moment are not to come back at the same moment.
#[must_use]
pub fn pause(pauses: usize, chance: f64, now: Instant, deadline: Deadline) -> Option<Duration> {
    let pause = PAUSES.get(pauses)?.mul_f64(0.5 + 0.5 * chance);
    (pause < deadline.remaining(now)).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_attempt_leaves_time_for_the_next_node_and_the_last_one_gets_all() {
        let now = clock::now();
        for (left_ms, others, share_ms) in [
            (30_000, Others::Left, 2500),
            (30_000, Others::None, 30_000),
            (1000, Others::Left, 500),
            (500, Others::Left, 250),
            (250, Others::None, 250),
            (0, Others::Left, 0),
        ] {
            let attempt = attempt_deadline(now, Deadline::after(now, left_ms * MS), 2500 * MS, others);
            assert_eq!(attempt.remaining(now), share_ms * MS, "{left_ms} ms left, {others:?}");
        }
    }

    #[test]
    fn pauses_grow_and_come_to_an_end() {
        let now = clock::now();
        let ample = Deadline::after(now, Duration::from_secs(30));
        let all = |chance: f64| -> Vec<u128> {
            (0..).map_while(|pauses| pause(pauses, chance, now, ample)).map(|pause| pause.as_millis()).collect()
        };
        assert_eq!(all(1.0), [10, 30, 90, 270]);
        assert_eq!(all(0.0), [5, 15, 45, 135]);
        assert_eq!(pause(2, 1.0, now, Deadline::after(now, 90 * MS)), None);
        assert_eq!(pause(2, 1.0, now, Deadline::after(now, 91 * MS)), Some(90 * MS));
    }
}
