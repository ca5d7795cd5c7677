//! The link of one bucket connection to its database: the current node, and for whom and until when it is asked.
//!
//! Invariant: at most one connection to one node is open, and no exchange outlives the deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::node::NodeClient;
use super::nodes::Candidates;
use super::nodes::health::{Alternatives, FailureAge, Selection};
use super::protocol::Exchange;
use crate::bucket::remote::Endpoint;
use crate::bucket::remote::auth::Credentials;
use crate::bucket::remote::failure::{ErrorScope, Failure};
use crate::bucket::{BucketError, Trace};
use crate::clock::{self, Deadline};

/// A link to the nodes of a cluster.
pub struct NodeLink {
    cluster: Arc<Cluster>,
    client: NodeClient,
    /// When an answer is of no use any more.
    pub deadline: Deadline,
    /// The names of the request that is served.
    pub trace: Trace,
}

impl NodeLink {
    /// Selects a node. Connects to nothing yet: the first exchange does.
    ///
    /// # Errors
    /// What the discovery of the nodes failed with; [`BucketError::Timeout`] if the deadline came before its end; why no
    /// node can be asked.
    pub fn open(cluster: &Arc<Cluster>, deadline: Deadline) -> Result<Self, BucketError> {
        let node = loop {
            match cluster.nodes.select(&[]) {
                Selection::Node(node) => break node,
                Selection::AllDown(error) => return Err(error),
                Selection::Unknown | Selection::NoneLeft => cluster.discovery.wait_for_nodes(deadline)?,
            }
        };
        Ok(Self { client: client_of(cluster, node), cluster: Arc::clone(cluster), deadline, trace: Trace::default() })
    }

    /// What all lines share.
    #[must_use]
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// The current node.
    #[must_use]
    pub fn node(&self) -> &Endpoint {
        self.client.node()
    }

    /// False if another connection would be better than this one: to another node, or with other certificates.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.client.is_current() && self.cluster.nodes.is_as_good_as_any(self.node())
    }

    /// One attempt with the current node.
    ///
    /// # Errors
    /// What `attempt` failed with.
    pub fn attempt<T>(
        &self,
        candidates: Candidates,
        attempt_timeout: Duration,
        credentials: &Credentials,
        attempt: impl FnOnce(&mut dyn Exchange) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let start = clock::now();
        let nodes = &self.cluster.nodes;
        let (outstanding, alternatives) = nodes.begin(self.node(), candidates);
        let deadline = attempt_deadline(start, self.deadline, attempt_timeout, alternatives);
        let outcome = attempt(&mut self.client.exchange(credentials, deadline, &self.trace));
        drop(outstanding);
        match &outcome {
            Err(failure) if !failure.is_an_answer() => {}
            Err(Failure { scope: ErrorScope::Node, .. }) => nodes.answered_with_error(self.node()),
            Ok(_) | Err(_) => nodes.answered(self.node(), clock::now().saturating_duration_since(start)),
        }
        outcome
    }

    /// Closes the connection: the next attempt opens another one to the same node.
    pub fn reconnect(&mut self) {
        self.client.reconnect();
    }

    /// Records that the current node failed, so that it is probed and the list of nodes is looked at.
    pub fn node_failed(&self) -> FailureAge {
        self.cluster.discovery.node_failed();
        self.cluster.nodes.failed(self.node())
    }

    /// Records that another node answered what `node` had answered with this error.
    pub fn node_erred(&self, node: &Endpoint, error: &BucketError) {
        self.cluster.nodes.erred(node, error);
    }

    /// Switches to a node that was not tried yet. False if there is none, or if no node is worth an attempt.
    pub fn switch_to_untried(&mut self, tried: &[Endpoint]) -> bool {
        let Selection::Node(node) = self.cluster.nodes.select(tried) else { return false };
        if node != *self.node() {
            self.client = client_of(&self.cluster, node);
        }
        true
    }

    /// Switches to another node, or stays with this one if there is no other. False if no node is worth an attempt.
    pub fn switch_or_stay(&mut self) -> bool {
        let last = [self.node().clone()];
        self.switch_to_untried(&last) || self.switch_to_untried(&[])
    }
}

fn client_of(cluster: &Cluster, node: Endpoint) -> NodeClient {
    NodeClient::new(&cluster.access, node, cluster.protocol.service())
}

/// The deadline of one attempt: `attempt_timeout` at most where there is another node, and never so much that nothing is
/// left for that one.
fn attempt_deadline(
    now: Instant,
    deadline: Deadline,
    attempt_timeout: Duration,
    alternatives: Alternatives,
) -> Deadline {
    match alternatives {
        Alternatives::None => deadline,
        Alternatives::Some => {
            let share = attempt_timeout.min(deadline.remaining(now) / 2);
            deadline.earlier(Deadline::after(now, share))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_attempt_leaves_time_for_the_next_node_and_the_last_one_gets_all() {
        let now = clock::now();
        for (left_ms, alternatives, share_ms) in [
            (30_000, Alternatives::Some, 2500),
            (30_000, Alternatives::None, 30_000),
            (1000, Alternatives::Some, 500),
            (500, Alternatives::Some, 250),
            (250, Alternatives::None, 250),
            (0, Alternatives::Some, 0),
        ] {
            let attempt = attempt_deadline(now, Deadline::after(now, left_ms * MS), 2500 * MS, alternatives);
            assert_eq!(attempt.remaining(now), share_ms * MS, "{left_ms} ms left, {alternatives:?}");
        }
    }
}
