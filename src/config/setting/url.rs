//! Addresses of databases that speak HTTP.
//!
//! Invariant: login data in an address is refused, and no address is repeated in an error, because login data may stand
//! in it in a way that was not recognised.

use std::fmt;

use ureq::http::Uri;

use super::host::{bracketed, is_node};
use super::kind::Kind;
use super::raw::{Raw, quoted};
use super::texts::without_login;

/// The address of one node: `http://host:5984`, or `https://host/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// With TLS or without.
    pub scheme: UrlScheme,
    /// A name or an address; IPv6 without its brackets.
    pub host: String,
    /// As written, else the one that is usual for the scheme.
    pub port: u16,
    /// What all paths begin with: empty, or `/path` without a slash at its end.
    pub path_prefix: String,
}

/// The scheme of a [`Url`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlScheme {
    /// `http://`
    Http,
    /// `https://`
    Https,
}

impl UrlScheme {
    /// The name, without `://`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// True if every connection is a TLS connection.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Https)
    }

    const fn usual_port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }
}

impl Url {
    /// The node on this machine that listens on this port, without TLS.
    pub(in crate::config) fn local(port: u16) -> Self {
        Self { scheme: UrlScheme::Http, host: "127.0.0.1".to_owned(), port, path_prefix: String::new() }
    }

    fn parse(text: &str) -> Result<Self, String> {
        const WRITE: &str = "write for example \"http://127.0.0.1:5984\"";
        without_login(text)?;
        let scheme = match text.split_once("://") {
            Some(("http", _)) => UrlScheme::Http,
            Some(("https", _)) => UrlScheme::Https,
            _ => return Err(format!("is not the address of an HTTP server: {WRITE}")),
        };
        let uri = text.parse::<Uri>().ok().filter(|uri| uri.query().is_none() && !text.contains('#'));
        let authority = uri.as_ref().and_then(Uri::authority).filter(|authority| is_node(authority.as_str()));
        let (Some(uri), Some(authority)) = (&uri, authority) else {
            return Err(format!("has no host, or a ? or # in it: {WRITE}"));
        };
        Ok(Self {
            scheme,
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(scheme.usual_port()),
            path_prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), bracketed(&self.host))?;
        if self.port != self.scheme.usual_port() {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path_prefix)
    }
}

impl Kind for Url {
    type Value = Self;

    fn read(raw: &Raw) -> Result<Self, String> {
        Self::parse(raw.text()?)
    }

    fn to_toml(url: &Self) -> Option<String> {
        Some(quoted(&url.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        use UrlScheme::{Http, Https};
        for (text, scheme, host, port, path_prefix, shown) in [
            ("http://a:5984", Http, "a", 5984, "", "http://a:5984"),
            ("http://a", Http, "a", 80, "", "http://a"),
            ("https://a:443/", Https, "a", 443, "", "https://a"),
            ("https://a/b/c/", Https, "a", 443, "/b/c", "https://a/b/c"),
            ("https://[::1]:9200/b", Https, "::1", 9200, "/b", "https://[::1]:9200/b"),
            ("http://10.0.0.1:80", Http, "10.0.0.1", 80, "", "http://10.0.0.1"),
        ] {
            let url = Url::parse(text).unwrap();
            let (host, path_prefix) = (host.to_owned(), path_prefix.to_owned());
            assert_eq!(url, Url { scheme, host, port, path_prefix }, "{text}");
            assert_eq!(url.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_and_not_repeated() {
        for text in [
            "",
            "a",
            "http://",
            "http:///b",
            "http://u:geheim@a",
            "u:geheim@a",
            "http://a?b",
            "http://a#b",
            "http://a:x",
            "http://a:",
            "http://a:0",
            "http://a b",
            "http://::1",
            "ftp://a",
        ] {
            let error = Url::parse(text).unwrap_err();
            assert!(!error.contains("geheim"), "{text}: {error}");
        }
    }
}
