//! What goes to a node and what comes back, as values.
//!
//! Invariant: pure. Bodies may hold documents, and with them password hashes: they are wiped on drop and never printed.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::bucket::Trace;

/// An HTTP request to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// The path and the query, percent-encoded; the node's own prefix comes before it.
    pub path: String,
    /// Fields besides those of every request (`Authorization`, `User-Agent`, `Accept`, `traceparent`).
    pub fields: Vec<(&'static str, String)>,
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::Get, path: path.into(), fields: Vec::new() }
    }

    /// A request with a JSON body.
    #[must_use]
    pub fn post(path: impl Into<String>, body: impl Into<Payload>) -> Self {
        Self { method: Method::Post(body.into()), path: path.into(), fields: Vec::new() }
    }

    /// A request with a JSON body, to make what the path names.
    #[must_use]
    pub fn put(path: impl Into<String>, body: impl Into<Payload>) -> Self {
        Self { method: Method::Put(body.into()), path: path.into(), fields: Vec::new() }
    }

    /// A request with a JSON body, to end or remove what it names.
    #[must_use]
    pub fn delete(path: impl Into<String>, body: impl Into<Payload>) -> Self {
        Self { method: Method::Delete(body.into()), path: path.into(), fields: Vec::new() }
    }
}

/// The method of a request, with the body that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Without a body.
    Get,
    /// With a JSON body.
    Post(Payload),
    /// With a JSON body.
    Put(Payload),
    /// With a JSON body.
    Delete(Payload),
}

/// The body of a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Zeroizing<Vec<u8>>);

impl Payload {
    /// The bytes to send.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

/// An HTTP response, with its body complete or cut off at a limit.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The field `ETag`.
    pub etag: Option<String>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
    /// Whether that is all of it.
    pub completeness: Completeness,
}

/// How much of a body was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// All of it.
    Complete,
    /// As much as the limit allows; there was more.
    Truncated,
}

/// The circumstances of one exchange, for what a request says of them.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// How long the node may take.
    pub left: Duration,
    /// The names of the request that it serves.
    pub trace: &'a Trace,
}
