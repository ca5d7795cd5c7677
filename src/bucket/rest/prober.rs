//! The threads that find out whether suspect nodes answer.
//!
//! A probe is a read of a document that is not there, so it goes the whole way that requests go; each reads another id,
//! so that one data node that has stopped answering does not make every node of the service look so.
//!
//! Invariant: one thread a database, which waits while all nodes are up; and one more for each probe under way, of which a
//! node never has two. A probe that panics (a defect of ours) is one that learnt nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::cluster::Cluster;
use super::node::NodeClient;
use super::nodes::health::{DueProbe, ProbeOutcome};
use super::protocol;
use crate::bucket::remote::failure::{ErrorScope, Failure, Retry};
use crate::bucket::{BucketError, Trace};
use crate::clock::{self, Deadline};
use crate::model::DocumentId;
use crate::threads;

/// Starts the thread.
///
/// # Errors
/// [`BucketError::Unavailable`] if the operating system has none left.
pub fn start(cluster: &Arc<Cluster>) -> Result<(), BucketError> {
    let its_own = Arc::clone(cluster);
    threads::spawn("bucket-prober", move || run(&its_own))
        .map(drop)
        .map_err(|error| BucketError::unavailable(format!("no thread could be started for nodes that fail: {error}")))
}

fn run(cluster: &Arc<Cluster>) {
    while let Some(due) = cluster.nodes.wait_for_due_probes() {
        for probe in due {
            let (its_cluster, its_probe) = (Arc::clone(cluster), probe.clone());
            let spawned = threads::spawn("bucket-probe", move || {
                let outcome = catch_unwind(AssertUnwindSafe(|| send(&its_cluster, &its_probe)));
                let outcome = outcome.unwrap_or(ProbeOutcome::NotSent);
                if matches!(outcome, ProbeOutcome::Failed(..)) {
                    // The nodes may have been replaced, and while all are down no request finds out.
                    its_cluster.discovery.node_failed();
                }
                its_cluster.nodes.probe_ended(&its_probe, outcome);
            });
            if spawned.is_err() {
                cluster.nodes.probe_ended(&probe, ProbeOutcome::NotSent);
            }
        }
    }
}

fn send(cluster: &Cluster, probe: &DueProbe) -> ProbeOutcome {
    let start = clock::now();
    let client = NodeClient::new(&cluster.access, probe.node.clone(), cluster.protocol.service());
    let credentials = cluster.access.login.credentials_of_probe();
    let trace = Trace::default();
    let mut exchange = client.exchange(&credentials, Deadline::after(start, probe.timeout), &trace);
    match protocol::get(cluster.protocol.as_ref(), &DocumentId::of_probe(fastrand::u64(..)), &mut exchange) {
        Err(Failure { retry: Retry::NotSent, .. }) => ProbeOutcome::NotSent,
        Err(failure) if !failure.is_an_answer() => {
            // An error that it names came out of the node: it has not stopped answering, however long that took.
            let waited = clock::now().saturating_duration_since(start);
            ProbeOutcome::Failed(failure.error, if failure.details.code.is_some() { Duration::ZERO } else { waited })
        }
        Err(Failure { scope: ErrorScope::Node, .. }) => ProbeOutcome::Erred,
        // Whatever the node says, it answers, unless what it says is that it cannot.
        Ok(_) | Err(_) => ProbeOutcome::Answered,
    }
}
