//! `ready`: asks a running server whether it can answer.
//!
//! Invariant: one request, bounded in time and size; it says why whatever happens.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;

use super::Exit;
use crate::admin::{READY_BODY, READY_TIMEOUT};
use crate::config::ListenAddress;
use crate::threads;

/// The server answers within [`READY_TIMEOUT`], or a little later if others ask it too.
const TIMEOUT: Duration = READY_TIMEOUT.saturating_add(Duration::from_secs(2));

/// More than any answer has.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// The connection is closed behind the answer, so it ends where the connection does.
const REQUEST: &[u8] = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// What is read of a problem document.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// Asks the admin listener at this address, and prints what it says.
///
/// # Errors
/// If nobody answers, or somebody else does.
pub fn run(address: Option<&ListenAddress>, output: &mut dyn Write) -> anyhow::Result<Exit> {
    let Some(address) = address else {
        bail!("[admin] listen is \"off\", so there is nobody to ask; set it to an address, such as \"127.0.0.1:8001\"");
    };
    let answer = ask_within(TIMEOUT, address)
        .with_context(|| format!("no answer from {address} ([admin] listen); is the server running?"))?;
    let (status, body) = parse(&answer).with_context(|| format!("what answers at {address} is not this program"))?;
    let (exit, text) = match status {
        200 if body == READY_BODY => (Exit::Done, "ready".to_owned()),
        503 => {
            let problem: Problem = serde_json::from_slice(body).map_err(|_| {
                anyhow!("what answers at {address} is not this program: its 503 is no problem document")
            })?;
            (Exit::Failed, problem.detail)
        }
        other => bail!("what answers at {address} is not this program: it answered with status {other}"),
    };
    writeln!(output, "{text}").context("cannot write to standard output")?;
    Ok(exit)
}

/// Asks on a thread of its own: looking a name up, connecting and reading have no time limit in common otherwise.
fn ask_within(timeout: Duration, address: &ListenAddress) -> io::Result<Vec<u8>> {
    let (sender, answer) = mpsc::channel();
    let address = address.clone();
    // The process ends soon, and the thread with it.
    threads::spawn("ready", move || drop(sender.send(ask(&address))))?;
    answer.recv_timeout(timeout).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn ask(address: &ListenAddress) -> io::Result<Vec<u8>> {
    match address {
        ListenAddress::Unix(path) => exchange(UnixStream::connect(path)?),
        ListenAddress::Tcp(address) => {
            let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.map(reachable).collect();
            exchange(TcpStream::connect(addresses.as_slice())?)
        }
    }
}

/// A server that listens on every address is asked on this machine's own.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn exchange(mut stream: impl Read + Write) -> io::Result<Vec<u8>> {
    stream.write_all(REQUEST)?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Returns the status and the body of an answer.
fn parse(answer: &[u8]) -> anyhow::Result<(u16, &[u8])> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut fields);
    match (response.parse(answer)?, response.code) {
        (httparse::Status::Complete(length), Some(status)) => Ok((status, &answer[length..])),
        _ => bail!("its answer is cut short"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        assert_eq!(parse(b"HTTP/1.1 503 X\r\nA: b\r\n\r\n{}").unwrap(), (503, &b"{}"[..]));
        assert!(parse(b"HTTP/1.1 200 OK\r\nA:").is_err());
        assert!(parse(b"SSH-2.0-x\r\n").is_err());
    }

    #[test]
    fn every_address_is_asked_on_this_machine() {
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()), "127.0.0.1:1".parse().unwrap());
        assert_eq!(reachable("[::]:1".parse().unwrap()), "[::1]:1".parse().unwrap());
        assert_eq!(reachable("10.0.0.1:1".parse().unwrap()), "10.0.0.1:1".parse().unwrap());
    }
}
