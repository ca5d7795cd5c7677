//! One request to a listener of this program, on this machine: `userprofiles ready`, and the self-check of a service.
//!
//! Invariant: bounded in time and size.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;

use crate::config::ListenAddress;
use crate::threads;

/// More than any answer has.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAnswer {
    /// Its status code.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// Sends a request for `target` with `method` to the listener at `address`, with this request id if there is one, and
/// returns the answer. Runs on a thread of its own: looking a name up, connecting and reading have no time limit in common
/// otherwise.
///
/// # Errors
/// `TimedOut` after `timeout`; `InvalidData` if the answer is not one of HTTP; else the operating system's error.
pub fn ask(
    address: &ListenAddress,
    (method, target): (&str, &str),
    request_id: Option<&str>,
    timeout: Duration,
) -> io::Result<LocalAnswer> {
    let (sender, answer) = mpsc::channel();
    let address = address.clone();
    let id_line = request_id.map(|id| format!("X-Request-Id: {id}\r\n")).unwrap_or_default();
    // The connection is closed behind the answer, so that it ends where the connection does.
    let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{id_line}Connection: close\r\n\r\n");
    // A thread that is stuck ends with the process.
    threads::spawn("ask", move || drop(sender.send(send(&address, request.as_bytes()))))?;
    let bytes = answer.recv_timeout(timeout).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    parse(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not one of HTTP"))
}

fn send(address: &ListenAddress, request: &[u8]) -> io::Result<Vec<u8>> {
    match address {
        ListenAddress::Unix(path) => exchange(UnixStream::connect(path)?, request),
        ListenAddress::Tcp(address) => {
            let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.flat_map(reachable).collect();
            exchange(TcpStream::connect(addresses.as_slice())?, request)
        }
    }
}

/// A server that listens on every address is asked on this machine's own. `[::]` is every address of IPv4 too, which a
/// machine without IPv6 has alone.
fn reachable(address: SocketAddr) -> Vec<SocketAddr> {
    let on = |ip: IpAddr| SocketAddr::new(ip, address.port());
    match address.ip() {
        ip if !ip.is_unspecified() => vec![address],
        IpAddr::V4(_) => vec![on(Ipv4Addr::LOCALHOST.into())],
        IpAddr::V6(_) => vec![on(Ipv6Addr::LOCALHOST.into()), on(Ipv4Addr::LOCALHOST.into())],
    }
}

fn exchange(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

fn parse(answer: &[u8]) -> Option<LocalAnswer> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut fields);
    match (response.parse(answer), response.code) {
        (Ok(httparse::Status::Complete(length)), Some(status)) => {
            Some(LocalAnswer { status, body: answer[length..].to_vec() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = parse(b"HTTP/1.1 503 X\r\nA: b\r\n\r\n{}");
        assert_eq!(answer, Some(LocalAnswer { status: 503, body: b"{}".to_vec() }));
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nA:"), None);
        assert_eq!(parse(b"SSH-2.0-x\r\n"), None);
    }

    #[test]
    fn every_address_is_asked_on_this_machine() {
        for (address, expected) in [
            ("0.0.0.0:1", &["127.0.0.1:1"][..]),
            ("[::]:1", &["[::1]:1", "127.0.0.1:1"]),
            ("10.0.0.1:1", &["10.0.0.1:1"]),
            ("[fe80::1%2]:1", &["[fe80::1%2]:1"]),
        ] {
            let asked: Vec<String> = reachable(address.parse().unwrap()).iter().map(ToString::to_string).collect();
            assert_eq!(asked, expected);
        }
    }
}
