//! The step `dns`: whether a host has an address.
//!
//! Invariant: a look-up takes the connect timeout at most.

use std::net::{IpAddr, SocketAddr};

use crate::bucket::remote::Endpoint;
use crate::bucket::remote::access::Access;
use crate::bucket::remote::names::NotFound;
use crate::bucket::report::Report;

/// Adds the step for one host. True if it has an address.
pub fn report(node: &Endpoint, access: &Access, report: &mut Report) -> bool {
    if node.host.parse::<IpAddr>().is_ok() {
        report.passed("dns", format!("{} is an address", node.host));
        return true;
    }
    match addresses(node, access) {
        Ok(addresses) => {
            let mut addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            addresses.dedup();
            report.passed("dns", format!("{} is {}", node.host, addresses.join(", ")));
            true
        }
        Err(why) => {
            report.failed(
                "dns",
                format!(
                    "{}: {why}; correct the host in {}, or let the name servers of this machine (or /etc/hosts) know it",
                    node.host,
                    access.product.hosts_setting()
                ),
            );
            false
        }
    }
}

/// The addresses of a node.
///
/// # Errors
/// Why there are none, in words.
pub fn addresses(node: &Endpoint, access: &Access) -> Result<Vec<SocketAddr>, String> {
    if let Ok(address) = node.host.parse() {
        return Ok(vec![SocketAddr::new(address, node.port)]);
    }
    match access.names.addresses(&node.host, access.timeouts().connect) {
        Ok(addresses) if addresses.is_empty() => Err("the name has no address".to_owned()),
        Ok(addresses) => Ok(addresses.into_iter().map(|address| SocketAddr::new(address, node.port)).collect()),
        Err(NotFound::TimedOut) => Err("the name was not found in time ([bucket] connect_timeout)".to_owned()),
        Err(NotFound::Failed(error)) => Err(format!("the name was not found ({error})")),
    }
}
