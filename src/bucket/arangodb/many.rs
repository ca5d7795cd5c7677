//! Several documents in one exchange: `PUT …/document/{collection}?onlyget=true` with an array of keys.
//!
//! It answers with one item for each key, in their order: a document, or an error. An AQL query could read them too, but would
//! leave out what is missing without a word.
//!
//! Invariant: pure; a document is believed only by its own `_key`. Nothing is ever replaced, even if somebody on the way drops
//! `onlyget`: a key is a string, and no document.

use serde_json::json;
use serde_json::value::RawValue;

use super::meaning::{self, ErrorBody};
use super::product::ARANGODB;
use super::{Arangodb, NO_DOCUMENT, key, queue_time};
use crate::bucket::remote::halves;
use crate::bucket::rest::json_text::JsonText;
use crate::bucket::rest::{Call, Completeness, Failure, Many, ManyOutcome, Operation, Request, Response, own_members};
use crate::bucket::{BucketError, Document, Members};
use crate::model::DocumentId;

impl Many for Arangodb {
    fn get_many_request(&self, ids: &[DocumentId], call: &Call) -> Result<Request, BucketError> {
        let keys: Vec<String> = ids.iter().map(key::key).collect();
        let body = json!(keys).to_string().into_bytes();
        let mut request = Request::put(format!("{}?onlyget=true", self.documents), body);
        request.fields.push(queue_time(call));
        Ok(request)
    }

    fn read_documents(&self, response: &Response, ids: &[DocumentId], peer: &str) -> Result<ManyOutcome, Failure> {
        match (response.status, response.completeness) {
            (200, Completeness::Complete) => {}
            (200, Completeness::Truncated) => return Err(Failure::too_large()),
            _ => return Err(self.failure(response, Operation::Read, peer)),
        }
        let text = JsonText::of(&response.body);
        let items: Vec<&RawValue> = serde_json::from_str(text.as_str())
            .map_err(|error| ARANGODB.unreadable(200, &error, &response.body, peer))?;
        if items.len() != ids.len() {
            return Err(Failure::not_what_was_asked(peer, "it sent another number of documents than of keys"));
        }
        let outcomes = ids.iter().zip(items).map(|(id, item)| halves::outcome(self.found(id, item.get(), peer)));
        outcomes.collect::<Result<_, _>>().map(ManyOutcome::new)
    }
}

impl Arangodb {
    fn found(&self, id: &DocumentId, item: &str, peer: &str) -> Result<Option<Document>, Failure> {
        let members = Members::parse(item).map_err(|_| ARANGODB.status_failure(200, peer))?;
        // A document may have members of an error; only a document has a revision.
        if members.get("_rev").is_some() {
            return own_members::document(&members, ("_key", &key::key(id)), peer).map(Some);
        }
        match serde_json::from_str::<ErrorBody>(item) {
            Ok(ErrorBody { number: NO_DOCUMENT }) => Ok(None),
            Ok(ErrorBody { number }) => Err(meaning::of_number(200, number, Operation::Read, peer, &self.target)),
            Err(_) => Err(Failure::not_what_was_asked(peer, "an item is neither a document nor an error")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::protocol;
    use super::*;
    use crate::bucket::rest::test_tables::{check_many, get_many_request, response};

    #[test]
    fn each_answer_of_the_tables_means_what_it_says() {
        check_many(&protocol(), include_str!("../../../tests/data/arangodb.json"), "arangodb");
    }

    #[test]
    fn the_body_has_keys_and_the_request_the_time_that_is_left() {
        let asked = get_many_request(&protocol(), &["a b", "é"]);
        let body = r#"["userprofile::a=20b","userprofile::=C3=A9"]"#;
        assert_eq!(asked, format!("/_db/profiles/_api/document/users?onlyget=true {body}"));
    }

    #[test]
    fn what_is_too_long_is_asked_for_in_halves() {
        let mut long = response(200, None, r#"[{"_key":"#);
        long.completeness = Completeness::Truncated;
        assert_eq!(protocol().read_documents(&long, &[], "the peer").err(), Some(Failure::too_large()));
    }
}
