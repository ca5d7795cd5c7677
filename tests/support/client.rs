//! A client that sends what it is told and reads answers byte by byte as RFC 9112 frames them.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::server::PATIENCE;

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// How a connection goes on after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The other side closed it in order.
    Closed,
    /// The other side reset it (RST), which can destroy what was on its way.
    Reset,
    /// It stays open and silent.
    Open,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// Over a connection that there is already.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    /// Goes without a word: what it has not read yet is lost, and the other side is told so (RST).
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Sends bytes; a server that has closed already is no failure here.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends a request without a body and reads its answer. `fields` are whole lines.
    pub fn request(&mut self, method: &str, path: &str, fields: &str) -> Answer {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
        self.answer_to(method)
    }

    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// Reads the next answer, which must come whole.
    pub fn answer_to(&mut self, method: &str) -> Answer {
        self.try_answer_to(method).expect("an answer, not the end of the connection")
    }

    /// Reads the next answer; `None` if the connection ends before its first byte.
    pub fn try_answer_to(&mut self, method: &str) -> Option<Answer> {
        let head_length = loop {
            if let Some(at) = find(&self.unread, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.read_more() {
                assert!(self.unread.is_empty(), "cut off: {}", self.unread.escape_ascii());
                return None;
            }
        };
        let head = String::from_utf8(self.unread.drain(..head_length).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new() };
        let length: usize = answer.field("content-length").map_or(0, |length| length.parse().unwrap());
        if method != "HEAD" {
            while self.unread.len() < length {
                assert!(self.read_more(), "a body that was cut off");
            }
            answer.body = self.unread.drain(..length).collect();
        }
        Some(answer)
    }

    /// Says whether the other side closes the connection within `wait`; nothing may come before that.
    pub fn end_within(&mut self, wait: Duration) -> End {
        assert!(self.unread.is_empty(), "there is more: {}", self.unread.escape_ascii());
        self.stream.set_read_timeout(Some(wait)).unwrap();
        let mut byte = [0];
        let end = match read_some(&mut self.stream, &mut byte) {
            Ok(0) => End::Closed,
            Ok(_) => panic!("there is more: {:?}", byte[0] as char),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => End::Open,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => End::Reset,
            Err(error) => panic!("{error}"),
        };
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        end
    }

    /// Waits for the other side to close the connection in order: a reset is no such end.
    pub fn assert_closed(&mut self) {
        assert_eq!(self.end_within(PATIENCE), End::Closed);
    }

    /// What came and was read as no answer yet.
    pub fn take_unread(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unread)
    }

    fn read_more(&mut self) -> bool {
        let mut buffer = [0; 8192];
        match read_some(&mut self.stream, &mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.unread.extend_from_slice(&buffer[..length]);
                true
            }
            Err(error) => panic!("no answer: {error}"),
        }
    }
}

/// Reads what there is, at least a byte or the end. A read with a time limit is cut short when the process was stopped and
/// goes on (`signal(7)`), which is no answer of anybody.
pub fn read_some(stream: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

impl Answer {
    /// The value of a field, by its name in any case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields(name).next()
    }

    /// The values of all fields of this name.
    pub fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        self.head.lines().skip(1).filter_map(move |line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts that it is a problem of this code, complete, and gives its members.
    pub fn assert_problem(&self, status: u16, code: &str) -> serde_json::Value {
        assert_eq!(self.status, status, "{}{}", self.head, self.text());
        assert_eq!(self.field("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"].as_str(), self.field("x-request-id"));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        problem
    }
}

/// The text as one path segment, every byte of it percent-encoded.
pub fn segment(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02X}"))
}

pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
