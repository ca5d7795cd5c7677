//! Each response of the table, which goes through the whole program in `tests/databases` too; and the paths of requests.

use super::*;
use crate::bucket::Cursor;
use crate::bucket::rest::test_tables::{self, Scripted, get_request, id, shown};
use crate::config::LoginSettings;

pub(super) fn protocol() -> Couchdb {
    let mut settings = CouchdbSettings { database: "profiles".to_owned(), ..CouchdbSettings::default() };
    settings.rest.login = LoginSettings { username: Some("reader".to_owned()), ..LoginSettings::default() };
    Couchdb::new(&settings)
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
    assert_eq!(get_request(&protocol(), "a+b/c %é").path, "/profiles/userprofile%3A%3Aa%2Bb%2Fc%20%25%C3%A9");
}

#[test]
fn what_is_exported_is_what_was_stored() {
    let body = br#"{"_id":"userprofile::a","_rev":"1-x","n":1.50,"o":{"_id":1}}"#;
    let response = test_tables::response(200, None, std::str::from_utf8(body).unwrap());
    let read = protocol().read_document(&response, &id("a"), "the peer").unwrap();
    assert_eq!(read.found.unwrap().text(), br#"{"n":1.50,"o":{"_id":1}}"#);
}

#[test]
fn a_page_goes_on_behind_its_last_id() {
    let row =
        |id: &str| format!(r#"{{"id":"{id}","key":"{id}","value":{{"rev":"1-a"}},"doc":{{"_id":"{id}","n":1}}}}"#);
    let rows = |ids: &[&str]| format!(r#"{{"rows":[{}]}}"#, ids.iter().map(|id| row(id)).collect::<Vec<_>>().join(","));
    let protocol = protocol();
    for (after, start, ids, next) in [
        (None, "%22userprofile%3A%3A%22", &["a", "b"][..], Some("b")),
        (None, "%22userprofile%3A%3A%22", &["a"], None),
        (Some("b"), "%22b%5Cu0000%22", &["c", "d"], Some("d")),
        (Some("b"), "%22b%5Cu0000%22", &[], None),
    ] {
        let cursor = after.map(|after: &str| Cursor(after.to_owned()));
        let mut exchange = Scripted::new(&[Ok((200, &rows(ids)))]);
        let (found, found_next) = shown(&protocol.list(cursor.as_ref(), 2, &mut exchange).unwrap());
        let expected: Vec<_> = ids.iter().map(|id| ((*id).to_owned(), "{\"n\":1}".to_owned())).collect();
        assert_eq!((found, found_next.as_deref()), (expected, next), "{after:?} {ids:?}");
        let asked = &exchange.asked[0];
        assert!(asked.contains(&format!("&limit=2&startkey={start}&endkey=%22userprofile%3A%3B%22")), "{asked}");
    }
}

#[test]
fn a_list_with_a_hole_is_none() {
    let protocol = protocol();
    for (row, part) in [
        (r#"{"key":"userprofile::b","error":"timeout"}"#, Some("\"userprofile::b\"")),
        (r#"{"id":"userprofile::b","key":"userprofile::b","error":"x y"}"#, Some("\"userprofile::b\"")),
        (r#"{"id":"userprofile::b","key":"userprofile::b","value":{"rev":"1-a"}}"#, Some("has no document")),
        (r#"{"key":"userprofile::b","doc":{}}"#, Some("has no document")),
        // It was deleted since the row was made.
        (r#"{"id":"userprofile::b","key":"userprofile::b","value":{"rev":"2-b","deleted":true},"doc":null}"#, None),
    ] {
        let body = format!(r#"{{"rows":[{row}]}}"#);
        let reason =
            protocol.list(None, 2, &mut Scripted::new(&[Ok((200, &body))])).err().map(|failure| failure.error.reason());
        assert_eq!(reason.is_some(), part.is_some(), "{row}: {reason:?}");
        assert!(reason.unwrap_or_default().contains(part.unwrap_or_default()), "{row}");
    }
}

#[test]
fn what_is_not_named_as_stored_is_not_stored() {
    let documents = [test_tables::new_document("a", "{\"n\":1}"), test_tables::new_document("b", "{}")];
    let revisions = r#"{"rows":[{"id":"userprofile::a","key":"userprofile::a","value":{"rev":"3-x"}},{"key":"userprofile::b","error":"not_found"}]}"#;
    let stored = r#"[{"ok":true,"id":"userprofile::a","rev":"4-y"},{"ok":true,"id":"userprofile::b","rev":"1-z"}]"#;
    let mut exchange = Scripted::new(&[Ok((200, revisions)), Ok((201, stored))]);
    protocol().store(&documents, &mut exchange).unwrap();
    assert_eq!(
        exchange.asked[1],
        r#"/profiles/_bulk_docs {"docs":[{"_id":"userprofile::a","_rev":"3-x","n":1},{"_id":"userprofile::b"}]}"#
    );
    let half = r#"[{"ok":true,"id":"userprofile::a","rev":"4-y"}]"#;
    let conflict = r#"[{"id":"userprofile::b","error":"conflict","reason":"x"}]"#;
    let rest = r#"[{"ok":true,"id":"userprofile::b","rev":"1-z"}]"#;
    let responses = [
        Ok((200, revisions)),
        Ok((201, half)),
        Ok((200, revisions)),
        Ok((201, conflict)),
        Ok((200, revisions)),
        Ok((201, rest)),
    ];
    let mut exchange = Scripted::new(&responses);
    protocol().store(&documents, &mut exchange).unwrap();
    assert_eq!(exchange.asked[5], r#"/profiles/_bulk_docs {"docs":[{"_id":"userprofile::b"}]}"#, "only what is left");
    let forbidden = r#"[{"id":"userprofile::a","error":"forbidden","reason":"hash-marker"}]"#;
    let failure = protocol().store(&documents, &mut Scripted::new(&[Ok((200, revisions)), Ok((201, forbidden))]));
    let reason = failure.unwrap_err().error.reason();
    assert!(reason.contains("validate_doc_update") && reason.contains("\"userprofile::a\""), "{reason}");
    assert!(!reason.contains("hash-marker"), "{reason}");
}
