//! The steps of `check` for Couchbase: from the name of a host to one read.
//!
//! Invariant: asks and never changes anything; each exchange has the operation timeout, each connection the connect
//! timeout, so the whole ends. Where the cluster manager does not tell, the read does: a user who may do no more than
//! read passes every step.

mod manager;
mod network;
mod read;

use super::data_api;
use super::srv::SeedSource;
use super::topology::{self, Topology};
use super::transport::{Ask, Client, Reply};
use super::way::{Method, Request, Service};
use super::{Couchbase, Shared};
use crate::bucket::check::{Walk, reason};
use crate::bucket::{BucketError, BucketTimeouts};
use crate::clock::{self, Deadline};
use crate::config::{BucketSettings, CouchbaseSettings, Scheme, Seed};
use crate::observe::Observer;
use manager::Manifest;
use read::Sentinel;

/// Looks at the cluster that the settings name.
pub fn run(settings: &CouchbaseSettings, bucket: &BucketSettings, observer: &Observer, walk: &mut Walk) {
    let couchbase = match Couchbase::start(settings, bucket, observer) {
        Ok(couchbase) => couchbase,
        Err(error) => return walk.wrong_settings(&error),
    };
    walk.passed("settings", crate::bucket::Database::describe(couchbase.as_ref()));
    let timeouts = BucketTimeouts::from(bucket);
    let check =
        Check { shared: &couchbase.shared, settings, client: Client::new(&timeouts, &couchbase.shared.tls), timeouts };
    check.walk(walk);
}

/// What the steps share.
struct Check<'a> {
    shared: &'a Shared,
    settings: &'a CouchbaseSettings,
    client: Client,
    timeouts: BucketTimeouts,
}

impl Check<'_> {
    fn walk(&self, walk: &mut Walk) {
        let seeds = match self.hosts(walk) {
            Ok(seeds) => seeds,
            Err(error) => return walk.wrong_settings(&error),
        };
        let Some(seed) = network::reach(&seeds, &self.timeouts, walk) else {
            return skip(walk, &["tls", "login", "service", "bucket", "scope", "collection", "role", "read"], "tcp");
        };
        if self.shared.way.service() == Service::Gateway {
            self.tls_is_in_the_answer(walk);
            skip(walk, &["login", "service", "bucket", "scope", "collection"], "a cluster manager; the read tells");
            let node = topology::authority(&seed.host, seed.management_port);
            let sentinel = self.read(&node);
            return sentinel.report_alone(walk);
        }
        let Some(topology) = self.log_in(seed, walk) else { return };
        let Some(node) = self.service(&topology, seed, walk) else {
            return skip(walk, &["bucket", "scope", "collection", "role", "read"], "service");
        };
        let authority = topology::authority(&seed.host, seed.management_port);
        let keyspace = &self.shared.keyspace;
        let bucket = manager::bucket(|path| self.ask_manager(&authority, path), keyspace);
        let manifest = if keyspace.is_default() {
            Manifest::Unknown
        } else {
            manager::manifest(|path| self.ask_manager(&authority, path), keyspace)
        };
        self.read(&node).report(bucket, &manifest, self.shared, walk);
    }

    /// The hosts to begin with: gateways, or those of the connection string, or those that DNS names for it.
    fn hosts(&self, walk: &mut Walk) -> Result<Vec<Seed>, BucketError> {
        let connection_string = &self.settings.connection_string;
        if self.shared.way.service() == Service::Gateway {
            let gateways = data_api::gateways(connection_string)?;
            return Ok(gateways.into_iter().map(|node| Seed { host: node.host, management_port: node.port }).collect());
        }
        let mut seeds = connection_string.seeds.clone();
        if let Some(record) = &connection_string.dns_srv {
            let deadline = Deadline::after(clock::now(), self.timeouts.operation);
            seeds = SeedSource::new(connection_string, &self.timeouts, &self.shared.observer).seeds(deadline);
            if seeds == connection_string.seeds {
                walk.skipped("dns", format!("there is no record {record}; the host of the connection string is taken"));
            } else {
                let hosts: Vec<&str> = seeds.iter().map(|seed| seed.host.as_str()).collect();
                walk.passed("dns", format!("the record {record} names {}", hosts.join(", ")));
            }
        }
        Ok(seeds)
    }

    fn scheme(&self) -> Scheme {
        self.settings.connection_string.scheme
    }

    /// The steps `tls` and `login`, and what the cluster is made of.
    fn log_in(&self, seed: &Seed, walk: &mut Walk) -> Option<Topology> {
        let authority = topology::authority(&seed.host, seed.management_port);
        let rest = ["service", "bucket", "scope", "collection", "role", "read"];
        let reply = match self.ask_manager(&authority, manager::POOLS) {
            Ok(reply) => {
                self.tls_is_in_the_answer(walk);
                reply
            }
            // The connection was there a moment ago: under TLS, what fails first is TLS.
            Err(failure) if self.scheme().is_tls() => {
                walk.failed("tls", failure);
                skip(walk, &["login"], "tls");
                skip(walk, &rest, "login");
                return None;
            }
            Err(failure) => {
                self.tls_is_in_the_answer(walk);
                walk.failed("login", failure);
                skip(walk, &rest, "login");
                return None;
            }
        };
        let username = self.shared.login.username();
        match manager::login(&reply, &authority, username) {
            Ok(sentence) => walk.passed("login", sentence),
            Err(sentence) => {
                walk.failed("login", sentence);
                skip(walk, &rest, "login");
                return None;
            }
        }
        let topology = self.ask_manager(&authority, topology::NODE_SERVICES).and_then(|reply| match reply.status {
            200 => topology::parse(
                &reply.body,
                seed,
                &self.settings.network,
                self.shared.way.service(),
                self.shared.tls.security(),
            )
            .map_err(|error| reason(&error)),
            _ => Err(reason(&super::status::failure(reply.status, &topology::peer(&authority)).error)),
        });
        match topology {
            Ok(topology) => Some(topology),
            Err(failure) => {
                walk.failed("service", failure);
                skip(walk, &rest[1..], "service");
                None
            }
        }
    }

    fn tls_is_in_the_answer(&self, walk: &mut Walk) {
        let scheme = self.scheme();
        if scheme.is_tls() {
            let is_verified = !self.settings.danger_accept_invalid_certificates;
            walk.passed(
                "tls",
                if is_verified {
                    "the certificate was accepted"
                } else {
                    "there is TLS, and the certificate was not looked at ([couchbase] danger_accept_invalid_certificates)"
                },
            );
        } else {
            walk.skipped("tls", format!("{}:// is plain HTTP", scheme.as_str()));
        }
    }

    /// The step `service`: every node that runs it must be within reach. Gives one of those that are.
    fn service(&self, topology: &Topology, seed: &Seed, walk: &mut Walk) -> Option<String> {
        if self.shared.way.service() == Service::Manager {
            walk.passed("service", "every node answers; the one that was reached is asked");
            return Some(topology::authority(&seed.host, seed.management_port));
        }
        let mut reached = None;
        for node in &topology.nodes {
            let authority = node.authority();
            match network::connect(&authority, &self.timeouts) {
                Ok(_) => {
                    walk.passed("service", format!("{} at {authority}", self.shared.way.service_name()));
                    reached.get_or_insert(authority);
                }
                Err(why) => walk.failed(
                    "service",
                    format!(
                        "{} at {authority} is out of reach: {why}; let this machine reach that port, or set [couchbase] \
                         network to the addresses that it can reach",
                        self.shared.way.service_name()
                    ),
                ),
            }
        }
        reached
    }

    /// One read of an id that no user has.
    fn read(&self, node: &str) -> Sentinel {
        let peer = format!("{} at {node}", self.shared.way.service_name());
        let start = clock::now();
        read::sentinel(self.shared.way.as_ref(), &peer, self.timeouts.operation, |request, max_body_bytes| {
            self.ask(node, request, &peer, Deadline::after(start, self.timeouts.operation), max_body_bytes)
        })
    }

    fn ask_manager(&self, authority: &str, path: &str) -> Result<Reply, String> {
        let request = Request { method: Method::Get, path: path.to_owned(), fields: Vec::new() };
        let deadline = Deadline::after(clock::now(), self.timeouts.operation);
        self.ask(authority, &request, &topology::peer(authority), deadline, topology::MAX_ANSWER_BYTES)
            .map_err(|failure| reason(&failure.error))
    }

    fn ask(
        &self,
        authority: &str,
        request: &Request,
        peer: &str,
        deadline: Deadline,
        max_body_bytes: usize,
    ) -> Result<Reply, super::failure::Failure> {
        let credentials = self.shared.login.credentials();
        let ask = Ask { credentials: &credentials, deadline, max_body_bytes };
        self.client.ask(&self.shared.tls.security().base_url(authority), request, peer, &ask)
    }
}

fn skip(walk: &mut Walk, names: &[&'static str], what: &str) {
    for name in names {
        walk.skipped(name, format!("needs {what}"));
    }
}
