//! The reverse proxies whose word is taken for who the client is.
//!
//! Invariant: a network has no bit behind its prefix, so that what is printed is what was meant.

use std::net::IpAddr;

use ipnet::IpNet;

use super::kind::Kind;
use super::raw::{Raw, quoted};

/// A reverse proxy, or many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// Those with an address in this network, which may be a single one.
    Network(IpNet),
    /// Those that connect to our unix sockets.
    UnixSockets,
}

impl Kind for TrustedProxy {
    type Value = Self;

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = raw.text()?;
        if text == "unix:" {
            return Ok(Self::UnixSockets);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.to_canonical().into()));
        }
        let network: IpNet = text.parse().map_err(|_| {
            format!(
                "{} is no address of a proxy: write an address (\"10.0.0.5\"), a network (\"10.0.0.0/8\"), or \"unix:\" for \
                 the proxies on a unix socket",
                quoted(text)
            )
        })?;
        if network.trunc() != network {
            return Err(format!("\"{network}\" is an address in a network: write \"{}\"", network.trunc()));
        }
        match network {
            IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => {
                Err(format!("\"{network}\" is a network of IPv4 addresses: write it as one, such as \"10.0.0.0/8\""))
            }
            network => Ok(Self::Network(network)),
        }
    }

    fn to_toml(proxy: &Self) -> Option<String> {
        Some(quoted(&match proxy {
            Self::Network(network) if network.prefix_len() == network.max_prefix_len() => network.addr().to_string(),
            Self::Network(network) => network.to_string(),
            Self::UnixSockets => "unix:".to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::AnyNumber;
    use super::*;

    #[test]
    fn proxies_are_read_and_printed() {
        let read = |text: &str| AnyNumber::<TrustedProxy>::read(&Raw::Plain(text.to_owned()));
        for (text, expected) in [
            ("", "[]"),
            ("10.0.0.5", r#"["10.0.0.5"]"#),
            ("10.0.0.0/8,2001:db8::/32,::1,unix:", r#"["10.0.0.0/8", "2001:db8::/32", "::1", "unix:"]"#),
            ("::ffff:10.0.0.5,10.0.0.6/32", r#"["10.0.0.5", "10.0.0.6"]"#),
        ] {
            let printed = read(text).map(|proxies| AnyNumber::<TrustedProxy>::to_toml(&proxies));
            assert_eq!(printed, Ok(Some(expected.to_owned())), "{text}");
        }
        for (text, expected) in [
            ("proxy.example", "no address of a proxy"),
            ("10.0.0.0/33", "no address of a proxy"),
            ("10.0.0.1/8", "write \"10.0.0.0/8\""),
            ("::ffff:10.0.0.0/104", "network of IPv4"),
            ("::1,::1", "twice"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
