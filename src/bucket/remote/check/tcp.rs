//! The step `tcp`: whether somebody listens at the addresses of the settings.
//!
//! Invariant: each wait is the connect timeout at most.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};

use super::dns;
use crate::bucket::remote::Endpoint;
use crate::bucket::remote::access::Access;
use crate::bucket::report::Report;

/// Adds the steps `dns` and `tcp` for every node, and returns the first that can be connected to.
pub fn reach<'a>(nodes: &'a [Endpoint], access: &Access, report: &mut Report) -> Option<&'a Endpoint> {
    let found: Vec<&Endpoint> = nodes.iter().filter(|node| dns::report(node, access, report)).collect();
    if found.is_empty() {
        report.skipped("tcp", "needs dns");
    }
    let mut reached = None;
    for node in found {
        let authority = node.authority();
        match connect(node, access) {
            Ok(address) => {
                report.passed("tcp", listens(&authority, address));
                reached.get_or_insert(node);
            }
            Err(why) => report.failed("tcp", format!("{authority}: {why}; {}", access.product.advice.not_listening)),
        }
    }
    reached
}

/// Connects to the first address of a node that accepts, and hangs up.
///
/// # Errors
/// Why none did, in words.
pub fn connect(node: &Endpoint, access: &Access) -> Result<SocketAddr, String> {
    let mut why = "its name has no address".to_owned();
    for address in dns::addresses(node, access)? {
        match TcpStream::connect_timeout(&address, access.timeouts().connect) {
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

fn listens(authority: &str, address: SocketAddr) -> String {
    let address = address.to_string();
    if authority == address { format!("{authority} listens") } else { format!("{authority} listens at {address}") }
}
