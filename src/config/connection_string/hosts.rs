//! The hosts of a connection string, and which port of theirs is the cluster manager's.
//!
//! Invariant: a port that we cannot know the meaning of is refused, never guessed.

use std::net::{IpAddr, Ipv6Addr};

use super::options::DnsSrv;
use super::{Gateway, InvalidConnectionString, Scheme, Seed, invalid};
use crate::config::setting::{bracketed, is_host_name};

/// One host, and whether a port stood behind it: with one, no SRV record is asked for.
pub(super) struct Host {
    pub(super) seed: Seed,
    pub(super) gateway: Gateway,
    port: Port,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Port {
    Written,
    Implied,
}

/// Reads `host[:port[=protocol]]`, separated by `,` or `;`.
pub(super) fn parse(
    list: &str,
    scheme: Scheme,
    warnings: &mut Vec<String>,
) -> Result<Vec<Host>, InvalidConnectionString> {
    list.split([',', ';']).map(|text| parse_host(text.trim(), scheme, warnings)).collect()
}

fn parse_host(text: &str, scheme: Scheme, warnings: &mut Vec<String>) -> Result<Host, InvalidConnectionString> {
    let (host, port) = split_host(text)?;
    let Some(port) = port else {
        let gateway = Gateway { host: host.clone(), port: scheme.gateway_port() };
        let seed = Seed { host, management_port: scheme.management_port() };
        return Ok(Host { seed, gateway, port: Port::Implied });
    };
    let (number, protocol) = match port.split_once('=') {
        Some((number, protocol)) => (number, Some(protocol)),
        None => (port, None),
    };
    let number = match number.parse::<u16>() {
        Ok(number) if number > 0 && !port.starts_with('+') => number,
        _ => {
            return invalid(format!(
                "what follows the colon behind {host} is not a port: write a number from 1 to 65535"
            ));
        }
    };
    let management_port = match protocol {
        Some(protocol) => port_of_protocol(&host, number, protocol, scheme)?,
        None => port_of_scheme(&host, number, scheme, warnings)?,
    };
    let is_http = protocol.is_some_and(|protocol| protocol.to_ascii_uppercase().starts_with("HTTP"));
    // Otherwise it is the port of another service.
    let is_gateways = is_http || matches!(scheme, Scheme::Http | Scheme::Https);
    let gateway_port = if is_gateways { number } else { scheme.gateway_port() };
    let gateway = Gateway { host: host.clone(), port: gateway_port };
    Ok(Host { seed: Seed { host, management_port }, gateway, port: Port::Written })
}

/// Splits the port off, takes the brackets off an IPv6 address, and checks that the host is a name or an address.
fn split_host(text: &str) -> Result<(String, Option<&str>), InvalidConnectionString> {
    if text.is_empty() {
        return invalid("a host is missing: write for example couchbase://host1,host2");
    }
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, behind)) = rest.split_once(']') else {
            return invalid("a bracket is open: an IPv6 address is written as [::1] or [::1]:8091");
        };
        if address.parse::<Ipv6Addr>().is_err() {
            return invalid("what stands in the brackets is not an IPv6 address: write for example [::1]");
        }
        let port = match behind {
            "" => None,
            _ => match behind.strip_prefix(':') {
                Some(port) => Some(port),
                None => return invalid("only a colon and a port can follow an IPv6 address: write [::1]:8091"),
            },
        };
        return Ok((address.to_owned(), port));
    }
    if text.matches(':').count() > 1 {
        return invalid("a host has more than one colon: an IPv6 address is written in brackets, as [::1]");
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    if !is_host_name(host) {
        return invalid(
            "a host is neither a name nor an address: names are made of letters, digits, - . and _, and \
             hosts are separated by commas",
        );
    }
    Ok((host.to_owned(), port))
}

/// What a port means that has no protocol behind it.
fn port_of_scheme(
    host: &str,
    port: u16,
    scheme: Scheme,
    warnings: &mut Vec<String>,
) -> Result<u16, InvalidConnectionString> {
    match (scheme, port) {
        (Scheme::Http | Scheme::Https, port) => Ok(port),
        (Scheme::Couchbase, 11210) => Ok(8091),
        (Scheme::Couchbases, 11207) => Ok(18091),
        (Scheme::Couchbase, 8091) | (Scheme::Couchbases, 18091) => {
            warnings.push(format!(
                "a port on {scheme}:// is that of the key-value service, and {port} is that of the cluster manager: it \
                 is taken as such; leave it out, or write http(s)://",
                scheme = scheme.as_str()
            ));
            Ok(port)
        }
        (Scheme::Couchbase, 11207 | 18091) => {
            invalid(format!("port {port} speaks TLS and couchbase:// does not: write couchbases://{}", bracketed(host)))
        }
        (Scheme::Couchbases, 11210 | 8091) => invalid(format!(
            "port {port} does not speak TLS and couchbases:// does: write couchbases://{} without the port",
            bracketed(host)
        )),
        (Scheme::Couchbase | Scheme::Couchbases, port) => {
            let (protocol, http) = if scheme.is_tls() { ("HTTPS", "https") } else { ("HTTP", "http") };
            let host = bracketed(host);
            invalid(format!(
                "port {port} would be that of the key-value service, from which the port of the cluster manager does \
                 not follow: if {port} is the cluster manager's, write {host}:{port}={protocol} or {http}://{host}:{port}"
            ))
        }
    }
}

/// What `port=PROTOCOL` means.
fn port_of_protocol(host: &str, port: u16, protocol: &str, scheme: Scheme) -> Result<u16, InvalidConnectionString> {
    let tls = if scheme.is_tls() { "HTTPS" } else { "HTTP" };
    match (protocol.to_ascii_uppercase().as_str(), scheme.is_tls()) {
        ("HTTP", false) | ("HTTPS", true) => Ok(port),
        ("HTTP" | "MCD", true) => invalid(format!(
            "={protocol} is not TLS and {}:// is: write {}:{port}={tls}, with the port that speaks TLS",
            scheme.as_str(),
            bracketed(host)
        )),
        ("HTTPS" | "MCDS", false) => {
            invalid(format!("={protocol} is TLS and {}:// is not: write couchbases://", scheme.as_str()))
        }
        ("MCD", false) if port == 11210 => Ok(scheme.management_port()),
        ("MCDS", true) if port == 11207 => Ok(scheme.management_port()),
        ("MCD" | "MCDS", _) => invalid(format!(
            "port {port} is that of the key-value service, from which the port of the cluster manager does not follow: \
             write {}:PORT={tls} with the cluster manager's port",
            bracketed(host)
        )),
        _ => invalid("what follows a port and = is HTTP, HTTPS, MCD or MCDS"),
    }
}

/// The SRV record that the SDKs would ask for: of exactly one host, a name, without a port.
pub(super) fn dns_srv(
    hosts: &[Host],
    scheme: Scheme,
    option: Option<DnsSrv>,
) -> Result<Option<String>, InvalidConnectionString> {
    let service = match scheme {
        Scheme::Couchbase => Some("_couchbase._tcp"),
        Scheme::Couchbases => Some("_couchbases._tcp"),
        Scheme::Http | Scheme::Https => None,
    };
    let record = match (service, hosts) {
        (Some(service), [one]) if one.port == Port::Implied && !is_address(&one.seed.host) => {
            Some(format!("{service}.{}", one.seed.host))
        }
        _ => None,
    };
    match option {
        Some(DnsSrv::Forbidden) => Ok(None),
        Some(DnsSrv::Forced) if record.is_none() => {
            invalid("dnssrv=1 needs couchbase:// or couchbases:// and exactly one host, a name without a port")
        }
        _ => Ok(record),
    }
}

fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}
