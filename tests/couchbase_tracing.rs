//! Finding a slow read again: which names of a request reach the database, and what the log says of a slow one.

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::time::Duration;

use couchbase::{Asked, Behaviour, Double, ErrorAnswer, Query, Raised};
use on_couchbase::{HASH, MODES, assert_holds_no_secret, profile, serve};
use serde_json::Value;
use support::server::{Server, userprofiles};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SLOW: &str = "a slow operation of the database";

/// Stands in the name of the user whose reads are slow: the name must not stand in a line about that.
const USER: &str = "slow-name-marker";

fn double_with_user() -> Double {
    let double = Double::start();
    double.put(&format!("userprofile::{USER}"), &profile(USER));
    double
}

fn last_asked(double: &Double) -> Asked {
    double.asked().pop().expect("the database was asked")
}

#[test]
fn the_database_is_told_the_request_id_and_a_valid_traceparent() {
    let double = double_with_user();
    let path = format!("/users/{USER}");
    for mode in MODES {
        let server = serve(&double, &[mode]);
        let mut client = server.connect();
        let upper = TRACEPARENT.to_uppercase();
        for (fields, id, traceparent) in [
            ("X-Request-Id: mine-1\r\n".to_owned(), Some("mine-1"), None),
            (format!("X-Request-Id: mine-2\r\nTraceparent: {TRACEPARENT}\r\n"), Some("mine-2"), Some(TRACEPARENT)),
            // What a connection was told once it must not tell of another request.
            (String::new(), None, None),
            (format!("traceparent: {upper}\r\n"), None, None),
            (format!("traceparent: {TRACEPARENT}-00\r\n"), None, None),
            (format!("traceparent: {TRACEPARENT}\r\ntraceparent: {TRACEPARENT}\r\n"), None, None),
            ("X-Request-Id: not\"mine\r\ntraceparent: 00-x-y-01\r\n".to_owned(), None, None),
        ] {
            let answer = client.request("GET", &path, &fields);
            assert_eq!(answer.status, 200, "{mode} {fields}");
            let asked = last_asked(&double);
            assert_eq!(asked.context_id.as_deref(), answer.field("x-request-id"), "{mode} {fields}");
            assert_eq!(asked.traceparent.as_deref(), traceparent, "{mode} {fields}");
            if let Some(id) = id {
                assert_eq!(asked.context_id.as_deref(), Some(id), "{mode} {fields}");
            }
        }
        let mut operator = support::client::Client::connect(server.admin);
        let fields = format!("X-Request-Id: probe-{}\r\ntraceparent: {TRACEPARENT}\r\n", mode.len());
        let answer = operator.request("GET", "/ready", &fields);
        let asked = last_asked(&double);
        assert_eq!((answer.status, asked.context_id.as_deref()), (200, answer.field("x-request-id")));
        assert_eq!(asked.traceparent.as_deref(), Some(TRACEPARENT));
    }
    assert_eq!(double.violations(), Vec::<String>::new());
}

/// The lines about slow operations, once the answer to `request_id` is in the access log, which comes later.
fn slow_lines(server: &Server, request_id: &str, format: &str) -> Vec<String> {
    let mark = if format == "json" {
        format!("\"request_id\":\"{request_id}\",\"route\"")
    } else {
        format!("request_id={request_id} code=")
    };
    server.wait_for_log(&mark);
    server.log().lines().filter(|line| line.contains(SLOW)).map(str::to_owned).collect()
}

fn slowly(query: Query) -> Behaviour {
    Behaviour { query, delay: Duration::from_millis(150), ..Behaviour::default() }
}

#[test]
fn a_slow_read_is_logged_once_with_what_finds_it_again() {
    let double = double_with_user();
    let path = format!("/users/{USER}");
    let node = double.query_address().to_string();
    let failing = Query::Error(ErrorAnswer::new(5000, 200, Raised::During));
    for mode in MODES {
        for (format, query, status, outcome, code) in [
            ("json", Query::Answer, 200, "ok", None),
            ("json", failing.clone(), 503, "unavailable", Some("5000")),
            ("auto", Query::Answer, 200, "ok", None),
            ("auto", failing.clone(), 503, "unavailable", Some("5000")),
        ] {
            let server = serve(&double, &[mode, "bucket.slow_operation=100ms", &format!("log.format={format}")]);
            double.set(Behaviour::default());
            assert_eq!(server.connect().request("GET", "/users/nobody", "X-Request-Id: warm\r\n").status, 404);
            slow_lines(&server, "warm", format);
            let before = server.log().matches(SLOW).count();
            double.set(slowly(query));
            let answer = server.connect().request("GET", &path, "X-Request-Id: the-slow-one\r\n");
            assert_eq!(answer.status, status);
            let lines = slow_lines(&server, "the-slow-one", format);
            let [line] = &lines[before..] else { panic!("not one line: {lines:?}") };
            assert_holds_no_secret(line);
            assert!(!line.contains(USER), "{line}");
            if format == "json" {
                let line: Value = serde_json::from_str(line).unwrap();
                assert_eq!(line["level"], "warn");
                assert_eq!(line["request_id"], "the-slow-one");
                assert_eq!(line["database"], "couchbase");
                assert_eq!(line["node"], node.as_str());
                assert_eq!(line["outcome"], outcome);
                assert_eq!(line.get("code").and_then(Value::as_str), code);
                assert!(line["duration_ms"].as_f64().unwrap() >= 150.0, "{line}");
                assert_eq!(line["server_elapsed_ms"], 1.11);
                assert_eq!(line["server_execution_ms"], 1.016);
            } else {
                let code = code.map(|code| format!("code={code} ")).unwrap_or_default();
                let begin = format!(
                    "request_id=the-slow-one database=couchbase node={node} outcome={outcome} {code}duration_ms="
                );
                assert!(line.contains(" WARN ") && line.contains(&begin), "{line}");
                assert!(line.ends_with(" server_elapsed_ms=1.11 server_execution_ms=1.016"), "{line}");
            }
        }
    }
}

#[test]
fn a_read_that_gets_no_answer_is_slow_too_and_the_server_has_said_nothing() {
    let double = double_with_user();
    let server = serve(&double, &["bucket.slow_operation=100ms", "bucket.operation_timeout=1s", "log.format=json"]);
    assert_eq!(server.get(&format!("/users/{USER}")).status, 200);
    double.set_query(Query::Freeze);
    let answer = server.connect().request("GET", &format!("/users/{USER}"), "X-Request-Id: frozen\r\n");
    answer.assert_problem(504, "timeout");
    let line = slow_lines(&server, "frozen", "json").pop().expect("a line");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["outcome"], "timeout");
    assert_eq!(line["node"], double.query_address().to_string());
    for unknown in ["code", "server_elapsed_ms", "server_execution_ms"] {
        assert!(line.get(unknown).is_none(), "{line}");
    }
}

#[test]
fn a_quick_read_is_not_logged() {
    let double = double_with_user();
    let server = serve(&double, &["bucket.slow_operation=1h"]);
    double.set(slowly(Query::Answer));
    assert_eq!(server.connect().request("GET", &format!("/users/{USER}"), "X-Request-Id: quick\r\n").status, 200);
    assert!(slow_lines(&server, "quick", "auto").is_empty());
}

#[test]
fn the_embedded_database_can_be_slow_too() {
    let server = Server::embedded(&["bucket.slow_operation=1ms", "log.format=json"]);
    // To read and check so many bytes takes many times as long.
    let padding = "x".repeat(16 * 1024 * 1024);
    let document = format!(r#"{{"username":"{USER}","hashed_password":"{HASH}","padding":"{padding}"}}"#);
    let file = rusqlite::Connection::open(server.folder.path().join("data/userprofiles.db")).unwrap();
    let id = format!("userprofile::{USER}");
    file.execute("INSERT INTO documents (id, body) VALUES (?1, ?2)", [&id, &document]).unwrap();
    let answer = server.connect().request("GET", &format!("/users/{USER}"), "X-Request-Id: large\r\n");
    assert_eq!(answer.status, 200);
    let line = slow_lines(&server, "large", "json").pop().expect("a line");
    assert_holds_no_secret(&line);
    assert!(!line.contains(USER), "{line}");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["database"], &line["outcome"]), (&Value::from("embedded"), &Value::from("ok")));
    assert_eq!(line["request_id"], "large");
    assert!(line["duration_ms"].as_f64().unwrap() >= 1.0 && line.get("node").is_none(), "{line}");
}

#[test]
fn how_slow_is_slow_is_a_setting_and_is_printed() {
    let output = userprofiles().args(["config", "--set", "bucket.slow_operation=250ms"]).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("slow_operation = \"250ms\""));
}
