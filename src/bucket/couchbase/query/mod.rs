//! The query service: `SELECT … USE KEYS` by HTTP, one key-value read in the cluster each.
//!
//! `statement` is what is asked, `answer` what it gets (in an `envelope` that all answers have), `meaning` what the service's numbers mean, and `go_duration` how
//! it writes times. `store` and `listing` are the same for many documents at once.
//!
//! Invariant: pure. No message of the server, which may hold values of documents, gets into an error or a log line.

mod answer;
pub mod envelope;
mod go_duration;
mod listing;
pub mod meaning;
mod parameters;
mod statement;
mod store;

use std::time::Duration;

use super::failure::Failure;
use super::keyspace::Keyspace;
use super::status;
use super::transport::{Extent, Reply};
use super::way::{BulkWay, Method, Page, Reading, Request, Service, Way};
use crate::bucket::{BucketError, Listed, NewDocument, Trace};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};
use meaning::Target;

/// Where the query service takes requests.
const PATH: &str = "/query/service";

/// What an answer holds besides its document, in bytes: ids, states, warnings. There is room to spare.
const ENVELOPE_BYTES: usize = 64 * 1024;

/// [`Way`] over the query service.
pub struct QueryWay {
    target: Target,
    select: String,
}

impl QueryWay {
    /// A way to the documents of one keyspace. `username` is who asks, for the sentences of errors.
    #[must_use]
    pub fn new(keyspace: Keyspace, username: Option<String>) -> Self {
        let select = statement::select(&keyspace);
        Self { target: Target { keyspace, username }, select }
    }
}

impl Way for QueryWay {
    fn service(&self) -> Service {
        Service::Query
    }

    fn service_name(&self) -> &'static str {
        "the query service"
    }

    fn read_request(&self, id: &DocumentId, left: Duration, trace: &Trace) -> Result<Request, BucketError> {
        let body = statement::read_request(&self.select, id, left, trace.request_id.as_deref());
        Ok(Request { method: Method::Post(body.into()), path: PATH.to_owned(), fields: Vec::new() })
    }

    fn bulk(&self) -> Option<&dyn BulkWay> {
        Some(self)
    }

    fn max_reply_bytes(&self) -> usize {
        MAX_DOCUMENT_BYTES + ENVELOPE_BYTES
    }

    fn warning(&self, code: i64) -> &'static str {
        meaning::of_warning(code)
    }

    fn read_reply(&self, reply: &Reply, id: &DocumentId, peer: &str) -> Reading {
        match reply.extent {
            Extent::Whole => answer::read(reply.status, &reply.body, id, peer, &self.target),
            Extent::OverLimit => Reading::plain(Err(status::overlong(reply.status, &reply.body, peer))),
        }
    }
}

impl BulkWay for QueryWay {
    fn fitting(&self, documents: &[NewDocument]) -> usize {
        store::fitting(documents)
    }

    fn store_request(&self, documents: &[NewDocument], left: Duration, trace: &Trace) -> Result<Request, BucketError> {
        let body = store::request(&self.target.keyspace, documents, left, trace.request_id.as_deref())
            .map_err(BucketError::InvalidDocument)?;
        Ok(Request { method: Method::Post(body.into()), path: PATH.to_owned(), fields: Vec::new() })
    }

    fn read_stored(&self, reply: &Reply, documents: usize, peer: &str) -> Result<(), Failure> {
        store::read(reply, documents, peer, &self.target)
    }

    fn list_request(&self, page: Page, left: Duration, trace: &Trace) -> Request {
        let body = listing::request(&self.target.keyspace, page, left, trace.request_id.as_deref());
        Request { method: Method::Post(body.into()), path: PATH.to_owned(), fields: Vec::new() }
    }

    fn read_listed(&self, reply: &Reply, page: Page, peer: &str) -> Result<Vec<Listed>, Failure> {
        listing::read(reply, page, peer, &self.target)
    }
}
