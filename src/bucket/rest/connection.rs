//! One bucket connection to a database that is asked over HTTP.
//!
//! Invariant: one link, in use by one thread at a time; what is tried again is decided by `attempts` alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::attempts::{self, Policy};
use super::batch;
use super::client::MAX_IDLE_AGE;
use super::cluster::Cluster;
use super::node_link::NodeLink;
use super::protocol::{self, Exchange, ReadOutcome, Warning};
use crate::bucket::remote::failure::Failure;
use crate::bucket::remote::halves;
use crate::bucket::{
    Bucket, BucketError, BucketTimeouts, CreateOptions, Cursor, Details, Document, NewDocument, Outcome, Page, Trace,
    get_each,
};
use crate::clock::{self, Deadline};
use crate::model::DocumentId;
use crate::observe::Observation;

/// How long a kept connection stays with its node where there are several, before chance shortens it: nodes that come
/// back, or join, get their part of the load again.
const LONGEST_STAY: Duration = Duration::from_secs(60);

/// A [`Bucket`] over HTTP.
pub struct RestConnection {
    link: NodeLink,
    timeouts: BucketTimeouts,
    leaves_at: Instant,
    /// Of the last exchange for this request.
    details: Option<Details>,
}

impl RestConnection {
    /// Selects a node. Connects to nothing yet: the first read does.
    ///
    /// # Errors
    /// As [`NodeLink::open`].
    pub fn open(cluster: &Arc<Cluster>, timeouts: &BucketTimeouts, deadline: Deadline) -> Result<Self, BucketError> {
        Ok(Self {
            link: NodeLink::open(cluster, deadline)?,
            timeouts: *timeouts,
            leaves_at: clock::now() + LONGEST_STAY.mul_f64(0.5 + 0.5 * fastrand::f64()),
            details: None,
        })
    }

    /// Makes attempts as for a read, keeps the details of the last one, and reports what the node warned of.
    fn read<T>(
        &mut self,
        attempt: impl FnMut(&mut dyn Exchange) -> Result<ReadOutcome<T>, Failure>,
    ) -> Result<T, BucketError> {
        match attempts::run(&mut self.link, &Policy::read(&self.timeouts), attempt) {
            Ok(ReadOutcome { found, warnings, details }) => {
                self.details = Some(details);
                for Warning { code, meaning } in warnings {
                    let observation = Observation::DatabaseWarned { code, meaning };
                    self.link.cluster().access.observer.emit(&observation);
                }
                Ok(found)
            }
            Err(failure) => {
                self.details = Some(failure.details);
                Err(failure.error)
            }
        }
    }
}

impl Bucket for RestConnection {
    fn get(&mut self, id: &DocumentId) -> Result<Option<Document>, BucketError> {
        let cluster = Arc::clone(self.link.cluster());
        self.read(|exchange| protocol::get(cluster.protocol.as_ref(), id, exchange))
    }

    fn get_many(&mut self, ids: &[DocumentId], take: &mut dyn FnMut(Outcome)) -> Result<(), BucketError> {
        let cluster = Arc::clone(self.link.cluster());
        match cluster.protocol.many() {
            Some(many) => {
                let mut several = |connection: &mut Self, ids: &[DocumentId]| {
                    connection.read(|exchange| protocol::get_many(many, ids, exchange))
                };
                halves::read(self, ids, &mut several, take)
            }
            None => get_each(self, ids, take),
        }
    }

    fn upsert(&mut self, documents: &[NewDocument]) -> Result<(), BucketError> {
        batch::store(&mut self.link, &self.timeouts, documents)
    }

    fn create(&mut self, _: CreateOptions) -> Result<Vec<String>, BucketError> {
        batch::create(&mut self.link, &self.timeouts)
    }

    fn list(&mut self, after: Option<&Cursor>, most: usize) -> Result<Page, BucketError> {
        batch::list(&mut self.link, &self.timeouts, after, most)
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.link.deadline = deadline;
    }

    fn set_trace(&mut self, trace: &Trace) {
        self.link.trace.clone_from(trace);
        self.details = None;
    }

    fn node(&self) -> Option<String> {
        Some(self.link.node().authority())
    }

    fn last_details(&self) -> Option<Details> {
        self.details.clone()
    }

    fn is_fresh(&self, idle_since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(idle_since) <= MAX_IDLE_AGE
            && self.link.is_current()
            && (now < self.leaves_at || !self.link.cluster().nodes.has_several())
    }
}
