use zeroize::Zeroizing;

use super::*;
use crate::bucket::couchbase::keyspace::Keyspace;
use crate::bucket::rest::test_tables::{check, meaning, response};
use crate::model::{MAX_DOCUMENT_BYTES, Username};

fn target() -> Target {
    Target { keyspace: Keyspace::new("bucket_name", "_default", "_default"), username: Some("reader".into()) }
}

fn answer_for(username: &str, response: &Response) -> Result<ReadOutcome, Failure> {
    read(response, &DocumentId::of(&Username::parse(username).unwrap()), "the peer", &target())
}

#[test]
fn every_code_of_the_facts_has_its_row_and_its_remedy() {
    let table = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/couchbase-data-api.json"));
    check(table, |response| answer_for("johndoe", response));
}

#[test]
fn the_document_is_the_body_whatever_it_says() {
    for text in [" {\"b\":1.50}\n", r#"{"code":"DocumentNotFound","message":"x"}"#, "[]", "not JSON", "\0\u{1}"] {
        let answer = answer_for("a", &response(200, Some("18086a5f2b3c0000"), text)).unwrap();
        assert_eq!(answer.found.unwrap().text(), text.as_bytes());
    }
}

#[test]
fn a_page_without_an_entity_tag_is_no_document() {
    assert_eq!(meaning(&answer_for("a", &response(200, None, "<html>"))), "misconfigured");
    assert_eq!(meaning(&answer_for("a", &response(200, None, ""))), "misconfigured");
}

#[test]
fn more_than_the_largest_document_is_too_large_and_an_overlong_error_is_its_status() {
    for (status, expected) in [(200, "invalid-document"), (404, "misconfigured"), (503, "unavailable")] {
        let body = Zeroizing::new(vec![b'{'; MAX_DOCUMENT_BYTES + 1]);
        let overlong = Response { status, etag: None, body, completeness: Completeness::Truncated };
        assert_eq!(meaning(&answer_for("a", &overlong)), expected, "{status}");
    }
}

#[test]
fn a_gateway_that_decodes_once_has_not_looked_for_our_document() {
    let missing = |key: &str| {
        let resource = format!("/buckets/b/scopes/_default/collections/_default/documents/userprofile::{key}");
        response(404, None, &format!(r#"{{"code":"DocumentNotFound","message":"","resource":"{resource}"}}"#))
    };
    for (username, key, expected) in [
        ("a%b", "a%b", "not-found"),
        ("a%b", "a%25b", "misconfigured"),
        ("a%25b", "a%25b", "not-found"),
        ("a%25b", "a%2525b", "misconfigured"),
        ("a%41", "aA", "misconfigured"),
        ("a+b", "a b", "misconfigured"),
        ("a b", "a%20b", "not-found"),
        ("a", "b", "not-found"),
    ] {
        assert_eq!(meaning(&answer_for(username, &missing(key))), expected, "{username} as {key}");
    }
}

#[test]
fn no_word_of_the_server_gets_into_a_reason() {
    for body in [
        r#"{"code":"marker","message":"marker"}"#,
        r#"{"code":"Internal","message":"marker","resource":"marker","requestId":"marker","debug":"marker"}"#,
        r#"{"code":["marker"]}"#,
        "marker",
        r#"{"code":"mark"#,
    ] {
        for status in [400, 401, 403, 404, 409, 429, 499, 500, 502, 503, 504] {
            let failure = answer_for("a", &response(status, Some("marker"), body)).err().unwrap();
            assert!(!failure.error.to_string().contains("mark"), "{failure:?}");
        }
    }
}

#[test]
fn a_name_that_could_be_decoded_again_is_answered_with_its_own_document_only() {
    for (username, stored, expected) in [
        ("a%41", "a%41", "document"),
        ("a%41", "aA", "misconfigured"),
        ("a+b", "a b", "misconfigured"),
        // There the path can mean one name only, so the document is the right one, whatever it says.
        ("aA", "a", "document"),
    ] {
        let document = format!(r#"{{"username":"{stored}","hashed_password":"x"}}"#);
        assert_eq!(meaning(&answer_for(username, &response(200, Some("1"), &document))), expected, "{username}");
    }
    assert_eq!(meaning(&answer_for("a%41", &response(200, Some("1"), "{}"))), "misconfigured");
    assert_eq!(meaning(&answer_for("a%41", &response(200, Some("1"), r#"{"username":7}"#))), "document");
}
