//! A database that is asked over HTTP, as the rest of the program sees it.
//!
//! Invariant: its threads are started when it is opened and end when it is dropped; opening it asks nobody.

use std::sync::Arc;

use super::cluster::Cluster;
use super::connection::RestConnection;
use super::prober;
use super::protocol::Batches;
use crate::bucket::remote::ReloadFrom;
use crate::bucket::{Bucket, BucketError, BucketTimeouts, Database, IsReserved, NodeStatus, Order};
use crate::clock::Deadline;
use crate::config::{DatabaseName, Settings};

/// A [`Database`] over HTTP.
pub struct RestDatabase {
    name: DatabaseName,
    /// Which documents, and where: the middle of [`Database::describe`].
    place: String,
    cluster: Arc<Cluster>,
    reload_from: Box<ReloadFrom>,
}

impl RestDatabase {
    /// Starts the threads of a database. `place` is which documents are read and where, for the line at start-up.
    ///
    /// # Errors
    /// [`BucketError::Unavailable`] if a thread cannot be started.
    pub fn open(
        name: DatabaseName,
        place: String,
        cluster: Cluster,
        reload_from: Box<ReloadFrom>,
    ) -> Result<Self, BucketError> {
        let cluster = Arc::new(cluster);
        prober::start(&cluster)?;
        Ok(Self { name, place, cluster, reload_from })
    }

    /// What all connections share.
    #[must_use]
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }
}

impl Database for RestDatabase {
    fn name(&self) -> DatabaseName {
        self.name
    }

    fn describe(&self) -> String {
        self.cluster.access.describe(&self.place)
    }

    fn order(&self) -> Order {
        self.cluster.protocol.batches().map_or(Order::Ids, Batches::order)
    }

    fn reserved_members(&self) -> Option<IsReserved> {
        self.cluster.protocol.batches().and_then(Batches::reserved_members)
    }

    fn nodes(&self) -> Vec<NodeStatus> {
        self.cluster.nodes.statuses()
    }

    fn reload(&self, settings: &Settings) -> Result<(), BucketError> {
        let timeouts = BucketTimeouts::from(&settings.bucket);
        self.cluster.access.reload(timeouts, (self.reload_from)(settings))?;
        self.cluster.nodes.set_timeouts(&timeouts);
        Ok(())
    }

    fn open(&self, timeouts: &BucketTimeouts, deadline: Deadline) -> Result<Box<dyn Bucket>, BucketError> {
        Ok(Box::new(RestConnection::open(&self.cluster, timeouts, deadline)?))
    }
}

impl Drop for RestDatabase {
    fn drop(&mut self) {
        self.cluster.discovery.stop();
        self.cluster.nodes.stop();
    }
}
