//! Couchbase connection strings: `scheme://host[:port][,host[:port]…][/bucket][?option=value&…]`.
//!
//! Invariant: this module never does I/O, and a parsed string holds no password: one that has a password is refused,
//! in words that do not repeat it.

mod hosts;
mod option_names;
mod options;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::setting::{Verification, bucket_name};
use options::TlsOption;

/// A parsed connection string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionString {
    /// How nodes are dialled.
    pub scheme: Scheme,
    /// The hosts of the string, in its order; at least one.
    pub seeds: Vec<Seed>,
    /// The same hosts, for `api = "data-api"`; at least one.
    pub gateways: Vec<Gateway>,
    /// The DNS SRV record that may name the nodes in place of the one seed, such as `_couchbase._tcp.example.com`.
    /// `None` where the SDKs would not ask for one: several hosts, a port, an address, or `dnssrv=0`.
    pub dns_srv: Option<String>,
    /// The bucket in the path.
    pub bucket: Option<String>,
    /// `username=`
    pub username: Option<String>,
    /// `operation_timeout=`, in seconds as the 2.x SDKs read it.
    pub operation_timeout: Option<Duration>,
    /// `n1ql_timeout=`, likewise.
    pub n1ql_timeout: Option<Duration>,
    /// `network=`
    pub network: Option<String>,
    /// `truststorepath=`, or `certpath=` where no `keypath=` makes that a client's certificate.
    pub ca_file: Option<PathBuf>,
    /// `certpath=`, where there is a `keypath=` too.
    pub client_certificate_file: Option<PathBuf>,
    /// `keypath=`
    pub client_key_file: Option<PathBuf>,
    /// Whether the certificates of the nodes are verified: `ssl=no_verify` says no.
    pub verification: Verification,
    /// What was accepted and has no effect here, in words for the log.
    pub warnings: Vec<String>,
}

/// The scheme of a connection string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// `couchbase://`
    #[default]
    Couchbase,
    /// `couchbases://`: TLS everywhere.
    Couchbases,
    /// `http://`
    Http,
    /// `https://`
    Https,
}

impl Scheme {
    /// The name, without `://`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Couchbase => "couchbase",
            Self::Couchbases => "couchbases",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// True if every connection is a TLS connection.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Couchbases | Self::Https)
    }

    /// The port of the cluster manager where the string does not say otherwise.
    #[must_use]
    pub const fn management_port(self) -> u16 {
        if self.is_tls() { 18091 } else { 8091 }
    }

    /// The port of the Data API where the string does not say otherwise.
    #[must_use]
    pub const fn gateway_port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }
}

/// One host of a connection string, taken for a gateway that speaks the Data API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// A name or an address; IPv6 without its brackets.
    pub host: String,
    /// The port of the Data API there: as the string says, else that of every HTTPS server (or HTTP without TLS). The
    /// ports of a cluster's own services do not count.
    pub port: u16,
}

/// One host of a connection string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// A name or an address; IPv6 without its brackets.
    pub host: String,
    /// The port of the cluster manager there (8091, 18091 with TLS, or as the string says).
    pub management_port: u16,
}

/// Why a text is not a connection string that we can use: a sentence that says what to write instead, and never
/// repeats a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConnectionString(pub String);

impl fmt::Display for InvalidConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidConnectionString {}

impl ConnectionString {
    /// Reads a connection string as the SDKs do (SDK RFC 11), for one who speaks HTTP to the cluster.
    ///
    /// A port on `couchbase://` is the port of the key-value service, from which no management port follows: only the
    /// known ones are understood. Times are seconds, as in the 2.x SDKs.
    ///
    /// # Errors
    /// [`InvalidConnectionString`] for anything that would have to be guessed, and for login data.
    pub fn parse(text: &str) -> Result<Self, InvalidConnectionString> {
        // First of all, so that nothing below can quote a part of a password.
        let (before, pairs) = Self::refuse_login(text)?;
        let (scheme, rest) = parse_scheme(before)?;
        let mut parsed = Self::default();
        let modes = options::parse(pairs, &mut parsed)?;
        (parsed.scheme, parsed.verification) = with_tls(scheme, modes.tls)?;
        let (host_list, path) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts = hosts::parse(host_list, parsed.scheme, &mut parsed.warnings)?;
        parsed.dns_srv = hosts::dns_srv(&hosts, parsed.scheme, modes.dns_srv)?;
        (parsed.seeds, parsed.gateways) = hosts.into_iter().map(|host| (host.seed, host.gateway)).unzip();
        parsed.bucket = parse_bucket(path)?;
        Ok(parsed)
    }

    /// Refuses a string with a password in it, whatever else is wrong with it. Returns what stands before its options,
    /// and the options.
    ///
    /// # Errors
    /// The sentence that says where a password belongs.
    pub(super) fn refuse_login(text: &str) -> Result<(&str, &str), InvalidConnectionString> {
        let text = text.trim();
        let (before, pairs) = text.split_once('?').unwrap_or((text, ""));
        options::refuse_login(before, pairs)?;
        Ok((before, pairs))
    }

    /// A cluster on this machine: what stands in where Couchbase is not the database.
    #[must_use]
    pub fn localhost() -> Self {
        Self {
            seeds: vec![Seed { host: "127.0.0.1".to_owned(), management_port: Scheme::Couchbase.management_port() }],
            gateways: vec![Gateway { host: "127.0.0.1".to_owned(), port: Scheme::Couchbase.gateway_port() }],
            ..Self::default()
        }
    }
}

/// An error in our own words.
fn invalid<T>(reason: impl Into<String>) -> Result<T, InvalidConnectionString> {
    Err(InvalidConnectionString(reason.into()))
}

fn parse_scheme(before: &str) -> Result<(Scheme, &str), InvalidConnectionString> {
    let Some((name, rest)) = before.split_once("://") else {
        return invalid(
            "a connection string begins with couchbase:// (or couchbases://, http://, https://): \
             write for example couchbase://127.0.0.1",
        );
    };
    let scheme = match name.to_ascii_lowercase().as_str() {
        "couchbase" => Scheme::Couchbase,
        "couchbases" => Scheme::Couchbases,
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "couchbase2" => {
            return invalid(
                "couchbase2:// is a gateway that speaks gRPC, which this program does not: \
                 write couchbase:// or couchbases:// and the nodes of the cluster, or use api = \"data-api\"",
            );
        }
        _ => {
            return invalid(format!(
                "{name:?} is not a scheme that is known here: write couchbase://, couchbases://, http:// or https://"
            ));
        }
    };
    Ok((scheme, rest))
}

/// What `ssl=` makes of the scheme.
fn with_tls(scheme: Scheme, tls: Option<TlsOption>) -> Result<(Scheme, Verification), InvalidConnectionString> {
    let verification = if tls == Some(TlsOption::NoVerify) { Verification::Off } else { Verification::On };
    match (tls, scheme) {
        (Some(TlsOption::Off), Scheme::Couchbases | Scheme::Https) => {
            invalid(format!("ssl=off contradicts {}://, which is always TLS: leave one of them out", scheme.as_str()))
        }
        (Some(TlsOption::On | TlsOption::NoVerify), Scheme::Http) => {
            invalid("ssl= asks for TLS and http:// has none: write https://")
        }
        (Some(TlsOption::On | TlsOption::NoVerify), Scheme::Couchbase) => Ok((Scheme::Couchbases, verification)),
        _ => Ok((scheme, verification)),
    }
}

fn parse_bucket(path: &str) -> Result<Option<String>, InvalidConnectionString> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(None);
    }
    if path.contains('/') {
        return invalid(
            "after the hosts comes the name of one bucket: a scope and a collection are settings of their \
             own ([couchbase] scope, collection)",
        );
    }
    let bucket = decode(path).ok_or_else(|| {
        InvalidConnectionString("the name of the bucket is not UTF-8 after its %XX have been decoded".to_owned())
    })?;
    bucket_name(&bucket).map_err(InvalidConnectionString)?;
    Ok(Some(bucket))
}

fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
