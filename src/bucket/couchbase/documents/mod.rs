//! The document endpoint of the cluster manager: `GET …/docs/{id}`, for clusters without a query service.
//!
//! The endpoint is the document editor's of the console, not part of the documented REST API: versions may change it.
//! `answer` reads what comes back, and `text` the text of the document in it.
//!
//! Invariant: pure. No message of the server gets into an error or a log line.

mod answer;
mod text;

use std::time::Duration;

use super::keyspace::Keyspace;
use super::path::segment;
use super::query::meaning::Target;
use super::status;
use super::transport::{Extent, Reply};
use super::way::{Method, Reading, Request, Service, Way};
use crate::bucket::{BucketError, Trace};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};

/// How many times as long as itself a document can be in the string that brings it: quotes, backslashes and line
/// breaks take two bytes for one, and old servers write what is not ASCII as `\uXXXX`, six bytes for two. (A JSON text
/// holds no other control characters.)
const MOST_ESCAPED: usize = 3;

/// What stands beside the document, in bytes: its `meta`, and its extended attributes, which have 1 MiB at most but may
/// be escaped as well.
const ENVELOPE_BYTES: usize = 4 * 1024 * 1024;

/// [`Way`] over the document endpoint.
pub struct DocumentsWay {
    target: Target,
    /// The path of a document, up to its id.
    folder: String,
}

impl DocumentsWay {
    /// A way to the documents of one keyspace. `username` is who asks, for the sentences of errors.
    #[must_use]
    pub fn new(keyspace: Keyspace, username: Option<String>) -> Self {
        let bucket = segment(keyspace.bucket());
        let folder = if keyspace.is_default() {
            // Servers before 7.0 know no other.
            format!("/pools/default/buckets/{bucket}/docs/")
        } else {
            let (scope, collection) = (segment(keyspace.scope()), segment(keyspace.collection()));
            format!("/pools/default/buckets/{bucket}/scopes/{scope}/collections/{collection}/docs/")
        };
        Self { target: Target { keyspace, username }, folder }
    }
}

impl Way for DocumentsWay {
    fn service(&self) -> Service {
        Service::Manager
    }

    fn service_name(&self) -> &'static str {
        "the cluster manager"
    }

    fn read_request(&self, id: &DocumentId, _: Duration, _: &Trace) -> Result<Request, BucketError> {
        let path = format!("{}{}", self.folder, segment(id.as_str()));
        Ok(Request { method: Method::Get, path, fields: Vec::new() })
    }

    fn max_reply_bytes(&self) -> usize {
        MOST_ESCAPED * MAX_DOCUMENT_BYTES + ENVELOPE_BYTES
    }

    fn warning(&self, _: i64) -> &'static str {
        "the cluster manager gives no warnings"
    }

    fn read_reply(&self, reply: &Reply, id: &DocumentId, peer: &str) -> Reading {
        Reading::plain(match reply.extent {
            Extent::Whole => answer::read(reply.status, &reply.body, id, peer, &self.target),
            Extent::OverLimit => Err(status::overlong(reply.status, &reply.body, peer)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let way = DocumentsWay::new(Keyspace::new(bucket, scope, collection).unwrap(), None);
            let id = DocumentId::of(&Username::parse(username).unwrap());
            let request = way.read_request(&id, Duration::from_secs(1), &Trace::default()).unwrap();
            assert_eq!(request, Request { method: Method::Get, path: expected.to_owned(), fields: Vec::new() });
        }
    }
}
