//! `import` into Couchbase: the real binary against the double, over real sockets.
#![allow(clippy::disallowed_methods, reason = "tests start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};

use couchbase::{Behaviour, Cut, Double, ErrorAnswer, Hold, Query, Raised, Raw};
use on_couchbase::{assert_holds_no_secret, command, outcome, profile, serve, signal};
use serde_json::Value;
use support::process;

/// Writes a file of profiles, and gives its lines.
fn users(folder: &Path, count: usize) -> Vec<String> {
    let lines: Vec<String> = (0..count).map(|number| profile(&format!("user{number:05}"))).collect();
    fs::write(folder.join("users.jsonl"), lines.join("\n")).unwrap();
    lines
}

/// Asserts that the double has these lines as documents, each with its type.
fn assert_stored(double: &Double, lines: &[String]) {
    for line in lines {
        let mut expected: Value = serde_json::from_str(line).unwrap();
        let id = format!("userprofile::{}", expected["username"].as_str().unwrap());
        let stored = double.document(&id).unwrap_or_else(|| panic!("{id} is not there"));
        if expected.get("type").is_none() {
            expected["type"] = "userprofile".into();
        }
        assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), expected, "{id}");
    }
}

fn spawn(double: &Double, folder: &Path, arguments: &[&str]) -> Child {
    process::spawn(command(double, folder, arguments)).unwrap()
}

#[test]
fn documents_are_stored_as_the_json_that_they_are_in_small_requests() {
    let double = Double::start();
    let folder = tempfile::tempdir().unwrap();
    let mut lines = users(folder.path(), 600);
    lines.push(
        r#"{"username":"caf\u00e9 \"q\" `b` $k0 \\","hashed_password":"hash-marker-0815","x":[1,-2.5,null,{"y":"z"}]}"#
            .to_owned(),
    );
    lines.push(
        r#"{ "username" : "spaced", "hashed_password":"hash-marker-0815" , "type":"other","n":9007199254740993 }"#
            .to_owned(),
    );
    fs::write(folder.path().join("users.jsonl"), lines.join("\r\n")).unwrap();
    // A second time changes nothing.
    for _ in 0..2 {
        let output = command(&double, folder.path(), &["import", "users.jsonl"]).output().unwrap();
        let (code, out, err) = outcome(&output);
        assert_eq!((code, out), (0, ""), "{err}");
        assert!(err.contains("602 lines stored, none rejected"), "{err}");
        assert_holds_no_secret(err);
        assert_stored(&double, &lines);
    }
    assert_eq!(double.batches(), [256, 256, 90, 256, 256, 90]);
    assert_eq!(double.violations(), Vec::<String>::new());
    assert_eq!(double.counts().query.connections, 2, "one connection an import");

    let server = serve(&double, &[]);
    assert_eq!(server.get("/users/user00599").status, 200);
    assert_eq!(server.get("/users/caf%C3%A9%20%22q%22%20%60b%60%20$k0%20%5C").status, 200);
}

#[test]
fn large_documents_go_alone_and_one_of_twenty_mebibytes_fits() {
    let double = Double::start();
    let folder = tempfile::tempdir().unwrap();
    let sized = |name: &str, bytes: usize| {
        let start = format!(r#"{{"type":"userprofile","username":"{name}","hashed_password":"h","x":""#);
        format!("{start}{}\"}}", "x".repeat(bytes - start.len() - 2))
    };
    let lines = [sized("a", 700_000), sized("b", 700_000), sized("c", 20 * 1024 * 1024), sized("d", 1000)];
    fs::write(folder.path().join("users.jsonl"), lines.join("\n")).unwrap();
    let output = command(&double, folder.path(), &["import", "users.jsonl"]).output().unwrap();
    assert_eq!(outcome(&output).0, 0, "{}", outcome(&output).2);
    assert_eq!(double.batches(), [1, 1, 1, 1]);
    assert_stored(&double, &lines);
}

#[test]
fn a_trouble_that_passes_is_waited_out_and_told_once() {
    let error = |code, status, raised| Query::Error(ErrorAnswer::new(code, status, raised));
    for trouble in [
        error(1181, 503, Raised::Before),
        error(1201, 429, Raised::Before),
        error(12_008, 200, Raised::During),
        Query::StoreSome(3),
        Query::Raw(Raw::empty(503)),
        Query::Cut(Cut::ContentLength),
        Query::Cut(Cut::Json),
        Query::HangUp,
        Query::Reset,
    ] {
        let double = Double::start();
        let folder = tempfile::tempdir().unwrap();
        let lines = users(folder.path(), 10);
        double.set_query(trouble.clone());
        let child = spawn(&double, folder.path(), &["import", "users.jsonl"]);
        double.wait_until("a second try", |counts| counts.query.all_requests() >= 2);
        double.set_query(Query::Answer);
        let output = child.wait_with_output().unwrap();
        let (code, _, err) = outcome(&output);
        assert_eq!(code, 0, "{trouble:?}: {err}");
        assert_eq!(err.matches("storing documents failed and is retried").count(), 1, "{trouble:?}: {err}");
        assert!(err.contains("10 lines stored, none rejected"), "{trouble:?}: {err}");
        assert_holds_no_secret(err);
        assert_stored(&double, &lines);
        assert_eq!(double.violations(), Vec::<String>::new());
    }
}

#[test]
fn a_trouble_that_stays_ends_it_and_what_is_half_done_is_mended_by_another_run() {
    let double = Double::start();
    let folder = tempfile::tempdir().unwrap();
    let lines = users(folder.path(), 300);
    double.set_query(Query::StoreSome(5));
    let arguments = ["import", "users.jsonl", "--set", "bucket.n1ql_timeout=600ms"];
    let output = command(&double, folder.path(), &arguments).output().unwrap();
    let (code, _, err) = outcome(&output);
    assert_eq!(code, 1, "{err}");
    for part in [
        "lines 1 to 300 are not all stored",
        "once more is safe",
        "12009",
        "(0 of 300 documents are stored; some of the",
    ] {
        assert!(err.contains(part), "no {part:?} in: {err}");
    }
    assert_holds_no_secret(err);
    assert!(double.batches().len() > 1, "it was not tried again");

    double.set_query(Query::Answer);
    let output = command(&double, folder.path(), &arguments).output().unwrap();
    assert_eq!(outcome(&output).0, 0, "{}", outcome(&output).2);
    assert_stored(&double, &lines);
}

#[test]
fn a_frozen_cluster_ends_it_at_the_n1ql_timeout() {
    let double = Double::start();
    let folder = tempfile::tempdir().unwrap();
    users(folder.path(), 3);
    double.set_query(Query::Freeze);
    let arguments = ["import", "users.jsonl", "--set", "bucket.n1ql_timeout=300ms"];
    let output = command(&double, folder.path(), &arguments).output().unwrap();
    let (code, _, err) = outcome(&output);
    assert!(code == 1 && err.contains("did not answer in time") && err.contains("lines 1 to 3"), "{code}: {err}");
}

#[test]
fn what_somebody_must_change_is_told_at_once() {
    let error = |code, status| ErrorAnswer::new(code, status, Raised::Before);
    for (answer, parts) in [
        (error(13_014, 401), ["13014", "GRANT query_insert, query_update ON `bucket_name` TO `reader`;"]),
        (error(10_000, 401), ["10000", "GRANT query_insert, query_update ON `bucket_name` TO `reader`;"]),
        (error(2120, 401), ["2120", "password_file"]),
        (error(1000, 403), ["1000", "read only"]),
        (error(12_003, 424), ["12003", "[couchbase] bucket"]),
    ] {
        let double = Double::start();
        let folder = tempfile::tempdir().unwrap();
        users(folder.path(), 3);
        double.set_query(Query::Error(answer));
        let output = command(&double, folder.path(), &["import", "users.jsonl"]).output().unwrap();
        let (code, _, err) = outcome(&output);
        assert_eq!(code, 1, "{err}");
        for part in parts {
            assert!(err.contains(part), "no {part:?} in: {err}");
        }
        assert_holds_no_secret(err);
        assert_eq!(double.counts().query.all_requests(), 1, "{parts:?}");
    }
}

/// Waits for a line on standard error, and gives all that came before it and itself.
fn wait_for_line(stderr: &mut impl BufRead, part: &str) -> String {
    let mut text = String::new();
    while !text.contains(part) {
        assert!(stderr.read_line(&mut text).unwrap() > 0, "no {part:?} in: {text}");
    }
    text
}

#[test]
fn a_signal_waits_until_the_batch_is_stored_and_a_second_one_does_not() {
    for name in ["INT", "TERM"] {
        let double = Double::start();
        let folder = tempfile::tempdir().unwrap();
        let lines = users(folder.path(), 1_500);
        double.set(Behaviour { hold: Hold::Queries, ..Behaviour::default() });
        let mut child = spawn(&double, folder.path(), &["import", "users.jsonl"]);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        double.wait_until("the first request", |counts| counts.query.in_work == 1);
        signal(&child, name);
        wait_for_line(&mut stderr, "interrupt again");
        assert_eq!(double.counts().query.in_work, 1);
        double.set(Behaviour::default());
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{rest}");
        assert!(rest.contains("interrupted: 1000 lines are stored, none of them half"), "{rest}");
        assert_stored(&double, &lines[..1_000]);
        assert_eq!(double.batches(), [256, 256, 256, 232]);

        double.set(Behaviour { hold: Hold::Queries, ..Behaviour::default() });
        let mut child = spawn(&double, folder.path(), &["import", "users.jsonl"]);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        double.wait_until("a request", |counts| counts.query.in_work == 1);
        signal(&child, name);
        wait_for_line(&mut stderr, "interrupt again");
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(1));
        double.set(Behaviour::default());
    }
}

#[test]
fn a_signal_between_batches_ends_it_at_once() {
    let double = Double::start();
    let folder = tempfile::tempdir().unwrap();
    let mut import = command(&double, folder.path(), &["import", "-", "--log-level", "debug"]);
    import.stdin(Stdio::piped());
    let mut child = process::spawn(import).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    // Once it has stored a batch it takes signals, and waits for more of its input.
    let lines: Vec<String> = (0..1_000).map(|number| profile(&format!("user{number}")) + "\n").collect();
    std::io::Write::write_all(&mut stdin, lines.concat().as_bytes()).unwrap();
    double.wait_until("the first batch", |counts| counts.query.all_requests() == 4 && counts.query.in_work == 0);
    signal(&child, "INT");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest}");
    assert!(rest.contains("interrupted"), "{rest}");
    assert_holds_no_secret(&rest);
    assert_stored(&double, &lines);
    drop(stdin);
}
