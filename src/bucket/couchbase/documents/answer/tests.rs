use super::*;
use crate::bucket::couchbase::keyspace::Keyspace;
use crate::bucket::rest::test_tables::{check, meaning};
use crate::model::Username;

fn target() -> Target {
    Target { keyspace: Keyspace::new("bucket_name", "_default", "_default"), username: Some("reader".into()) }
}

fn answer(status: u16, body: &str) -> Result<ReadOutcome, Failure> {
    read(status, body.as_bytes(), &DocumentId::of(&Username::parse("johndoe").unwrap()), "the peer", &target())
}

/// A whole response with these members besides `meta`.
fn envelope(meta: &str, members: &str) -> Result<ReadOutcome, Failure> {
    answer(200, &format!(r#"{{"meta":{{"id":"userprofile::johndoe"{meta}}}{members}}}"#))
}

#[test]
fn every_answer_of_the_facts_has_its_row_and_its_remedy() {
    let table = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/couchbase-documents.json"));
    check(table, |response| {
        let id = DocumentId::of(&Username::parse("johndoe").unwrap());
        read(response.status, &response.body, &id, "the peer", &target())
    });
}

#[test]
fn the_document_is_what_was_stored_byte_by_byte() {
    let text = "{\"b\":1.50 , \"a\":123456789012345678901234567890,\n\"c\":\"\\u00e9\\/\\\\\",\"d\":\"é😀\"}\n";
    let encoded = serde_json::to_string(text).unwrap();
    let mochi = encoded.replace('é', "\\u00e9").replace('😀', "\\ud83d\\ude00").replace('/', "\\/");
    for literal in [encoded, mochi] {
        let answer = envelope("", &format!(r#","json":{literal},"xattrs":{{"_sync":{{"a":[{{}}]}}}}"#)).unwrap();
        assert_eq!(answer.found.unwrap().text(), text.as_bytes());
    }
}

#[test]
fn before_5_5_the_document_stands_there_itself() {
    for text in [r#"{"a" : 1.50}"#, "[1, 2]", "null", "0", "false"] {
        let answer = envelope("", &format!(r#","json":{text}"#)).unwrap();
        assert_eq!(answer.found.unwrap().text(), text.as_bytes());
    }
}

#[test]
fn what_stands_beside_the_document_decides_what_it_is() {
    for (meta, members, expected) in [
        ("", r#","json":"{}""#, "document"),
        ("", r#","json":"\"a text\"""#, "document"),
        (r#","deleted":false"#, r#","json":"{}""#, "document"),
        (r#","deleted":true"#, r#","json":"{}""#, "not-found"),
        ("", r#","base64":"AAEC""#, "invalid-document"),
        ("", r#","base64":null"#, "invalid-document"),
        (r#","att_reason":"invalid_json""#, r#","json":"{}""#, "invalid-document"),
        (r#","att_reason":"invalid_json""#, r#","base64":"AAEC""#, "invalid-document"),
        ("", "", "misconfigured"),
        ("", r#","json":"\ud800""#, "misconfigured"),
        ("", r#","json":"{}","json":"{}""#, "misconfigured"),
        ("", r#","json":"{"#, "unavailable"),
    ] {
        assert_eq!(meaning(&envelope(meta, members)), expected, "{meta} {members}");
    }
    for (id, expected) in [
        (r#""userprofile::johndoe""#, "document"),
        (r#""userprofile\u003a:johndoe""#, "document"),
        ("[117,115]", "misconfigured"),
        ("null", "misconfigured"),
        (r#""userprofile::johnDoe""#, "misconfigured"),
    ] {
        let outcome = answer(200, &format!(r#"{{"meta":{{"id":{id}}},"json":"{{}}"}}"#));
        assert_eq!(meaning(&outcome), expected, "{id}");
    }
}

#[test]
fn a_document_over_the_limit_is_too_large_however_little_it_was_escaped() {
    let of_bytes = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    for (bytes, expected) in [(MAX_DOCUMENT_BYTES, "document"), (MAX_DOCUMENT_BYTES + 1, "invalid-document")] {
        let text = serde_json::to_string(&of_bytes(bytes)).unwrap();
        assert_eq!(meaning(&envelope("", &format!(r#","json":{text}"#))), expected, "{bytes}");
    }
}

#[test]
fn deep_documents_do_not_overflow_anything() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(meaning(&envelope("", &format!(r#","json":{deep},"xattrs":{deep}"#))), "document");
}
