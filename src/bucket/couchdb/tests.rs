//! Each response of the table, which goes through the whole program in `tests/databases` too; and the paths of requests.

use std::time::Duration;

use super::*;
use crate::bucket::Trace;
use crate::bucket::rest::test_tables;
use crate::config::LoginSettings;
use crate::model::Username;

fn protocol() -> Couchdb {
    let mut settings = CouchdbSettings { database: "profiles".to_owned(), ..CouchdbSettings::default() };
    settings.rest.login = LoginSettings { username: Some("reader".to_owned()), ..LoginSettings::default() };
    Couchdb::new(&settings)
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
    test_tables::check(include_str!("../../../tests/data/couchdb.json"), |response| {
        protocol.read_document(response, &id("johndoe"), "the peer")
    });
}

#[test]
fn no_byte_of_an_id_is_taken_for_something_else() {
    assert_eq!(path("a+b/c %é"), "/profiles/userprofile%3A%3Aa%2Bb%2Fc%20%25%C3%A9");
}

#[test]
fn what_is_exported_is_what_was_stored() {
    let body = br#"{"_id":"userprofile::a","_rev":"1-x","n":1.50,"o":{"_id":1}}"#;
    assert_eq!(document(body, &id("a"), "the peer").unwrap().text(), br#"{"n":1.50,"o":{"_id":1}}"#);
}
