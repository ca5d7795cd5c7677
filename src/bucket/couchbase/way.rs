//! The ways into a Couchbase cluster, as one seam: what is asked, and what the reply says.
//!
//! Invariant: a [`Way`] is pure. It makes requests and reads replies; whom to ask, over which connection and how often
//! is decided by `connection`.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::failure::Failure;
use super::transport::Reply;
use crate::bucket::{BucketError, Document, Listed, NewDocument, Trace};
use crate::model::DocumentId;

/// Which service of a node a way asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The query service (`n1ql`, `n1qlSSL`).
    Query,
    /// The cluster manager (`mgmt`, `mgmtSSL`).
    Manager,
    /// The Data API of a gateway: the hosts of the connection string themselves. There is no topology to be had.
    Gateway,
}

/// An HTTP request to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// The path and the query, percent-encoded.
    pub path: String,
    /// Fields beside those of every request (`Authorization`, `User-Agent`, `Accept`).
    pub fields: Vec<(&'static str, String)>,
}

/// The method of a request, with the body that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Without a body.
    Get,
    /// With a JSON body.
    Post(Payload),
}

/// The body of a request: it may hold documents, and with them password hashes. Wiped on drop, never printed.
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

/// A success, with what the service had to say about it.
pub struct Answer {
    /// The document; `None`: there is none under this id.
    pub document: Option<Document>,
    /// The codes of the warnings, those that could be read.
    pub warnings: Vec<i64>,
}

/// What a reply turned out to be.
pub struct Reading {
    /// The document, or why not.
    pub outcome: Result<Answer, Failure>,
    /// What a reader of logs may want to know besides.
    pub remarks: Remarks,
}

impl Reading {
    /// A reading of a reply that remarks nothing.
    #[must_use]
    pub fn plain(outcome: Result<Answer, Failure>) -> Self {
        Self { outcome, remarks: Remarks::default() }
    }
}

/// What a service says about its work, where it does. Never a value of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remarks {
    /// The number or the name of the error that decided.
    pub code: Option<String>,
    /// How long the service says that the request took, from its arrival there.
    pub elapsed: Option<Duration>,
    /// How long the service says that it worked on it.
    pub execution: Option<Duration>,
}

/// One way to read and write documents.
pub trait Way: Send + Sync {
    /// Whom it asks.
    fn service(&self) -> Service;

    /// How the service is called in a sentence, such as `the query service`.
    fn service_name(&self) -> &'static str;

    /// The request that reads one document, for a service that may take `left` for it.
    ///
    /// # Errors
    /// [`BucketError::UnusableId`] for an id that cannot go this way.
    fn read_request(&self, id: &DocumentId, left: Duration, trace: &Trace) -> Result<Request, BucketError>;

    /// How much of a reply is read, in bytes: room for the largest document in what it comes in. More than that is a
    /// document that is too large, or no reply of this service.
    fn max_reply_bytes(&self) -> usize;

    /// What a warning of this code means, for the log. The answer counts all the same.
    fn warning(&self, code: i64) -> &'static str;

    /// Reads the reply to it. `peer` is who answered, in words for a reason.
    fn read_reply(&self, reply: &Reply, id: &DocumentId, peer: &str) -> Reading;

    /// Storing and listing many documents; `None`: this way is for single reads only.
    fn bulk(&self) -> Option<&dyn BulkWay> {
        None
    }
}

/// Storing and listing many documents, by a way that can.
pub trait BulkWay {
    /// How many of these documents, from the first one on, belong in one request: one at least.
    fn fitting(&self, documents: &[NewDocument]) -> usize;

    /// The request that stores documents, for a service that may take `left` for it.
    ///
    /// # Errors
    /// [`BucketError::InvalidDocument`] for a text that is not JSON.
    fn store_request(&self, documents: &[NewDocument], left: Duration, trace: &Trace) -> Result<Request, BucketError>;

    /// Reads the reply to it. `documents` is how many were sent.
    ///
    /// # Errors
    /// [`Failure`], after which any of the documents may be stored and any may not.
    fn read_stored(&self, reply: &Reply, documents: usize, peer: &str) -> Result<(), Failure>;

    /// The request that lists a page.
    fn list_request(&self, page: Page, left: Duration, trace: &Trace) -> Request;

    /// Reads the reply to it.
    ///
    /// # Errors
    /// [`Failure`], and [`BucketError::InvalidDocument`] in it for a page that is too long to be read.
    fn read_listed(&self, reply: &Reply, page: Page, peer: &str) -> Result<Vec<Listed>, Failure>;
}

/// Which documents to list.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Those whose ids come after this one; `None`: from the first one on.
    pub after: Option<&'a DocumentId>,
    /// And how many of these at most.
    pub most: usize,
}
