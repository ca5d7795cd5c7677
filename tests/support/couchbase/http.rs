//! HTTP/1.1 as far as a test double needs it: requests read strictly, answers framed as the query engine frames them.

use std::io::{self, Read};
use std::net::TcpStream;

/// Up to so many bytes of a body the engine says their length, above it sends chunks.
const LONGEST_COUNTED_BODY: usize = 16 * 1024;

/// More than any client of ours sends, batches with a document of 20 MiB among them; the engine takes 64 MiB.
const LONGEST_REQUEST: usize = 32 * 1024 * 1024;

/// A request, its body whole.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub body: Vec<u8>,
    fields: Vec<(String, String)>,
}

impl Request {
    /// The value of a field; `None` if it is missing or there more than once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

/// Reads requests off a connection.
pub struct Requests<'a> {
    stream: &'a TcpStream,
    /// What was read and not yet used.
    buffer: Vec<u8>,
}

impl<'a> Requests<'a> {
    pub fn new(stream: &'a TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// The next request; `None` when the client closes between two.
    pub fn next(&mut self) -> io::Result<Option<Request>> {
        let head_bytes = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.fill()? {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        let head = String::from_utf8(self.buffer[..head_bytes].to_vec()).map_err(|_| invalid("head is not UTF-8"))?;
        let mut request = parse_head(&head)?;
        let body_bytes = match (request.field("content-length"), request.field("transfer-encoding")) {
            (_, Some(_)) => return Err(invalid("a body in chunks")),
            (Some(length), None) => length.parse().map_err(|_| invalid("no number in Content-Length"))?,
            (None, None) => 0,
        };
        while self.buffer.len() < head_bytes + body_bytes {
            if !self.fill()? {
                // A client that is gone has broken no rule.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        request.body = self.buffer[head_bytes..head_bytes + body_bytes].to_vec();
        self.buffer.drain(..head_bytes + body_bytes);
        Ok(Some(request))
    }

    /// True if the client sent anything after the request that is being answered.
    pub fn has_more(&self) -> bool {
        let mut byte = [0];
        let waiting = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut byte));
        let _ = self.stream.set_nonblocking(false);
        !self.buffer.is_empty() || matches!(waiting, Ok(1))
    }

    /// Reads and forgets whatever comes until the client closes.
    pub fn wait_for_close(&mut self) {
        while matches!(self.fill(), Ok(true)) {
            self.buffer.clear();
        }
    }

    fn fill(&mut self) -> io::Result<bool> {
        let mut piece = [0; 4096];
        let bytes = loop {
            match self.stream.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome?,
            }
        };
        self.buffer.extend_from_slice(&piece[..bytes]);
        if self.buffer.len() > LONGEST_REQUEST { Err(invalid("too long")) } else { Ok(bytes > 0) }
    }
}

fn parse_head(head: &str) -> io::Result<Request> {
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1"), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(invalid("no request line of HTTP/1.1"));
    };
    let fields: Option<Vec<(String, String)>> = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned())))
        .collect();
    let fields = fields.ok_or_else(|| invalid("a line that is no field"))?;
    let request = Request { method: method.to_owned(), target: target.to_owned(), body: Vec::new(), fields };
    if request.field("host").is_some() { Ok(request) } else { Err(invalid("no Host")) }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// As the engine does: by its length if it is short, in chunks if not.
    BySize,
    /// In chunks, whatever the length.
    Chunks,
    /// By its length, whatever that is: as all but the engine do.
    Counted,
}

/// The bytes of an answer.
pub fn answer(status: u16, fields: &[(&str, &str)], body: &[u8], framing: Framing) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes();
    let is_counted = match framing {
        Framing::BySize => body.len() <= LONGEST_COUNTED_BODY,
        Framing::Chunks => false,
        Framing::Counted => true,
    };
    if is_counted {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    for (name, value) in fields {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    if is_counted {
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        return bytes;
    }
    bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    for piece in body.chunks(LONGEST_COUNTED_BODY) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        413 => "Request Entity Too Large",
        422 => "Unprocessable Entity",
        424 => "Failed Dependency",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Other",
    }
}
