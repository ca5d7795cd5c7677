//! What the fields of a request mean for its connection: its host, whether a body follows, what follows the answer.
//!
//! Invariant: pure. Where two readers could disagree on where a request ends, it is refused.

use super::grammar::{is_host_and_port, list_members, trim_ows};
use super::refusal::Refusal;

/// The versions that we speak. A higher minor version is answered as 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `HTTP/1.0`
    Http10,
    /// `HTTP/1.1` and above.
    Http11,
}

impl Version {
    /// As it is written in a request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

/// What follows the answer on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Another request may follow (RFC 9112 §9.3).
    KeepAlive,
    /// None will: the client announced that it sends nothing more (RFC 9112 §9.6).
    LastRequest,
    /// None will, though the client may still be sending. That is read and discarded, because the operating system
    /// answers unread bytes with a reset, which can destroy an answer on its way (RFC 9112 §9.6).
    Close,
}

/// Whether a body follows the head. It is never read: no request of this API has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MessageBody {
    /// The next byte begins the next request.
    None,
    /// The bytes that follow are discarded, and the connection ends with the answer.
    Present,
}

/// The field lines of one request, read.
pub(super) struct Fields {
    pub read: Vec<(String, String)>,
    pub persistence: Persistence,
}

impl Fields {
    /// Reads all field lines in one pass, so that their order decides nothing; what RFC 9112 wants answered with a 400 comes
    /// first. `reads` are in lower case.
    pub fn read(lines: &[httparse::Header], version: Version, reads: &[&str]) -> Result<Self, Refusal> {
        let mut host = None;
        let mut content_length = None;
        let mut transfer_codings: Vec<&[u8]> = Vec::new();
        let mut has_transfer_encoding = false;
        let mut wants_close = false;
        let mut wants_keep_alive = false;
        let mut can_be_expected = true;
        let mut read: Vec<(String, String)> = Vec::new();
        for line in lines {
            let (name, value) = (line.name, trim_ows(line.value));
            if name.eq_ignore_ascii_case("host") {
                only_one(&mut host, value, Refusal::Host)?;
            } else if name.eq_ignore_ascii_case("content-length") {
                only_one(&mut content_length, parse_length(value)?, Refusal::ContentLength)?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                // Several lines are one list (RFC 9110 §5.3).
                has_transfer_encoding = true;
                transfer_codings.extend(list_members(value));
            } else if name.eq_ignore_ascii_case("connection") {
                wants_close |= list_members(value).any(|option| option.eq_ignore_ascii_case(b"close"));
                wants_keep_alive |= list_members(value).any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
            } else if name.eq_ignore_ascii_case("expect") {
                can_be_expected &= is_known_expectation(value);
            }
            add_if_read(&mut read, line, reads);
        }
        match host {
            Some(host) if is_host_and_port(host) => {}
            None if version == Version::Http10 => {}
            _ => return Err(Refusal::Host),
        }
        let body = body(content_length, has_transfer_encoding.then_some(&transfer_codings), version)?;
        let persistence = match version {
            _ if body == MessageBody::Present => Persistence::Close,
            _ if wants_close => Persistence::LastRequest,
            Version::Http11 => Persistence::KeepAlive,
            Version::Http10 if wants_keep_alive => Persistence::KeepAlive,
            Version::Http10 => Persistence::LastRequest,
        };
        if can_be_expected { Ok(Self { read, persistence }) } else { Err(Refusal::Expectation) }
    }
}

/// Returns the fields that `reads` names, of a head that is refused because of others.
pub(super) fn only_read(lines: &[httparse::Header], reads: &[&str]) -> Vec<(String, String)> {
    let mut read = Vec::new();
    for line in lines {
        add_if_read(&mut read, line, reads);
    }
    read
}

/// The one gate for fields of which a second one makes a request ambiguous.
fn only_one<T>(slot: &mut Option<T>, value: T, refusal: Refusal) -> Result<(), Refusal> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(refusal),
    }
}

fn add_if_read(read: &mut Vec<(String, String)>, line: &httparse::Header, reads: &[&str]) {
    let Some(name) = reads.iter().find(|known| line.name.eq_ignore_ascii_case(known)) else { return };
    let value = String::from_utf8_lossy(trim_ows(line.value));
    match read.iter_mut().find(|(known, _)| known == name) {
        Some((_, joined)) => {
            joined.push_str(", ");
            joined.push_str(&value);
        }
        None => read.push(((*name).to_owned(), value.into_owned())),
    }
}

/// `1*DIGIT` of at most 64 bits. RFC 9112 §6.3 also allows a list of equal numbers, which no client sends.
fn parse_length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::ContentLength);
    }
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(Refusal::ContentLength)
}

/// RFC 9112 §6.1 and §6.3.
fn body(length: Option<u64>, codings: Option<&Vec<&[u8]>>, version: Version) -> Result<MessageBody, Refusal> {
    let Some(codings) = codings else {
        return Ok(if length.unwrap_or(0) > 0 { MessageBody::Present } else { MessageBody::None });
    };
    if length.is_some() || version == Version::Http10 {
        return Err(Refusal::TransferEncoding);
    }
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let chunked = codings.iter().filter(|coding| is_chunked(coding)).count();
    // Unless chunked is the last coding, and applied once, the end of the request is unknown (RFC 9112 §6.3).
    match (codings.len(), chunked, codings.last().is_some_and(|coding| is_chunked(coding))) {
        (1, 1, _) => Ok(MessageBody::Present),
        (_, 1, true) => Err(Refusal::UnknownTransferCoding),
        _ => Err(Refusal::TransferEncoding),
    }
}

/// A client that has a body to send may wait for `100-continue`; it gets the final answer at once, as RFC 9110 §10.1.1
/// allows.
fn is_known_expectation(value: &[u8]) -> bool {
    list_members(value).all(|expectation| expectation.eq_ignore_ascii_case(b"100-continue"))
}
