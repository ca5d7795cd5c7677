//! How a database is checked that is asked over HTTP: the steps that all share, with a read of the sentinel in one exchange.
//!
//! Invariant: asks once, within the operation timeout.

use super::cluster::Cluster;
use super::node::NodeClient;
use super::protocol;
use crate::bucket::Trace;
use crate::bucket::remote::Endpoint;
use crate::bucket::remote::check::{self, ProductSteps, SentinelRead};
use crate::bucket::report::Report;
use crate::clock::{self, Deadline};
use crate::model::DocumentId;

/// Checks a database whose nodes are these, by the first one that can be connected to.
pub fn run(cluster: &Cluster, nodes: &[Endpoint], steps: &dyn ProductSteps, report: &mut Report) {
    let read = |node: &Endpoint| read_sentinel(cluster, node);
    check::run(&cluster.access, nodes, "http:// is plain HTTP", read, steps, report);
}

/// Reads the sentinel from `node`.
#[must_use]
pub fn read_sentinel(cluster: &Cluster, node: &Endpoint) -> SentinelRead {
    let client = NodeClient::new(&cluster.access, node.clone(), cluster.protocol.service());
    let start = clock::now();
    let deadline = Deadline::after(start, cluster.access.timeouts().operation);
    let (credentials, trace) = (cluster.access.login.credentials(), Trace::default());
    let mut exchange = client.exchange(&credentials, deadline, &trace);
    let outcome = protocol::get(cluster.protocol.as_ref(), &DocumentId::sentinel(), &mut exchange);
    let took = clock::now().saturating_duration_since(start);
    SentinelRead::from_outcome(outcome.map(|_| took), took)
}
