//! Parses the head of a request, or finds out that the bytes can never become one.
//!
//! Invariant: a pure function over bytes. A head that can no longer become valid is refused at once; the same bytes give
//! the same result, however they are cut.
//!
//! Stricter than RFC 9112 asks where it says MAY: a bare LF, an obsolete line fold and repeated `Content-Length` lines
//! are refused. No browser, curl or script sends them; who does wants two readers to read different things.

use std::borrow::Cow;

use super::framing::{self, Fields, Persistence, Version};
use super::grammar::{is_host_and_port, is_origin_form, is_tchar, is_vchar};
use super::refusal::Refusal;
use crate::http::limits::{MAX_FIELDS, MAX_HEAD_BYTES, MAX_REQUEST_LINE_BYTES};

/// The head of a request, complete and within the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The method as received; methods are case-sensitive.
    pub method: String,
    /// Path and query (the authority of an absolute form is taken off), or `*`.
    pub target: String,
    /// Those fields that the service reads, several lines of one name joined by a comma (RFC 9110 §5.3).
    pub fields: Vec<(String, String)>,
    /// The version, as far as it matters.
    pub version: Version,
    /// What follows the answer. In a head that was accepted it is [`Persistence::Close`] if, and only if, a body follows.
    pub persistence: Persistence,
}

/// What [`parse`] made of its input.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a head.
    Incomplete,
    /// A head, and its length in bytes.
    Complete(Head, usize),
    /// No bytes that may follow can make it a head.
    Refused(Refusal),
}

/// Reads a head from the beginning of `input`. `reads` names the fields that the service reads, in lower case.
#[must_use]
pub fn parse(input: &[u8], reads: &[&str]) -> Parsed {
    // Bytes past the limit must not decide anything: had they been received later, they would not be read any more.
    let input = &input[..input.len().min(MAX_HEAD_BYTES)];
    match try_parse(input, reads) {
        Ok(Some((head, length))) => Parsed::Complete(head, length),
        Ok(None) if input.len() >= MAX_HEAD_BYTES => Parsed::Refused(Refusal::HeadTooLarge),
        Ok(None) => Parsed::Incomplete,
        Err(refusal) => Parsed::Refused(refusal),
    }
}

/// Returns how many bytes at the beginning of `input` are empty lines, which a server ignores before a request line
/// (RFC 9112 §2.2).
#[must_use]
pub fn leading_empty_lines(input: &[u8]) -> usize {
    let pairs = input.as_chunks::<2>().0;
    2 * pairs.iter().take_while(|pair| **pair == *b"\r\n").count()
}

/// Returns what is known of a request whose head was refused: nothing, unless its first line is valid. Fields are known
/// only if all of them were received and are valid, so that this does not depend on how the bytes were cut either.
#[must_use]
pub fn of_refused(input: &[u8], reads: &[&str]) -> Option<Head> {
    let line = request_line(input).ok()??;
    let mut space = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let lines = field_lines(&input[line.length..], &mut space).ok().flatten();
    let fields = lines.map(|(lines, _)| framing::only_read(lines, reads)).unwrap_or_default();
    Some(line.into_head(Fields { read: fields, persistence: Persistence::Close }))
}

fn try_parse(input: &[u8], reads: &[&str]) -> Result<Option<(Head, usize)>, Refusal> {
    let Some(line) = request_line(input)? else { return Ok(None) };
    let mut space = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let Some((lines, fields_length)) = field_lines(&input[line.length..], &mut space)? else { return Ok(None) };
    let length = line.length + fields_length;
    let fields = Fields::read(lines, line.version, reads)?;
    if line.method == CONNECT {
        return Err(Refusal::Connect);
    }
    Ok(Some((line.into_head(fields), length)))
}

/// The field lines, and how many bytes they take with the empty line behind them. `None`: not complete.
fn field_lines<'a, 'b>(
    input: &'b [u8],
    space: &'a mut [httparse::Header<'b>],
) -> Result<Option<(&'a [httparse::Header<'b>], usize)>, Refusal> {
    let bare_lf = first_bare_lf(input);
    let within_rules = &input[..bare_lf.unwrap_or(input.len())];
    let parsed = httparse::parse_headers(within_rules, space).map_err(|error| match error {
        httparse::Error::TooManyHeaders => Refusal::TooManyFields,
        httparse::Error::NewLine => Refusal::LineEnd,
        _ => Refusal::Field,
    })?;
    match parsed {
        httparse::Status::Complete((length, lines)) => Ok(Some((lines, length))),
        httparse::Status::Partial if bare_lf.is_some() => Err(Refusal::LineEnd),
        httparse::Status::Partial => Ok(None),
    }
}

/// ASCII was checked byte by byte before.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The first LF without a CR before it, up to the empty line that ends a head. `httparse` takes it for a line end; we
/// do not (RFC 9112 §2.2 leaves the choice).
fn first_bare_lf(lines: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    while let Some(length) = lines[line_start..].iter().position(|&byte| byte == b'\n') {
        let at = line_start + length;
        match &lines[line_start..at] {
            [b'\r'] => return None,
            [.., b'\r'] => line_start = at + 1,
            _ => return Some(at),
        }
    }
    None
}

struct RequestLine<'a> {
    method: &'a [u8],
    target: Cow<'a, [u8]>,
    version: Version,
    /// With its line end.
    length: usize,
}

impl RequestLine<'_> {
    fn into_head(self, fields: Fields) -> Head {
        Head {
            method: text(self.method),
            target: text(&self.target),
            fields: fields.read,
            version: self.version,
            persistence: fields.persistence,
        }
    }
}

/// `method SP target SP version CR LF`, one space each (RFC 9112 §3). Returns `None` if it is not complete, but may become valid.
fn request_line(input: &[u8]) -> Result<Option<RequestLine<'_>>, Refusal> {
    // Bytes behind the window belong to no request line that is short enough, except for its line end.
    let window = &input[..input.len().min(MAX_REQUEST_LINE_BYTES)];
    let incomplete = if input.len() > MAX_REQUEST_LINE_BYTES { Err(Refusal::RequestLineTooLong) } else { Ok(None) };
    let Some(method_length) = window.iter().position(|&byte| !is_tchar(byte)) else {
        // RFC 9112 §3: a method that is longer than any that is implemented.
        return incomplete.map_err(|_| Refusal::MethodTooLong);
    };
    let (method, rest) = window.split_at(method_length);
    match (method, rest[0]) {
        ([], b'\r') => return if rest.len() == 1 { Ok(None) } else { Err(Refusal::LineEnd) },
        ([], b'\n') => return Err(Refusal::LineEnd),
        ([], _) => return Err(Refusal::Method),
        (_, b' ') => {}
        (_, b'\r' | b'\n') => return Err(Refusal::RequestLine),
        _ => return Err(Refusal::Method),
    }
    let rest = &rest[1..];
    let Some(target_length) = rest.iter().position(|&byte| !is_vchar(byte)) else { return incomplete };
    let (target, rest) = rest.split_at(target_length);
    match (target, rest[0]) {
        ([], _) | (_, b'\r' | b'\n') => return Err(Refusal::RequestLine),
        (_, b' ') => {}
        _ => return Err(Refusal::Target),
    }
    let Some(version) = version(&rest[1..])? else { return incomplete };
    let length = method.len() + 1 + target.len() + 1 + VERSION_LENGTH;
    // A target that does not fit the method is refused last.
    let target = if method == CONNECT { target.into() } else { path_and_query(method, target)? };
    match &input[length..] {
        [b'\r', b'\n', ..] => Ok(Some(RequestLine { method, target, version, length: length + 2 })),
        [] | [b'\r'] => Ok(None),
        [b'\n' | b'\r', ..] => Err(Refusal::LineEnd),
        [b' ', ..] => Err(Refusal::RequestLine),
        _ => Err(Refusal::Version),
    }
}

/// The one method whose target is an authority (RFC 9112 §3.2.3).
const CONNECT: &[u8] = b"CONNECT";

/// `HTTP/1.1` has eight.
const VERSION_LENGTH: usize = 8;

/// `"HTTP/" DIGIT "." DIGIT`, in upper case (RFC 9112 §2.3).
fn version(rest: &[u8]) -> Result<Option<Version>, Refusal> {
    const PATTERN: &[u8; VERSION_LENGTH] = b"HTTP/9.9";
    let fits = |(&byte, &expected): (&u8, &u8)| {
        if expected == b'9' { byte.is_ascii_digit() } else { byte == expected }
    };
    if !rest.iter().zip(PATTERN).all(fits) {
        // Decided by the first byte alone, so that it does not depend on how many have come.
        let has_none = rest.first().is_some_and(|&byte| matches!(byte, b' ' | b'\r' | b'\n'));
        return Err(if has_none { Refusal::RequestLine } else { Refusal::Version });
    }
    match rest.get(5..VERSION_LENGTH) {
        None => Ok(None),
        Some(b"1.0") => Ok(Some(Version::Http10)),
        Some([b'1', ..]) => Ok(Some(Version::Http11)),
        Some(_) => Err(Refusal::VersionNotSupported),
    }
}

/// The path and query of a target, from any of the forms of RFC 9112 §3.2 but that of CONNECT.
fn path_and_query<'a>(method: &[u8], target: &'a [u8]) -> Result<Cow<'a, [u8]>, Refusal> {
    if target == b"*" {
        return if method == b"OPTIONS" { Ok(target.into()) } else { Err(Refusal::Target) };
    }
    let path_and_query: Cow<[u8]> = if target[0] == b'/' {
        target.into()
    } else {
        match after_authority(target)? {
            // The path of an absolute form may be empty, which is `/` (RFC 9110 §4.2.3).
            rest @ ([] | [b'?', ..]) => [b"/", rest].concat().into(),
            rest => rest.into(),
        }
    };
    if is_origin_form(&path_and_query) { Ok(path_and_query) } else { Err(Refusal::Target) }
}

/// Returns what follows the authority of an absolute form. The authority replaces `Host` (RFC 9112 §3.2.2); nothing here
/// depends on either, so it is checked and dropped. A resource of `https` is not served over a connection without TLS
/// (RFC 9110 §7.4), and a gateway that ends TLS in front of this server has no reason to send this form.
fn after_authority(target: &[u8]) -> Result<&[u8], Refusal> {
    const SCHEME: &[u8] = b"http://";
    let (scheme, rest) = target.split_at_checked(SCHEME.len()).ok_or(Refusal::Target)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(Refusal::Target);
    }
    let end = rest.iter().position(|&byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, path_and_query) = rest.split_at(end);
    if is_host_and_port(authority) { Ok(path_and_query) } else { Err(Refusal::Target) }
}

#[cfg(test)]
mod tests;
