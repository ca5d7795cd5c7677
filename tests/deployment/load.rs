//! Clients that ask all the time, and count every request that goes wrong.
//!
//! Invariant: an answer is a whole 200 with the body that is wanted. All else is a failure: a refused connection, a reset,
//! an end before the answer, another status.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::machine::Machine;
use crate::support::server::PATIENCE;

/// Clients that keep their connection for as long as the server does.
const KEEPING: usize = 64;
/// Clients that connect anew for each request.
const CONNECTING: usize = 32;

/// What each client does between two requests. Without it, the clients alone would keep this machine busy.
const PAUSE: Duration = Duration::from_millis(5);

const REQUEST: &[u8] = b"GET /users/johndoe HTTP/1.1\r\nHost: x\r\n\r\n";

/// A load that goes on until it is stopped.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    answered: AtomicUsize,
}

impl Load {
    /// Starts the clients in the machine's network, and waits until each has had an answer.
    pub fn start(machine: &Machine, address: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        let (started, first_answers) = channel();
        let theirs = Arc::clone(&shared);
        let network = machine.network();
        // A thread of its own, because threads inherit the network that they are started in.
        let clients = thread::spawn(move || {
            network.enter();
            let client = |keeps: Keeps| {
                let (shared, started) = (Arc::clone(&theirs), started.clone());
                thread::spawn(move || ask(address, keeps, &shared, || started.send(()).unwrap()))
            };
            let keeping = (0..KEEPING).map(|_| client(Keeps::Connection));
            keeping.chain((0..CONNECTING).map(|_| client(Keeps::Nothing))).collect()
        });
        let load = Self { shared, clients: clients.join().unwrap() };
        for _ in 0..KEEPING + CONNECTING {
            first_answers.recv_timeout(PATIENCE).expect("a first answer for every client");
        }
        load
    }

    /// How many requests were answered as they should be.
    pub fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Ends the load. Not one request may have failed.
    pub fn assert_nothing_failed(self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let failures: Vec<String> = self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        let answered = self.shared.answered.load(Ordering::Relaxed);
        assert!(failures.is_empty(), "{} of {answered} requests failed: {failures:#?}", failures.len());
        println!("{answered} requests, none failed");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Connection,
    Nothing,
}

/// Asks until the load is over, and returns what went wrong.
fn ask(address: SocketAddr, keeps: Keeps, shared: &Shared, tell_first: impl Fn()) -> Vec<String> {
    let mut failures = Vec::new();
    let mut kept: Option<BufReader<TcpStream>> = None;
    let mut is_first = true;
    while !shared.is_over.load(Ordering::Relaxed) {
        let connection = kept.take().map_or_else(|| connect(address), Ok);
        match connection.and_then(exchange) {
            Ok(connection) => {
                kept = connection.filter(|_| keeps == Keeps::Connection);
                shared.answered.fetch_add(1, Ordering::Relaxed);
                if std::mem::take(&mut is_first) {
                    tell_first();
                }
            }
            Err(failure) => failures.push(failure),
        }
        thread::sleep(PAUSE);
    }
    failures
}

fn connect(address: SocketAddr) -> Result<BufReader<TcpStream>, String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| format!("connecting: {error}"))?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    Ok(BufReader::new(stream))
}

/// Asks once. Returns the connection if the server keeps it.
fn exchange(mut connection: BufReader<TcpStream>) -> Result<Option<BufReader<TcpStream>>, String> {
    connection.get_mut().write_all(REQUEST).map_err(|error| format!("sending: {error}"))?;
    let (mut head, mut length, mut is_last) = (String::new(), 0, false);
    loop {
        let begin = head.len();
        let read = connection.read_line(&mut head).map_err(|error| format!("receiving, after {head:?}: {error}"))?;
        let line = head[begin..].trim_end().to_ascii_lowercase();
        match line.split_once(": ") {
            _ if read == 0 => return Err(format!("the connection ended after {head:?}")),
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("connection", "close")) => is_last = true,
            _ if line.is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).map_err(|error| format!("the body: {error}"))?;
    if !head.starts_with("HTTP/1.1 200 ") || !body.starts_with(br#"{"username":"johndoe","#) {
        return Err(format!("answered {head:?} {}", body.escape_ascii()));
    }
    Ok((!is_last).then_some(connection))
}
