//! The hosts of a cluster by which it is first asked: those of the connection string, or those that DNS names for it.
//!
//! For `couchbase(s)://one.host` the SDKs ask DNS for the SRV record `_couchbase(s)._tcp.one.host` (SDK RFC 11). The
//! ports in it are those of the key-value service, so only the names are taken; the cluster manager's port follows from
//! the scheme, as for a host of the connection string. `lookup` asks, `servers` says whom and under which names.
//!
//! Invariant: there is always a host to ask. Without a usable record it is the one of the connection string, and no
//! look-up takes longer than its caller allows: `[bucket] connect_timeout`.

mod lookup;
mod servers;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::bucket::remote::authority;
use crate::clock;
use crate::config::{ConnectionString, Seed};
use crate::observe::{Observation, Observer};
use lookup::{NoRecord, SrvTarget};
use servers::NameServers;

/// More hosts than this are not needed to find a cluster.
const MOST_HOSTS: usize = 32;

/// After DNS failed to answer, the name itself is taken for this long without asking again: a request that looks for a
/// cluster is not to wait for a name server that is down each time.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// Where the first question goes.
pub struct SeedSource {
    /// Of the connection string; at least one.
    written: Vec<Seed>,
    /// The SRV record that may name others.
    record: Option<String>,
    name_servers: NameServers,
    observer: Observer,
    state: Mutex<RecordState>,
}

#[derive(Default)]
struct RecordState {
    logged: Logged,
    failed_at: Option<Instant>,
}

/// What was logged of the record last. It is logged again only when that changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Logged {
    #[default]
    Nothing,
    Hosts,
    NoRecord,
    NoAnswer,
}

impl SeedSource {
    /// The hosts of this connection string. Asks nobody yet.
    #[must_use]
    pub fn new(connection_string: &ConnectionString, observer: &Observer) -> Self {
        Self::with_name_servers(connection_string, observer, NameServers::OfSystem)
    }

    fn with_name_servers(connection_string: &ConnectionString, observer: &Observer, name_servers: NameServers) -> Self {
        Self {
            written: connection_string.seeds.clone(),
            record: connection_string.dns_srv.clone(),
            name_servers,
            observer: observer.clone(),
            state: Mutex::default(),
        }
    }

    /// The hosts of the connection string.
    #[must_use]
    pub fn written(&self) -> &[Seed] {
        &self.written
    }

    /// The hosts in the order in which to ask them: those of the string in a random one, those of a record by priority
    /// and weight. At least one. Blocks while DNS is asked, for `limit` at most.
    #[must_use]
    pub fn seeds(&self, limit: Duration) -> Vec<Seed> {
        self.of_dns(limit).unwrap_or_else(|| {
            let mut seeds = self.written.clone();
            fastrand::shuffle(&mut seeds);
            seeds
        })
    }

    fn of_dns(&self, limit: Duration) -> Option<Vec<Seed>> {
        let record = self.record.as_deref()?;
        let port = self.written.first()?.management_port;
        let now = clock::now();
        if self.state.lock().failed_at.is_some_and(|at| now.saturating_duration_since(at) < REST_AFTER_FAILURE) {
            return None;
        }
        let found = self.name_servers.find(record).and_then(|question| lookup::look_up(question, limit));
        let hosts = found.map(|targets| in_order(targets, fastrand::u32)).and_then(|hosts| {
            // RFC 2782: the root as a target says that there is no such service.
            if hosts.is_empty() { Err(NoRecord::NoSuch) } else { Ok(hosts) }
        });
        self.report(record, &hosts, port);
        Some(hosts.ok()?.into_iter().map(|host| Seed { host, management_port: port }).collect())
    }

    fn report(&self, record: &str, hosts: &Result<Vec<String>, NoRecord>, port: u16) {
        let outcome = match hosts {
            Ok(_) => Logged::Hosts,
            Err(NoRecord::NoSuch) => Logged::NoRecord,
            Err(NoRecord::Failed(_)) => Logged::NoAnswer,
        };
        let mut state = self.state.lock();
        state.failed_at = (outcome == Logged::NoAnswer).then(clock::now);
        if std::mem::replace(&mut state.logged, outcome) == outcome {
            return;
        }
        drop(state);
        self.observer.emit(&match hosts {
            Ok(hosts) => {
                let hosts: Vec<String> = hosts.iter().map(|host| authority(host, port)).collect();
                return self.observer.emit(&Observation::RecordFound { record, hosts: &hosts.join(", ") });
            }
            Err(NoRecord::NoSuch) => Observation::RecordMissing { record },
            Err(NoRecord::Failed(reason)) => Observation::RecordLookupFailed { record, reason },
        });
    }
}

/// The names in the order of RFC 2782: the lowest priority first; among equals by lot, and each as often first as its
/// weight says. `draw` gives a number of a range. Names that come twice are taken once.
fn in_order(mut targets: Vec<SrvTarget>, mut draw: impl FnMut(std::ops::RangeInclusive<u32>) -> u32) -> Vec<String> {
    // Those without a weight come first, or else the sum would pass them by.
    targets.sort_by_key(|target| (target.priority, target.weight != 0));
    let mut hosts: Vec<String> = Vec::new();
    while let Some(priority) = targets.first().map(|target| target.priority) {
        let group = targets.iter().take_while(|target| target.priority == priority);
        let total = group.clone().map(|target| u32::from(target.weight)).sum();
        let drawn = draw(0..=total);
        let mut sum = 0;
        let chosen = group.clone().position(|target| {
            sum += u32::from(target.weight);
            sum >= drawn
        });
        let host = targets.remove(chosen.unwrap_or_default()).host;
        if !host.is_empty() && hosts.len() < MOST_HOSTS && !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}
