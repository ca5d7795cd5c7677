//! What is asked: the statement of a read, and the JSON body that carries it.
//!
//! Invariant: pure; the statement's text comes from the settings alone. A document's id never becomes part of it: it
//! travels as the named argument `$id`, always as a JSON string (anything else looks like a missing user: facts of the
//! engine, warning 4998).

use std::time::Duration;

use serde::Serialize;

use crate::bucket::couchbase::keyspace::Keyspace;
use crate::model::DocumentId;

/// Longest `client_context_id`, in bytes: the engine cuts what is longer.
const MAX_CONTEXT_ID_BYTES: usize = 64;

/// The engine stops this much before our own deadline, so that its word for it can still reach us.
const LONGEST_GRACE: Duration = Duration::from_millis(100);

/// The statement that reads one document by its id. It needs no index: `USE KEYS` is one key-value read.
///
/// `META(d).type` is asked for because a binary value comes as a placeholder text that looks like a JSON string.
#[must_use]
pub fn select(keyspace: &Keyspace) -> String {
    format!(
        "SELECT META(d).id AS id, META(d).cas AS cas, META(d).type AS kind, d AS doc FROM {keyspace} AS d USE KEYS $id"
    )
}

/// The parameters of a request, by the names that the engine has for them. It refuses any that it does not know.
#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "they are truth values on the wire")]
struct Parameters<'a> {
    statement: &'a str,
    #[serde(rename = "$id")]
    id: &'a str,
    readonly: bool,
    timeout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_context_id: Option<&'a str>,
    pretty: bool,
    metrics: bool,
    signature: bool,
}

/// The body of a read that has `left` until its deadline. `context_id` is an id that the engine's own logs show; one
/// that the engine would refuse is left out.
#[must_use]
pub fn read_request(statement: &str, id: &DocumentId, left: Duration, context_id: Option<&str>) -> Vec<u8> {
    let parameters = Parameters {
        statement,
        id: id.as_str(),
        readonly: true,
        timeout: server_timeout(left),
        client_context_id: context_id.filter(|id| is_context_id(id)),
        pretty: false,
        // How long the service itself took is what tells a slow service from a slow network.
        metrics: true,
        signature: false,
    };
    // Strings and truth values: there is nothing in it that serde_json can fail on.
    serde_json::to_vec(&parameters).unwrap_or_default()
}

/// How long the engine may work, with a unit, which old servers insist on; at least a millisecond, because zero would
/// mean no limit.
pub(super) fn server_timeout(left: Duration) -> String {
    let grace = (left / 10).min(LONGEST_GRACE);
    format!("{}ms", left.saturating_sub(grace).as_millis().max(1))
}

pub(super) fn is_context_id(id: &str) -> bool {
    (1..=MAX_CONTEXT_ID_BYTES).contains(&id.len())
        && !id.chars().any(|character| character.is_control() || character == '"' || character == '\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Username;

    #[test]
    fn the_default_collection_is_the_bucket_alone_and_any_other_has_three_parts() {
        for (bucket, scope, collection, text) in [
            ("bucket_name", "_default", "_default", "`bucket_name`"),
            ("travel-sample", "inventory", "airline", "`travel-sample`.`inventory`.`airline`"),
            ("a.b%c", "_default", "people", "`a.b%c`.`_default`.`people`"),
            ("b", "s", "_default", "`b`.`s`.`_default`"),
        ] {
            let keyspace = Keyspace::new(bucket, scope, collection).unwrap();
            assert_eq!(keyspace.to_string(), text);
            assert!(select(&keyspace).ends_with(&format!("d AS doc FROM {text} AS d USE KEYS $id")));
        }
    }

    #[test]
    fn the_body_is_one_json_object_with_the_id_as_a_string() {
        let id = DocumentId::of(&Username::parse("4\"2\\é").unwrap());
        let body = read_request("SELECT 1", &id, Duration::from_secs(30), Some("request-1"));
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"statement":"SELECT 1","$id":"userprofile::4\"2\\é","readonly":true,"timeout":"29900ms","client_context_id":"request-1","pretty":false,"metrics":true,"signature":false}"#
        );
    }

    #[test]
    fn the_engine_gets_a_little_less_than_what_is_left_and_never_zero() {
        for (left_ms, text) in [(30_000, "29900ms"), (500, "450ms"), (1, "1ms"), (0, "1ms")] {
            assert_eq!(server_timeout(Duration::from_millis(left_ms)), text);
        }
    }

    #[test]
    fn a_context_id_that_the_engine_would_refuse_or_cut_is_left_out() {
        let id = DocumentId::sentinel();
        for context_id in ["", "a\"b", "a\\b", "a\nb", &"x".repeat(65)] {
            let body = read_request("SELECT 1", &id, Duration::from_secs(1), Some(context_id));
            assert!(!String::from_utf8(body).unwrap().contains("client_context_id"), "{context_id:?}");
        }
    }
}
