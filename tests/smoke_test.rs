//! `scripts/smoke-test`: it sees what is on and what is off, and one line says what is wrong.

mod support;

use std::path::Path;
use std::process::Command;

use support::server::Server;

/// The exit code, and what was printed.
fn smoke_test(arguments: &[&str]) -> (i32, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/smoke-test");
    let output = Command::new(script).args(arguments).env_remove("http_proxy").output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn everything_that_is_on_is_checked() {
    let server = Server::embedded(&["http.cors_allow_origins=https://a.example"]);
    let (public, admin) = (format!("http://{}", server.public), format!("http://{}", server.admin));
    let (code, told) = smoke_test(&["--admin", &admin, "--origin", "https://a.example", &public]);
    assert_eq!(code, 0, "{told}");
    assert!(!told.contains("skipped") && told.ends_with(" passed, 0 failed\n"), "{told}");
    for expected in ["who expects another one", "described", "web pages of the origin", "its database answers"] {
        assert!(told.lines().any(|line| line.starts_with("ok ") && line.contains(expected)), "{expected}: {told}");
    }
}

#[test]
fn what_is_off_is_left_out_and_named() {
    let server = Server::embedded(&["http.docs=false"]);
    let (public, admin) = (format!("http://{}", server.public), format!("http://{}", server.admin));
    let (code, told) = smoke_test(&["--admin", &admin, &public, "johndoe"]);
    assert_eq!(code, 0, "{told}");
    for expected in ["the API's documentation: [http] docs is false", "web pages of other origins"] {
        assert!(told.contains(&format!("skipped {expected}")), "{expected}: {told}");
    }
}

#[test]
fn the_last_line_says_what_failed_first() {
    let server = Server::embedded(&["http.cors_allow_origins=https://a.example"]);
    let public = format!("http://{}", server.public);
    let (code, told) = smoke_test(&["--origin", "https://b.example", &public]);
    let last = told.lines().last().unwrap();
    assert_eq!(code, 1, "{told}");
    assert!(last.contains("failed; first: web pages of the origin may read answers: got \"none may\""), "{last}");

    // The public listener is none for operators.
    let (code, told) = smoke_test(&["--admin", &public, &public]);
    let last = told.lines().last().unwrap();
    assert_eq!(code, 1, "{told}");
    assert!(last.contains("first: the admin listener says that the server lives: got \"404 "), "{last}");
}

#[test]
fn a_server_that_cannot_read_is_told_in_one_line() {
    let server = Server::embedded(&[]);
    let sqlite = rusqlite::Connection::open(server.folder().join("data/userprofiles.db")).unwrap();
    sqlite.execute_batch("UPDATE documents SET body = '{}x' WHERE id = 'userprofile::johndoe'").unwrap();
    let (code, told) = smoke_test(&[&format!("http://{}", server.public)]);
    assert_eq!((code, told.lines().count()), (1, 1), "{told}");
    assert!(told.starts_with("FAILED  a known user is found: got 500, "), "{told}");

    let (code, told) = smoke_test(&["http://127.0.0.1:1"]);
    assert_eq!(code, 1);
    assert!(told.starts_with("FAILED  nobody answers at http://127.0.0.1:1: "), "{told}");
}

#[test]
fn wrong_usage() {
    for arguments in
        [&[][..], &["ftp://x"], &["--admin"], &["--admin", "x", "http://x"], &["http://x", "a", "b"], &["-x"]]
    {
        assert_eq!(smoke_test(arguments).0, 2, "{arguments:?}");
    }
}
