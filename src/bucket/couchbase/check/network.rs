//! The steps `dns` and `tcp`: names, addresses, and whether anybody listens there.
//!
//! Invariant: each wait is the connect timeout at most.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};

use ureq::{Error, Timeout};

use crate::bucket::BucketTimeouts;
use crate::bucket::check::Walk;
use crate::bucket::couchbase::{resolver, topology};
use crate::config::Seed;

/// Looks at every host, and gives the first that can be connected to.
pub fn reach<'a>(seeds: &'a [Seed], timeouts: &BucketTimeouts, walk: &mut Walk) -> Option<&'a Seed> {
    let found: Vec<&Seed> = seeds.iter().filter(|seed| look_up(seed, timeouts, walk)).collect();
    if found.is_empty() {
        walk.skipped("tcp", "needs dns");
    }
    let mut reached = None;
    for seed in found {
        let authority = topology::authority(&seed.host, seed.management_port);
        match connect(&authority, timeouts) {
            Ok(address) => {
                walk.passed("tcp", said(&authority, address));
                reached.get_or_insert(seed);
            }
            Err(why) => walk.failed(
                "tcp",
                format!(
                    "{authority}: {why}; see that Couchbase runs there, that the port is its cluster manager's (8091, \
                     with TLS 18091), and that no firewall stands between; the host and the port are those of \
                     [couchbase] connection_string"
                ),
            ),
        }
    }
    reached
}

fn look_up(seed: &Seed, timeouts: &BucketTimeouts, walk: &mut Walk) -> bool {
    if seed.host.parse::<IpAddr>().is_ok() {
        walk.passed("dns", format!("{} is an address", seed.host));
        return true;
    }
    match addresses(&topology::authority(&seed.host, seed.management_port), timeouts) {
        Ok(addresses) => {
            let mut addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            addresses.dedup();
            walk.passed("dns", format!("{} is {}", seed.host, addresses.join(", ")));
            true
        }
        Err(why) => {
            walk.failed(
                "dns",
                format!(
                    "{}: {why}; correct the host in [couchbase] connection_string, or let the name servers of this \
                     machine (or /etc/hosts) know it",
                    seed.host
                ),
            );
            false
        }
    }
}

fn addresses(authority: &str, timeouts: &BucketTimeouts) -> Result<Vec<SocketAddr>, String> {
    if let Ok(address) = authority.parse() {
        return Ok(vec![address]);
    }
    match resolver::look_up(authority.to_owned(), timeouts.connect, Timeout::Resolve) {
        Ok(addresses) if addresses.is_empty() => Err("the name has no address".to_owned()),
        Ok(addresses) => Ok(addresses),
        Err(Error::Timeout(_)) => Err("the name was not found in time ([bucket] connect_timeout)".to_owned()),
        Err(Error::Io(error)) => Err(format!("the name was not found ({error})")),
        Err(_) => Err("the name was not found".to_owned()),
    }
}

/// Connects to the first address of a host that takes it, and hangs up.
///
/// # Errors
/// Why none did, in words.
pub fn connect(authority: &str, timeouts: &BucketTimeouts) -> Result<SocketAddr, String> {
    let mut why = "its name has no address".to_owned();
    for address in addresses(authority, timeouts)? {
        match TcpStream::connect_timeout(&address, timeouts.connect) {
            Ok(_) => return Ok(address),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                why = format!("nobody listens at {address}");
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                why = format!("{address} does not answer in time ([bucket] connect_timeout)");
            }
            Err(error) => why = format!("{address}: {error}"),
        }
    }
    Err(why)
}

fn said(authority: &str, address: SocketAddr) -> String {
    let address = address.to_string();
    if authority == address { format!("{authority} listens") } else { format!("{authority} listens at {address}") }
}
