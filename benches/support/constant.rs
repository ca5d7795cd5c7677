//! A Couchbase node that has one answer: what benchmarks ask in place of a cluster.
//!
//! It is a cluster manager and a query service on one port. Whoever asks for a document gets the first of the sample
//! users, in an answer of the shape that the query engine gives it. A thread waits for each connection; threads are kept
//! when a connection ends, so that a new one costs the service an `accept` and a wake-up.
//!
//! Invariant: an answer is one write of bytes that were there before, and nothing is locked. Nobody checks a login.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

/// One user a line. The first is the one who is always found.
const SAMPLE_USERS: &str = include_str!("../../config/sample-users.jsonl");

/// The request line of a question for the nodes, and that of a statement.
const NODE_SERVICES: &[u8] = b"GET /pools/default/nodeServices HTTP/1.1\r\n";
const QUERY: &[u8] = b"POST /query/service HTTP/1.1\r\n";

/// More than any request of ours has, in bytes.
const BUFFER_BYTES: usize = 16 * 1024;

const STACK_BYTES: usize = 128 * 1024;

struct Service {
    listener: TcpListener,
    answers: Answers,
    /// Threads that wait in `accept`.
    idle: AtomicUsize,
}

/// What it says, heads and all.
pub struct Answers {
    nodes: Vec<u8>,
    document: Vec<u8>,
}

/// Listens and answers until the process ends.
///
/// # Errors
/// When the address cannot be listened at, or there can be no thread.
pub fn start(address: impl ToSocketAddrs) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let service = Service { listener, answers: Answers::of_port(address.port()), idle: AtomicUsize::new(0) };
    add_thread(&Arc::new(service))?;
    Ok(address)
}

fn add_thread(service: &Arc<Service>) -> io::Result<()> {
    let its_own = Arc::clone(service);
    service.idle.fetch_add(1, Ordering::Relaxed);
    Builder::new().name("constant".to_owned()).stack_size(STACK_BYTES).spawn(move || serve(&its_own))?;
    Ok(())
}

/// What each thread does. The last one that waits sees to it that somebody waits when it goes.
fn serve(service: &Arc<Service>) {
    loop {
        let stream = match service.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => return eprintln!("the constant service does not accept any more: {error}"),
        };
        if service.idle.fetch_sub(1, Ordering::Relaxed) == 1
            && let Err(error) = add_thread(service)
        {
            eprintln!("the constant service has too few threads: {error}");
        }
        match converse(&stream, &service.answers, |_| ()) {
            Ok(()) => {}
            // However a client ends a connection between two requests, it is its own affair.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => eprintln!("the constant service gave up a connection: {error}"),
        }
        service.idle.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers the requests of one connection until its client closes it. `witness` sees each of them, head and body.
///
/// # Errors
/// When the connection breaks, or a request is none that there is an answer to.
pub fn converse(mut stream: &TcpStream, answers: &Answers, mut witness: impl FnMut(&[u8])) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut filled = 0;
    loop {
        let end = loop {
            if let Some(end) = request_end(&buffer[..filled])? {
                break end;
            }
            match stream.read(&mut buffer[filled..])? {
                0 if filled == 0 => return Ok(()),
                0 => return Err(invalid("a request that ends in its middle, or is too long")),
                bytes => filled += bytes,
            }
        };
        witness(&buffer[..end]);
        stream.write_all(answers.to(&buffer[..end])?)?;
        buffer.copy_within(end..filled, 0);
        filled -= end;
    }
}

/// Where the first request ends; `None` while some of it is missing.
fn request_end(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(fields_end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..fields_end]).map_err(|_| invalid("a head that is no text"))?;
    let length = head
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let body_bytes: usize = match length {
        Some((_, value)) => value.trim().parse().map_err(|_| invalid("a Content-Length that is no number"))?,
        None => 0,
    };
    let end = fields_end + 4 + body_bytes;
    Ok((end <= bytes.len()).then_some(end))
}

impl Answers {
    /// Those of a node with both of its services at this port.
    pub fn of_port(port: u16) -> Self {
        let user = SAMPLE_USERS.lines().next().unwrap_or("{}");
        let nodes = format!(
            "{{\"rev\":42,\"revEpoch\":1,\"nodesExt\":[{{\"services\":{{\"mgmt\":{port},\"n1ql\":{port}}},\
             \"thisNode\":true}}],\"clusterCapabilitiesVer\":[1,0],\"clusterCapabilities\":{{}}}}"
        );
        let document = format!(
            "{{\n\"requestID\": \"ed7304a3-ce4b-4687-8296-672e6b3effd6\",\n\"results\": [\n\
             {{\"id\":\"userprofile::johndoe\",\"cas\":1732372981000000000,\"kind\":\"json\",\"doc\":{user}}}\n],\n\
             \"status\": \"success\"\n}}\n"
        );
        Self {
            nodes: answer("application/json", &nodes),
            document: answer("application/json; version=8.0.0-N1QL", &document),
        }
    }

    fn to(&self, request: &[u8]) -> io::Result<&[u8]> {
        if request.starts_with(QUERY) {
            Ok(&self.document)
        } else if request.starts_with(NODE_SERVICES) {
            Ok(&self.nodes)
        } else {
            Err(invalid("a request that it has no answer to"))
        }
    }
}

fn answer(media_type: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Type: {media_type}\r\n\
         Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
