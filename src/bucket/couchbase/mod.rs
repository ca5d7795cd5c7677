//! Couchbase, over HTTP: three ways in, one cluster behind them.
//!
//! From the outside in:
//! - [`Couchbase`] is what all connections share.
//! - `discovery` and `refresher` know which nodes there are, out of what `topology` reads, beginning with the hosts that
//!   `srv` gives. `nodes` knows which of them can be asked: `health` decides, `prober` looks.
//! - `connection` is one bucket connection: it turns from node to node as `failure` and `retry` say. `bulk` stores and
//!   lists many documents over it.
//! - `node` is one HTTP client of one node, over `transport`, with `resolver`, `one_write`, `tls` where there is TLS, and
//!   one login (`login`, with `rotation`).
//! - What is asked and what a reply says is a `way`: `query` is the query service, `documents` the cluster manager's own
//!   endpoint, `data_api` that of a gateway; `role` and `path` belong to these two, and `status` says what an HTTP status
//!   alone means. `check` walks through all of it, step by step.
//!
//! Invariant: the ways, `failure`, `health`, `keyspace`, `retry`, `rotation`, `status` and `topology` are pure; only
//! `transport` and `check` own sockets. No message of the server, which may hold values of documents, and no secret gets
//! into an error or a log line.

mod bulk;
pub(super) mod check;
mod connection;
mod data_api;
mod discovery;
mod documents;
mod failure;
mod health;
mod keyspace;
mod login;
mod node;
mod nodes;
mod one_write;
mod path;
mod prober;
mod query;
mod refresher;
mod resolver;
mod retry;
mod role;
mod rotation;
#[cfg(test)]
mod rows;
mod srv;
mod status;
mod tls;
mod topology;
mod transport;
mod way;

use std::sync::Arc;

use connection::Connection;
use data_api::DataApiWay;
use discovery::Discovery;
use documents::DocumentsWay;
use keyspace::Keyspace;
use login::Login;
use nodes::Nodes;
use query::QueryWay;
use srv::SeedSource;
use tls::Tls;
use topology::Security;
use way::{Service, Way};

use super::{Bucket, BucketError, BucketTimeouts, Database};
use crate::clock::Deadline;
use crate::config::{BucketSettings, ConnectionString, CouchbaseApi, CouchbaseSettings, DatabaseName, Settings};
use crate::observe::{Observation, Observer};

/// A Couchbase cluster. Its connections share what is known of its nodes.
pub struct Couchbase {
    shared: Arc<Shared>,
    seeds: String,
    /// Which cluster it was started for, and as whom.
    connection_string: ConnectionString,
    username: Option<String>,
}

/// What all connections share; it is only read.
struct Shared {
    discovery: Arc<Discovery>,
    nodes: Arc<Nodes>,
    login: Arc<Login>,
    tls: Arc<Tls>,
    way: Box<dyn Way>,
    keyspace: Keyspace,
    observer: Observer,
}

impl Couchbase {
    /// Takes the settings. Asks nobody, so that a server starts while its database is down.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for settings that can never work.
    pub fn start(
        settings: &CouchbaseSettings,
        bucket: &BucketSettings,
        observer: &Observer,
    ) -> Result<Arc<Self>, BucketError> {
        let keyspace = Keyspace::new(&settings.bucket, &settings.scope, &settings.collection)?;
        let login = Arc::new(Login::new(settings, observer)?);
        let tls = Arc::new(Tls::new(settings)?);
        let written = settings.connection_string.seeds.iter();
        let mut names: Vec<String> =
            written.map(|seed| topology::authority(&seed.host, seed.management_port)).collect();
        let timeouts = BucketTimeouts::from(bucket);
        let way = way_of(settings.api, &keyspace, login.username());
        let nodes = Arc::new(Nodes::new(observer.clone()));
        let discovery = Discovery::new(
            SeedSource::new(&settings.connection_string, &timeouts, observer),
            settings.network.clone(),
            way.service(),
            Arc::clone(&login),
            Arc::clone(&tls),
            timeouts,
            Arc::clone(&nodes),
            observer.clone(),
        );
        if way.service() == Service::Gateway {
            // They are all that there is to know, so nothing is ever discovered.
            let gateways = data_api::gateways(&settings.connection_string)?;
            names = gateways.iter().map(topology::Endpoint::authority).collect();
            nodes.set(&gateways);
        }
        let discovery = Arc::new(discovery);
        let shared = Shared { discovery, nodes, login, tls, way, keyspace, observer: observer.clone() };
        Ok(Arc::new(Self {
            shared: Arc::new(shared),
            seeds: names.join(", "),
            connection_string: settings.connection_string.clone(),
            username: settings.username.clone(),
        }))
    }
}

/// The way that `[couchbase] api` names.
fn way_of(api: CouchbaseApi, keyspace: &Keyspace, username: Option<&str>) -> Box<dyn Way> {
    let (keyspace, username) = (keyspace.clone(), username.map(str::to_owned));
    match api {
        CouchbaseApi::Query => Box::new(QueryWay::new(keyspace, username)),
        CouchbaseApi::Documents => Box::new(DocumentsWay::new(keyspace, username)),
        CouchbaseApi::DataApi => Box::new(DataApiWay::new(keyspace, username)),
    }
}

impl Database for Couchbase {
    fn name(&self) -> DatabaseName {
        DatabaseName::Couchbase
    }

    fn describe(&self) -> String {
        let Shared { keyspace, login, tls, way, .. } = self.shared.as_ref();
        let user = login.username().map_or_else(|| "without a login".to_owned(), |user| format!("as {user:?}"));
        let of_cluster = if way.service() == Service::Gateway { "" } else { " of the cluster" };
        let (name, seeds) = (way.service_name(), &self.seeds);
        let security = match tls.security() {
            Security::Plain => "without TLS",
            Security::Tls => "with TLS",
        };
        format!("Couchbase, {keyspace} by {name}{of_cluster} at {seeds}, {user}, {security}")
    }

    fn reload(&self, settings: &Settings) -> Result<(), BucketError> {
        let Shared { login, tls, observer, .. } = self.shared.as_ref();
        let new = &settings.couchbase;
        if new.connection_string != self.connection_string || new.username != self.username {
            // The secrets of another cluster, or of another user, are not for this one.
            observer.emit(&Observation::Warning(format_args!(
                "[couchbase] connection_string or username has changed: all of [couchbase] waits for a restart, its \
                 password and certificates too"
            )));
            return Ok(());
        }
        // First what can fail, and then what cannot: half of it must not be taken.
        let configuration = tls.read_again(&settings.couchbase)?;
        login.reload(&settings.couchbase)?;
        if let Some(configuration) = configuration {
            tls.replace(configuration);
        }
        Ok(())
    }

    fn open(&self, timeouts: &BucketTimeouts, deadline: Deadline) -> Result<Box<dyn Bucket>, BucketError> {
        Ok(Box::new(Connection::open(&self.shared, timeouts, deadline)?))
    }
}

impl Drop for Couchbase {
    fn drop(&mut self) {
        self.shared.discovery.stop();
        self.shared.nodes.stop();
    }
}
