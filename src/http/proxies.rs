//! Who the client is, where reverse proxies stand between.
//!
//! A proxy names the client that it forwards for in `X-Forwarded-For` or in `Forwarded` (RFC 7239). Each proxy appends
//! to the list, so it is read from its end: the first address that is not a trusted proxy's own is the client. What
//! stands before that may have been made up.
//!
//! Invariant: a pure function over addresses and fields. Nothing that an untrusted peer sends changes its result, nor what
//! stands in the field of a trusted one before what it has appended.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::config::TrustedProxy;

/// The fields that are read. `Forwarded` counts where there is no `X-Forwarded-For`, which more proxies set themselves: one
/// that a proxy does not know it passes on as the client wrote it.
pub const FIELDS: [&str; 2] = ["x-forwarded-for", "forwarded"];

/// The client of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// The peer of the connection.
    Peer(SocketAddr),
    /// Whom a trusted proxy forwards for.
    Forwarded(IpAddr),
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(address) => address.fmt(f),
            Self::Forwarded(address) => address.fmt(f),
        }
    }
}

/// The proxies whose word is taken (`[http] trusted_proxies`).
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<TrustedProxy>);

impl TrustedProxies {
    /// Trusts these.
    #[must_use]
    pub fn new(proxies: &[TrustedProxy]) -> Self {
        Self(proxies.to_vec())
    }

    /// Returns true if no proxy is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if the peer of a connection is a trusted proxy. The peer on a unix socket is `None`.
    #[must_use]
    pub fn trusts(&self, peer: Option<SocketAddr>) -> bool {
        match peer {
            Some(peer) => self.trusts_address(peer.ip()),
            None => self.0.contains(&TrustedProxy::UnixSockets),
        }
    }

    fn trusts_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|proxy| matches!(proxy, TrustedProxy::Network(network) if network.contains(&address)))
    }

    /// Returns the client of a request; `None` for one that came over a unix socket and names no other.
    #[must_use]
    pub fn client(&self, peer: Option<SocketAddr>, fields: &[(String, String)]) -> Option<Client> {
        let forwarded = if self.trusts(peer) { self.forwarded(fields) } else { None };
        forwarded.map(Client::Forwarded).or(peer.map(Client::Peer))
    }

    /// Returns whom the request was forwarded for: the last address that is not a trusted proxy's, or the first of all if
    /// each is. What is no address ends the search, since whoever wrote it wrote what stands before it too.
    fn forwarded(&self, fields: &[(String, String)]) -> Option<IpAddr> {
        let value = |name| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        let mut client = None;
        let mut is_client = |address: Option<IpAddr>| {
            client = address.or(client);
            address.is_none_or(|address| !self.trusts_address(address))
        };
        if let Some(list) = value(FIELDS[0]) {
            let _ = list.rsplit(',').map(address).any(&mut is_client);
        } else if let Some(list) = value(FIELDS[1]) {
            let _ = rsplit_unquoted(list, b',').map(|element| address(for_parameter(element)?)).any(&mut is_client);
        }
        client
    }
}

/// Reads `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, each of them with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    let without_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address: Option<IpAddr> = text.parse().ok().or_else(without_brackets).or_else(with_port);
    address.map(|address| address.to_canonical())
}

/// Returns the value of the parameter `for` of one element of `Forwarded`, without its quotes (RFC 7239 §4).
fn for_parameter(element: &str) -> Option<&str> {
    let value = rsplit_unquoted(element, b';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim_matches([' ', '\t']).eq_ignore_ascii_case("for").then_some(value)
    })?;
    let value = value.trim_matches([' ', '\t']);
    // No address has a character that would be escaped.
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// Splits at a separator outside quoted strings (RFC 9110 §5.6.4), from the end: a quotation mark that a client has left
/// open must not hide what a proxy has appended.
fn rsplit_unquoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let bytes = text.as_bytes();
        let mut is_quoted = false;
        let at = (0..bytes.len()).rev().find(|&at| {
            match bytes[at] {
                b'"' if is_quoted && is_escaped(bytes, at) => {}
                b'"' => is_quoted = !is_quoted,
                _ => {}
            }
            bytes[at] == separator && !is_quoted
        });
        rest = at.map(|at| &text[..at]);
        Some(at.map_or(text, |at| &text[at + 1..]))
    })
}

/// Returns true if the byte has an odd number of backslashes before it.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    fn proxies(list: &str) -> TrustedProxies {
        let set = vec![format!("http.trusted_proxies={list}")];
        let loaded = load(&Sources { search: Vec::new(), set, ..Sources::default() }).unwrap();
        TrustedProxies::new(&loaded.settings.http.trusted_proxies)
    }

    fn client(proxies: &TrustedProxies, peer: Option<&str>, fields: &[(&str, &str)]) -> Option<String> {
        let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let peer = peer.map(|peer| peer.parse().unwrap());
        proxies.client(peer, &fields).map(|client| client.to_string())
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
        let (trusted, peer) = (proxies("10.0.0.0/8,::1"), "10.0.0.1:4000");
        for (field, value, expected) in [
            ("x-forwarded-for", "192.0.2.1", "192.0.2.1"),
            ("x-forwarded-for", "1.1.1.1, 192.0.2.1", "192.0.2.1"),
            ("x-forwarded-for", "1.1.1.1,\t192.0.2.1 , 10.2.3.4", "192.0.2.1"),
            ("x-forwarded-for", "10.0.0.7, 10.0.0.8", "10.0.0.7"),
            ("x-forwarded-for", "192.0.2.1:9", "192.0.2.1"),
            ("x-forwarded-for", "2001:db8::1", "2001:db8::1"),
            ("x-forwarded-for", "[2001:db8::1]:9", "2001:db8::1"),
            ("x-forwarded-for", "::ffff:192.0.2.1", "192.0.2.1"),
            // Nothing that can be read: the proxy itself.
            ("x-forwarded-for", "unknown", peer),
            ("x-forwarded-for", "", peer),
            ("x-forwarded-for", "1.1.1.1, unknown", peer),
            ("x-forwarded-for", "1.1.1.1, unknown, 10.0.0.8", "10.0.0.8"),
            ("forwarded", "for=192.0.2.1", "192.0.2.1"),
            ("forwarded", "for=1.1.1.1, FOR=192.0.2.1;proto=https;by=203.0.113.43", "192.0.2.1"),
            ("forwarded", r#"proto=http; for = "[2001:db8::1]:4711""#, "2001:db8::1"),
            ("forwarded", r#"for=1.1.1.1;host="a,for=2.2.2.2;\"", for=192.0.2.1, for=10.1.1.1"#, "192.0.2.1"),
            ("forwarded", r#"for="_hidden""#, peer),
            // What a client has left open.
            ("forwarded", r#"for=1.1.1.1;host=", for=192.0.2.1"#, "192.0.2.1"),
            ("forwarded", r#"for=1.1.1.1;host="\, for="[2001:db8::1]""#, "2001:db8::1"),
            ("forwarded", r#"for=1.1.1.1;host="\", for=192.0.2.1;by="\\""#, "192.0.2.1"),
            ("forwarded", "for=1.1.1.1, by=10.0.0.1", peer),
        ] {
            assert_eq!(client(&trusted, Some(peer), &[(field, value)]).as_deref(), Some(expected), "{field}: {value}");
        }
        let both = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(client(&trusted, Some(peer), &both).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn nobody_else_is_believed() {
        let fields = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        for (trusted, peer, expected) in [
            ("10.0.0.0/8", Some("11.0.0.1:4000"), Some("11.0.0.1:4000")),
            ("10.0.0.0/8", Some("[::ffff:10.0.0.1]:4000"), Some("192.0.2.1")),
            ("10.0.0.0/8", None, None),
            ("unix:", None, Some("192.0.2.1")),
            ("unix:", Some("127.0.0.1:4000"), Some("127.0.0.1:4000")),
            ("127.0.0.1", Some("127.0.0.1:4000"), Some("192.0.2.1")),
            ("", Some("127.0.0.1:4000"), Some("127.0.0.1:4000")),
        ] {
            assert_eq!(client(&proxies(trusted), peer, &fields).as_deref(), expected, "{trusted} {peer:?}");
        }
    }
}
