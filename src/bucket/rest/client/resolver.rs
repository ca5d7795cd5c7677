//! Names to addresses, for `ureq`.
//!
//! Invariant: a look-up ends within its time, and costs nothing for an address nor while a connection is kept. (`ureq` asks
//! its resolver before each exchange, also if it then uses a kept connection: that must not depend on name servers.)

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::MAX_IDLE_AGE;
use crate::bucket::remote::names::{Names, NotFound};
use crate::clock;

/// How many addresses of a name are tried: as many as `ureq` has room for.
const MAX_ADDRESSES: usize = 16;

/// The resolver of one client. Its clones are the same one.
#[derive(Clone, Debug)]
pub struct NodeResolver {
    names: Arc<Names>,
    kept: Arc<Mutex<Option<Kept>>>,
}

/// What a connection was opened with that may still be kept.
#[derive(Debug)]
struct Kept {
    addresses: Vec<IpAddr>,
    used_at: Instant,
}

impl NodeResolver {
    /// A resolver that shares what it finds.
    #[must_use]
    pub fn new(names: &Arc<Names>) -> Self {
        Self { names: Arc::clone(names), kept: Arc::default() }
    }

    /// The names that it shares.
    #[must_use]
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// Records that an exchange with the host failed: it may have moved.
    pub fn forget(&self, host: &str) {
        *self.kept.lock() = None;
        self.names.forget(host);
    }

    fn addresses(&self, host: &str, wait: Duration) -> Result<Vec<IpAddr>, NotFound> {
        let mut kept = self.kept.lock();
        let now = clock::now();
        let addresses = match kept.take() {
            Some(kept) if now.saturating_duration_since(kept.used_at) < MAX_IDLE_AGE => kept.addresses,
            _ => self.names.addresses(host, wait)?,
        };
        *kept = Some(Kept { addresses: addresses.clone(), used_at: now });
        Ok(addresses)
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
        let addresses = self.addresses(authority.host(), *timeout.after).map_err(|error| match error {
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
    fn a_kept_connection_does_not_depend_on_name_servers_until_it_fails() {
        let names = Arc::new(Names::with(|_| Ok(vec![[192, 0, 2, 7].into()])));
        let resolver = NodeResolver::new(&names);
        let found = resolver.addresses("host", Duration::from_secs(60)).unwrap();
        // As after ten seconds, with no answer of any server in time.
        names.forget("host");
        assert_eq!(resolver.addresses("host", Duration::ZERO).unwrap(), found);
        resolver.forget("host");
        assert!(resolver.kept.lock().is_none());
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
