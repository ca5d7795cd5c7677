//! The thread that finds out whether nodes in doubt answer.
//!
//! A probe is a read of a document that is not there, so it goes the whole way that requests go; each reads another id,
//! so that one data node that stands still does not make every node of the service look so.
//!
//! Invariant: one thread a database, started at the first failure of a node, and none of its probes while all nodes are
//! up. Of one node there are never more than two probes at once: one that comes again and again, and a patient one while
//! it is silent. A probe that breaks (a defect of ours) is one in vain, and the thread goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::failure::{Failure, Remedy};
use super::health::Doubt;
use super::node::NodeClient;
use super::way::Reading;
use crate::bucket::{BucketTimeouts, Trace};
use crate::clock::{self, Deadline};
use crate::model::DocumentId;
use crate::threads;

/// From the beginning of one round of probes to that of the next, before chance shortens it.
const INTERVAL: Duration = Duration::from_millis(250);

/// From the end of a round to the next at least.
const REST: Duration = Duration::from_millis(50);

/// Starts the thread.
///
/// # Errors
/// If the operating system has none left.
pub fn start(shared: &Arc<Shared>, timeouts: &BucketTimeouts) -> std::io::Result<()> {
    let (its_own, timeouts) = (Arc::clone(shared), *timeouts);
    threads::spawn(THREAD, move || run(&its_own, &timeouts)).map(drop)
}

fn run(shared: &Arc<Shared>, timeouts: &BucketTimeouts) {
    let mut next_round = clock::now();
    while let Some((doubts, patience)) = shared.nodes.wait_for_doubt(next_round, timeouts.attempt) {
        let start = clock::now();
        let deadline = Deadline::after(start, patience);
        std::thread::scope(|scope| {
            let Some((last, others)) = doubts.split_last() else { return };
            for doubt in others {
                // Without a thread the node is in doubt for one round more.
                let _ = threads::spawn_scoped(scope, THREAD, || probe(shared, doubt, timeouts, deadline));
            }
            probe(shared, last, timeouts, deadline);
        });
        for doubt in shared.nodes.begin_patient_probes() {
            probe_patiently(shared, doubt, *timeouts);
        }
        // The nodes may have been replaced, and while all are silent no request asks for a look.
        shared.discovery.poke();
        next_round = (start + INTERVAL.mul_f64(0.8 + 0.2 * fastrand::f64())).max(clock::now() + REST);
    }
}

const THREAD: &str = "couchbase-probe";

/// Waits aside, as long as a request would.
fn probe_patiently(shared: &Arc<Shared>, doubt: Doubt, timeouts: BucketTimeouts) {
    let its_own = Arc::clone(shared);
    let node = doubt.node.clone();
    let spawned = threads::spawn(THREAD, move || {
        let deadline = Deadline::after(clock::now(), timeouts.operation);
        probe(&its_own, &doubt, &timeouts, deadline);
        its_own.nodes.patient_probe_is_over(&doubt.node);
    });
    if spawned.is_err() {
        shared.nodes.patient_probe_is_over(&node);
    }
}

/// Whatever the node says, it answers, unless what it says is that it cannot.
fn probe(shared: &Arc<Shared>, doubt: &Doubt, timeouts: &BucketTimeouts, deadline: Deadline) {
    let start = clock::now();
    let read = || {
        let mut client = NodeClient::new(Arc::clone(shared), doubt.node.clone(), timeouts);
        client.read(&DocumentId::of_probe(fastrand::u64(..)), deadline, &Trace::default())
    };
    let Ok(Reading { outcome, remarks }) = catch_unwind(AssertUnwindSafe(read)) else { return };
    let took = clock::now().saturating_duration_since(start);
    match outcome {
        Err(Failure { remedy: Remedy::Unasked, .. }) => {}
        Err(failure) if !failure.is_an_answer() => {
            // An error that it names came out of the node: it is not silent, however long that took.
            let silent_for = if remarks.code.is_some() { Duration::ZERO } else { took };
            shared.nodes.probe_failed(doubt, silent_for, &failure.error);
        }
        Ok(_) | Err(_) => shared.nodes.probe_answered(&doubt.node, took),
    }
}
