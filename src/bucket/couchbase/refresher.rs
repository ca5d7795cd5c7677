//! The thread that keeps the topology fresh.
//!
//! Invariant: one thread a database, started when the nodes are asked for the first time; it looks again every half
//! minute or so, soon after a failure, and more rarely while the cluster does not answer. It never spins and never
//! removes a topology.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::discovery::Discovery;
use crate::bucket::BucketError;
use crate::clock::{self, Deadline};
use crate::observe::Observation;
use crate::threads;

/// From one refresh to the next while all is well.
const INTERVAL: Duration = Duration::from_secs(30);

/// From a good refresh to the next one at least, however much fails meanwhile.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(400);

/// The waits between refreshes that fail: the first, and where doubling ends. That is short, because a node that can
/// answer is to be found within a second of its coming.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
const LONGEST_BACK_OFF: Duration = Duration::from_millis(600);

/// What the thread is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refresher {
    /// There is none yet.
    #[default]
    NotStarted,
    /// It asks for the nodes just now.
    Looking,
    /// It waits for its time.
    Waiting,
    /// Something failed: it is to look again once it has had its rest.
    Poked,
    /// A request waits for the nodes: it is to look at once.
    Wanted,
    /// The database is not used any more.
    Stopped,
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    /// Until then nothing makes it look.
    rest: Duration,
    /// Then it looks even if nothing failed.
    interval: Duration,
}

impl Pace {
    /// The pace after so many failures in a row. `chance` is from 0 to 1: many programs that lost the same cluster at
    /// the same moment are not to come back at the same moment.
    fn after(failures: u32, chance: f64) -> Self {
        if failures == 0 {
            let interval = INTERVAL.mul_f64(0.9 + 0.2 * chance);
            return Self { rest: SHORTEST_INTERVAL, interval };
        }
        let doubled = FIRST_BACK_OFF.saturating_mul(2_u32.saturating_pow(failures - 1)).min(LONGEST_BACK_OFF);
        let wait = doubled.mul_f64(0.5 + 0.5 * chance);
        Self { rest: wait, interval: wait }
    }
}

/// Starts the thread, unless it is there. If it cannot be started the topology stays as it is, and the next discovery
/// tries again.
pub fn ensure(discovery: &Arc<Discovery>) {
    let mut state = discovery.lock();
    if state.refresher != Refresher::NotStarted {
        return;
    }
    state.refresher = Refresher::Looking;
    drop(state);
    let its_own = Arc::clone(discovery);
    if let Err(error) = threads::spawn("couchbase-nodes", move || run(&its_own)) {
        let mut state = discovery.lock();
        if state.refresher != Refresher::Stopped {
            state.refresher = Refresher::NotStarted;
        }
        drop(state);
        discovery.notify();
        discovery.observer.emit(&Observation::Warning(format_args!(
            "no thread could be started that keeps the list of Couchbase nodes fresh: {error}"
        )));
    }
}

fn run(discovery: &Discovery) {
    let mut failures: u32 = 0;
    loop {
        // A defect of ours must not leave everybody with the nodes of the moment for ever.
        let outcome = catch_unwind(AssertUnwindSafe(|| discovery.refresh())).unwrap_or_else(|_| {
            discovery.broke_off();
            Err(BucketError::Unavailable { reason: "the discovery of the cluster broke off".to_owned() })
        });
        match outcome {
            Ok(()) => {
                if failures > 0 {
                    discovery
                        .observer
                        .emit(&Observation::Note(format_args!("Couchbase can be asked for its nodes again")));
                }
                failures = 0;
            }
            Err(error) => {
                // Once an episode: the requests tell the rest.
                if failures == 0 {
                    discovery.observer.emit(&Observation::Warning(format_args!(
                        "Couchbase could not be asked for its nodes, those that are known are kept: {error}"
                    )));
                }
                // What somebody has to change is not changed within a tenth of a second.
                let is_lasting = matches!(error, BucketError::Misconfigured { .. });
                failures = if is_lasting { u32::MAX } else { failures.saturating_add(1) };
            }
        }
        if wait(discovery, Pace::after(failures, fastrand::f64())) == Next::End {
            return;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Look,
    End,
}

fn wait(discovery: &Discovery, pace: Pace) -> Next {
    let start = clock::now();
    let rest = Deadline::after(start, pace.rest);
    let interval = Deadline::after(start, pace.interval);
    let mut state = discovery.lock();
    loop {
        let now = clock::now();
        if state.refresher == Refresher::Stopped {
            return Next::End;
        }
        let is_poked = state.refresher == Refresher::Poked;
        let is_wanted = state.refresher == Refresher::Wanted;
        if is_wanted || interval.is_over(now) || (is_poked && rest.is_over(now)) {
            state.refresher = Refresher::Looking;
            return Next::Look;
        }
        let until = if is_poked { rest } else { interval };
        state = discovery.wait(state, until.remaining(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_every_half_minute_or_so_while_all_is_well() {
        for chance in [0.0, 0.5, 1.0] {
            let pace = Pace::after(0, chance);
            assert!((27..=33).contains(&pace.interval.as_secs()), "{pace:?}");
            assert_eq!(pace.rest, SHORTEST_INTERVAL);
        }
    }

    #[test]
    fn failures_make_it_rarer_up_to_a_bound() {
        for (failures, longest_ms) in [(1, 100), (2, 200), (3, 400), (4, 600), (1000, 600), (u32::MAX, 600)] {
            let longest = Duration::from_millis(longest_ms);
            assert_eq!(Pace::after(failures, 1.0).interval, longest);
            assert_eq!(Pace::after(failures, 0.0).rest, longest / 2);
        }
    }
}
