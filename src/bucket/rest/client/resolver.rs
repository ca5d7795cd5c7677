//! Names to addresses, for `ureq`.
//!
//! Invariant: a look-up ends within its time, costs nothing for an address, and is made once for a client, however many
//! exchanges it makes. (`ureq`'s own resolver looks up before each exchange, even if it then uses a kept connection,
//! and panics if it can have no thread for that.)

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use parking_lot::Mutex;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

use crate::threads::{self, NotDone};

/// How many addresses of a name are tried: as many as `ureq` has room for.
const MAX_ADDRESSES: usize = 16;

/// The resolver of one client. It remembers the last name, since a bucket connection talks to one node.
#[derive(Debug, Default)]
pub struct NodeResolver {
    known: Mutex<Option<(String, Vec<SocketAddr>)>>,
}

impl Resolver for NodeResolver {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let authority = uri.authority().ok_or(Error::HostNotFound)?;
        if let Ok(address) = authority.as_str().parse() {
            return Ok(self.filled(&[address]));
        }
        let mut known = self.known.lock();
        let addresses = match known.take() {
            Some((name, addresses)) if name == authority.as_str() => addresses,
            _ => look_up(authority.as_str().to_owned(), *timeout.after, timeout.reason)?,
        };
        if addresses.is_empty() {
            return Err(Error::HostNotFound);
        }
        let filled = self.filled(&addresses);
        *known = Some((authority.as_str().to_owned(), addresses));
        Ok(filled)
    }
}

impl NodeResolver {
    fn filled(&self, found: &[SocketAddr]) -> ResolvedSocketAddrs {
        let mut addresses = self.empty();
        for address in found {
            addresses.push(*address);
        }
        addresses
    }
}

/// Asks the system in a thread of its own, because it cannot be told how long it may take. A look-up that is given up
/// ends by itself.
///
/// # Errors
/// [`Error::Timeout`] with `reason`, [`Error::Io`] with the system's own words, or that there is no thread.
pub fn look_up(host_and_port: String, wait: Duration, reason: Timeout) -> Result<Vec<SocketAddr>, Error> {
    let work = move || host_and_port.to_socket_addrs().map(|addresses| addresses.take(MAX_ADDRESSES).collect());
    match threads::run_within("bucket-names", wait, work) {
        Ok(found) => Ok(found?),
        Err(NotDone::TimedOut) => Err(Error::Timeout(reason)),
        Err(NotDone::Panicked) => Err(Error::HostNotFound),
        Err(NotDone::NoThread(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(resolver: &NodeResolver, url: &str) -> Result<Vec<SocketAddr>, Error> {
        let uri: Uri = url.parse().unwrap();
        resolver.resolve(&uri, &Config::default(), NextTimeout::default()).map(|addresses| addresses.to_vec())
    }

    #[test]
    fn addresses_are_taken_as_they_are_and_names_are_looked_up() {
        let resolver = NodeResolver::default();
        for (url, address) in
            [("http://192.0.2.7:8093/x", "192.0.2.7:8093"), ("http://[2001:db8::1]:8093/", "[2001:db8::1]:8093")]
        {
            assert_eq!(resolve(&resolver, url).unwrap(), [address.parse().unwrap()]);
        }
        assert!(resolver.known.lock().is_none());
        let found = resolve(&resolver, "http://localhost:8093/").unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 8093), "{found:?}");
    }

    #[test]
    fn a_name_is_looked_up_once() {
        let resolver = NodeResolver::default();
        let elsewhere: SocketAddr = "192.0.2.1:8093".parse().unwrap();
        *resolver.known.lock() = Some(("localhost:8093".to_owned(), vec![elsewhere]));
        assert_eq!(resolve(&resolver, "http://localhost:8093/").unwrap(), [elsewhere]);
        assert_ne!(resolve(&resolver, "http://localhost:8091/").unwrap(), [elsewhere]);
    }
}
