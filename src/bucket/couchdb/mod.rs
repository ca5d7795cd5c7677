//! `CouchDB`: `GET /{database}/{id}`, and `_all_docs` and `_bulk_docs` for many documents.
//!
//! A document has members of the product's own (`_id`, `_rev` and others that begin with `_`), which are not part of what was
//! stored. `product` has the names and the sentences, `meaning` what its errors mean, `many` reads several documents, and
//! `batches` stores and lists.
//!
//! Invariant: pure, and strict about absence: a document is missing only where CouchDB says so in its own words. Any other
//! 404 is about the database or the address.

mod batches;
mod many;
mod meaning;
mod product;
#[cfg(test)]
mod tests;

use meaning::ErrorBody;
use product::{COUCHDB, Target};

use super::BucketError;
use super::remote::check::{CodeStep, CodeSteps};
use super::rest::own_members;
use super::rest::path_segment::segment;
use super::rest::{
    Batches, Call, Completeness, Failure, LoginConfig, Many, Product, Protocol, ReadOutcome, Request, Response,
    RestDriver, plan,
};
use crate::config::{CouchdbSettings, DatabaseName};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};

/// What a response holds besides its document, in bytes: `_id`, `_rev`, and the names of attachments.
const ENVELOPE_BYTES: usize = 1024 * 1024;

/// The driver of `CouchDB`.
pub static DRIVER: RestDriver = RestDriver {
    name: DatabaseName::Couchdb,
    protocol: |settings| Box::new(Couchdb::new(&settings.couchdb)),
    plan: |settings| {
        let CouchdbSettings { database, rest } = &settings.couchdb;
        plan(&format!("the database {database:?}"), LoginConfig::from(&rest.login), rest)
    },
    steps: |settings| {
        let database = &settings.couchdb.database;
        CodeSteps::new(vec![
            CodeStep { name: "database", codes: &["not_found"], passed: format!("{database:?} is there") },
            CodeStep {
                name: "role",
                codes: &["forbidden", "unauthorized"],
                passed: format!("{database:?} may be read"),
            },
        ])
    },
};

/// [`Protocol`] of `CouchDB`.
pub struct Couchdb {
    target: Target,
    /// The path of the database.
    path: String,
}

impl Couchdb {
    /// The documents of one database.
    #[must_use]
    pub fn new(settings: &CouchdbSettings) -> Self {
        let target = Target::new(settings);
        Self { path: format!("/{}", segment(&target.database)), target }
    }

    fn failure(&self, response: &Response, peer: &str) -> Failure {
        match response.completeness {
            Completeness::Complete => meaning::failure(response, peer, &self.target),
            Completeness::Truncated => COUCHDB.overlong(response.status, &response.body, peer),
        }
    }
}

impl Protocol for Couchdb {
    fn product(&self) -> &'static Product {
        &COUCHDB
    }

    fn service(&self) -> &'static str {
        "CouchDB"
    }

    fn get_request(&self, id: &DocumentId, _: &Call) -> Result<Request, BucketError> {
        Ok(Request::get(format!("{}/{}", self.path, segment(id.as_str()))))
    }

    fn read_document(&self, response: &Response, id: &DocumentId, peer: &str) -> Result<ReadOutcome, Failure> {
        match (response.status, response.completeness) {
            (200, Completeness::Complete) => {
                let document = own_members::read(&COUCHDB, &response.body, ("_id", id.as_str()), peer)?;
                Ok(ReadOutcome::new(Some(document)))
            }
            (404, Completeness::Complete) if ErrorBody::of(response).is_some_and(|body| body.is_missing_document()) => {
                Ok(ReadOutcome::new(None))
            }
            _ => Err(self.failure(response, peer)),
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
