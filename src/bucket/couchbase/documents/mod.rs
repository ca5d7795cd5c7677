//! The document endpoint of the cluster manager: `GET …/docs/{id}`, for clusters without a query service.
//!
//! The endpoint is the document editor's of the console, not part of the documented REST API: versions may change it.
//! `answer` reads what comes back.
//!
//! Invariant: pure. No message of the server gets into an error or a log line.

mod answer;

use super::product::{COUCHBASE, Target};
use super::service::Service;
use crate::bucket::BucketError;
use crate::bucket::rest::path_segment::segment;
use crate::bucket::rest::{Call, Completeness, Failure, Product, Protocol, ReadOutcome, Request, Response};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};

/// How many times as long as itself a document can be in the string that brings it: quotes, backslashes and line
/// breaks take two bytes for one, and old servers write what is not ASCII as `\uXXXX`, six bytes for two. (A JSON text
/// holds no other control characters.)
const MOST_ESCAPED: usize = 3;

/// What a response holds besides the document, in bytes: its `meta`, and its extended attributes, which have 1 MiB at
/// most but may be escaped as well.
const ENVELOPE_BYTES: usize = 4 * 1024 * 1024;

/// [`Protocol`] of the document endpoint.
pub struct Documents {
    target: Target,
    /// The path of a document, up to its id.
    folder: String,
}

impl Documents {
    /// The documents of one keyspace.
    #[must_use]
    pub fn new(target: Target) -> Self {
        let keyspace = &target.keyspace;
        let bucket = segment(keyspace.bucket());
        let folder = if keyspace.is_default() {
            // Servers before 7.0 know no other.
            format!("/pools/default/buckets/{bucket}/docs/")
        } else {
            let (scope, collection) = (segment(keyspace.scope()), segment(keyspace.collection()));
            format!("/pools/default/buckets/{bucket}/scopes/{scope}/collections/{collection}/docs/")
        };
        Self { target, folder }
    }
}

impl Protocol for Documents {
    fn product(&self) -> &'static Product {
        &COUCHBASE
    }

    fn service(&self) -> &'static str {
        Service::Manager.name()
    }

    fn get_request(&self, id: &DocumentId, _: &Call) -> Result<Request, BucketError> {
        Ok(Request::get(format!("{}{}", self.folder, segment(id.as_str()))))
    }

    fn read_document(&self, response: &Response, id: &DocumentId, peer: &str) -> Result<ReadOutcome, Failure> {
        match response.completeness {
            Completeness::Complete => answer::read(response.status, &response.body, id, peer, &self.target),
            Completeness::Truncated => Err(COUCHBASE.overlong(response.status, &response.body, peer)),
        }
    }

    fn max_response_bytes(&self) -> usize {
        MOST_ESCAPED * MAX_DOCUMENT_BYTES + ENVELOPE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bucket::Trace;
    use crate::bucket::couchbase::keyspace::Keyspace;
    use crate::model::Username;

    #[test]
    fn the_path_names_the_collection_unless_it_is_the_default_one() {
        for (bucket, scope, collection, username, expected) in [
            ("b", "_default", "_default", "a", "/pools/default/buckets/b/docs/userprofile%3A%3Aa"),
            ("a.b%c", "_default", "_default", "..", "/pools/default/buckets/a.b%25c/docs/userprofile%3A%3A.."),
            (
                "b",
                "_default",
                "c%",
                "a+b/c %é",
                "/pools/default/buckets/b/scopes/_default/collections/c%25/docs/userprofile%3A%3Aa%2Bb%2Fc%20%25%C3%A9",
            ),
            (
                "travel-sample",
                "people",
                "_default",
                "x",
                "/pools/default/buckets/travel-sample/scopes/people/collections/_default/docs/userprofile%3A%3Ax",
            ),
        ] {
            let keyspace = Keyspace::new(bucket, scope, collection);
            let documents = Documents::new(Target { keyspace, username: None });
            let id = DocumentId::of(&Username::parse(username).unwrap());
            let call = Call { left: Duration::from_secs(1), trace: &Trace::default() };
            assert_eq!(documents.get_request(&id, &call).unwrap(), Request::get(expected));
        }
    }
}
