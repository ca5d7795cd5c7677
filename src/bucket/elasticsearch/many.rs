//! Several documents in one exchange: `_mget` with their ids, for lists too.
//!
//! It answers with one item for each id, in their order, and always with HTTP status 200: what is wrong with the index is said
//! once for each document. Like a single read it is realtime, so that it finds what was just stored.
//!
//! Invariant: pure; a document is believed, and missed, only by the id that came with it.

use serde::Deserialize;
use serde_json::json;

use super::meaning::{self, TypedError};
use super::{Elasticsearch, Hit, document};
use crate::bucket::remote::halves;
use crate::bucket::rest::json_text::JsonText;
use crate::bucket::rest::{Call, Failure, Many, ManyOutcome, Operation, Request, Response};
use crate::bucket::{BucketError, Document};
use crate::model::DocumentId;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    docs: Vec<Hit<'a>>,
}

impl Many for Elasticsearch {
    fn get_many_request(&self, ids: &[DocumentId], _: &Call) -> Result<Request, BucketError> {
        Ok(self.mget(ids.iter().map(DocumentId::as_str)))
    }

    fn read_documents(&self, response: &Response, ids: &[DocumentId], peer: &str) -> Result<ManyOutcome, Failure> {
        let text = JsonText::of(&response.body);
        let of_error = |error: &TypedError| {
            let kind = error.decisive_kind();
            meaning::of_type(meaning::status_of(kind), kind, Operation::Read, peer, &self.index)
        };
        let found = self.found(response, &text, Operation::Read, ids.len(), peer);
        let found = found.map_err(|failure| meaning::of_several(failure, response.status))?;
        let outcomes = ids
            .iter()
            .zip(&found)
            .map(|(id, hit)| halves::outcome(self.of_hit(id.as_str(), hit, &text, peer, of_error)));
        outcomes.collect::<Result<_, _>>().map(ManyOutcome::new)
    }
}

impl Elasticsearch {
    /// The request that reads the documents with these ids.
    pub(super) fn mget<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Request {
        let ids: Vec<&str> = ids.collect();
        Request::post(format!("{}/_mget", self.path), json!({"ids": ids}).to_string().into_bytes())
    }

    /// The items of the response to it: as many as ids were asked for.
    pub(super) fn found<'a>(
        &self,
        response: &Response,
        text: &'a JsonText,
        operation: Operation,
        asked: usize,
        peer: &str,
    ) -> Result<Vec<Hit<'a>>, Failure> {
        let Answer { docs } = self.read(response, text, operation, peer)?;
        if docs.len() == asked {
            Ok(docs)
        } else {
            Err(Failure::not_what_was_asked(peer, "another number of documents"))
        }
    }

    /// What one item says of the document that was asked for. `of_error` is what an error means that came in its place.
    pub(super) fn of_hit(
        &self,
        asked: &str,
        hit: &Hit,
        text: &JsonText,
        peer: &str,
        of_error: impl Fn(&TypedError) -> Failure,
    ) -> Result<Option<Document>, Failure> {
        if let Some(error) = hit.error.and_then(|error| serde_json::from_str::<TypedError>(error.get()).ok()) {
            return Err(of_error(&error));
        }
        match (hit.id.as_deref(), hit.found, hit.source) {
            (Some(id), _, _) if id != asked => Err(Failure::not_what_was_asked(peer, "another document")),
            (Some(_), Some(false), _) => Ok(None),
            (Some(_), Some(true), Some(source)) => document(text, source).map(Some),
            (Some(_), Some(true), None) => Err(self.no_source(peer)),
            _ => Err(Failure::not_what_was_asked(peer, "neither a document nor that there is none")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::protocol;
    use super::*;
    use crate::bucket::rest::Completeness;
    use crate::bucket::rest::test_tables::{check_many, get_many_request, response};

    #[test]
    fn each_answer_of_the_tables_means_what_it_says() {
        check_many(&protocol(), include_str!("../../../tests/data/elasticsearch.json"), "elasticsearch");
    }

    #[test]
    fn ids_are_values_of_the_body() {
        let asked = get_many_request(&protocol(), &["a\"b", "é/+ %"]);
        assert_eq!(asked, r#"/profiles/_mget {"ids":["userprofile::a\"b","userprofile::é/+ %"]}"#);
    }

    #[test]
    fn what_is_too_long_is_asked_for_in_halves() {
        let mut long = response(200, None, r#"{"docs":[{"#);
        long.completeness = Completeness::Truncated;
        assert_eq!(protocol().read_documents(&long, &[], "the peer").err(), Some(Failure::too_large()));
    }

    #[test]
    fn who_may_read_one_document_and_not_several_learns_why() {
        let refusal = response(403, None, r#"{"error":{"type":"security_exception"},"status":403}"#);
        let reason = protocol().read_documents(&refusal, &[], "the peer").err().unwrap().error.reason();
        assert!(reason.contains("privilege read") && reason.contains("indices:data/read/mget"), "{reason}");
    }
}
