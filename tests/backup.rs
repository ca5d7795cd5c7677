//! Back-ups of the embedded file as `docs/how-to/backup.md` describes them: made while the server serves and an import
//! writes, restored after it was stopped.
#![allow(clippy::disallowed_methods, reason = "tests start threads of their own")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use support::server::{Server, userprofiles};

const USERS: usize = 500;

fn name(number: usize) -> String {
    format!("user{number:04}")
}

/// Every user, with the same full name.
fn lines(full_name: &str) -> String {
    (0..USERS).fold(String::new(), |mut lines, number| {
        let name = name(number);
        writeln!(lines, r#"{{"username":"{name}","full_name":"{full_name}","hashed_password":"h"}}"#).unwrap();
        lines
    })
}

fn run(folder: &Path, arguments: &[&str]) {
    let output = userprofiles().args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What the `sqlite3` program prints.
fn sqlite3(folder: &Path, file: &str, command: &str) -> String {
    let output = Command::new("sqlite3").args([file, command]).current_dir(folder).output().expect("sqlite3");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Asserts that everybody has one of these full names, and the same one.
fn assert_consistent(folder: &Path, file: &str) {
    assert_eq!(sqlite3(folder, file, "PRAGMA integrity_check"), "ok\n");
    let count = "SELECT count(*), count(DISTINCT json_extract(body, '$.full_name')) FROM documents";
    assert_eq!(sqlite3(folder, file, count), format!("{USERS}|1\n"), "{file}");
}

fn serve(folder: &Path) -> Server {
    let file = folder.join("live.db");
    Server::start(&[&format!("embedded.path={}", file.display()), "log.access=off"], &[])
}

#[test]
fn copies_that_are_made_while_it_serves_and_imports_are_whole_and_can_be_restored() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("old.jsonl"), lines("old")).unwrap();
    fs::write(folder.join("new.jsonl"), lines("new")).unwrap();
    let live = ["--set", "embedded.path=live.db"];
    run(folder, &[&live[..], &["import", "old.jsonl"]].concat());

    let mut server = serve(folder);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = server.connect();
            for number in (0..USERS).cycle().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                assert_eq!(client.request("GET", &format!("/users/{}", name(number)), "").status, 200);
            }
        });
        // One import is one batch here, so a copy has all of it or nothing of it.
        scope.spawn(|| {
            for file in ["new.jsonl", "old.jsonl"].iter().cycle().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                run(folder, &[&live[..], &["import", file]].concat());
            }
        });
        for round in 0..5 {
            sqlite3(folder, "live.db", &format!(".backup backup{round}.db"));
            sqlite3(folder, "live.db", &format!("VACUUM INTO 'small{round}.db'"));
            let export = format!("export{round}.jsonl");
            run(folder, &[&live[..], &["export", &export]].concat());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    for round in 0..5 {
        assert_consistent(folder, &format!("backup{round}.db"));
        assert_consistent(folder, &format!("small{round}.db"));
        let export = fs::read_to_string(folder.join(format!("export{round}.jsonl"))).unwrap();
        assert_eq!(export.lines().count(), USERS);
    }

    // Something is lost, and the copy brings it back.
    sqlite3(folder, "live.db", "DELETE FROM documents WHERE id = 'userprofile::user0007'");
    assert_eq!(server.get("/users/user0007").status, 404);
    server.signal("TERM");
    assert!(server.wait().success());
    for file in ["live.db-wal", "live.db-shm"] {
        let _ = fs::remove_file(folder.join(file));
    }
    fs::copy(folder.join("backup4.db"), folder.join("live.db")).unwrap();
    let server = serve(folder);
    for number in 0..USERS {
        assert_eq!(server.get(&format!("/users/{}", name(number))).status, 200);
    }

    // An export goes back while it serves.
    sqlite3(folder, "live.db", "DELETE FROM documents");
    assert_eq!(server.get("/users/user0007").status, 404);
    run(folder, &[&live[..], &["import", "export4.jsonl"]].concat());
    assert_eq!(server.get("/users/user0007").status, 200);
}
