//! The step `read`: one read of an id that no user has.
//!
//! Invariant: makes one attempt, within the operation timeout.

use std::time::Duration;

use crate::bucket::report::Report;
use crate::bucket::rest::cluster::Cluster;
use crate::bucket::rest::failure::Failure;
use crate::bucket::rest::node::NodeClient;
use crate::bucket::rest::nodes::Endpoint;
use crate::bucket::rest::protocol;
use crate::bucket::{BucketError, Trace};
use crate::clock::{self, Deadline};
use crate::model::DocumentId;

/// How the read of the sentinel ended.
pub struct SentinelRead {
    outcome: Result<Duration, Failure>,
}

impl SentinelRead {
    /// Reads the sentinel from `node`.
    #[must_use]
    pub fn of(cluster: &Cluster, node: &Endpoint) -> Self {
        let client = NodeClient::new(&cluster.access, node.clone(), cluster.protocol.service());
        let start = clock::now();
        let deadline = Deadline::after(start, cluster.access.timeouts.operation);
        let (credentials, trace) = (cluster.access.login.credentials(), Trace::default());
        let mut exchange = client.exchange(&credentials, deadline, &trace);
        let outcome = protocol::get(cluster.protocol.as_ref(), &DocumentId::sentinel(), &mut exchange);
        let took = clock::now().saturating_duration_since(start);
        Self::from_outcome(outcome.map(|_| took), took)
    }

    /// Wraps an outcome. Whatever is stored under the sentinel's id, it was read within `took`.
    #[must_use]
    pub fn from_outcome(outcome: Result<Duration, Failure>, took: Duration) -> Self {
        match outcome {
            Err(Failure { error: BucketError::InvalidDocument(_), .. }) => Self { outcome: Ok(took) },
            outcome => Self { outcome },
        }
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.outcome.as_ref().err()
    }

    /// Adds the step.
    pub fn report(&self, report: &mut Report) {
        match &self.outcome {
            Ok(took) => report.passed("read", format!("a document was looked for, in {} ms", took.as_millis())),
            Err(failure) => report.failed("read", failure.error.reason()),
        }
    }
}
