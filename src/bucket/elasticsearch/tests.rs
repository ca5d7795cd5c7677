//! Each response of the table, which goes through the whole program in `tests/databases` too; and the paths of requests.

use std::time::Duration;

use super::*;
use crate::bucket::Trace;
use crate::bucket::rest::test_tables;
use crate::model::Username;

fn protocol() -> Elasticsearch {
    Elasticsearch::new(&ElasticsearchSettings { index: "profiles".to_owned(), ..ElasticsearchSettings::default() })
}

fn id(username: &str) -> DocumentId {
    DocumentId::of(&Username::parse(username).unwrap())
}

fn path(username: &str) -> String {
    let call = Call { left: Duration::from_millis(1500), trace: &Trace::default() };
    protocol().get_request(&id(username), &call).unwrap().path
}

#[test]
fn each_response_of_the_table_means_what_it_says() {
    let protocol = protocol();
    test_tables::check(include_str!("../../../tests/data/elasticsearch.json"), |response| {
        protocol.read_document(response, &id("johndoe"), "the peer")
    });
}

#[test]
fn no_byte_of_an_id_is_taken_for_something_else() {
    assert_eq!(path("a+b/c %é"), "/profiles/_doc/userprofile%3A%3Aa%2Bb%2Fc%20%25%C3%A9");
}

#[test]
fn a_document_comes_back_byte_for_byte() {
    let body = br#"{"_id":"userprofile::a","found":true,"_source": {"n":1.10, "u":"\u00e9"} }"#;
    let response = test_tables::response(200, None, std::str::from_utf8(body).unwrap());
    let found = protocol().read_document(&response, &id("a"), "the peer").unwrap();
    assert_eq!(found.document.unwrap().text(), br#"{"n":1.10, "u":"\u00e9"}"#);
}
