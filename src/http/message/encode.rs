//! Encodes a `rouille::Response`.
//!
//! Invariant: an answer is framed by `Content-Length` or by having no body at all, never by the end of the connection;
//! no field value can break a line.

use std::borrow::Cow;
use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rouille::Response;

use super::framing::{Persistence, Version};

/// What the bytes of an answer depend on besides the response itself.
pub struct AnswerFrame<'a> {
    /// The method of the request; empty where it could not be read.
    pub method: &'a str,
    /// The version of the request.
    pub version: Version,
    /// What follows the answer.
    pub persistence: Persistence,
    /// The value of `Date`.
    pub date: &'a str,
    /// The value of `X-Request-Id`.
    pub request_id: &'a str,
}

/// Appends the answer to `output` and returns the length of the body that it announces.
///
/// The body is read to its end first; all of ours are in memory already.
///
/// # Errors
/// What reading the body failed with; `output` is unchanged then.
pub fn encode(response: Response, frame: &AnswerFrame, output: &mut Vec<u8>) -> std::io::Result<usize> {
    let Response { status_code, headers, data, .. } = response;
    let (mut reader, size) = data.into_reader_and_size();
    let mut body = Vec::with_capacity(size.unwrap_or(0));
    reader.read_to_end(&mut body)?;

    output.extend_from_slice(b"HTTP/1.1 ");
    push_number(output, status_code);
    output.push(b' ');
    output.extend_from_slice(reason_phrase(status_code).as_bytes());
    push_field(output, "Date", frame.date);
    push_field(output, "X-Request-Id", frame.request_id);
    for (name, value) in headers.iter().filter(|(name, _)| !is_ours(name)) {
        match value {
            Cow::Borrowed(ours) => push_field(output, name, ours),
            Cow::Owned(value) => push_checked_field(output, name, value),
        }
    }
    let has_body = !matches!(status_code, 100..=199 | 204 | 304);
    if has_body {
        output.extend_from_slice(b"\r\nContent-Length: ");
        push_number(output, body.len());
    }
    match (frame.persistence, frame.version) {
        (Persistence::KeepAlive, Version::Http11) => {}
        (Persistence::KeepAlive, Version::Http10) => push_field(output, "Connection", "keep-alive"),
        (Persistence::LastRequest | Persistence::Close, _) => push_field(output, "Connection", "close"),
    }
    output.extend_from_slice(b"\r\n\r\n");
    if has_body && frame.method != "HEAD" {
        output.extend_from_slice(&body);
    }
    Ok(if has_body { body.len() } else { 0 })
}

/// Returns true for fields that belong to the connection. rouille too ignores them if a handler sets them.
fn is_ours(name: &str) -> bool {
    ["Connection", "Content-Length", "Date", "Trailer", "Transfer-Encoding", "Upgrade", "X-Request-Id"]
        .iter()
        .any(|ours| ours.eq_ignore_ascii_case(name))
}

/// Appends a field on a line of its own. Its value is of this program, or was checked.
fn push_field(output: &mut Vec<u8>, name: &str, value: &str) {
    output.extend_from_slice(b"\r\n");
    output.extend_from_slice(name.as_bytes());
    output.extend_from_slice(b": ");
    output.extend_from_slice(value.as_bytes());
}

/// Appends a field whose value was made of something.
fn push_checked_field(output: &mut Vec<u8>, name: &str, value: &str) {
    push_field(output, name, value);
    // SECURITY: a value from outside (a path in `Location`, say) must not begin another line.
    let start = output.len() - value.len();
    output[start..].iter_mut().filter(|byte| byte.is_ascii_control()).for_each(|byte| *byte = b' ');
}

fn push_number(output: &mut Vec<u8>, number: impl itoa::Integer) {
    output.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Returns the reason phrase (RFC 9110 §15) of a status that this program answers with.
fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// The value of `Date`, an IMF-fixdate (RFC 9110 §5.6.7), formatted once a second.
#[derive(Debug, Default)]
pub struct DateCache {
    second: u64,
    text: String,
}

impl DateCache {
    /// Returns the date at `now`.
    pub fn at(&mut self, now: SystemTime) -> &str {
        let second = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        if self.text.is_empty() || self.second != second {
            self.second = second;
            self.text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(response: Response, method: &str, version: Version, persistence: Persistence) -> String {
        let frame =
            AnswerFrame { method, version, persistence, date: "Sun, 06 Nov 1994 08:49:37 GMT", request_id: "id" };
        let mut output = Vec::new();
        encode(response, &frame, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    const START: &str = "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Request-Id: id\r\n";

    #[test]
    fn the_bytes_of_each_kind_of_answer() {
        use Persistence::{Close, KeepAlive, LastRequest};
        let text = || Response::from_data("text/plain", "hi");
        for (response, method, version, persistence, expected) in [
            (
                text(),
                "GET",
                Version::Http11,
                KeepAlive,
                "200 OK|Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
            ),
            (
                text(),
                "HEAD",
                Version::Http11,
                KeepAlive,
                "200 OK|Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n",
            ),
            (
                text(),
                "GET",
                Version::Http10,
                KeepAlive,
                "200 OK|Content-Type: text/plain\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",
            ),
            (
                Response::empty_204(),
                "OPTIONS",
                Version::Http11,
                LastRequest,
                "204 No Content|Connection: close\r\n\r\n",
            ),
            (
                Response::text("x").with_status_code(304),
                "GET",
                Version::Http11,
                Close,
                "304 Not Modified|Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n",
            ),
        ] {
            let (status, rest) = expected.split_once('|').unwrap();
            assert_eq!(encoded(response, method, version, persistence), format!("HTTP/1.1 {status}{START}{rest}"));
        }
    }

    #[test]
    fn a_value_cannot_begin_a_line() {
        let response = Response::empty_204().with_additional_header("Location", "/a\r\nSet-Cookie: x=y".to_owned());
        let text = encoded(response, "GET", Version::Http11, Persistence::KeepAlive);
        assert!(text.contains("Location: /a  Set-Cookie: x=y\r\n"), "{text}");
    }

    #[test]
    fn the_date_is_formatted_anew_each_second() {
        let mut cache = DateCache::default();
        let at = |second| UNIX_EPOCH + Duration::from_millis(second);
        assert_eq!(cache.at(at(784_111_777_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(cache.at(at(784_111_777_999)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(cache.at(at(784_111_778_000)), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
