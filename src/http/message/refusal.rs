//! Why the listener refuses a request before any handler sees it.
//!
//! Invariant: every refusal has a status, a sentence for the person who sent it, and a label for the counter. A request
//! that breaks a rule ends its connection, since the beginning of the next one is not known; one that came at a bad
//! moment (`Overloaded`, `ShareTaken`) need not.

use crate::problem::{Problem, ProblemCode};

/// The rules that a request can break, and the moments at which it cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A line that does not end in CR LF, or a CR without LF (RFC 9112 §2.2).
    LineEnd,
    /// The request line is not `method SP target SP version` (RFC 9112 §3).
    RequestLine,
    /// The method is not a token (RFC 9110 §9.1).
    Method,
    /// `CONNECT`: this is no proxy (RFC 9110 §9.3.6).
    Connect,
    /// The target is in none of the forms of RFC 9112 §3.2, or has characters that RFC 3986 does not have.
    Target,
    /// The version is not `HTTP/digit.digit` (RFC 9112 §2.3).
    Version,
    /// A major version other than 1 (RFC 9110 §15.6.6).
    VersionNotSupported,
    /// The request line is longer than `MAX_REQUEST_LINE_BYTES`.
    RequestLineTooLong,
    /// The request line is too long, and has a method in it only (RFC 9112 §3).
    MethodTooLong,
    /// The head is larger than `MAX_HEAD_BYTES`.
    HeadTooLarge,
    /// More than `MAX_FIELDS` field lines.
    TooManyFields,
    /// A field line that is not `name: value` (RFC 9112 §5), or an obsolete line fold (§5.2).
    Field,
    /// Not exactly one valid `Host` (RFC 9112 §3.2).
    Host,
    /// A `Content-Length` that is not one number of at most 64 bits (RFC 9112 §6.3).
    ContentLength,
    /// A `Transfer-Encoding` that is malformed, or in HTTP/1.0, or together with a `Content-Length` (RFC 9112 §6.1).
    TransferEncoding,
    /// An unknown transfer coding (RFC 9112 §6.1).
    UnknownTransferCoding,
    /// An unknown `Expect` (RFC 9110 §10.1.1).
    Expectation,
    /// The head was begun and not finished in time.
    HeadTimeout,
    /// No worker was free in time.
    Overloaded,
    /// Its client has as many requests under way, through a proxy, as an address may have.
    ShareTaken,
    /// The server is going down, and the request has no answer yet.
    ShuttingDown,
}

impl Refusal {
    /// Returns the code, the label and the detail.
    const fn row(self) -> (ProblemCode, &'static str, &'static str) {
        use ProblemCode as Code;
        match self {
            Self::LineEnd => (Code::BadRequest, "line-end", "Each line of a request ends in CR LF."),
            Self::RequestLine => (
                Code::BadRequest,
                "request-line",
                "A request line is a method, a target and a version, with one space between them.",
            ),
            Self::Method => (Code::BadRequest, "method", "The method is not a token."),
            Self::Connect => (Code::MethodNotAllowed, "connect", "This server is not a proxy."),
            Self::Target => (
                Code::BadRequest,
                "target",
                "The target must be a path, with other characters than those of RFC 3986 percent-encoded.",
            ),
            Self::Version => (Code::BadRequest, "version", "The version must be HTTP/1.1 or HTTP/1.0."),
            Self::VersionNotSupported => {
                (Code::VersionNotSupported, "version-not-supported", "This server speaks HTTP/1.1 and HTTP/1.0.")
            }
            Self::RequestLineTooLong => {
                (Code::UriTooLong, "request-line-too-long", "A request line has at most 8192 bytes.")
            }
            Self::MethodTooLong => (Code::NotImplemented, "method-too-long", "No method has so long a name."),
            Self::HeadTooLarge => (Code::HeadersTooLarge, "head-too-large", "A request head has at most 16384 bytes."),
            Self::TooManyFields => {
                (Code::HeadersTooLarge, "too-many-fields", "A request has at most 100 header fields.")
            }
            Self::Field => (Code::BadRequest, "field", "A header field is a name, a colon and a value, on one line."),
            Self::Host => (Code::BadRequest, "host", "A request has exactly one Host field, with a host in it."),
            Self::ContentLength => {
                (Code::BadRequest, "content-length", "A request has at most one Content-Length, a number.")
            }
            Self::TransferEncoding => (
                Code::BadRequest,
                "transfer-encoding",
                "A Transfer-Encoding is `chunked`, in HTTP/1.1, without a Content-Length.",
            ),
            Self::UnknownTransferCoding => {
                (Code::NotImplemented, "transfer-coding", "The only transfer coding that is known here is `chunked`.")
            }
            Self::Expectation => {
                (Code::ExpectationFailed, "expectation", "The only expectation that is known here is `100-continue`.")
            }
            Self::HeadTimeout => (Code::RequestTimeout, "head-timeout", "The request head was not finished in time."),
            Self::Overloaded => (Code::Busy, "overloaded", "There are too many requests at the moment."),
            Self::ShareTaken => {
                (Code::Busy, "address-share", "There are too many requests from your address at the moment.")
            }
            Self::ShuttingDown => (Code::Unavailable, "shutting-down", "The server is going down."),
        }
    }

    /// Returns the problem that is sent to the client.
    #[must_use]
    pub fn problem(self) -> Problem {
        let (code, _, detail) = self.row();
        Problem::new(code, detail)
    }

    /// Returns the code of the problem.
    #[must_use]
    pub const fn code(self) -> ProblemCode {
        self.row().0
    }

    /// Returns the label of the counter: from a fixed set, never from the request.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.row().1
    }
}
