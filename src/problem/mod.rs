//! The problems that a client can be told of, as RFC 9457 has them.
//!
//! Invariant: a body holds the code, its title, a detail written for clients, and what the client sent (path, request
//! id); never an address, a statement, a document or a secret.

mod explanation;

pub use explanation::Explanation;

use std::borrow::Cow;

use serde::Serialize;

/// What every path here allows, for `Allow` (RFC 9110 §10.2.1).
pub const ALLOWED_METHODS: &str = "GET, HEAD, OPTIONS";

/// Every problem that this program answers with. The codes are part of the contract: they are never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    /// 404: no document, or an empty one.
    UserNotFound,
    /// 404: no such path.
    NotFound,
    /// 422: the name cannot be part of a key.
    InvalidUsername,
    /// 422: the query does not say whom to answer, or names too many.
    InvalidQuery,
    /// 400: the bytes are not a request as RFC 9112 has it.
    BadRequest,
    /// 405, with `Allow`.
    MethodNotAllowed,
    /// 408: a head was begun and not finished in time.
    RequestTimeout,
    /// 412: `If-Match` names another state of the profile.
    PreconditionFailed,
    /// 414: the request line is too long.
    UriTooLong,
    /// 417: an `Expect` that nobody knows.
    ExpectationFailed,
    /// 431: the head is too long, or has too many fields.
    HeadersTooLarge,
    /// 500: a defect of this program.
    Internal,
    /// 501: a transfer coding or a method that nobody knows.
    NotImplemented,
    /// 505: a major version of HTTP other than 1.
    VersionNotSupported,
    /// 500: the stored document is not a user profile.
    InvalidDocument,
    /// 500: the database or the settings for it must be changed.
    Misconfigured,
    /// 503: the database is out of reach or failed by itself.
    Unavailable,
    /// 503: too many requests at once.
    Busy,
    /// 504: the database did not answer in time.
    Timeout,
}

impl ProblemCode {
    /// Every code, for documentation and tests.
    pub const ALL: [Self; 19] = [
        Self::UserNotFound,
        Self::NotFound,
        Self::InvalidUsername,
        Self::InvalidQuery,
        Self::BadRequest,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::PreconditionFailed,
        Self::UriTooLong,
        Self::ExpectationFailed,
        Self::HeadersTooLarge,
        Self::Internal,
        Self::NotImplemented,
        Self::VersionNotSupported,
        Self::InvalidDocument,
        Self::Misconfigured,
        Self::Unavailable,
        Self::Busy,
        Self::Timeout,
    ];

    /// Status, code and title.
    const fn row(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::UserNotFound => (404, "user-not-found", "User not found"),
            Self::NotFound => (404, "not-found", "Not found"),
            Self::InvalidUsername => (422, "invalid-username", "Not a username"),
            Self::InvalidQuery => (422, "invalid-query", "Invalid query"),
            Self::BadRequest => (400, "bad-request", "Bad request"),
            Self::MethodNotAllowed => (405, "method-not-allowed", "Method not allowed"),
            Self::RequestTimeout => (408, "request-timeout", "Request timeout"),
            Self::PreconditionFailed => (412, "precondition-failed", "Precondition failed"),
            Self::UriTooLong => (414, "uri-too-long", "URI too long"),
            Self::ExpectationFailed => (417, "expectation-failed", "Expectation failed"),
            Self::HeadersTooLarge => (431, "headers-too-large", "Request header fields too large"),
            Self::Internal => (500, "internal", "Internal error"),
            Self::NotImplemented => (501, "not-implemented", "Not implemented"),
            Self::VersionNotSupported => (505, "version-not-supported", "HTTP version not supported"),
            Self::InvalidDocument => (500, "invalid-document", "Invalid document"),
            Self::Misconfigured => (500, "misconfigured", "Misconfigured"),
            Self::Unavailable => (503, "unavailable", "Database unavailable"),
            Self::Busy => (503, "busy", "Busy"),
            Self::Timeout => (504, "timeout", "Database timeout"),
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().0
    }

    /// The code as it is written in `type` and in the access line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().1
    }

    /// Returns the code that is written like this.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == code)
    }

    /// The `type` of a problem: the path of the page about it.
    #[must_use]
    pub fn path(self) -> String {
        format!("/problems/{}", self.as_str())
    }

    /// The title: the same for every problem of a code.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// In how many seconds it is worth asking again, for `Retry-After`.
    #[must_use]
    pub const fn retry_after_s(self) -> Option<u32> {
        match self.status() {
            503 => Some(1),
            _ => None,
        }
    }
}

/// One problem, on its way to a client.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Which one it is.
    pub code: ProblemCode,
    /// What happened, for the person who reads the answer.
    pub detail: Cow<'static, str>,
}

/// A problem document (RFC 9457). Its members are written in this order.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Problem))]
pub struct ProblemBody<'a> {
    /// The path of the page about this problem.
    r#type: String,
    /// The same for every problem of this type.
    title: &'static str,
    /// The HTTP status.
    #[cfg_attr(test, schema(minimum = 400, maximum = 599))]
    status: u16,
    /// What happened.
    detail: &'a str,
    /// The path as it came. An element of an answer about several users has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(nullable = false))]
    instance: Option<&'a str>,
    /// The id of the request, which is in the server's log. An element of an answer about several users has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(nullable = false))]
    request_id: Option<&'a str>,
}

impl Problem {
    /// The media type of [`Problem::response`].
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A problem with its detail.
    #[must_use]
    pub fn new(code: ProblemCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The problem without what belongs to one request only: as an element of an answer about several users, which is the
    /// same for everybody who asks.
    #[must_use]
    pub fn as_element(&self) -> ProblemBody<'_> {
        self.body(None, None)
    }

    pub(crate) fn body<'a>(&'a self, instance: Option<&'a str>, request_id: Option<&'a str>) -> ProblemBody<'a> {
        ProblemBody {
            r#type: self.code.path(),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            instance,
            request_id,
        }
    }

    /// The answer to the request as JSON. `instance` is the path as it came; `None` where none could be read.
    #[must_use]
    pub fn response(&self, instance: Option<&str>, request_id: &str) -> rouille::Response {
        // Strings and a number: there is nothing in it that serde_json can fail on.
        let body = serde_json::to_vec(&self.body(instance, Some(request_id))).unwrap_or_default();
        rouille::Response::from_data(Self::MEDIA_TYPE, body).with_status_code(self.code.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(body: &ProblemBody) -> String {
        serde_json::to_string(body).unwrap()
    }

    #[test]
    fn a_body_has_the_members_of_rfc_9457_and_the_request_id() {
        let problem = Problem::new(ProblemCode::UserNotFound, "User not found");
        assert_eq!(
            written(&problem.body(Some("/users/\"x\""), Some("id-1"))),
            r#"{"type":"/problems/user-not-found","title":"User not found","status":404,"detail":"User not found","instance":"/users/\"x\"","request_id":"id-1"}"#
        );
        assert!(!written(&problem.body(None, Some("id-1"))).contains("instance"));
    }

    #[test]
    fn an_element_has_nothing_of_the_request() {
        assert_eq!(
            written(&Problem::new(ProblemCode::UserNotFound, "User not found").as_element()),
            r#"{"type":"/problems/user-not-found","title":"User not found","status":404,"detail":"User not found"}"#
        );
    }

    #[test]
    fn codes_are_distinct() {
        let codes: std::collections::HashSet<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), ProblemCode::ALL.len());
        for code in ProblemCode::ALL {
            assert_eq!(ProblemCode::parse(code.as_str()), Some(code));
        }
        assert_eq!(ProblemCode::parse("no-such-code"), None);
    }
}
