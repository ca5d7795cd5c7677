//! Couchbase: three protocols, and the discovery of the nodes of a cluster.
//!
//! - `query` asks the query service, `documents` the cluster manager's own endpoint, `data_api` that of a gateway;
//!   `keyspace` is where the documents are, and `product` has its names and what it tells an operator.
//! - `discovery` asks the cluster managers which nodes there are.
//! - `check` has the steps of `check` that only this product has.
//!
//! Invariant: everything but `discovery` and `check` is pure. No message of the server, which may hold values of documents,
//! and no secret gets into an error or a log line.

pub(super) mod check;
mod data_api;
mod discovery;
mod documents;
mod keyspace;
mod product;
mod query;
mod service;

use std::sync::Arc;

use data_api::DataApi;
use discovery::{ClusterDiscovery, SeedSource};
use documents::Documents;
use keyspace::Keyspace;
use product::{COUCHBASE, Target};
use query::Query;
use service::Service;

use super::driver::{Driver, Opening};
use super::report::Report;
use super::rest::{Access, Cluster, Discovery, Endpoint, Fixed, LoginConfig, Nodes, Protocol, RestDatabase, Security};
use super::{BucketError, BucketTimeouts, Database};
use crate::config::{CouchbaseApi, CouchbaseSettings, DatabaseName, Settings};
use crate::observe::Observer;

/// See [`Driver`].
pub struct CouchbaseDriver;

/// The driver of Couchbase.
pub static DRIVER: CouchbaseDriver = CouchbaseDriver;

impl Driver for CouchbaseDriver {
    fn open(&self, opening: &Opening) -> Result<Arc<dyn Database>, BucketError> {
        Ok(Arc::new(open(&opening.settings.couchbase, opening.timeouts, opening.observer)?))
    }

    fn check(&self, opening: &Opening, report: &mut Report) {
        check::run(&opening.settings.couchbase, opening.timeouts, opening.observer, report);
    }
}

/// Opens a cluster. Asks nobody, so that a server starts while its database is down.
///
/// # Errors
/// [`BucketError::Misconfigured`] for settings that can never work; [`BucketError::Unavailable`] if a thread cannot be started.
pub fn open(
    settings: &CouchbaseSettings,
    timeouts: BucketTimeouts,
    observer: &Observer,
) -> Result<RestDatabase, BucketError> {
    let target = Target::new(settings);
    let connection_string = &settings.connection_string;
    let security = if connection_string.scheme.is_tls() { Security::Tls } else { Security::Plain };
    let access =
        Access::new(&COUCHBASE, (&LoginConfig::from(&settings.login), &settings.tls), security, timeouts, observer)?;
    let nodes = Arc::new(Nodes::new(&COUCHBASE, &timeouts, observer));
    let (discovery, asked): (Arc<dyn Discovery>, Vec<String>) = match Service::of(settings.api) {
        Service::Gateway => {
            // They are all that there is to know, so nothing is ever discovered.
            let gateways = data_api::gateways(connection_string)?;
            nodes.set(&gateways);
            (Arc::new(Fixed), gateways.iter().map(Endpoint::authority).collect())
        }
        service => {
            let seeds = SeedSource::new(connection_string, observer);
            let network = settings.network.clone();
            let discovery = ClusterDiscovery::start(seeds, network, service, access.clone(), Arc::clone(&nodes))?;
            let written = connection_string.seeds.iter();
            (discovery, written.map(|seed| discovery::manager(seed, security).authority()).collect())
        }
    };
    let place = place(&target.keyspace, settings.api, &asked);
    let cluster = Cluster { access, protocol: protocol(settings.api, target), nodes, discovery };
    RestDatabase::open(DatabaseName::Couchbase, place, cluster, reload_from(settings))
}

fn protocol(api: CouchbaseApi, target: Target) -> Box<dyn Protocol> {
    match api {
        CouchbaseApi::Query => Box::new(Query::new(target)),
        CouchbaseApi::Documents => Box::new(Documents::new(target)),
        CouchbaseApi::DataApi => Box::new(DataApi::new(target)),
    }
}

fn place(keyspace: &Keyspace, api: CouchbaseApi, asked: &[String]) -> String {
    let service = Service::of(api);
    let of_cluster = if service == Service::Gateway { "" } else { " of the cluster" };
    format!("{keyspace} by {}{of_cluster} at {}", service.name(), asked.join(", "))
}

/// The secrets of another cluster, or of another user, are not for this one.
fn reload_from(started: &CouchbaseSettings) -> Box<super::rest::ReloadFrom> {
    let (connection_string, username) = (started.connection_string.clone(), started.login.username.clone());
    Box::new(move |settings: &Settings| {
        let new = &settings.couchbase;
        let is_same = new.connection_string == connection_string && new.login.username == username;
        is_same.then(|| (LoginConfig::from(&new.login), new.tls.clone()))
    })
}
