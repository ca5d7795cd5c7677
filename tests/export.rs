//! `export`: the real binary, from an SQLite file and from the Couchbase double, and back by `import`.
#![allow(clippy::disallowed_methods, reason = "tests start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use couchbase::{Behaviour, Double, ErrorAnswer, Hold, Query, Raised, Raw};
use on_couchbase::{HASH, assert_holds_no_secret, command, outcome, profile, signal};
use serde_json::Value;
use support::process::{spawn, userprofiles};
use support::server::sample_users;

/// Runs it on the SQLite file of a folder.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    userprofiles().current_dir(folder).args(arguments).output().unwrap()
}

fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["import", sample_users().to_str().unwrap()]);
    assert_eq!(outcome(&output).0, 0, "{output:?}");
    folder
}

/// As `import` stores a line.
fn with_type(line: &str) -> String {
    let document: Value = serde_json::from_str(line).unwrap();
    if document.get("type").is_some() { line.to_owned() } else { line.replacen('{', "{\"type\":\"userprofile\",", 1) }
}

/// The documents of a file by their usernames.
fn documents(text: &str) -> Vec<Value> {
    let mut documents: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    documents.sort_by_key(|document| document["username"].as_str().unwrap().to_owned());
    documents
}

#[test]
fn what_was_imported_comes_back_from_every_database() {
    let folder = sample();
    let path = |name: &str| folder.path().join(name);
    let original: Vec<String> = fs::read_to_string(sample_users()).unwrap().lines().map(with_type).collect();
    let original = original.join("\n");

    let output = run(folder.path(), &["export", "one.jsonl"]);
    let (code, out, err) = outcome(&output);
    assert_eq!((code, out), (0, ""), "{err}");
    assert!(err.contains("hashes") && err.contains(&format!("{} documents", original.lines().count())), "{err}");
    let one = fs::read_to_string(path("one.jsonl")).unwrap();
    let mut lines: Vec<&str> = original.lines().collect();
    let mut exported: Vec<&str> = one.lines().collect();
    lines.sort_unstable();
    exported.sort_unstable();
    assert_eq!(exported, lines, "the embedded database gives back every byte");

    let double = Double::start();
    let output = command(&double, folder.path(), &["import", "one.jsonl"]).output().unwrap();
    assert_eq!(outcome(&output).0, 0, "{}", outcome(&output).2);
    let output = command(&double, folder.path(), &["export", "two.jsonl"]).output().unwrap();
    assert_eq!(outcome(&output).0, 0, "{}", outcome(&output).2);
    let two = fs::read_to_string(path("two.jsonl")).unwrap();
    assert_eq!(documents(&two), documents(&original));

    let other = tempfile::tempdir().unwrap();
    let output = run(other.path(), &["import", path("two.jsonl").to_str().unwrap()]);
    assert_eq!(outcome(&output).0, 0, "{}", outcome(&output).2);
    let output = run(other.path(), &["export"]);
    let (code, out, err) = outcome(&output);
    assert_eq!(code, 0, "{err}");
    assert_eq!(documents(out), documents(&original));
    assert_eq!(double.violations(), Vec::<String>::new());
}

#[test]
fn a_file_is_for_its_owner_only_and_replaces_another_only_if_asked() {
    let folder = sample();
    let path = folder.path().join("out.jsonl");
    fs::write(&path, "mine").unwrap();
    let output = run(folder.path(), &["export", "out.jsonl"]);
    let (code, out, err) = outcome(&output);
    assert_eq!((code, out), (1, ""), "{err}");
    assert!(err.contains("out.jsonl is there already") && err.contains("--force"), "{err}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");

    let output = run(folder.path(), &["export", "out.jsonl", "--force"]);
    assert_eq!(outcome(&output).0, 0, "{}", outcome(&output).2);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let exported = fs::read_to_string(&path).unwrap();
    for arguments in [&["export"][..], &["export", "-"]] {
        let output = run(folder.path(), arguments);
        assert_eq!(outcome(&output).1, exported);
    }
    for (arguments, part) in [
        (&["export", "missing/x.jsonl"][..], "name a file in a folder"),
        (&["export", ".", "--force"], "not a regular file"),
    ] {
        let output = run(folder.path(), arguments);
        let (code, out, err) = outcome(&output);
        assert!(code == 1 && out.is_empty() && err.contains(part), "{arguments:?}: {code} {err}");
        assert!(!err.contains("not-a-real-hash"), "{err}");
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn an_output_that_is_closed_is_an_error() {
    let folder = sample();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = userprofiles().current_dir(folder.path()).arg("export").stdout(writer).output().unwrap();
    assert_eq!(outcome(&output).0, 1);
    assert!(outcome(&output).2.contains("cannot be written"), "{}", outcome(&output).2);
}

/// Profiles of a size, in the double.
fn fill(double: &Double, count: usize, bytes: usize) {
    for number in 0..count {
        let text = format!(
            r#"{{"type":"userprofile","username":"user{number:05}","hashed_password":"{HASH}","x":"{}"}}"#,
            "x".repeat(bytes)
        );
        double.put(&format!("userprofile::user{number:05}"), &text);
    }
}

#[test]
fn pages_follow_the_size_of_the_documents() {
    for (count, bytes, pages) in [
        (2_500, 10, vec![100, 1000, 1000, 1000, 1000]),
        // The first page would have 24 MB: it is asked for again, four times as short, until it fits.
        (12, 2_000_000, vec![100, 25, 7, 2, 2, 2, 2]),
    ] {
        let double = Double::start();
        fill(&double, count, bytes);
        // None of these is a user's.
        double.put("userprofile::zzz", r#"{"type":"something else","username":"zzz"}"#);
        double.put("other", "7");
        let folder = tempfile::tempdir().unwrap();
        let output =
            command(&double, folder.path(), &["export", "out.jsonl", "--log-level", "debug"]).output().unwrap();
        let (code, _, err) = outcome(&output);
        assert_eq!(code, 0, "{err}");
        assert!(err.contains(&format!("{count} documents exported")), "{err}");
        assert_holds_no_secret(err);
        let text = fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
        let names: Vec<Value> = documents(&text).iter().map(|document| document["username"].clone()).collect();
        assert_eq!(names, (0..count).map(|number| format!("user{number:05}")).collect::<Vec<_>>());
        assert_eq!(double.pages(), pages);
        assert_eq!(double.violations(), Vec::<String>::new());
    }
}

#[test]
fn documents_that_import_would_not_take_are_exported_and_counted() {
    let double = Double::start();
    double.put("userprofile::a", &profile("a").replace('{', r#"{"type":"userprofile","#));
    double.put("userprofile::b", r#"{"type":"userprofile","username":"b"}"#);
    double.put("userprofile::c", &profile("a").replace('{', "{\n\"type\":\"userprofile\",\r\n"));
    let folder = tempfile::tempdir().unwrap();
    let output = command(&double, folder.path(), &["export"]).output().unwrap();
    let (code, out, err) = outcome(&output);
    assert_eq!((code, out.lines().count()), (0, 3), "{err}");
    for part in ["3 documents exported, 2 of which", "\"userprofile::b\"", "`hashed_password` is missing"] {
        assert!(err.contains(part), "no {part:?} in: {err}");
    }
    assert_holds_no_secret(err);
}

#[test]
fn a_list_that_fails_says_what_to_run_and_leaves_nothing() {
    let index = "CREATE INDEX userprofiles_by_type ON `bucket_name`(`type`, META().id);";
    let error = |code, status| Query::Error(ErrorAnswer::new(code, status, Raised::Before));
    let no_scan = r#"{"requestID":"1","errors":[{"code":13014,"msg":"message-marker-4711","reason":{"path":"default:bucket_name","missing_role":"query_use_sequential_scans","recommended_action":"x"}}],"status":"fatal"}"#;
    for (answer, parts) in [
        (error(4000, 404), [index, "4000"]),
        (Query::Raw(Raw::json(401, no_scan)), [index, "for want of an index"]),
        (error(13_014, 401), [index, "GRANT query_select ON `bucket_name` TO `reader`;"]),
        (error(12_003, 424), ["12003", "[couchbase] bucket"]),
    ] {
        let double = Double::start();
        fill(&double, 3, 1);
        double.set_query(answer);
        let folder = tempfile::tempdir().unwrap();
        let output = command(&double, folder.path(), &["export", "out.jsonl"]).output().unwrap();
        let (code, out, err) = outcome(&output);
        assert_eq!((code, out), (1, ""), "{err}");
        for part in parts {
            assert!(err.contains(part), "no {part:?} in: {err}");
        }
        assert_holds_no_secret(err);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was left");
        assert_eq!(double.counts().query.all_requests(), 1);
    }
}

#[test]
fn an_error_names_the_file_that_was_named() {
    let double = Double::start();
    let folder = tempfile::tempdir().unwrap();
    let output = command(&double, folder.path(), &["export", "missing/out.jsonl"]).output().unwrap();
    let (code, _, err) = outcome(&output);
    assert!(
        code == 1 && err.contains("missing/out.jsonl cannot be written") && !err.contains(".userprofiles-"),
        "{err}"
    );
}

#[test]
fn a_list_is_tried_again_where_that_may_help() {
    let double = Double::start();
    fill(&double, 3, 1);
    double.set_query(Query::HangUp);
    let folder = tempfile::tempdir().unwrap();
    let child = spawn(command(&double, folder.path(), &["export"])).unwrap();
    double.wait_until("a second try", |counts| counts.query.all_requests() >= 2);
    double.set_query(Query::Answer);
    let output = child.wait_with_output().unwrap();
    let (code, out, err) = outcome(&output);
    assert_eq!((code, out.lines().count()), (0, 3), "{err}");
    assert!(err.contains("listing documents failed and is retried"), "{err}");
}

#[test]
fn a_signal_leaves_no_file_behind() {
    for name in ["INT", "TERM", "HUP", "KILL"] {
        let double = Double::start();
        fill(&double, 3, 1);
        double.set(Behaviour { hold: Hold::Queries, ..Behaviour::default() });
        let folder = tempfile::tempdir().unwrap();
        let child = spawn(command(&double, folder.path(), &["export", "out.jsonl"])).unwrap();
        double.wait_until("a request", |counts| counts.query.in_work == 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "what is being written has no name");
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        if name != "KILL" {
            let (code, _, err) = outcome(&output);
            assert!(code == 1 && err.contains("interrupted: no file was written"), "{code}: {err}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was left");
        double.set(Behaviour::default());
    }
}
