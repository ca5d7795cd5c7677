//! Several documents in one exchange: `POST /{database}/_all_docs` with their ids as keys.
//!
//! It answers with one row for each key, in the order of the keys; a row whose document was deleted has `null` in its place.
//!
//! Invariant: pure; a document is believed only by its own `_id`.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::Couchdb;
use super::meaning::row_failure;
use super::product::COUCHDB;
use crate::bucket::remote::halves;
use crate::bucket::rest::json_text::{JsonText, present};
use crate::bucket::rest::{Call, Completeness, Failure, Many, ManyOutcome, Request, Response, own_members};
use crate::bucket::{BucketError, Document, Members};
use crate::model::DocumentId;

#[derive(Deserialize)]
struct Rows<'a> {
    #[serde(borrow)]
    rows: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    key: String,
    #[serde(borrow, default, deserialize_with = "present")]
    doc: Option<&'a RawValue>,
    error: Option<String>,
}

impl Many for Couchdb {
    fn get_many_request(&self, ids: &[DocumentId], _: &Call) -> Result<Request, BucketError> {
        let keys: Vec<&str> = ids.iter().map(DocumentId::as_str).collect();
        let body = json!({"keys": keys}).to_string().into_bytes();
        Ok(Request::post(format!("{}/_all_docs?include_docs=true", self.path), body))
    }

    fn read_documents(&self, response: &Response, ids: &[DocumentId], peer: &str) -> Result<ManyOutcome, Failure> {
        if (response.status, response.completeness) != (200, Completeness::Complete) {
            return Err(self.failure(response, peer));
        }
        let text = JsonText::of(&response.body);
        let Rows { rows } = serde_json::from_str(text.as_str())
            .map_err(|error| COUCHDB.unreadable(200, &error, &response.body, peer))?;
        if rows.len() != ids.len() {
            return Err(Failure::not_what_was_asked(peer, "it sent another number of rows than of keys"));
        }
        let outcomes = ids.iter().zip(&rows).map(|(id, row)| halves::outcome(self.found(id, row, peer)));
        outcomes.collect::<Result<_, _>>().map(ManyOutcome::new)
    }
}

impl Couchdb {
    fn found(&self, id: &DocumentId, row: &Row, peer: &str) -> Result<Option<Document>, Failure> {
        if row.key != id.as_str() {
            return Err(Failure::not_what_was_asked(peer, "its rows are not those of the keys that were asked for"));
        }
        match (row.doc.map(RawValue::get), row.error.as_deref()) {
            (None, Some("not_found")) | (Some("null"), None) => Ok(None),
            (Some(text), None) => {
                let members = Members::parse(text).map_err(|_| COUCHDB.status_failure(200, peer))?;
                own_members::document(&members, ("_id", id.as_str()), peer).map(Some)
            }
            (_, Some(error)) => Err(row_failure(error, peer, &self.target)),
            (None, None) => Err(Failure::not_what_was_asked(peer, "a row has no document, and no reason why")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::protocol;
    use super::*;
    use crate::bucket::rest::test_tables::{check_many, response};

    #[test]
    fn each_answer_of_the_tables_means_what_it_says() {
        check_many(&protocol(), include_str!("../../../tests/data/couchdb.json"), "couchdb");
    }

    #[test]
    fn ids_are_keys_of_the_body() {
        let asked = crate::bucket::rest::test_tables::get_many_request(&protocol(), &["a\"b", "é/+ %"]);
        assert_eq!(
            asked,
            r#"/profiles/_all_docs?include_docs=true {"keys":["userprofile::a\"b","userprofile::é/+ %"]}"#
        );
    }

    #[test]
    fn what_is_too_long_is_asked_for_in_halves() {
        let mut long = response(200, None, r#"{"total_rows":1,"offset":0,"rows":["#);
        long.completeness = Completeness::Truncated;
        let failure = protocol().read_documents(&long, &[], "the peer").err();
        assert_eq!(failure, Some(Failure::too_large()));
    }
}
