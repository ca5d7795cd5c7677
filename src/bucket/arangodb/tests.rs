//! Each response of the table, which goes through the whole program in `tests/databases` too; and the paths of requests.

use std::time::Duration;

use super::*;
use crate::bucket::rest::test_tables::{self, Scripted, shown};
use crate::bucket::{Cursor, Trace};
use crate::config::LoginSettings;
use crate::model::Username;

fn protocol() -> Arangodb {
    let mut settings = ArangodbSettings::default();
    (settings.database, settings.collection) = ("profiles".to_owned(), "users".to_owned());
    settings.rest.login = LoginSettings { username: Some("reader".to_owned()), ..LoginSettings::default() };
    Arangodb::new(&settings)
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
    test_tables::check(include_str!("../../../tests/data/arangodb.json"), |response| {
        protocol.read_document(response, &id("johndoe"), "the peer")
    });
}

#[test]
fn the_path_has_the_key_and_the_request_the_time_that_is_left() {
    assert_eq!(path("a b@x"), "/_db/profiles/_api/document/users/userprofile%3A%3Aa%3D20b%40x");
    let call = Call { left: Duration::from_millis(1500), trace: &Trace::default() };
    let request = protocol().get_request(&id("a"), &call).unwrap();
    assert_eq!(request.fields, [("x-arango-queue-time-seconds", "1.500".to_owned())]);
}

#[test]
fn a_page_has_profiles_only_and_goes_on_behind_its_last_key() {
    let of = |key: &str| format!(r#"{{"_key":"{key}","_id":"users/{key}","_rev":"x","n":1}}"#);
    let answer = |keys: &[&str]| {
        let documents: Vec<String> = keys.iter().map(|key| of(key)).collect();
        format!(r#"{{"result":[{}],"hasMore":false}}"#, documents.join(","))
    };
    for (keys, documents, next) in [
        (&["a", "userprofile::b=20c"][..], &["userprofile::b c"][..], Some("userprofile::b=20c")),
        (&["userprofile::b"], &["userprofile::b"], None),
        (&["x", "y"], &[], Some("y")),
        (&[], &[], None),
    ] {
        let mut exchange = Scripted::new(&[Ok((201, &answer(keys)))]);
        let (found, found_next) = shown(&protocol().list(Some(&Cursor("k".to_owned())), 2, &mut exchange).unwrap());
        let expected: Vec<_> = documents.iter().map(|id| ((*id).to_owned(), "{\"n\":1}".to_owned())).collect();
        assert_eq!((found, found_next.as_deref()), (expected, next), "{keys:?}");
        assert!(exchange.asked[0].contains(r#""after":"k","most":2"#), "{:?}", exchange.asked);
    }
    let more = answer(&["userprofile::a"]).replace("false", "true");
    assert!(protocol().list(None, 2, &mut Scripted::new(&[Ok((201, &more))])).is_err(), "a part is kept back");
}
