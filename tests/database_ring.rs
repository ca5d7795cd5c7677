//! A hundred thousand documents from database to database, by `export | import`, and back: the last export is the first.
//!
//! The documents have their members in the order of their names, because the query service of Couchbase keeps no other.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/databases/mod.rs"]
mod databases;
mod support;

use std::fmt::Write;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use databases::Store;
use support::process::spawn;

const USERS: usize = 100_000;

/// More than this at once is memory that grows with the number of documents, whose texts are 20 MiB.
const MOST_MEMORY_KIB: u64 = 40 * 1024;

fn documents() -> String {
    (0..USERS).fold(String::new(), |mut lines, number| {
        // Names in the order of their ids, some of which have to be escaped on the way.
        let mark = ["", "@example.com", " é", "/%2F+"][number % 4];
        writeln!(
            lines,
            r#"{{"disabled":{},"email":"user{number}@example.com","full_name":"Zoë {number}","hashed_password":"$2b$12$marker{number:058}","type":"userprofile","username":"user{number:06}{mark}"}}"#,
            number % 7 == 0
        )
        .unwrap();
        lines
    })
}

/// A command of a store, with its standard error in a file.
fn command(store: &Store, arguments: &[&str], folder: &Path, name: &str) -> Command {
    let mut command = store.command();
    command.args(arguments).current_dir(folder);
    command.stderr(File::create(folder.join(name)).unwrap());
    command
}

/// Waits for the end of a command; its peak of memory, in KiB, as far as it was seen.
fn finish(mut child: Child, what: &str, log: &Path) -> u64 {
    let mut peak = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let lines = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let own = lines.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = own.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{what}: {}", fs::read_to_string(log).unwrap());
    peak
}

#[test]
fn what_goes_from_database_to_database_comes_back_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let lines = documents();
    let first = Store::embedded();
    fs::write(folder.path().join("first.jsonl"), &lines).unwrap();
    let output = first.run(&["import", "first.jsonl"], folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let real = ["couchdb", "opensearch", "mongodb", "cassandra"].map(|name| Store::real(name, "ring"));
    let others = [Store::arangodb_double(), Store::couchbase(), Store::embedded()];
    let ring: Vec<Store> = [first].into_iter().chain(real.into_iter().flatten()).chain(others).collect();
    for pair in ring.windows(2) {
        let [from, to] = pair else { unreachable!("windows of two") };
        let start = Instant::now();
        let what = format!("{} to {}", from.name, to.name);
        let mut export = command(from, &["export", "-"], folder.path(), "export.log");
        export.stdout(Stdio::piped());
        let mut export = spawn(export).unwrap();
        let mut import = command(to, &["import", "-"], folder.path(), "import.log");
        import.stdin(export.stdout.take().unwrap()).stdout(Stdio::null());
        let import = spawn(import).unwrap();
        let exporting = std::thread::spawn({
            let (what, log) = (what.clone(), folder.path().join("export.log"));
            move || finish(export, &what, &log)
        });
        let importing = finish(import, &what, &folder.path().join("import.log"));
        let exporting = exporting.join().unwrap();
        println!("{what}: {:.1?}; export {exporting} KiB, import {importing} KiB", start.elapsed());
        assert!(exporting.max(importing) < MOST_MEMORY_KIB, "{what}: {exporting} and {importing} KiB");
    }
    let last = ring.last().unwrap().run(&["export", "-"], folder.path());
    let is_same = last.stdout == lines.as_bytes();
    let differing = || {
        let last = String::from_utf8_lossy(&last.stdout).into_owned();
        lines.lines().zip(last.lines()).find(|(first, last)| first != last).map(|(a, b)| format!("{a}\n{b}"))
    };
    assert!(is_same, "{:?}", differing());
}
