//! What is asked: the statement of a read, and the JSON body that carries it.
//!
//! Invariant: pure; the statement's text comes from the settings alone. A document's id never becomes part of it: it
//! travels as the named argument `$id`, always as a JSON string (anything else looks like a missing user: facts of the
//! engine, warning 4998).

use serde::Serialize;

use super::parameters::{self, StatementKind};
use crate::bucket::couchbase::keyspace::Keyspace;
use crate::bucket::rest::Call;
use crate::model::DocumentId;

/// The statement that reads one document by its id. It needs no index: `USE KEYS` is one key-value read.
///
/// `META(d).type` is asked for because a binary value comes as a placeholder text that looks like a JSON string. Nothing
/// reads the CAS: this is the statement that was tried on real engines, to the letter.
#[must_use]
pub fn statement(keyspace: &Keyspace) -> String {
    use_keys(keyspace, "$id")
}

/// The same for several documents, whose ids are an array.
#[must_use]
pub fn statement_for_many(keyspace: &Keyspace) -> String {
    use_keys(keyspace, "$ids")
}

fn use_keys(keyspace: &Keyspace, keys: &str) -> String {
    format!(
        "SELECT META(d).id AS id, META(d).cas AS cas, META(d).type AS kind, d AS doc FROM {keyspace} AS d USE KEYS {keys}"
    )
}

#[derive(Serialize)]
struct Arguments<'a> {
    #[serde(rename = "$id")]
    id: &'a str,
}

/// The body of a read.
#[must_use]
pub fn request(statement: &str, id: &DocumentId, call: &Call) -> Vec<u8> {
    let mut body = Vec::new();
    parameters::write(&mut body, statement, &Arguments { id: id.as_str() }, StatementKind::Read, call);
    body
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bucket::Trace;
    use crate::model::Username;

    #[test]
    fn the_default_collection_is_the_bucket_alone_and_any_other_has_three_parts() {
        for (bucket, scope, collection, text) in [
            ("bucket_name", "_default", "_default", "`bucket_name`"),
            ("travel-sample", "inventory", "airline", "`travel-sample`.`inventory`.`airline`"),
            ("a.b%c", "_default", "people", "`a.b%c`.`_default`.`people`"),
            ("b", "s", "_default", "`b`.`s`.`_default`"),
        ] {
            let keyspace = Keyspace::new(bucket, scope, collection);
            assert_eq!(keyspace.to_string(), text);
            assert!(statement(&keyspace).ends_with(&format!("d AS doc FROM {text} AS d USE KEYS $id")));
            assert_eq!(statement_for_many(&keyspace), format!("{}s", statement(&keyspace)));
        }
    }

    #[test]
    fn the_body_is_one_json_object_with_the_id_as_a_string() {
        let id = DocumentId::of(&Username::parse("4\"2\\é").unwrap());
        let trace = Trace::of("request-1", None);
        let body = request("SELECT 1", &id, &Call { left: Duration::from_secs(30), trace: &trace });
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"statement":"SELECT 1","$id":"userprofile::4\"2\\é","readonly":true,"timeout":"29900ms","client_context_id":"request-1","pretty":false,"metrics":true,"signature":false}"#
        );
    }
}
