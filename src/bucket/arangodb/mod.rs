//! `ArangoDB`: `GET /_db/{database}/_api/document/{collection}/{key}`, and arrays of documents and AQL for many.
//!
//! A document has members of the product's own (`_key`, `_id`, `_rev`), which are not part of what was stored. `key` makes a key
//! of an id, `product` has the names and the sentences, `meaning` what error numbers mean, `many` reads
//! several documents, and `batches` stores and lists.
//!
//! Invariant: pure, and strict about absence: a document is missing only where error 1202 says so. Any other 404 is about the
//! database, the collection or the address.

mod batches;
mod key;
mod many;
mod meaning;
mod product;
#[cfg(test)]
mod tests;

use super::BucketError;
use super::remote::check::{CodeStep, CodeSteps};
use super::rest::own_members;
use super::rest::path_segment::segment;
use super::rest::{
    Batches, Call, Completeness, Failure, LoginConfig, Many, Operation, Product, Protocol, ReadOutcome, Request,
    Response, RestDriver, plan,
};
use crate::config::{ArangodbSettings, DatabaseName};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};
use meaning::ErrorBody;
use product::{ARANGODB, Target};

/// What a response holds besides its document, in bytes: `_key`, `_id`, `_rev`.
const ENVELOPE_BYTES: usize = 64 * 1024;

/// Says how long a request may wait in the queue of a server, in seconds (3.9 and later): what it answers after that is of no
/// use.
const QUEUE_TIME: &str = "x-arango-queue-time-seconds";

/// `ERROR_ARANGO_DOCUMENT_NOT_FOUND`
const NO_DOCUMENT: i64 = 1202;

/// The driver of `ArangoDB`.
pub static DRIVER: RestDriver = RestDriver {
    name: DatabaseName::Arangodb,
    protocol: |settings| Box::new(Arangodb::new(&settings.arangodb)),
    plan: |settings| {
        let ArangodbSettings { database, collection, rest } = &settings.arangodb;
        let documents = format!("the collection {collection:?} of the database {database:?}");
        plan(&documents, LoginConfig::from(&rest.login), rest)
    },
    steps: |settings| {
        let ArangodbSettings { database, collection, .. } = &settings.arangodb;
        CodeSteps::new(vec![
            CodeStep { name: "database", codes: &["1228"], passed: format!("{database:?} is there") },
            CodeStep { name: "collection", codes: &["1203"], passed: format!("{collection:?} is there") },
            CodeStep { name: "role", codes: &["11"], passed: format!("{collection:?} may be read") },
        ])
    },
};

/// [`Protocol`] of `ArangoDB`.
pub struct Arangodb {
    target: Target,
    /// The path of the database's interface.
    path: String,
    /// The path of the collection's documents.
    documents: String,
}

impl Arangodb {
    /// The documents of one collection.
    #[must_use]
    pub fn new(settings: &ArangodbSettings) -> Self {
        let target = Target::new(settings);
        let path = format!("/_db/{}/_api", segment(&target.database));
        Self { documents: format!("{path}/document/{}", segment(&target.collection)), path, target }
    }

    fn failure(&self, response: &Response, operation: Operation, peer: &str) -> Failure {
        meaning::failure(response, operation, peer, &self.target)
    }
}

/// The field that says how long a request may wait.
fn queue_time(call: &Call) -> (&'static str, String) {
    (QUEUE_TIME, format!("{:.3}", call.left.as_secs_f64()))
}

impl Protocol for Arangodb {
    fn product(&self) -> &'static Product {
        &ARANGODB
    }

    fn service(&self) -> &'static str {
        "ArangoDB"
    }

    fn get_request(&self, id: &DocumentId, call: &Call) -> Result<Request, BucketError> {
        let mut request = Request::get(format!("{}/{}", self.documents, segment(&key::key(id))));
        request.fields.push(queue_time(call));
        Ok(request)
    }

    fn read_document(&self, response: &Response, id: &DocumentId, peer: &str) -> Result<ReadOutcome, Failure> {
        match (response.status, response.completeness) {
            (200, Completeness::Complete) => {
                let document = own_members::read(&ARANGODB, &response.body, ("_key", &key::key(id)), peer)?;
                Ok(ReadOutcome::new(Some(document)))
            }
            (404, Completeness::Complete) if ErrorBody::of(response).is_some_and(|body| body.number == NO_DOCUMENT) => {
                Ok(ReadOutcome::new(None))
            }
            _ => Err(self.failure(response, Operation::Read, peer)),
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
