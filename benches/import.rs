//! How many documents a second are checked, stored and exported: `cargo bench --bench import`.
//!
//! The real program checks one file (`import --dry-run`), imports it into a new SQLite file, and exports that one again.
//! Beside it, in the same rounds, `sqlite3` (the command line of SQLite, if it is installed) imports the same file: the lines
//! alone as they are (`.import`), and then as the program stores them, under ids that are taken out of the JSON. Everybody
//! is measured from the start of the process to its end; the medians of the rounds are printed.
//!
//! Exit code: 1 if the program stores fewer documents a second than `sqlite3` with ids does.
#![allow(clippy::disallowed_methods, reason = "a benchmark takes times and starts threads of its own")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use support::process::{bound, userprofiles};

const DOCUMENTS: u32 = 300_000;

const ROUNDS: usize = 5;

/// Reads each line of the file as one value, whatever is in it.
const LINES: &str = "PRAGMA journal_mode = WAL;\nCREATE TABLE lines (body TEXT NOT NULL);\n.mode ascii\n\
                     .separator \"\\037\" \"\\n\"\n.import users.jsonl lines\n";

/// The same, and what the program keeps of it.
const WITH_IDS: &str = "CREATE TABLE documents (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;\n\
                        INSERT INTO documents SELECT 'userprofile::' || json_extract(body, '$.username'), body FROM lines;\n";

/// One of those who are measured.
struct Contestant<'a> {
    name: &'static str,
    run: Box<dyn Fn() -> Command + 'a>,
    /// Their times, a round each.
    times: Vec<Duration>,
}

fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let bytes = write_documents(&folder.join("users.jsonl"));
    let mut contestants = vec![
        contestant("import --dry-run", || ours(folder, &["import", "--dry-run", "users.jsonl"])),
        contestant("import", || ours(folder, &["import", "users.jsonl"])),
        contestant("export -", || ours(folder, &["export", "-"])),
    ];
    if sqlite3_is_there() {
        contestants.push(contestant("sqlite3 .import, lines alone", || sqlite3(folder, LINES.to_owned())));
        contestants.push(contestant("sqlite3 .import, with ids", || sqlite3(folder, format!("{LINES}{WITH_IDS}"))));
    } else {
        println!("sqlite3 is not installed: measured without it");
    }
    for _ in 0..ROUNDS {
        // What is exported is what was imported in the same round.
        let _ = fs::remove_dir_all(folder.join("data"));
        for Contestant { run, times, .. } in &mut contestants {
            let _ = fs::remove_file(folder.join("lines.db"));
            let mut command = run();
            let start = Instant::now();
            let output = command.output().unwrap();
            times.push(start.elapsed());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    println!("{DOCUMENTS} documents, {} MB, {ROUNDS} rounds\n", bytes / 1_000_000);
    println!("| | documents | lowest, highest round |\n|---|---|---|");
    for Contestant { name, times, .. } in &mut contestants {
        times.sort();
        let [slowest, median, fastest] = [ROUNDS - 1, ROUNDS / 2, 0].map(|place| rate(times[place]));
        println!("| {name} | {median} k/s | {slowest}, {fastest} |");
    }
    let median_of = |name: &str| {
        contestants.iter().find(|contestant| contestant.name == name).map(|contestant| contestant.times[ROUNDS / 2])
    };
    match (median_of("import"), median_of("sqlite3 .import, with ids")) {
        (Some(ours), Some(theirs)) if ours > theirs => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn contestant<'a>(name: &'static str, run: impl Fn() -> Command + 'a) -> Contestant<'a> {
    Contestant { name, run: Box::new(run), times: Vec::new() }
}

fn ours(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = userprofiles();
    command.args(arguments).current_dir(folder).stdout(Stdio::null());
    command
}

fn sqlite3(folder: &Path, script: String) -> Command {
    fs::write(folder.join("script"), script).unwrap();
    let mut command = bound("sqlite3");
    command.args(["-bail", "lines.db"]).current_dir(folder).stdin(File::open(folder.join("script")).unwrap());
    command
}

fn sqlite3_is_there() -> bool {
    Command::new("sqlite3").arg("-version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// As a small service has them; the order of the ids is that of the lines. Returns how many bytes there are.
fn write_documents(path: &Path) -> usize {
    let mut text = String::new();
    for number in 0..DOCUMENTS {
        let hash = format!("{:043x}", u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835));
        writeln!(
            text,
            "{{\"type\":\"userprofile\",\"username\":\"user-{number:07}\",\"email\":\"user-{number:07}@example.com\",\
             \"full_name\":\"User Number {number}\",\"disabled\":false,\
             \"hashed_password\":\"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$\
             {hash}\"}}"
        )
        .unwrap();
    }
    fs::write(path, &text).unwrap();
    text.len()
}

/// Thousands of documents a second.
fn rate(time: Duration) -> u128 {
    u128::from(DOCUMENTS) * 1_000 / time.as_micros().max(1)
}
