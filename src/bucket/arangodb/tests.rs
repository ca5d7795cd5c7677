//! Each response of the table, which goes through the whole program in `tests/databases` too; and the paths of requests.

use super::*;
use crate::bucket::Cursor;
use crate::bucket::rest::Retry;
use crate::bucket::rest::test_tables::{self, Scripted, get_request, id, shown};
use crate::config::LoginSettings;

pub(super) fn protocol() -> Arangodb {
    let mut settings = ArangodbSettings::default();
    (settings.database, settings.collection) = ("profiles".to_owned(), "users".to_owned());
    settings.rest.login = LoginSettings { username: Some("reader".to_owned()), ..LoginSettings::default() };
    Arangodb::new(&settings)
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
    assert_eq!(
        get_request(&protocol(), "a b@x").path,
        "/_db/profiles/_api/document/users/userprofile%3A%3Aa%3D20b%40x"
    );
    assert_eq!(get_request(&protocol(), "a").fields, [("x-arango-queue-time-seconds", "1.500".to_owned())]);
}

#[test]
fn a_list_goes_on_by_numbered_batches_and_has_profiles_only() {
    let of = |key: &str| format!(r#"{{"_key":"{key}","_id":"users/{key}","_rev":"x","n":1}}"#);
    let answer = |keys: &[&str], rest: &str| {
        let documents: Vec<String> = keys.iter().map(|key| of(key)).collect();
        format!(r#"{{"result":[{}],{rest}}}"#, documents.join(","))
    };
    for (keys, rest, documents, next) in [
        (
            &["a", "userprofile::b=20c"][..],
            r#""hasMore":true,"id":"7","nextBatchId":"2""#,
            &["userprofile::b c"][..],
            Some("7/2"),
        ),
        (&["x"], r#""hasMore":true,"id":"7""#, &[], Some("7")),
        (&["userprofile::b"], r#""hasMore":false,"id":null"#, &["userprofile::b"], None),
        (&[], r#""hasMore":false"#, &[], None),
    ] {
        let mut exchange = Scripted::new(&[Ok((200, &answer(keys, rest)))]);
        let (found, found_next) = shown(&protocol().list(Some(&Cursor("7/1".to_owned())), 2, &mut exchange).unwrap());
        let expected: Vec<_> = documents.iter().map(|id| ((*id).to_owned(), "{\"n\":1}".to_owned())).collect();
        assert_eq!((found, found_next.as_deref()), (expected, next), "{keys:?}");
        assert_eq!(exchange.asked, ["/_db/profiles/_api/cursor/7/1 "]);
    }
    let no_cursor = answer(&["userprofile::a"], r#""hasMore":true"#);
    assert!(protocol().list(None, 2, &mut Scripted::new(&[Ok((201, &no_cursor))])).is_err(), "where does it go on?");
}

#[test]
fn a_batch_is_asked_for_again_only_by_its_number() {
    let broken = || Err(Failure::of_node(BucketError::unavailable("the connection broke")));
    for (position, outcome, retry) in [
        ("7/2", broken(), Retry::NextNode),
        ("7", broken(), Retry::Never),
        ("7", Ok((401, "")), Retry::NewCredentials),
        ("7/2", Ok((404, r#"{"error":true,"errorNum":1600}"#)), Retry::Never),
        ("7/2", Ok((503, "")), Retry::NextNode),
        ("7", Ok((200, "{\"result\":[")), Retry::Never),
    ] {
        let cursor = Cursor(position.to_owned());
        let failure = protocol().list(Some(&cursor), 2, &mut Scripted::new(&[outcome])).err().unwrap();
        assert_eq!(failure.retry, retry, "{position}: {failure:?}");
    }
}

#[test]
fn what_is_not_named_as_stored_is_not_stored() {
    let documents = [test_tables::new_document("a", "{\"n\":1}"), test_tables::new_document("b c", "{}")];
    let (a, b) = (r#"{"_key":"userprofile::a"}"#, r#"{"_key":"userprofile::b=20c"}"#);
    for (items, part) in [
        (vec![a, b], None),
        (vec![a], Some("named 1 of 2")),
        (vec![a, "{}"], Some("does not name a document as stored")),
        (vec![b, a], Some("does not name a document as stored")),
        (vec![a, r#"{"error":true,"errorNum":1620}"#], Some("schema of the collection")),
    ] {
        let mut exchange = Scripted::new(&[Ok((202, &format!("[{}]", items.join(","))))]);
        let outcome = protocol().store(&documents, &mut exchange);
        let reason = outcome.err().map(|failure| failure.error.reason());
        assert_eq!(reason.is_some(), part.is_some(), "{items:?}: {reason:?}");
        assert!(reason.unwrap_or_default().contains(part.unwrap_or_default()), "{items:?}");
        let body = r#"[{"_key":"userprofile::a","n":1},{"_key":"userprofile::b=20c"}]"#;
        assert!(exchange.asked[0].ends_with(body), "{:?}", exchange.asked);
    }
}
