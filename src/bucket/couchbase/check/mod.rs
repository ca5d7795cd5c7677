//! The steps of `check` that only this product has: what the cluster manager says of the login, the services, the bucket
//! and its collections.
//!
//! Invariant: asks and never changes anything; each exchange has the operation timeout, each connection the connect
//! timeout, so the whole ends. Where the cluster manager does not tell, the read does: a user who may do no more than
//! read passes every step.

mod keyspace;
mod manager;

use super::data_api;
use super::discovery::topology::{self, Topology};
use super::discovery::{self, SeedSource};
use super::product::{COUCHBASE, Target};
use super::service::Service;
use crate::bucket::remote::check::{tcp, tls};
use crate::bucket::report::Report;
use crate::bucket::rest::check::read_sentinel;
use crate::bucket::rest::node::NodeClient;
use crate::bucket::rest::{
    Cluster, Completeness, Endpoint, Exchange, Failure, Request, Response, RestDatabase, Security,
};
use crate::bucket::{BucketError, BucketTimeouts, Database, Trace};
use crate::clock::{self, Deadline};
use crate::config::{CouchbaseSettings, Seed};
use crate::observe::Observer;
use manager::Manifest;

/// Checks the cluster that the settings name.
pub fn run(settings: &CouchbaseSettings, timeouts: BucketTimeouts, observer: &Observer, report: &mut Report) {
    let database = match super::open(settings, timeouts, observer) {
        Ok(database) => database,
        Err(error) => return report.wrong_settings(&error),
    };
    report.passed("settings", database.describe());
    let check = Check { database: &database, settings, service: Service::of(settings.api) };
    check.run(report);
}

/// What the steps share.
struct Check<'a> {
    database: &'a RestDatabase,
    settings: &'a CouchbaseSettings,
    service: Service,
}

impl Check<'_> {
    fn run(&self, report: &mut Report) {
        if self.service == Service::Gateway {
            return self.run_gateway(report);
        }
        let seeds = self.seeds(report);
        let managers: Vec<Endpoint> = seeds.iter().map(|seed| discovery::manager(seed, self.security())).collect();
        let Some(manager) = tcp::reach(&managers, &self.cluster().access, report) else {
            return report
                .skip_all(&["tls", "login", "service", "bucket", "scope", "collection", "role", "read"], "tcp");
        };
        let seed = Seed { host: manager.host.clone(), management_port: manager.port };
        let Some(topology) = self.log_in(manager, &seed, report) else { return };
        let Some(node) = self.find_service(&topology, manager, report) else {
            return report.skip_all(&["bucket", "scope", "collection", "role", "read"], "service");
        };
        let target = Target::new(self.settings);
        let bucket = manager::bucket(|path| self.ask(manager, path), &target.keyspace);
        let manifest = if target.keyspace.is_default() {
            Manifest::Unknown
        } else {
            manager::manifest(|path| self.ask(manager, path), &target.keyspace)
        };
        let read = read_sentinel(self.cluster(), &node);
        keyspace::report(&read, bucket, &manifest, &target, report);
    }

    /// A gateway is asked for documents only.
    fn run_gateway(&self, report: &mut Report) {
        let rest = ["login", "service", "bucket", "scope", "collection"];
        let gateways = match data_api::gateways(&self.settings.connection_string) {
            Ok(gateways) => gateways,
            Err(error) => return report.wrong_settings(&error),
        };
        let Some(gateway) = tcp::reach(&gateways, &self.cluster().access, report) else {
            report.skip_all(&["tls"], "tcp");
            report.skip_all(&rest, "tcp");
            return report.skip_all(&["role", "read"], "tcp");
        };
        let read = read_sentinel(self.cluster(), gateway);
        if !self.report_tls(read.failure(), report) {
            report.skip_all(&rest, "tls");
            return report.skip_all(&["role", "read"], "tls");
        }
        report.skip_all(&rest, "a cluster manager; the read tells");
        report.skipped("role", "the read tells");
        read.report(report);
    }

    /// The hosts to begin with: those of the connection string, or those that DNS names for it.
    fn seeds(&self, report: &mut Report) -> Vec<Seed> {
        let connection_string = &self.settings.connection_string;
        let Some(record) = &connection_string.dns_srv else { return connection_string.seeds.clone() };
        let access = &self.cluster().access;
        let seeds = SeedSource::new(connection_string, &access.observer).seeds(access.timeouts().connect);
        if seeds == connection_string.seeds {
            report.skipped("dns", format!("there is no record {record}; the host of the connection string is taken"));
        } else {
            let hosts: Vec<&str> = seeds.iter().map(|seed| seed.host.as_str()).collect();
            report.passed("dns", format!("the record {record} names {}", hosts.join(", ")));
        }
        seeds
    }

    /// The steps `tls` and `login`, and what the cluster is made of.
    fn log_in(&self, manager: &Endpoint, seed: &Seed, report: &mut Report) -> Option<Topology> {
        let rest = ["service", "bucket", "scope", "collection", "role", "read"];
        let response = self.ask(manager, manager::POOLS);
        if !self.report_tls(response.as_ref().err(), report) {
            report.skip_all(&["login"], "tls");
            report.skip_all(&rest, "login");
            return None;
        }
        let username = self.cluster().access.login.username();
        let login = match response {
            Ok(response) => manager::login(&response, &manager.authority(), username),
            Err(failure) => Err(failure.error.reason()),
        };
        match login {
            Ok(sentence) => report.passed("login", sentence),
            Err(sentence) => {
                report.failed("login", sentence);
                report.skip_all(&rest, "login");
                return None;
            }
        }
        let topology = self.ask(manager, topology::NODE_SERVICES).map_err(|failure| failure.error);
        match topology.and_then(|response| self.read_topology(&response, manager, seed)) {
            Ok(topology) => Some(topology),
            Err(error) => {
                report.failed("service", error.reason());
                report.skip_all(&rest[1..], "service");
                None
            }
        }
    }

    fn read_topology(&self, response: &Response, manager: &Endpoint, seed: &Seed) -> Result<Topology, BucketError> {
        match (response.status, response.completeness) {
            (200, Completeness::Complete) => {
                topology::parse(&response.body, seed, &self.settings.network, self.service, self.security())
            }
            (status, _) => Err(COUCHBASE.status_failure(status, &manager::peer(&manager.authority())).error),
        }
    }

    fn report_tls(&self, failure: Option<&Failure>, report: &mut Report) -> bool {
        let plain = format!("{}:// is plain HTTP", self.settings.connection_string.scheme.as_str());
        tls::report(&self.cluster().access, self.security(), &plain, failure, report)
    }

    /// The step `service`: every node that runs it must be within reach. Returns one of those that are.
    fn find_service(&self, topology: &Topology, manager: &Endpoint, report: &mut Report) -> Option<Endpoint> {
        if self.service == Service::Manager {
            report.passed("service", "every node answers; the one that was reached is asked");
            return Some(manager.clone());
        }
        let mut reached = None;
        let name = self.service.name();
        for node in &topology.nodes {
            let authority = node.authority();
            match tcp::connect(node, &self.cluster().access) {
                Ok(_) => {
                    report.passed("service", format!("{name} at {authority}"));
                    reached.get_or_insert_with(|| node.clone());
                }
                Err(why) => report.failed(
                    "service",
                    format!(
                        "{name} at {authority} is out of reach: {why}; let this machine reach that port, or set \
                         [couchbase] network to the addresses that it can reach"
                    ),
                ),
            }
        }
        reached
    }

    fn ask(&self, manager: &Endpoint, path: &str) -> Result<Response, Failure> {
        let access = &self.cluster().access;
        let client = NodeClient::new(access, manager.clone(), Service::Manager.name());
        let (credentials, trace) = (access.login.credentials(), Trace::default());
        let deadline = Deadline::after(clock::now(), access.timeouts().operation);
        client.exchange(&credentials, deadline, &trace).send(&Request::get(path), topology::MAX_RESPONSE_BYTES)
    }

    fn cluster(&self) -> &Cluster {
        self.database.cluster()
    }

    fn security(&self) -> Security {
        self.cluster().access.tls.security()
    }
}
