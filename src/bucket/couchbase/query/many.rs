//! Several documents by one statement: `SELECT … USE KEYS` with an array of keys.
//!
//! The engine returns one row for each key that it finds, in any order, and none for the others.
//!
//! Invariant: pure. The ids travel as the named argument `$ids`; a row is believed only by the id in it.

use serde::Serialize;

use super::parameters::{self, StatementKind};
use super::{Query, answer};
use crate::bucket::BucketError;
use crate::bucket::couchbase::product::COUCHBASE;
use crate::bucket::rest::{Call, Completeness, Failure, Many, ManyOutcome, Request, Response};
use crate::model::DocumentId;

#[derive(Serialize)]
struct Arguments<'a> {
    #[serde(rename = "$ids")]
    ids: Vec<&'a str>,
}

impl Many for Query {
    fn get_many_request(&self, ids: &[DocumentId], call: &Call) -> Result<Request, BucketError> {
        let arguments = Arguments { ids: ids.iter().map(DocumentId::as_str).collect() };
        let mut body = Vec::new();
        parameters::write(&mut body, &self.select_many, &arguments, StatementKind::Read, call);
        Ok(Request::post(super::PATH, body))
    }

    fn read_documents(&self, response: &Response, ids: &[DocumentId], peer: &str) -> Result<ManyOutcome, Failure> {
        match response.completeness {
            Completeness::Complete => answer::read_many(response.status, &response.body, ids, peer, &self.target),
            Completeness::Truncated => Err(COUCHBASE.overlong(response.status, &response.body, peer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::couchbase::keyspace::Keyspace;
    use crate::bucket::couchbase::product::Target;
    use crate::bucket::rest::test_tables::{check_many, get_many_request, id, response};

    fn protocol() -> Query {
        Query::new(Target { keyspace: Keyspace::new("b", "s", "c"), username: Some("reader".to_owned()) })
    }

    #[test]
    fn each_answer_of_the_table_means_what_it_says() {
        check_many(&protocol(), "[]", "couchbase");
    }

    #[test]
    fn the_body_is_one_json_object_with_the_ids_as_strings() {
        assert_eq!(
            get_many_request(&protocol(), &["4\"2\\é", "b"]),
            concat!(
                "/query/service ",
                r#"{"statement":"SELECT META(d).id AS id, META(d).cas AS cas, META(d).type AS kind, d AS doc "#,
                r#"FROM `b`.`s`.`c` AS d USE KEYS $ids","$ids":["userprofile::4\"2\\é","userprofile::b"],"readonly":true,"#,
                r#""timeout":"1400ms","pretty":false,"metrics":true,"signature":false}"#,
            )
        );
    }

    #[test]
    fn warnings_and_details_are_kept() {
        let body = r#"{"results":[],"warnings":[{"code":5503}],"status":"success","metrics":{"elapsedTime":"3ms"}}"#;
        let found =
            protocol().read_documents(&response(200, None, body), &[id("a"), id("b")], "the peer").ok().unwrap();
        assert_eq!(found.found.len(), 2);
        assert_eq!(found.warnings.first().map(|warning| warning.code), Some(5503));
        assert_eq!(found.details.elapsed, Some(std::time::Duration::from_millis(3)));
        let row = r#"{"results":[{"id":"x","doc":1}],"status":"success","metrics":{"elapsedTime":"3ms"}}"#;
        let failure = protocol().read_documents(&response(200, None, row), &[id("a")], "the peer").err().unwrap();
        assert_eq!(failure.details.elapsed, Some(std::time::Duration::from_millis(3)));
    }

    #[test]
    fn what_is_too_long_is_asked_for_in_halves() {
        let mut long = response(200, None, r#"{"requestID":"#);
        long.completeness = Completeness::Truncated;
        assert_eq!(protocol().read_documents(&long, &[], "the peer").err(), Some(Failure::too_large()));
    }
}
