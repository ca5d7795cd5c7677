//! Where the query service runs: from the cluster manager's `nodeServices` to a list of endpoints.
//!
//! Invariant: pure. Whatever may be missing from the answer of an old, a small or a Community cluster (hostnames,
//! revision epochs, services, alternate addresses) is missing without harm.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::bucket::BucketError;
use crate::config::{Network, Seed};

/// What stands in a hostname for "the host by which you reached me".
const DIALLED_HOST: &str = "$HOST";

/// The alternate address that `auto` looks for.
const EXTERNAL: &str = "external";

/// A host and a port that answer queries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address; IPv6 without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// As it stands in a URL, and in a log.
    #[must_use]
    pub fn authority(&self) -> String {
        authority(&self.host, self.port)
    }
}

/// A host and a port as RFC 3986 writes them.
#[must_use]
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A cluster at one of its revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Where queries can be sent; at least one.
    pub query_nodes: Vec<Endpoint>,
    /// Orders the topologies of one cluster: epoch first.
    revision: (u64, u64),
    /// Which cluster it is, where it says so.
    cluster: Option<String>,
}

impl Topology {
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
    n1ql: Option<u16>,
}

impl Node {
    fn host(&self, dialled: &Seed) -> String {
        match self.hostname.as_deref() {
            None | Some("" | DIALLED_HOST) => dialled.host.clone(),
            Some(host) => unbracketed(host),
        }
    }

    fn endpoint(&self, dialled: &Seed, network: Option<&str>) -> Option<Endpoint> {
        let Some(network) = network else {
            return Some(Endpoint { host: self.host(dialled), port: self.services.n1ql? });
        };
        let alternate = self.alternate_addresses.get(network)?;
        // Alternate ports that are not listed are not reachable; without any list the ports are the internal ones.
        let port = alternate.ports.as_ref().unwrap_or(&self.services).n1ql?;
        Some(Endpoint { host: unbracketed(&alternate.hostname), port })
    }
}

/// Reads the answer of the seed that was `dialled`.
///
/// # Errors
/// [`BucketError::Misconfigured`] for what is no `nodeServices`, a cluster without a query service, and a network that
/// no node has an address in.
pub fn parse(body: &[u8], dialled: &Seed, network: &Network) -> Result<Topology, BucketError> {
    let services: NodeServices = serde_json::from_slice(body).map_err(|_| BucketError::Misconfigured {
        reason: format!(
            "{} answers, but not as the cluster manager of Couchbase does; check the hosts and ports of [couchbase] \
             connection_string (the manager's port is 8091 unless somebody changed it)",
            authority(&dialled.host, dialled.management_port)
        ),
    })?;
    let network = choose(&services.nodes_ext, dialled, network)?;
    let query_nodes: Vec<Endpoint> =
        services.nodes_ext.iter().filter_map(|node| node.endpoint(dialled, network)).collect();
    if query_nodes.is_empty() {
        return Err(BucketError::Misconfigured { reason: no_query_service(network) });
    }
    Ok(Topology {
        query_nodes,
        revision: (services.rev_epoch, services.rev),
        cluster: services.cluster_uuid.filter(|uuid| !uuid.is_empty()),
    })
}

fn no_query_service(network: Option<&str>) -> String {
    match network {
        None => "no node of the cluster runs the query service; add the service to a node".to_owned(),
        Some(network) => format!(
            "no node of the cluster offers the query service (n1ql) in the network \"{network}\"; add the port to the \
             nodes' alternate addresses, or change [couchbase] network"
        ),
    }
}

/// The network whose addresses are dialled: `None` is the nodes' own.
///
/// `auto` is what the official SDKs do: the nodes' own addresses if the one that was dialled is among them, else
/// external ones if there are any.
fn choose<'a>(nodes: &[Node], dialled: &Seed, network: &'a Network) -> Result<Option<&'a str>, BucketError> {
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
                    && node.services.mgmt.is_none_or(|port| port == dialled.management_port)
            });
            Ok(if !is_own && has(EXTERNAL) { Some(EXTERNAL) } else { None })
        }
    }
}

fn unbracketed(host: &str) -> String {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(host: &str, management_port: u16) -> Seed {
        Seed { host: host.to_owned(), management_port }
    }

    fn parsed(nodes: &str, dialled: &Seed, network: &Network) -> Result<Vec<String>, BucketError> {
        let body = format!(r#"{{"rev":1,"nodesExt":[{nodes}]}}"#);
        parse(body.as_bytes(), dialled, network)
            .map(|topology| topology.query_nodes.iter().map(Endpoint::authority).collect())
    }

    #[test]
    fn nodes_without_a_hostname_are_where_we_dialled_and_those_without_n1ql_do_not_count() {
        let nodes = r#"
            {"services":{"mgmt":8091,"n1ql":8093,"kv":11210},"thisNode":true},
            {"services":{"mgmt":8091,"kv":11210},"hostname":"data.example"},
            {"services":{"mgmt":8091,"n1ql":9499},"hostname":"10.0.0.2"},
            {"services":{"n1ql":8093},"hostname":"$HOST"},
            {"services":{"n1ql":8093},"hostname":"[2001:db8::1]"},
            {"hostname":"empty.example"}"#;
        let found = parsed(nodes, &seed("db.example", 8091), &Network::Auto).unwrap();
        assert_eq!(found, ["db.example:8093", "10.0.0.2:9499", "db.example:8093", "[2001:db8::1]:8093"]);
    }

    #[test]
    fn the_network_is_chosen_as_the_sdks_do() {
        let nodes = r#"
            {"services":{"mgmt":8091,"n1ql":8093},"hostname":"10.0.0.1",
             "alternateAddresses":{"external":{"hostname":"one.example","ports":{"mgmt":31000,"n1ql":31001}}}},
            {"services":{"mgmt":8091,"n1ql":8093},"hostname":"10.0.0.2",
             "alternateAddresses":{"external":{"hostname":"two.example"}}},
            {"services":{"mgmt":8091,"n1ql":8093},"hostname":"10.0.0.3",
             "alternateAddresses":{"external":{"hostname":"three.example","ports":{"mgmt":31000}}}},
            {"services":{"mgmt":8091,"n1ql":8093},"hostname":"10.0.0.4"}"#;
        let own = ["10.0.0.1:8093", "10.0.0.2:8093", "10.0.0.3:8093", "10.0.0.4:8093"].as_slice();
        let external = ["one.example:31001", "two.example:8093"].as_slice();
        for (host, port, network, expected) in [
            ("10.0.0.1", 8091, Network::Auto, own),
            ("10.0.0.1", 9000, Network::Auto, external),
            ("one.example", 31000, Network::Auto, external),
            ("somewhere.example", 8091, Network::Auto, external),
            ("one.example", 31000, Network::Default, own),
            ("10.0.0.1", 8091, Network::Alternate("external".to_owned()), external),
        ] {
            assert_eq!(parsed(nodes, &seed(host, port), &network).unwrap(), expected, "{host}:{port} {network:?}");
        }
        let other = Network::Alternate("other".to_owned());
        assert!(matches!(parsed(nodes, &seed("a", 1), &other), Err(BucketError::Misconfigured { .. })));
    }

    #[test]
    fn what_no_query_can_be_sent_to_is_a_misconfiguration() {
        for body in [
            "<html>",
            "[]",
            "{}",
            r#""unknown pool""#,
            r#"{"nodesExt":[]}"#,
            r#"{"nodesExt":[{"services":{"kv":11210}}]}"#,
            r#"{"nodesExt":[{"services":{"n1ql":70000}}]}"#,
        ] {
            let outcome = parse(body.as_bytes(), &seed("a", 8091), &Network::Auto);
            assert!(matches!(outcome, Err(BucketError::Misconfigured { .. })), "{body}");
        }
    }

    #[test]
    fn an_older_revision_of_the_same_cluster_does_not_come_back() {
        let at = |rev: &str, cluster: &str| {
            let body = format!(r#"{{{rev}"clusterUUID":"{cluster}","nodesExt":[{{"services":{{"n1ql":8093}}}}]}}"#);
            parse(body.as_bytes(), &seed("a", 8091), &Network::Auto).unwrap()
        };
        let held = at(r#""rev":20,"revEpoch":2,"#, "x");
        assert!(at(r#""rev":20,"revEpoch":2,"#, "x").supersedes(&held));
        assert!(at(r#""rev":1,"revEpoch":3,"#, "x").supersedes(&held));
        assert!(!at(r#""rev":99,"revEpoch":1,"#, "x").supersedes(&held));
        assert!(!at(r#""rev":19,"revEpoch":2,"#, "x").supersedes(&held));
        assert!(!at("", "x").supersedes(&held));
        assert!(at(r#""rev":1,"revEpoch":1,"#, "y").supersedes(&held));
    }
}
