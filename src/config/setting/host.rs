//! Hosts: names and addresses of machines.

use std::net::{IpAddr, Ipv6Addr};

/// True for a name or an IPv4 address.
pub fn is_host_name(host: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=253).contains(&host.len()) && host.bytes().all(is_allowed)
}

/// True for a name or an address, IPv6 in brackets.
pub fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => is_host_name(host),
    }
}

/// True for a host (IPv6 in brackets) with or without a port.
pub fn is_node(text: &str) -> bool {
    let (host, port) = split_node(text);
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('+');
    is_host(host) && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// The host, IPv6 without its brackets, and the port, if there is one, of what `is_node` accepts.
#[must_use]
pub fn host_and_port(node: &str) -> (&str, Option<u16>) {
    let (host, port) = split_node(node);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (host, port.strip_prefix(':').and_then(|port| port.parse().ok()))
}

/// The host, and what follows it.
fn split_node(text: &str) -> (&str, &str) {
    let host_end = text.rfind(']').map_or_else(|| text.find(':').unwrap_or(text.len()), |bracket| bracket + 1);
    text.split_at(host_end)
}

/// True if what is sent to this host stays on this machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        // RFC 6761 §6.3: both are always this machine.
        Err(_) => {
            let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

/// Returns a host as it is written before a port: IPv6 in brackets.
#[must_use]
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}
