//! A database that is asked over HTTP, as the rest of the program sees it.
//!
//! Invariant: its threads are started when it is opened and end when it is dropped; opening it asks nobody.

use std::sync::Arc;

use super::access::Access;
use super::auth::LoginConfig;
use super::cluster::Cluster;
use super::connection::RestConnection;
use super::nodes::Security;
use super::prober;
use super::protocol::Batches;
use crate::bucket::{Bucket, BucketError, BucketTimeouts, Database, IsReserved, Order};
use crate::clock::Deadline;
use crate::config::{DatabaseName, Settings, TlsSettings};
use crate::observe::Observation;

/// What a database takes from new settings; `None` if they name another place or another user, whose secrets are not for
/// this one.
pub type ReloadFrom = dyn Fn(&Settings) -> Option<(LoginConfig, TlsSettings)> + Send + Sync;

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
        let Access { product, tls, .. } = &self.cluster.access;
        let security = match tls.security() {
            Security::Plain => "without TLS",
            Security::Tls => "with TLS",
        };
        format!("{}, {}, {}, {security}", product.name, self.place, self.cluster.access.identity())
    }

    fn order(&self) -> Order {
        self.cluster.protocol.batches().map_or(Order::Ids, Batches::order)
    }

    fn reserved_members(&self) -> Option<IsReserved> {
        self.cluster.protocol.batches().and_then(Batches::reserved_members)
    }

    fn reload(&self, settings: &Settings) -> Result<(), BucketError> {
        let Access { product, login, tls, observer, .. } = &self.cluster.access;
        let Some((new_login, new_tls)) = (self.reload_from)(settings) else {
            observer.emit(&Observation::ReloadPostponed { section: product.section, place: product.hosts });
            return Ok(());
        };
        // First what can fail, and then what cannot: half of it must not be applied.
        let configuration = tls.read_again(&new_tls)?;
        login.reload(&new_login)?;
        if let Some(configuration) = configuration {
            tls.replace(configuration);
        }
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
