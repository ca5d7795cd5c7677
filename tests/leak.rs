//! Whatever is stored, nothing of it but the four public members gets out: not in an answer, not in the log.
//!
//! Documents are random: members known and unknown, of right and wrong types, twice, escaped, cut off. Everything in
//! them that is not public holds a marker, and the marker must be nowhere.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use couchbase::{Documents, Double, Query, Raw, Stored};
use on_couchbase::{MODES, WayIn, assert_holds_no_secret, serve, serve_by};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use support::client::{Client, find};
use support::server::Server;

/// How every marker begins. No other text of these tests has it, so the whole log can be searched for it at the end.
const PREFIX: &str = "Zq7Leak";

/// The same, should somebody change its case on the way.
const PREFIX_IN_OTHER_CASE: [&str; 2] = ["zq7leak", "ZQ7LEAK"];

fn marker() -> impl Strategy<Value = String> {
    any::<u64>().prop_map(|number| format!("{PREFIX}{number:016x}"))
}

/// Any JSON, with a marker in all of its texts and names, and in its numbers' digits as far as numbers can.
fn secret_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => marker().prop_map(|marker| format!("\"{marker}\"")),
        1 => marker().prop_map(|marker| format!("\"\\u0000\\n{marker}\\\"\\ud83d\\ude00\"")),
        1 => Just("null".to_owned()),
        1 => any::<bool>().prop_map(|flag| flag.to_string()),
        1 => Just("90210902109021090210".to_owned()),
        1 => Just("-9.0210902109e300".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((inner_name(), inner), 0..3).prop_map(|members| object(&members)),
        ]
    })
}

/// The name of a member that nobody knows, or that only looks like one that is known.
fn unknown_name() -> impl Strategy<Value = String> {
    let similar = vec!["Username", "e-mail", "hashedPassword", "password", "", "_id", "User", "email\\u0000"];
    prop_oneof![marker(), select(similar).prop_map(str::to_owned)]
}

/// The name of a member further inside, where even those that are known are nobody's business.
fn inner_name() -> impl Strategy<Value = String> {
    let known = vec!["username", "email", "full_name", "disabled", "hashed_password", "type"];
    prop_oneof![3 => unknown_name(), 1 => select(known).prop_map(str::to_owned)]
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// Text that may be seen.
fn public_text() -> impl Strategy<Value = String> {
    select(vec!["\"jd\"", "\"\"", "\"J\\u00f6rg \\\"x\\\" \\ud83d\\ude00\"", "\"a\\u0000b\"", "\"<script>\""])
        .prop_map(str::to_owned)
}

/// The value of a public member: mostly right, so that it may be seen, else with a marker in it.
fn public_value(right: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    let wrong = prop_oneof![
        marker().prop_map(|marker| format!("[\"{marker}\"]")),
        marker().prop_map(|marker| format!("{{\"{marker}\":\"{marker}\"}}")),
        Just("90210".to_owned()),
    ];
    prop_oneof![9 => right, 1 => wrong]
}

/// A member of a document.
fn member() -> impl Strategy<Value = (String, String)> {
    let text_or_null = || prop_oneof![public_text(), Just("null".to_owned())];
    let flag = select(vec!["true", "false", "null"]).prop_map(str::to_owned);
    let named = |name: &'static str| Just(name.to_owned());
    prop_oneof![
        4 => (select(vec!["email", "full_name", "\\u0065mail"]).prop_map(str::to_owned), public_value(text_or_null())),
        2 => (named("disabled"), public_value(flag)),
        2 => (named("type"), marker().prop_map(|marker| format!("\"{marker}\""))),
        1 => (named("hashed_password"), secret_value()),
        8 => (unknown_name(), secret_value()),
    ]
}

#[derive(Clone, Debug)]
struct Case {
    text: String,
    /// Whether the text is one JSON value.
    is_json: bool,
}

fn document() -> impl Strategy<Value = Case> {
    let hash = prop_oneof![
        8 => marker().prop_map(|marker| format!("\"$argon2id$v=19${marker}\"")),
        1 => secret_value(),
    ];
    let username = public_value(public_text());
    let (hash, username) = (prop::option::weighted(0.95, hash), prop::option::weighted(0.95, username));
    let members = prop::collection::btree_map(any::<u16>(), member(), 0..6);
    let cut = prop::option::weighted(0.1, any::<Index>());
    (username, hash, members, cut).prop_map(|(username, hash, members, cut)| {
        let mut members: BTreeMap<u16, (String, String)> = members;
        members.extend(username.map(|value| (20_000, ("username".to_owned(), value))));
        members.extend(hash.map(|value| (40_000, ("hashed_password".to_owned(), value))));
        let mut text = object(&members.into_values().collect::<Vec<_>>());
        if let Some(cut) = cut {
            text.truncate(cut.index(text.len()));
        }
        Case { is_json: cut.is_none(), text }
    })
}

fn holds_a_marker(bytes: &[u8]) -> bool {
    [PREFIX].iter().chain(&PREFIX_IN_OTHER_CASE).any(|needle| find(bytes, needle.as_bytes()).is_some())
}

/// Asks for the user in each way that there is, and looks at every byte that comes back. Gives the status.
fn ask_and_search(client: &mut Client, number: usize) -> Result<u16, TestCaseError> {
    let get = client.request("GET", "/users/x", &format!("X-Request-Id: leak-{number}\r\n"));
    let tag = get.field("etag").unwrap_or("*").to_owned();
    let head = client.request("HEAD", "/users/x", "");
    let known = client.request("GET", "/users/x", &format!("If-None-Match: {tag}\r\n"));
    for answer in [&get, &head, &known] {
        prop_assert!(!holds_a_marker(answer.head.as_bytes()), "{}", answer.head);
        prop_assert!(!holds_a_marker(&answer.body), "{}", answer.text());
        prop_assert!(find(&answer.body, b"90210").is_none(), "{}", answer.text());
    }
    prop_assert_eq!(get.status, head.status);
    match get.status {
        200 => {
            prop_assert_eq!(known.status, 304);
            let public = get.json();
            let names: Vec<&String> = public.as_object().unwrap().keys().collect();
            prop_assert_eq!(names.len(), 4, "{}", get.text());
            for name in ["username", "email", "full_name", "disabled"] {
                prop_assert!(public.get(name).is_some(), "{}", get.text());
            }
        }
        404 | 500 | 503 | 504 => {
            prop_assert_eq!(get.json().as_object().unwrap().len(), 6, "{}", get.text());
        }
        other => prop_assert!(false, "{}: {}", other, get.text()),
    }
    Ok(get.status)
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Asserts that all was logged, and nothing of it a marker.
fn assert_log_is_clean(server: &Server, last: usize) {
    server.wait_for_log(&format!("request_id=leak-{last} "));
    // The answers to a later request on another connection: what came before is in the log.
    server.connect().request("GET", "/nothing", "X-Request-Id: the-end\r\n");
    server.wait_for_log("request_id=the-end");
    let log = server.log();
    let line = log.lines().find(|line| holds_a_marker(line.as_bytes()) || line.contains("90210902"));
    assert_eq!(line, None);
    assert_holds_no_secret(&log);
}

#[test]
fn nothing_private_gets_out_of_the_embedded_database() {
    let server = Server::start(&["log.level=debug"], &[]);
    let file = rusqlite::Connection::open(server.folder.path().join("data/userprofiles.db")).unwrap();
    let client = RefCell::new(server.connect());
    let number = Cell::new(0);
    let statuses = RefCell::new(BTreeMap::new());
    let store = "INSERT OR REPLACE INTO documents (id, body) VALUES ('userprofile::x', ?1)";
    runner(512)
        .run(&document(), |case| {
            number.set(number.get() + 1);
            file.execute(store, [&case.text]).unwrap();
            let status = ask_and_search(&mut client.borrow_mut(), number.get())?;
            prop_assert!(case.is_json || [500, 404].contains(&status), "{} for half a document", status);
            *statuses.borrow_mut().entry(status).or_insert(0) += 1;
            Ok(())
        })
        .unwrap();
    assert_log_is_clean(&server, number.get());
    // Else these documents would prove nothing.
    let statuses = statuses.into_inner();
    assert!(statuses[&200] > 50 && statuses[&500] > 50, "{statuses:?}");
}

#[test]
fn nothing_private_gets_out_of_couchbase() {
    for mode in MODES {
        let double = Double::start();
        let server = serve(&double, &["log.level=debug", mode]);
        let client = RefCell::new(server.connect());
        let number = Cell::new(0);
        let statuses = RefCell::new(BTreeMap::new());
        // What may pass is tried again for a while: it is rarer.
        let code = prop_oneof![
            12 => select(vec![1080, 3000, 5000, 5010, 12003, 1193, 2120, 13014, 99999]),
            1 => Just(12008),
        ];
        let errors = (code, secret_value());
        let status = select(vec![200_u16, 400, 401, 404, 424, 500, 503]);
        runner(64)
            .run(&(document(), errors, marker(), status), |(case, (code, value), marker, status)| {
                number.set(number.get() + 1);
                double.put_stored("userprofile::x", Stored::json(&case.text));
                double.set_query(Query::Answer);
                let found = ask_and_search(&mut client.borrow_mut(), number.get())?;
                *statuses.borrow_mut().entry(found).or_insert(0) += 1;

                // An error that quotes the document, as real ones do, and shapes of it that nobody has seen yet.
                let quoted = serde_json::Value::from(case.text.as_str());
                let message = serde_json::Value::from(format!("{marker} cause: {value}"));
                for body in [
                    format!(r#"{{"status":"fatal","errors":[{{"code":{code},"msg":{message}}}]}}"#),
                    format!(r#"{{"status":"fatal","errors":[{{"code":{code},"msg":{quoted},"reason":{value}}}]}}"#),
                    format!(r#"{{"status":"{marker}","errors":[{{"code":"{marker}","msg":{message}}}]}}"#),
                    format!(r#"{{"status":"success","results":[{value}],"warnings":[{{"code":1,"msg":{message}}}]}}"#),
                    format!(r#"{{"status":"success","results":[{{"id":"{marker}","doc":{value}}}]}}"#),
                    format!(r#"{{"{marker}":{value}}}"#),
                    marker.clone(),
                ] {
                    let raw = Raw { status, content_type: Some("application/json"), body: body.into_bytes() };
                    double.set_query(Query::Raw(raw));
                    let status = ask_and_search(&mut client.borrow_mut(), number.get())?;
                    prop_assert_ne!(status, 200);
                }
                Ok(())
            })
            .unwrap();
        assert_log_is_clean(&server, number.get());
        assert_holds_no_secret(&server.log());
        let statuses = statuses.into_inner();
        assert!(statuses[&200] > 5, "{statuses:?}");
    }
}

#[test]
fn nothing_private_gets_out_by_the_other_ways_into_couchbase() {
    for (way, mode) in WayIn::BY_GET.into_iter().zip(MODES) {
        let double = Double::start();
        let server = serve_by(way, &double, &["log.level=debug", mode]);
        let client = RefCell::new(server.connect());
        let number = Cell::new(0);
        let statuses = RefCell::new(BTreeMap::new());
        let codes = select(vec!["Internal", "InvalidArgument", "NoReadAccess", "BucketNotFound", "DocumentLocked"]);
        let errors = (codes, secret_value(), marker());
        // What may pass is tried again for a while: these are rarer.
        let status = prop_oneof![12 => select(vec![200_u16, 400, 401, 403, 404, 500]), 1 => select(vec![409, 503])];
        runner(48)
            .run(&(document(), errors, status), |(case, (code, value, marker), status)| {
                number.set(number.get() + 1);
                double.put_stored("userprofile::x", Stored::json(&case.text));
                double.set_documents(Documents::Answer);
                let found = ask_and_search(&mut client.borrow_mut(), number.get())?;
                prop_assert!(case.is_json || [500, 404].contains(&found), "{} for half a document", found);
                *statuses.borrow_mut().entry(found).or_insert(0) += 1;

                // Documents in shapes that are not theirs, errors that quote them, and what nobody has seen yet.
                let quoted = serde_json::Value::from(case.text.as_str());
                for body in [
                    format!(r#"{{"error":{quoted},"reason":{value}}}"#),
                    format!(r#"{{"message":"{marker}","permissions":[{value}],"passwordExpired":"{marker}"}}"#),
                    format!(r#"{{"code":"{code}","message":{quoted},"resource":"{marker}","debug":{value}}}"#),
                    format!(r#"{{"code":"{marker}","message":{value}}}"#),
                    format!(r#"{{"meta":{{"id":"{marker}","rev":"{marker}"}},"json":{quoted}}}"#),
                    format!(r#"{{"meta":{{"rev":{value},"att_reason":"{marker}"}},"base64":"{marker}"}}"#),
                    format!(r#"{{"meta":"{marker}","json":"\ud800{marker}"}}"#),
                    format!("[{quoted}]"),
                    marker.clone(),
                ] {
                    let raw = Raw { status, content_type: Some("application/json"), body: body.into_bytes() };
                    double.set_documents(Documents::Tagged(marker.clone(), raw));
                    let found = ask_and_search(&mut client.borrow_mut(), number.get())?;
                    prop_assert_ne!(found, 200);
                }
                Ok(())
            })
            .unwrap();
        assert_log_is_clean(&server, number.get());
        let statuses = statuses.into_inner();
        assert!(statuses[&200] > 5, "{way:?}: {statuses:?}");
    }
}
