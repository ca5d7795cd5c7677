//! Spec §2 and §4 with Couchbase behind the real binary: each thing that the database can do, as a client and as an
//! operator see it, in both ways of `[bucket] connections`.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use couchbase::{CodeRow, Cut, Double, Manager, Query, Raw, Stored, code_rows};
use on_couchbase::{
    HASH, MODES, assert_holds_no_secret, assert_read, assert_serves_john, double_with_john, error_line, profile, serve,
    serve_at, wait_for_john,
};
use support::client::Answer;
use support::server::{Server, sample_users};

const MAX_DOCUMENT_BYTES: usize = 20 * 1024 * 1024;

/// Documents beside the sample users, as they are stored.
fn odd_documents() -> Vec<(&'static str, String)> {
    let text = |text: &str| text.to_owned();
    vec![
        ("plain", profile("plain")),
        ("alias", profile("somebody-else")),
        ("spaced", text(" {\n\t\"hashed_password\" : \"h\" , \"username\":\"\\u0073paced\\/\\\"\" } ")),
        ("more", text(r#"{"username":"more","hashed_password":"h","disabled":true,"age":1e400,"deep":[[{}]],"":""}"#)),
        ("a/b+c \"é\" \\", profile("odd")),
        ("empty", text("{}")),
        ("null", text("null")),
        ("array-0", text("[]")),
        ("text-0", text("\"\"")),
        ("zero", text("0")),
        ("false", text("false")),
        ("array", text(r#"[1,"two",null]"#)),
        ("text", text(r#""userprofile""#)),
        ("true", text("true")),
        ("number", text("-1.5")),
        ("no-hash", text(r#"{"username":"no-hash"}"#)),
        ("no-name", text(r#"{"hashed_password":"h"}"#)),
        ("null-name", text(r#"{"username":null,"hashed_password":"h"}"#)),
        ("number-email", text(r#"{"username":"x","hashed_password":"h","email":4711}"#)),
        ("yes", text(r#"{"username":"x","hashed_password":"h","disabled":"yes"}"#)),
        ("twice", text(r#"{"username":"x","username":"y","hashed_password":"h"}"#)),
    ]
}

fn sample_documents() -> Vec<(String, String)> {
    let lines = std::fs::read_to_string(sample_users()).unwrap();
    let of_line = |line: &str| {
        let stored: serde_json::Value = serde_json::from_str(line).unwrap();
        (stored["username"].as_str().unwrap().to_owned(), line.to_owned())
    };
    lines.lines().filter(|line| !line.trim().is_empty()).map(of_line).collect()
}

fn path_of(username: &str) -> String {
    format!("/users/{}", percent_encoding::percent_encode(username.as_bytes(), percent_encoding::NON_ALPHANUMERIC))
}

fn head_without_date(answer: &Answer) -> Vec<&str> {
    answer.head.lines().filter(|line| !line.starts_with("Date: ")).collect()
}

#[test]
fn the_same_bytes_as_from_the_embedded_database() {
    let mut documents = sample_documents();
    documents.extend(odd_documents().into_iter().map(|(name, text)| (name.to_owned(), text)));
    let embedded = Server::embedded(&[]);
    let file = rusqlite::Connection::open(embedded.folder.path().join("data/userprofiles.db")).unwrap();
    let double = Double::start();
    for (name, text) in &documents {
        let id = format!("userprofile::{name}");
        file.execute("INSERT OR REPLACE INTO documents (id, body) VALUES (?1, ?2)", [&id, text]).unwrap();
        double.put(&id, text);
    }
    let mut paths: Vec<String> = documents.iter().map(|(name, _)| path_of(name)).collect();
    let (longest, too_long) = (format!("/users/{}", "x".repeat(233)), format!("/users/{}", "x".repeat(234)));
    for path in [
        "/users/nobody",
        "/users/nobody?x=1",
        "/users/%ff",
        "/users/a%00b",
        "/users/%C2%85",
        "/users/%zz",
        "/users/%",
        "/users/",
        "/users",
        "/users/a/b",
        "/users/plain/",
        "/",
        "/nothing",
        &longest,
        &too_long,
    ] {
        paths.push(path.to_owned());
    }
    let mut statuses = std::collections::BTreeSet::new();
    for mode in MODES {
        let server = serve(&double, &[mode]);
        let (mut expected, mut actual) = (embedded.connect(), server.connect());
        for path in &paths {
            let mut ask = |method: &str, fields: &str| {
                let fields = format!("X-Request-Id: same\r\n{fields}");
                let (expected, actual) =
                    (expected.request(method, path, &fields), actual.request(method, path, &fields));
                assert_eq!(head_without_date(&expected), head_without_date(&actual), "{mode} {method} {path} {fields}");
                assert_eq!(expected.body, actual.body, "{mode} {method} {path} {fields}");
                statuses.insert(actual.status);
                actual
            };
            let tag = ask("GET", "").field("etag").unwrap_or("\"none\"").to_owned();
            ask("GET", &format!("If-None-Match: {tag}\r\n"));
            ask("GET", "If-None-Match: \"other\"\r\n");
            ask("HEAD", "");
            ask("OPTIONS", "");
            ask("POST", "");
        }
        server.wait_for_log("differs from its id");
        assert_holds_no_secret(&server.log());
    }
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [200, 204, 304, 307, 400, 404, 405, 422, 500]);
    assert_eq!(double.violations(), Vec::<String>::new());
}

/// One GET of `johndoe`, whose answer must be this problem and nothing more, and the log lines about it.
fn assert_fails(server: &Server, request_id: &str, status: u16, code: &str) -> String {
    let answer = server.connect().request("GET", "/users/johndoe", &format!("X-Request-Id: {request_id}\r\n"));
    let problem = answer.assert_problem(status, code);
    assert_eq!(answer.field("retry-after").is_some(), status == 503, "{request_id}: {}", answer.head);
    assert_eq!(answer.field("etag"), None);
    assert_eq!(problem.as_object().unwrap().len(), 6);
    assert_eq!(problem["instance"], "/users/johndoe");
    let whole = format!("{}{}", answer.head, answer.text());
    assert_holds_no_secret(&whole);
    for inside in ["127.0.0.1", "SELECT", "userprofile::", "bucket_name", "localhost"] {
        assert!(!whole.contains(inside), "{request_id}: {whole}");
    }
    server.wait_for_log(&format!("request_id={request_id} code={code}"));
    error_line(server, request_id)
}

/// True if a log line tells a person what to do.
fn advises(line: &str) -> bool {
    ["set ", "check ", "can run: ", "create ", "leave ", "look for ", "add ", "needs the role "]
        .iter()
        .any(|word| line.contains(word))
}

fn assert_advises(line: &str) {
    assert!(advises(line), "this line does not say what to do: {line}");
}

fn status_of(code: &str) -> u16 {
    match code {
        "misconfigured" | "invalid-document" => 500,
        "unavailable" | "busy" => 503,
        "timeout" => 504,
        other => panic!("no such code: {other}"),
    }
}

#[test]
fn every_error_code_of_the_query_service() {
    let rows = code_rows();
    for mode in MODES {
        let double = double_with_john();
        let server = serve(&double, &[mode]);
        assert_serves_john(&server);
        let mut without_advice = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            double.set_query(Query::Error(row.answer()));
            let CodeRow { code, meaning, .. } = row;
            let line = assert_fails(&server, &format!("row-{number}-{code}"), status_of(meaning), meaning);
            if meaning == "invalid-document" {
                assert!(line.contains("larger than 20971520 bytes") && line.contains("userprofile::johndoe"), "{line}");
            } else {
                assert!(line.contains(&format!("error {code}")), "{line}");
            }
            if meaning == "misconfigured" && !advises(&line) {
                without_advice.push(line);
            }
        }
        double.set_query(Query::Answer);
        assert_serves_john(&server);
        assert_holds_no_secret(&server.log());
        assert_eq!(without_advice, Vec::<String>::new());
    }
}

#[test]
fn a_document_that_is_not_utf8_is_an_invalid_document() {
    let double = double_with_john();
    let server = serve(&double, &[MODES[0]]);
    let mut body = br#"{"results":[{"id":"userprofile::rene","doc":{"username":"rene","full_name":"Ren?","hashed_password":"hash-marker-0815"}}],"status":"success"}"#.to_vec();
    let place = body.iter().position(|byte| *byte == b'?').unwrap();
    body[place] = 0xE9;
    double.set_query(Query::Raw(Raw { status: 200, content_type: Some("application/json"), body }));
    server.get("/users/rene").assert_problem(500, "invalid-document");
    server.wait_for_log("not UTF-8");
    server.wait_for_log("userprofile::rene");
    assert_holds_no_secret(&server.log());
}

#[test]
fn answers_that_are_not_the_query_services_own() {
    let page = |status| Query::Raw(Raw::html(status, "<html><body>hello</body></html>"));
    let text = |status, text: &str| {
        Query::Raw(Raw { status, content_type: Some("application/json"), body: text.as_bytes().to_vec() })
    };
    let rows = |row: &str| text(200, &format!(r#"{{"results":[{row}],"status":"success"}}"#));
    let table = [
        (page(200), "misconfigured"),
        (page(301), "misconfigured"),
        (page(400), "misconfigured"),
        (page(401), "misconfigured"),
        (page(403), "misconfigured"),
        (page(404), "misconfigured"),
        (page(429), "unavailable"),
        (page(500), "misconfigured"),
        (page(502), "unavailable"),
        (page(503), "unavailable"),
        (page(504), "timeout"),
        (Query::Raw(Raw::empty(200)), "misconfigured"),
        (Query::Raw(Raw::empty(503)), "unavailable"),
        (text(200, "null"), "misconfigured"),
        (text(200, r#"{"took":1,"hits":{"total":0}}"#), "misconfigured"),
        (text(200, r#"[{"id":"userprofile::johndoe"}]"#), "misconfigured"),
        (text(200, "\u{0}\u{1}\u{2}garbage\u{ff}"), "misconfigured"),
        (text(503, r#"{"message":"no healthy upstream"}"#), "unavailable"),
        // A row is another user's unless its id says otherwise.
        (rows(r#"{"doc":{"username":"johndoe","hashed_password":"x"}}"#), "misconfigured"),
        (rows(r#"{"id":null,"doc":{"username":"johndoe","hashed_password":"x"}}"#), "misconfigured"),
        (
            rows(r#"{"id":["userprofile::johndoe"],"doc":{"username":"johndoe","hashed_password":"x"}}"#),
            "misconfigured",
        ),
        (Query::State("stopped"), "unavailable"),
        (Query::State("timeout"), "timeout"),
        (Query::ErrorAfterRows(5011), "unavailable"),
        (Query::ErrorAfterRows(1080), "timeout"),
        (Query::HangUp, "unavailable"),
        (Query::Reset, "unavailable"),
        (Query::Cut(Cut::Head), "unavailable"),
        (Query::Cut(Cut::ContentLength), "unavailable"),
        (Query::Cut(Cut::Chunks), "unavailable"),
        (Query::Cut(Cut::Json), "unavailable"),
    ];
    for mode in MODES {
        let double = double_with_john();
        let server = serve(&double, &[mode]);
        for (number, (query, code)) in table.iter().enumerate() {
            double.set_query(Query::Answer);
            assert_serves_john(&server);
            double.set_query(query.clone());
            let line = assert_fails(&server, &format!("own-{number}"), status_of(code), code);
            if *code == "misconfigured" {
                assert_advises(&line);
            }
        }
        double.set_query(Query::Warnings(vec![4998, 4711]));
        assert_serves_john(&server);
        server.wait_for_log("code=4711");
        assert_holds_no_secret(&server.log());
    }
}

#[test]
fn a_database_that_stands_still_is_a_timeout() {
    for mode in MODES {
        let double = double_with_john();
        let server = serve(&double, &[mode, "bucket.operation_timeout=500ms"]);
        for (number, query) in [Query::Freeze, Query::Cut(Cut::ChunksAndFreeze)].into_iter().enumerate() {
            double.set_query(query);
            let line = assert_fails(&server, &format!("frozen-{number}"), 504, "timeout");
            assert!(line.contains("did not answer in time"), "{line}");
            double.set_query(Query::Answer);
            wait_for_john(&server);
        }
        double.query_port().go_deaf();
        double.query_port().close_connections();
        assert_fails(&server, "deaf", 504, "timeout");
        double.query_port().reopen();
        wait_for_john(&server);

        // Nobody has said yet where the query service is.
        double.set_manager(Manager::Freeze);
        let fresh = serve(&double, &[mode, "bucket.operation_timeout=500ms"]);
        assert_fails(&fresh, "manager", 504, "timeout");
        double.set_manager(Manager::Answer);
        wait_for_john(&fresh);
        assert_holds_no_secret(&(server.log() + &fresh.log()));
    }
}

#[test]
fn a_dead_port_is_unavailable_until_somebody_listens() {
    for mode in MODES {
        let double = double_with_john();
        double.manager_port().close();
        double.query_port().close();
        let server = serve(&double, &[mode]);
        let line = assert_fails(&server, "all-dead", 503, "unavailable");
        assert!(line.contains(&double.manager_address().to_string()), "{line}");
        double.manager_port().reopen();
        let line = assert_fails(&server, "query-dead", 503, "unavailable");
        assert!(line.contains(&double.query_address().to_string()), "{line}");
        double.query_port().reopen();
        assert_serves_john(&server);
        double.query_port().close();
        assert_fails(&server, "dead-again", 503, "unavailable");
        assert_holds_no_secret(&server.log());
    }
}

#[test]
fn a_login_or_a_keyspace_that_is_refused() {
    for mode in MODES {
        let double = double_with_john();
        let server = serve_at(&double.connection_string(), "wrong-password-marker", &[mode]);
        let line = assert_fails(&server, "password", 500, "misconfigured");
        assert!(line.contains("[couchbase] username and password_file"), "{line}");
        assert!(!server.log().contains("wrong-password-marker"));

        for (settings, parts) in [
            (&["couchbase.bucket=other"][..], ["12003", "`other`"]),
            (&["couchbase.scope=people", "couchbase.collection=staff"], ["12003", "`bucket_name`.`people`.`staff`"]),
        ] {
            let settings: Vec<&str> = [mode].into_iter().chain(settings.iter().copied()).collect();
            let server = serve(&double, &settings);
            let line = assert_fails(&server, "keyspace", 500, "misconfigured");
            for part in parts {
                assert!(line.contains(part), "{line}");
            }
            assert_advises(&line);
            assert_holds_no_secret(&server.log());
        }
    }
}

/// Speaks to everybody who connects, whatever they say. It ends with the process.
fn speaker(words: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(words);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    address
}

#[test]
fn something_else_at_the_address() {
    let double = double_with_john();
    for mode in MODES {
        for (words, code) in [
            (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], "misconfigured"),
            (b"5.5.5-10.11.6-MariaDB\0\x01\x02\xff\xfe\r\n\r\n", "misconfigured"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "misconfigured"),
            (b"", "unavailable"),
        ] {
            let other = speaker(words);
            let server = serve_at(&format!("http://{other}"), couchbase::PASSWORD, &[mode]);
            let line = assert_fails(&server, "manager", status_of(code), code);
            if code == "misconfigured" {
                assert_advises(&line);
            }
            let port = other.port();
            double.set_manager(Manager::Nodes(format!(
                r#"{{"rev":1,"nodesExt":[{{"services":{{"mgmt":8091,"n1ql":{port}}},"thisNode":true}}]}}"#
            )));
            let server = serve(&double, &[mode]);
            let line = assert_fails(&server, "query", status_of(code), code);
            if code == "misconfigured" {
                assert_advises(&line);
            }
            assert_holds_no_secret(&server.log());
        }
    }
}

#[test]
fn a_cluster_manager_that_does_not_help() {
    for (manager, code) in [
        (Manager::HangUp, "unavailable"),
        (Manager::Raw(Raw::html(200, "<html></html>")), "misconfigured"),
        (Manager::Raw(Raw::empty(401)), "misconfigured"),
        (Manager::Raw(Raw::empty(403)), "misconfigured"),
        (Manager::Raw(Raw::empty(404)), "misconfigured"),
        (Manager::Raw(Raw::empty(500)), "unavailable"),
        (Manager::Raw(Raw::empty(503)), "unavailable"),
        (Manager::Nodes(r#"{"nodesExt":[{"services":{"kv":11210},"thisNode":true}]}"#.to_owned()), "misconfigured"),
        (Manager::Nodes(r#"{"nodesExt":[]}"#.to_owned()), "misconfigured"),
    ] {
        let double = double_with_john();
        double.set_manager(manager.clone());
        let server = serve(&double, &[]);
        let line = assert_fails(&server, "manager", status_of(code), code);
        if code == "misconfigured" {
            assert_advises(&line);
        }
        assert_holds_no_secret(&server.log());
        double.set_manager(Manager::Answer);
        assert_serves_john(&server);
    }
}

#[test]
fn documents_that_only_couchbase_has() {
    let of_bytes = |bytes: usize| {
        let (begin, end) = (format!(r#"{{"username":"big","hashed_password":"{HASH}","pad":""#), "\"}");
        format!("{begin}{}{end}", "x".repeat(bytes - begin.len() - end.len()))
    };
    let plain = || Stored::json(&profile("plain"));
    let documents = [
        ("cas-largest", plain().with_cas("9223372036854775807"), Ok("plain")),
        ("cas-negative", plain().with_cas("-9223372036854775808"), Ok("plain")),
        ("cas-minus-1", plain().with_cas("-1"), Ok("plain")),
        ("cas-unsigned", plain().with_cas("18446744073709551615"), Ok("plain")),
        ("cas-text", plain().with_cas("\"1732372981000000000\""), Ok("plain")),
        ("no-meta", Stored { cas: None, kind: None, ..plain() }, Ok("plain")),
        ("longest", Stored::json(&of_bytes(MAX_DOCUMENT_BYTES)), Ok("big")),
        (
            "too-long",
            Stored::json(&of_bytes(MAX_DOCUMENT_BYTES + 1)),
            Err(("invalid-document", "larger than 20971520")),
        ),
        ("far-too-long", Stored::json(&of_bytes(MAX_DOCUMENT_BYTES + 4_000_000)), Err(("invalid-document", "larger"))),
        ("binary", Stored::binary(), Err(("invalid-document", "binary"))),
        ("array", Stored::json(r#"["array-marker"]"#), Err(("invalid-document", "not a JSON object"))),
        (
            "other-id",
            Stored { id: Some("\"userprofile::x\"".to_owned()), ..plain() },
            Err(("misconfigured", "look for")),
        ),
    ];
    for mode in MODES {
        let double = Double::start();
        let server = serve(&double, &[mode]);
        let mut client = server.connect();
        for (name, stored, expected) in &documents {
            double.put_stored(&format!("userprofile::{name}"), stored.clone());
            assert_read(&server, &mut client, name, *expected);
            double.remove(&format!("userprofile::{name}"));
        }
        let log = server.log();
        assert_holds_no_secret(&log);
        assert!(!log.contains("array-marker") && !log.contains("xxxxxxxx"));
    }
}
