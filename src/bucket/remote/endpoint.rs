//! The address of a node.
//!
//! Invariant: pure.

use crate::config::bracketed;

/// Whether a node is reached over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Without TLS.
    Plain,
    /// With TLS.
    Tls,
}

/// Where a node can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Over TLS or not.
    pub security: Security,
    /// A name or an address; IPv6 without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What comes before the path of each request: nothing, or `/prefix`.
    pub prefix: String,
}

impl Endpoint {
    /// A node without a prefix.
    #[must_use]
    pub fn new(security: Security, host: impl Into<String>, port: u16) -> Self {
        Self { security, host: host.into(), port, prefix: String::new() }
    }

    /// `host:port`, as in a URL and in a log.
    #[must_use]
    pub fn authority(&self) -> String {
        authority(&self.host, self.port)
    }

    /// The beginning of a URL, up to the path of a request.
    #[must_use]
    pub fn base_url(&self) -> String {
        let scheme = match self.security {
            Security::Plain => "http",
            Security::Tls => "https",
        };
        format!("{scheme}://{}{}", self.authority(), self.prefix)
    }
}

/// A host and a port as RFC 3986 writes them.
#[must_use]
pub fn authority(host: &str, port: u16) -> String {
    format!("{}:{port}", bracketed(host))
}
