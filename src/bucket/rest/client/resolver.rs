//! Names to addresses, for `ureq`.
//!
//! Invariant: a look-up ends within its time, and costs nothing for an address. (`ureq`'s own resolver looks up before each
//! exchange, even if it then uses a kept connection, and panics if it can have no thread for that.)

use std::net::SocketAddr;
use std::sync::Arc;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::names::{Names, NotFound};

/// How many addresses of a name are tried: as many as `ureq` has room for.
const MAX_ADDRESSES: usize = 16;

/// The resolver of one client.
#[derive(Debug)]
pub struct NodeResolver {
    names: Arc<Names>,
}

impl NodeResolver {
    /// A resolver that shares what it finds.
    #[must_use]
    pub fn new(names: &Arc<Names>) -> Self {
        Self { names: Arc::clone(names) }
    }
}

impl Resolver for NodeResolver {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let authority = uri.authority().ok_or(Error::HostNotFound)?;
        let mut resolved = self.empty();
        if let Ok(address) = authority.as_str().parse() {
            resolved.push(address);
            return Ok(resolved);
        }
        let port = authority.port_u16().ok_or_else(|| Error::BadUri("there is no port in it".to_owned()))?;
        let addresses = self.names.addresses(authority.host(), *timeout.after).map_err(|error| match error {
            NotFound::TimedOut => Error::Timeout(timeout.reason),
            NotFound::Failed(error) => Error::Io(error),
        })?;
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            resolved.push(SocketAddr::new(address, port));
        }
        if resolved.is_empty() { Err(Error::HostNotFound) } else { Ok(resolved) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(url: &str) -> Result<Vec<SocketAddr>, Error> {
        let uri: Uri = url.parse().unwrap();
        let resolver = NodeResolver::new(&Arc::default());
        resolver.resolve(&uri, &Config::default(), NextTimeout::default()).map(|addresses| addresses.to_vec())
    }

    #[test]
    fn addresses_are_taken_as_they_are_and_names_are_looked_up() {
        for (url, address) in
            [("http://192.0.2.7:8093/x", "192.0.2.7:8093"), ("http://[2001:db8::1]:8093/", "[2001:db8::1]:8093")]
        {
            assert_eq!(resolve(url).unwrap(), [address.parse().unwrap()]);
        }
        let found = resolve("http://localhost:8093/").unwrap();
        assert!(!found.is_empty());
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 8093), "{found:?}");
    }
}
