//! Elasticsearch and `OpenSearch`: `GET /{index}/_doc/{id}`, and `_bulk`, scrolls and `_mget` for many documents.
//!
//! Both are asked in the same way; neither has to say which it is. `product` has the names and the sentences, `meaning` what
//! errors mean, `many` reads several documents, and `batches` stores and lists.
//!
//! Invariant: pure, and strict about absence: a document is missing only where `found` is false beside its id. Any other 404
//! is about the index or the address.

mod batches;
mod many;
mod meaning;
mod product;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::remote::check::{CodeStep, CodeSteps};
use super::rest::json_text::JsonText;
use super::rest::path_segment::segment;
use super::rest::{
    Batches, Call, Completeness, Failure, LoginConfig, Many, Operation, Product, Protocol, ReadOutcome, Request,
    Response, RestDriver, Scheme, plan,
};
use super::{BucketError, Document};
use crate::config::{DatabaseName, ElasticsearchSettings};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};
use product::ELASTICSEARCH;

/// What a response holds besides its document, in bytes: names and numbers.
const ENVELOPE_BYTES: usize = 64 * 1024;

/// The driver of Elasticsearch and `OpenSearch`.
pub static DRIVER: RestDriver = RestDriver {
    name: DatabaseName::Elasticsearch,
    protocol: |settings| Box::new(Elasticsearch::new(&settings.elasticsearch)),
    plan: |settings| {
        let ElasticsearchSettings { index, rest, .. } = &settings.elasticsearch;
        plan(&format!("the index {index:?}"), login(&settings.elasticsearch), rest)
    },
    steps: |settings| {
        let index = &settings.elasticsearch.index;
        CodeSteps::new(vec![
            CodeStep { name: "role", codes: &["security_exception"], passed: format!("{index:?} may be read") },
            CodeStep {
                name: "index",
                codes: &[
                    "index_not_found_exception",
                    "index_closed_exception",
                    "illegal_argument_exception",
                    "routing_missing_exception",
                    "cluster_block_exception",
                ],
                passed: format!("{index:?} is there"),
            },
        ])
    },
};

/// A key, if there is one, in place of user and password.
fn login(settings: &ElasticsearchSettings) -> LoginConfig {
    match &settings.api_key {
        Some(key) => {
            LoginConfig { scheme: Scheme::ApiKey, secret: Some(key.clone()), source: settings.api_key_source.clone() }
        }
        None => LoginConfig::from(&settings.rest.login),
    }
}

/// [`Protocol`] of both products.
pub struct Elasticsearch {
    index: String,
    /// The path of the index.
    path: String,
}

/// The members of a response that holds one document. `_type`, versions and sequence numbers come and go with the product.
#[derive(Deserialize)]
struct Hit<'a> {
    #[serde(borrow, rename = "_id")]
    id: Option<Cow<'a, str>>,
    found: Option<bool>,
    #[serde(borrow, rename = "_source")]
    source: Option<&'a RawValue>,
    /// Where the document was stored, if not by its id.
    #[serde(borrow, rename = "_routing")]
    routing: Option<&'a RawValue>,
    /// Of a document among others.
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl Elasticsearch {
    /// The documents of one index.
    #[must_use]
    pub fn new(settings: &ElasticsearchSettings) -> Self {
        Self { index: settings.index.clone(), path: format!("/{}", segment(&settings.index)) }
    }

    fn request(&self, id: &DocumentId) -> Request {
        Request::get(format!("{}/_doc/{}", self.path, segment(id.as_str())))
    }

    fn failure(&self, response: &Response, operation: Operation, peer: &str) -> Failure {
        meaning::failure(response, operation, peer, &self.index)
    }

    /// A whole success with a body of this kind.
    fn read<'a, T: Deserialize<'a>>(
        &self,
        response: &Response,
        text: &'a JsonText,
        operation: Operation,
        peer: &str,
    ) -> Result<T, Failure> {
        match (response.status, response.completeness) {
            (200, Completeness::Complete) => serde_json::from_str(text.as_str())
                .map_err(|error| ELASTICSEARCH.unreadable(200, &error, &response.body, peer)),
            (200, Completeness::Truncated) => Err(Failure::too_large()),
            _ => Err(self.failure(response, operation, peer)),
        }
    }

    fn no_source(&self, peer: &str) -> Failure {
        Failure::lasting(BucketError::misconfigured(format!(
            "{peer} does not keep the documents of the index {:?}, because its mapping has \"_source\": {{\"enabled\": false}}; \
             set [elasticsearch] index to one that keeps them",
            self.index
        )))
    }
}

impl Protocol for Elasticsearch {
    fn product(&self) -> &'static Product {
        &ELASTICSEARCH
    }

    fn service(&self) -> &'static str {
        "Elasticsearch or OpenSearch"
    }

    fn get_request(&self, id: &DocumentId, _: &Call) -> Result<Request, BucketError> {
        Ok(self.request(id))
    }

    fn read_document(&self, response: &Response, id: &DocumentId, peer: &str) -> Result<ReadOutcome, Failure> {
        let is_hit = matches!(response.status, 200 | 404) && response.completeness == Completeness::Complete;
        let text = JsonText::of(&response.body);
        // An error has no `found`.
        let hit = is_hit.then(|| serde_json::from_str::<Hit>(text.as_str()).ok()).flatten();
        let Some(Hit { id: found_id, found: Some(found), source, error: None, .. }) = hit else {
            return Err(self.failure(response, Operation::Read, peer));
        };
        if found_id.as_deref() != Some(id.as_str()) {
            return Err(Failure::not_what_was_asked(peer, "its document does not have the id that was asked for"));
        }
        match (response.status, found) {
            (404, false) => Ok(ReadOutcome::new(None)),
            (200, true) => {
                let document = source.ok_or_else(|| self.no_source(peer)).and_then(|source| document(&text, source))?;
                Ok(ReadOutcome::new(Some(document)))
            }
            (status, _) => Err(ELASTICSEARCH.status_failure(status, peer)),
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

/// What is stored, byte for byte.
fn document(text: &JsonText, source: &RawValue) -> Result<Document, Failure> {
    let bytes = text.original(source.get());
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(Failure::too_large());
    }
    Ok(Document::new(bytes.to_vec()))
}
