//! Which name servers are asked, and under which full names: what `resolv.conf(5)` says.
//!
//! Invariant: the file is read for each look-up, so that a network that was changed is followed without a restart.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use resolv_conf::{Config, ScopedIp};

use super::lookup::{NoRecord, Question};

/// Where the system's resolver is set up.
const RESOLV_CONF: &str = "/etc/resolv.conf";

const DNS_PORT: u16 = 53;

/// The name servers to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameServers {
    /// Those of the system.
    OfSystem,
    /// These, for full names.
    #[cfg(test)]
    These(Vec<SocketAddr>),
}

impl NameServers {
    /// Whom to ask for a record, and under which names.
    ///
    /// # Errors
    /// [`NoRecord`] if there is nobody to ask, or nobody is to be asked.
    pub fn find(&self, record: &str) -> Result<Question, NoRecord> {
        if is_local(record) {
            return Err(NoRecord::NoSuch);
        }
        match self {
            Self::OfSystem => match std::fs::read(RESOLV_CONF) {
                Ok(text) => question(&text, record),
                Err(_) => Err(NoRecord::Failed("/etc/resolv.conf, which names the name servers, cannot be read")),
            },
            #[cfg(test)]
            Self::These(servers) => Ok(Question { names: vec![record.to_owned()], servers: servers.clone() }),
        }
    }
}

/// Names of this machine are no matter of DNS (RFC 6761 §6.3).
fn is_local(record: &str) -> bool {
    let name = record.trim_end_matches('.').to_ascii_lowercase();
    name.ends_with(".localhost")
}

/// What the text of a `resolv.conf` says about a name. Lines that are not understood say nothing.
fn question(text: &[u8], record: &str) -> Result<Question, NoRecord> {
    let (mut config, _) = Config::parse_with_errors(text);
    config.glibc_normalize();
    let servers: Vec<SocketAddr> = config.get_nameservers_or_local().iter().filter_map(address).collect();
    if servers.is_empty() {
        return Err(NoRecord::Failed("/etc/resolv.conf names no name server that can be reached"));
    }
    Ok(Question { names: full_names(&config, record), servers })
}

/// An address with a zone that is no number is left out: the standard library cannot look interfaces up.
fn address(server: &ScopedIp) -> Option<SocketAddr> {
    match server {
        ScopedIp::V4(ip) => Some(SocketAddr::new(IpAddr::V4(*ip), DNS_PORT)),
        ScopedIp::V6(ip, zone) => {
            let zone = zone.as_deref().map_or(Some(0), |zone| zone.parse().ok())?;
            Some(SocketAddr::V6(SocketAddrV6::new(*ip, DNS_PORT, 0, zone)))
        }
    }
}

/// The names to try, one after the other: a name with few dots is looked for in the search list first, as the system
/// does it for addresses. In Kubernetes a service is known by such a name.
fn full_names(config: &Config, record: &str) -> Vec<String> {
    if record.ends_with('.') {
        return vec![record.to_owned()];
    }
    let dots = u32::try_from(record.matches('.').count()).unwrap_or(u32::MAX);
    let searched = config.get_last_search_or_domain().map(|domain| format!("{record}.{}", domain.trim_matches('.')));
    let mut names: Vec<String> = searched.filter(|name| !name.ends_with('.')).collect();
    let position = if dots >= config.ndots { 0 } else { names.len() };
    names.insert(position, record.to_owned());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "_couchbase._tcp.cb";

    #[test]
    fn what_resolv_conf_says() {
        let kubernetes = "search app.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";
        let several =
            "# comment\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver fe80::1%2\nnameserver 192.0.2.4\n";
        for (text, record, names, servers) in [
            ("", RECORD, vec![RECORD], vec!["127.0.0.1:53", "[::1]:53"]),
            ("nonsense\nnameserver x\nnameserver 192.0.2.1\n", RECORD, vec![RECORD], vec!["192.0.2.1:53"]),
            (several, RECORD, vec![RECORD], vec!["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%2]:53"]),
            ("nameserver fe80::1%eth0\nnameserver 192.0.2.1", RECORD, vec![RECORD], vec!["192.0.2.1:53"]),
            (
                kubernetes,
                RECORD,
                vec!["_couchbase._tcp.cb.app.svc.cluster.local", "_couchbase._tcp.cb.svc.cluster.local", RECORD],
                vec!["10.96.0.10:53"],
            ),
            (kubernetes, "_couchbase._tcp.cb.", vec!["_couchbase._tcp.cb."], vec!["10.96.0.10:53"]),
            (
                "search example.com\nnameserver 192.0.2.1",
                RECORD,
                vec![RECORD, "_couchbase._tcp.cb.example.com"],
                vec!["192.0.2.1:53"],
            ),
            (
                "domain x.org.\nnameserver 192.0.2.1",
                "_a._tcp.b",
                vec!["_a._tcp.b", "_a._tcp.b.x.org"],
                vec!["192.0.2.1:53"],
            ),
            ("search .\nnameserver 192.0.2.1", RECORD, vec![RECORD], vec!["192.0.2.1:53"]),
        ] {
            let question = question(text.as_bytes(), record).unwrap();
            assert_eq!(question.names, names, "{text}");
            let servers: Vec<SocketAddr> = servers.iter().map(|server| server.parse().unwrap()).collect();
            assert_eq!(question.servers, servers, "{text}");
        }
        assert!(question(b"nameserver fe80::1%eth0", RECORD).is_err());
    }

    #[test]
    fn this_machine_is_not_looked_up() {
        for record in ["_couchbase._tcp.localhost", "_couchbases._tcp.A.LocalHost."] {
            assert_eq!(NameServers::OfSystem.find(record), Err(NoRecord::NoSuch), "{record}");
        }
    }
}
