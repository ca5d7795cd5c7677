//! The query service: `SELECT … USE KEYS` by HTTP, one key-value read in the cluster each.
//!
//! `select` is what is asked; `answer` reads what it gets, in an `envelope` that all responses have; `meaning` is what
//! the service's numbers mean, and `go_duration` how it writes times. `many`, `upsert` and `listing` are the same for many
//! documents at once.
//!
//! Invariant: pure. No message of the server, which may hold values of documents, gets into an error or a log line.

mod answer;
mod envelope;
mod go_duration;
mod listing;
mod many;
mod meaning;
mod parameters;
mod select;
mod upsert;

use super::product::{COUCHBASE, Target};
use super::service::Service;
use crate::bucket::rest::{
    Batches, Call, Completeness, Exchange, Failure, Many, Product, Protocol, ReadOutcome, Request, Response,
};
use crate::bucket::{BucketError, Cursor, NewDocument, Page};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};

/// Where the query service takes requests.
const PATH: &str = "/query/service";

/// What a response holds besides its document, in bytes: ids, states, warnings. There is room to spare.
const ENVELOPE_BYTES: usize = 64 * 1024;

/// [`Protocol`] of the query service.
pub struct Query {
    target: Target,
    select: String,
    select_many: String,
}

impl Query {
    /// The documents of one keyspace.
    #[must_use]
    pub fn new(target: Target) -> Self {
        let (select, select_many) = (select::statement(&target.keyspace), select::statement_for_many(&target.keyspace));
        Self { target, select, select_many }
    }
}

impl Protocol for Query {
    fn product(&self) -> &'static Product {
        &COUCHBASE
    }

    fn service(&self) -> &'static str {
        Service::Query.name()
    }

    fn get_request(&self, id: &DocumentId, call: &Call) -> Result<Request, BucketError> {
        Ok(Request::post(PATH, select::request(&self.select, id, call)))
    }

    fn read_document(&self, response: &Response, id: &DocumentId, peer: &str) -> Result<ReadOutcome, Failure> {
        match response.completeness {
            Completeness::Complete => answer::read(response.status, &response.body, id, peer, &self.target),
            Completeness::Truncated => Err(COUCHBASE.overlong(response.status, &response.body, peer)),
        }
    }

    fn max_response_bytes(&self) -> usize {
        MAX_DOCUMENT_BYTES + ENVELOPE_BYTES
    }

    fn many(&self) -> Option<&dyn Many> {
        Some(self)
    }

    fn batches(&self) -> Option<&dyn Batches> {
        Some(self)
    }
}

impl Batches for Query {
    fn fitting(&self, documents: &[NewDocument]) -> usize {
        upsert::fitting(documents)
    }

    fn store(&self, documents: &[NewDocument], exchange: &mut dyn Exchange) -> Result<(), Failure> {
        let body = upsert::request(&self.target.keyspace, documents, &exchange.call())
            .map_err(|rule| Failure::lasting(BucketError::InvalidDocument(rule)))?;
        let response = exchange.send(&Request::post(PATH, body), upsert::MAX_RESPONSE_BYTES)?;
        upsert::read(&response, documents.len(), exchange.peer(), &self.target)
    }

    fn missing_codes(&self) -> &'static [&'static str] {
        &["12003", "12020", "12021"]
    }

    fn create(&self, _: &mut dyn Exchange) -> Result<Vec<String>, Failure> {
        Err(Failure::lasting(BucketError::misconfigured(
            "a bucket and its collections are made by an administrator, in the console of Couchbase or by CREATE \
             COLLECTION; then import without --create",
        )))
    }

    fn list(&self, after: Option<&Cursor>, most: usize, exchange: &mut dyn Exchange) -> Result<Page, Failure> {
        let body = listing::request(&self.target.keyspace, after, most, &exchange.call());
        let response = exchange.send(&Request::post(PATH, body), listing::MAX_RESPONSE_BYTES)?;
        listing::read(&response, after, most, exchange.peer(), &self.target)
    }
}
