//! Where a service runs: from the cluster manager's `nodeServices` to a list of endpoints.
//!
//! Invariant: pure. Whatever may be missing from the answer of an old, a small or a Community cluster (hostnames,
//! revision epochs, services, alternate addresses) is missing without harm.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::bucket::BucketError;
use crate::bucket::couchbase::service::Service;
use crate::bucket::rest::{Endpoint, Security};
use crate::config::{Network, Seed};

/// Where the cluster manager says which services run where.
pub const NODE_SERVICES: &str = "/pools/default/nodeServices";

/// The largest answer of a cluster manager that we read, in bytes: a node takes some hundreds of them, and a bucket may
/// have a thousand collections.
pub const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// The placeholder in a hostname for "the host by which you reached me".
const DIALLED_HOST: &str = "$HOST";

/// The alternate address that `auto` looks for.
const EXTERNAL: &str = "external";

/// A cluster at one of its revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Where requests can be sent; at least one.
    pub nodes: Vec<Endpoint>,
    /// The cluster managers, which can be asked for the topology.
    pub managers: Vec<Seed>,
    /// Orders the topologies of one cluster: epoch first.
    revision: (u64, u64),
    /// Which cluster it is, where it says so.
    cluster: Option<String>,
}

impl Topology {
    /// False if both say which cluster they are, and it is not the same.
    #[must_use]
    pub fn is_of_the_same_cluster_as(&self, other: &Self) -> bool {
        self.cluster.is_none() || other.cluster.is_none() || self.cluster == other.cluster
    }

    /// True if `self` may take the place of `held`. Nodes learn of a change one after the other, so that a later answer
    /// can be an older one. Another cluster counts its revisions anew.
    #[must_use]
    pub fn supersedes(&self, held: &Self) -> bool {
        self.cluster != held.cluster || self.revision >= held.revision
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeServices {
    #[serde(default)]
    rev: u64,
    #[serde(default)]
    rev_epoch: u64,
    #[serde(rename = "clusterUUID")]
    cluster_uuid: Option<String>,
    nodes_ext: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    #[serde(default)]
    services: Ports,
    hostname: Option<String>,
    #[serde(default)]
    alternate_addresses: BTreeMap<String, Alternate>,
}

#[derive(Deserialize)]
struct Alternate {
    hostname: String,
    ports: Option<Ports>,
}

/// The services that we ask for, of many.
#[derive(Default, Deserialize)]
struct Ports {
    mgmt: Option<u16>,
    #[serde(rename = "mgmtSSL")]
    mgmt_tls: Option<u16>,
    n1ql: Option<u16>,
    #[serde(rename = "n1qlSSL")]
    n1ql_tls: Option<u16>,
}

impl Ports {
    fn of(&self, service: Service, security: Security) -> Option<u16> {
        match (service, security) {
            (Service::Query, Security::Plain) => self.n1ql,
            (Service::Query, Security::Tls) => self.n1ql_tls,
            (Service::Manager, Security::Plain) => self.mgmt,
            (Service::Manager, Security::Tls) => self.mgmt_tls,
            // A gateway is not a node of the cluster.
            (Service::Gateway, _) => None,
        }
    }
}

impl Node {
    fn host(&self, dialled: &Seed) -> String {
        match self.hostname.as_deref() {
            None | Some("" | DIALLED_HOST) => dialled.host.clone(),
            Some(host) => unbracketed(host),
        }
    }

    fn endpoint(
        &self,
        dialled: &Seed,
        network: Option<&str>,
        service: Service,
        security: Security,
    ) -> Option<Endpoint> {
        let Some(network) = network else {
            let port = self.services.of(service, security)?;
            return Some(Endpoint::new(security, self.host(dialled), port));
        };
        let alternate = self.alternate_addresses.get(network)?;
        // Alternate ports that are not listed are not reachable; without any list the ports are the internal ones.
        let port = alternate.ports.as_ref().unwrap_or(&self.services).of(service, security)?;
        Some(Endpoint::new(security, unbracketed(&alternate.hostname), port))
    }
}

/// Reads the response of the seed that was `dialled`.
///
/// # Errors
/// [`BucketError::Misconfigured`] for what is no `nodeServices`, a cluster without a query service, and a network that
/// no node has an address in.
pub fn parse(
    body: &[u8],
    dialled: &Seed,
    network: &Network,
    service: Service,
    security: Security,
) -> Result<Topology, BucketError> {
    let services: NodeServices = serde_json::from_slice(body).map_err(|_| BucketError::Misconfigured {
        reason: format!(
            "{} answers, but not as the cluster manager of Couchbase does; check the hosts and ports of [couchbase] \
             connection_string (the manager's port is 8091 unless somebody changed it)",
            super::manager(dialled, security).authority()
        ),
    })?;
    let network = choose(&services.nodes_ext, dialled, network, security)?;
    let all_of = |service, security| {
        services.nodes_ext.iter().filter_map(move |node| node.endpoint(dialled, network, service, security))
    };
    let nodes: Vec<Endpoint> = all_of(service, security).collect();
    if nodes.is_empty() {
        let is_without_tls = security == Security::Tls && all_of(service, Security::Plain).next().is_some();
        let reason = if is_without_tls { not_over_tls(service) } else { no_service(service, network) };
        return Err(BucketError::Misconfigured { reason });
    }
    let managers =
        all_of(Service::Manager, security).map(|node| Seed { host: node.host, management_port: node.port }).collect();
    Ok(Topology {
        nodes,
        managers,
        revision: (services.rev_epoch, services.rev),
        cluster: services.cluster_uuid.filter(|uuid| !uuid.is_empty()),
    })
}

fn not_over_tls(service: Service) -> String {
    let name = match service {
        Service::Query => "query service, and not over TLS (n1qlSSL)",
        Service::Manager | Service::Gateway => "cluster manager, and not over TLS (mgmtSSL)",
    };
    format!(
        "the cluster offers its {name}; set TLS up for it, or write couchbase:// in [couchbase] connection_string on a \
         network that you trust"
    )
}

fn no_service(service: Service, network: Option<&str>) -> String {
    let name = match service {
        Service::Query => "the query service (n1ql)",
        Service::Manager | Service::Gateway => "its cluster manager (mgmt)",
    };
    match (network, service) {
        (None, Service::Query) => "no node of the cluster runs the query service; add the service to a node, or set \
                                   [couchbase] api = \"documents\""
            .to_owned(),
        (None, _) => format!("no node of the cluster tells a port of {name}; use the ports of TLS, with couchbases://"),
        (Some(network), _) => format!(
            "no node of the cluster offers {name} in the network \"{network}\"; add the port to the nodes' alternate \
             addresses, or change [couchbase] network"
        ),
    }
}

/// The network whose addresses are dialled: `None` is the nodes' own.
///
/// `auto` is what the official SDKs do: the nodes' own addresses if the one that was dialled is among them, else
/// external ones if there are any.
fn choose<'a>(
    nodes: &[Node],
    dialled: &Seed,
    network: &'a Network,
    security: Security,
) -> Result<Option<&'a str>, BucketError> {
    let has = |name: &str| nodes.iter().any(|node| node.alternate_addresses.contains_key(name));
    match network {
        Network::Default => Ok(None),
        Network::Alternate(name) if has(name) => Ok(Some(name)),
        Network::Alternate(name) => Err(BucketError::Misconfigured {
            reason: format!("no node of the cluster has an address in the network \"{name}\" ([couchbase] network)"),
        }),
        Network::Auto => {
            let is_own = nodes.iter().any(|node| {
                node.host(dialled).eq_ignore_ascii_case(&dialled.host)
                    && node.services.of(Service::Manager, security).is_none_or(|port| port == dialled.management_port)
            });
            Ok(if !is_own && has(EXTERNAL) { Some(EXTERNAL) } else { None })
        }
    }
}

fn unbracketed(host: &str) -> String {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned()
}

#[cfg(test)]
mod tests;
