//! The thread that keeps the topology fresh.
//!
//! Invariant: it asks nobody before the first request; then it discovers again every half minute or so, soon after a
//! failure, and more rarely while the cluster does not answer. It never spins and never removes a topology.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::{COUCHBASE, ClusterDiscovery, Wanted};
use crate::bucket::BucketError;
use crate::clock::{self, BackOff, Deadline};
use crate::observe::Observation;
use crate::threads;

/// From one refresh to the next while all is well.
const INTERVAL: Duration = Duration::from_secs(30);

/// From a good refresh to the next one at least, however much fails meanwhile.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(400);

/// Between refreshes that fail. The longest is short, because a node that can answer is to be found within a second.
const BACK_OFF: BackOff = BackOff { first: Duration::from_millis(100), longest: Duration::from_millis(600) };

/// When to discover again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    /// Until then a failed node is no reason.
    rest: Duration,
    /// Then it is time, even if nothing failed.
    interval: Duration,
}

impl Pace {
    /// The pace after so many failures in a row. `chance` is from 0 to 1: many programs that lost the same cluster at the
    /// same moment are not to come back at the same moment.
    fn after(failures: u32, chance: f64) -> Self {
        if failures == 0 {
            return Self { rest: SHORTEST_INTERVAL, interval: INTERVAL.mul_f64(0.9 + 0.2 * chance) };
        }
        let pause = BACK_OFF.pause(failures - 1, chance);
        Self { rest: pause, interval: pause }
    }
}

/// Starts the thread.
///
/// # Errors
/// If the operating system has none left.
pub(super) fn start(discovery: &Arc<ClusterDiscovery>) -> io::Result<()> {
    let its_own = Arc::clone(discovery);
    threads::spawn("couchbase-nodes", move || run(&its_own)).map(drop)
}

fn run(discovery: &ClusterDiscovery) {
    let mut failures: u32 = 0;
    let mut next = wait_for_first(discovery);
    while next == Next::Discover {
        // A defect of ours must not leave everybody with the nodes of the moment for ever, nor keep anybody waiting.
        let outcome = catch_unwind(AssertUnwindSafe(|| discovery.refresh())).unwrap_or_else(|_| {
            let error = BucketError::unavailable("the discovery of the cluster broke off");
            discovery.end_round(None, Some((error.clone(), Duration::ZERO)));
            Err(error)
        });
        let observer = &discovery.access.observer;
        failures = match outcome {
            Ok(()) => {
                if failures > 0 {
                    observer.emit(&Observation::DiscoveryRecovered { product: COUCHBASE.name });
                }
                0
            }
            Err(error) => {
                // Once an episode: the requests log the rest.
                if failures == 0 {
                    observer.emit(&Observation::DiscoveryFailed { product: COUCHBASE.name, reason: &error });
                }
                // What somebody has to change is not changed within a tenth of a second.
                let is_lasting = matches!(error, BucketError::Misconfigured { .. });
                if is_lasting { u32::MAX } else { failures.saturating_add(1) }
            }
        };
        next = wait(discovery, Pace::after(failures, fastrand::f64()));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Discover,
    End,
}

/// Waits until a request wants nodes.
fn wait_for_first(discovery: &ClusterDiscovery) -> Next {
    let mut state = discovery.state.lock();
    loop {
        match state.wanted {
            Wanted::Stop => return Next::End,
            Wanted::Now => return state.begin_round(),
            Wanted::Nothing | Wanted::Soon => discovery.changed.wait(&mut state),
        }
    }
}

fn wait(discovery: &ClusterDiscovery, pace: Pace) -> Next {
    let start = clock::now();
    let rest = Deadline::after(start, pace.rest);
    let interval = Deadline::after(start, pace.interval);
    let mut state = discovery.state.lock();
    loop {
        let now = clock::now();
        let until = match state.wanted {
            Wanted::Stop => return Next::End,
            Wanted::Now => return state.begin_round(),
            Wanted::Soon => rest,
            Wanted::Nothing => interval,
        };
        if until.is_over(now) {
            return state.begin_round();
        }
        discovery.changed.wait_until(&mut state, until.instant());
    }
}

impl super::DiscoveryState {
    fn begin_round(&mut self) -> Next {
        self.wanted = Wanted::Nothing;
        self.is_under_way = true;
        Next::Discover
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_discovers_every_half_minute_or_so_while_all_is_well() {
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
