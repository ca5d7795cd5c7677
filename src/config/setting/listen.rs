//! Addresses to listen on, and the two settings that name some.
//!
//! Invariant: a `ListenAddress::Tcp` has a host and a port, so that the operating system can resolve it as it stands.

use std::fmt;
use std::path::PathBuf;

use super::host::is_host;
use super::kind::Kind;
use super::raw::{Raw, array, quoted};

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// A host (or an address) and a port: `127.0.0.1:8000`, `[::]:8000`.
    Tcp(String),
    /// A unix socket.
    Unix(PathBuf),
}

/// The longest path of a unix socket that both Linux (107 bytes) and macOS (103) take.
const LONGEST_SOCKET_PATH_BYTES: usize = 103;

const WHAT_TO_WRITE: &str = "write an address and a port (\"127.0.0.1:8000\", \"[::]:8000\", \"localhost:8000\"), \
                             \":8000\" for every IPv4 address, or \"unix:/path\"";

impl ListenAddress {
    /// The address on this machine only, with this port.
    pub(in crate::config) fn local(port: u16) -> Self {
        Self::Tcp(format!("127.0.0.1:{port}"))
    }

    /// Reads an address. A port alone is on this machine only (`127.0.0.1`), `:8000` is on every IPv4 address.
    ///
    /// # Errors
    /// What to write, if it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path);
        }
        let (host, port) = if text.bytes().all(|byte| byte.is_ascii_digit()) {
            ("127.0.0.1", text)
        } else {
            text.rsplit_once(':').ok_or_else(|| format!("{text:?} has no port: {WHAT_TO_WRITE}"))?
        };
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port
            .parse::<u16>()
            .ok()
            .filter(|_| is_number)
            .ok_or_else(|| format!("{text:?} has no port from 0 to 65535 at its end: {WHAT_TO_WRITE}"))?;
        let host = if host.is_empty() { "0.0.0.0" } else { host };
        if !is_host(host) {
            return Err(format!("{text:?} is not an address: {WHAT_TO_WRITE}"));
        }
        Ok(Self::Tcp(format!("{host}:{port}")))
    }

    /// True if two listeners on these could not both be had, as far as the text tells. Port 0 is any free port.
    #[must_use]
    pub fn collides_with(&self, other: &Self) -> bool {
        let any_port = matches!(self, Self::Tcp(address) if address.ends_with(":0"));
        self == other && !any_port
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn unix(path: &str) -> Result<ListenAddress, String> {
    if path.is_empty() || path.contains('\0') {
        return Err("a unix socket needs a path: write for example \"unix:/run/userprofiles/http.sock\"".to_owned());
    }
    if path.len() > LONGEST_SOCKET_PATH_BYTES {
        return Err(format!(
            "the path of a unix socket has at most {LONGEST_SOCKET_PATH_BYTES} bytes, and this one has {}",
            path.len()
        ));
    }
    Ok(ListenAddress::Unix(PathBuf::from(path)))
}

/// One or more addresses.
pub enum Listeners {}

impl Kind for Listeners {
    type Value = Vec<ListenAddress>;

    fn read(raw: &Raw) -> Result<Self::Value, String> {
        let addresses = raw.entries()?.iter().map(|text| ListenAddress::parse(text)).collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err("is empty: write at least one address, such as \"127.0.0.1:8000\"".to_owned());
        }
        let mut earlier = addresses.iter().enumerate().map(|(at, one)| (one, &addresses[..at]));
        match earlier.find(|(one, earlier)| earlier.iter().any(|other| one.collides_with(other))) {
            Some((address, _)) => Err(format!("names {address} twice")),
            None => Ok(addresses),
        }
    }

    fn to_toml(addresses: &Self::Value) -> Option<String> {
        let quoted = |address: &ListenAddress| quoted(&address.to_string());
        Some(match addresses.as_slice() {
            [one] => quoted(one),
            several => array(several.iter().map(quoted)),
        })
    }
}

/// One address, or `off`.
pub enum ListenerOrOff {}

impl Kind for ListenerOrOff {
    type Value = Option<ListenAddress>;

    fn read(raw: &Raw) -> Result<Self::Value, String> {
        match raw {
            Raw::Plain(text) | Raw::Text(text) if text == "off" => Ok(None),
            Raw::List(_) => Err("is a list: write one address, or \"off\"".to_owned()),
            Raw::Plain(text) | Raw::Text(text) | Raw::Integer(text) => {
                ListenAddress::parse(text).map(Some).map_err(|error| error + ", or \"off\"")
            }
            _ => Err("is not an address: write \"127.0.0.1:8001\", or \"off\"".to_owned()),
        }
    }

    fn to_toml(address: &Self::Value) -> Option<String> {
        Some(quoted(&address.as_ref().map_or_else(|| "off".to_owned(), ToString::to_string)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, expected) in [
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            (":8000", "0.0.0.0:8000"),
            ("8000", "127.0.0.1:8000"),
            ("[::]:8000", "[::]:8000"),
            ("[::1]:0", "[::1]:0"),
            ("localhost:8000", "localhost:8000"),
            ("unix:/run/a b.sock", "unix:/run/a b.sock"),
            ("unix:relative.sock", "unix:relative.sock"),
        ] {
            assert_eq!(
                ListenAddress::parse(text).map(|address| address.to_string()),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_none_is_told_what_to_write() {
        let long = format!("unix:/{}", "x".repeat(103));
        for (text, expected) in [
            ("", "no port"),
            ("localhost", "no port"),
            ("localhost:", "no port from"),
            ("localhost:http", "no port from"),
            ("localhost:+80", "no port from"),
            ("127.0.0.1:65536", "no port from"),
            ("65536", "no port from"),
            ("::1:8000", "not an address"),
            ("[::1]8000", "no port"),
            ("[::g]:8000", "not an address"),
            ("http://localhost:8000", "not an address"),
            ("local host:8000", "not an address"),
            ("unix:", "needs a path"),
            (long.as_str(), "103 bytes"),
        ] {
            let error = ListenAddress::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn any_free_port_never_collides() {
        let address = |text| ListenAddress::parse(text).unwrap();
        assert!(address("8000").collides_with(&address("127.0.0.1:8000")));
        assert!(address("unix:/a").collides_with(&address("unix:/a")));
        assert!(!address("127.0.0.1:0").collides_with(&address("127.0.0.1:0")));
        assert!(!address("8000").collides_with(&address("8001")));
    }
}
