//! The problems that a client can be told of, as RFC 9457 has them.
//!
//! Invariant: a body holds the code, its title, a detail written for clients, and what the client sent (path, request
//! id); never an address, a statement, a document or a secret.

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
    pub const ALL: [Self; 18] = [
        Self::UserNotFound,
        Self::NotFound,
        Self::InvalidUsername,
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
    pub detail: String,
}

/// The members of the body, in the order in which they are written.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    request_id: &'a str,
}

impl Problem {
    /// The media type of [`Problem::body`].
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A problem with its detail.
    #[must_use]
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The body: compact JSON. `instance` is the path as it came; `None` where none could be read.
    #[must_use]
    pub fn body(&self, instance: Option<&str>, request_id: &str) -> Vec<u8> {
        let body = Body {
            r#type: format!("/problems/{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            instance,
            request_id,
        };
        // Strings and a number: there is nothing in it that serde_json can fail on.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The answer to the request, with `Retry-After` where the code has one.
    #[must_use]
    pub fn response(&self, instance: Option<&str>, request_id: &str) -> rouille::Response {
        let mut response = rouille::Response::from_data(Self::MEDIA_TYPE, self.body(instance, request_id))
            .with_status_code(self.code.status());
        if let Some(seconds) = self.code.retry_after_s() {
            response = response.with_additional_header("Retry-After", seconds.to_string());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_members_of_rfc_9457_and_the_request_id() {
        let problem = Problem::new(ProblemCode::UserNotFound, "User not found");
        assert_eq!(
            String::from_utf8(problem.body(Some("/users/\"x\""), "id-1")).unwrap(),
            r#"{"type":"/problems/user-not-found","title":"User not found","status":404,"detail":"User not found","instance":"/users/\"x\"","request_id":"id-1"}"#
        );
        assert!(!String::from_utf8(problem.body(None, "id-1")).unwrap().contains("instance"));
    }

    #[test]
    fn codes_are_distinct() {
        let codes: std::collections::HashSet<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), ProblemCode::ALL.len());
    }
}
