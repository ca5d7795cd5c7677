//! What fifty users by one request cost beside one user by one request: `cargo bench --bench many_users`.
//!
//! The real program is asked over one kept connection, one request of each kind in turns, so that a busy moment of the
//! machine meets both alike. It reads a double of Couchbase that takes a millisecond for each exchange (pooled), and an
//! SQLite file. The medians and their ratio are printed.
//!
//! Exit code: 1 if a ratio is above what it may be.
#![allow(clippy::disallowed_methods, reason = "a benchmark takes times and starts threads of its own")]

#[path = "../tests/support/couchbase/mod.rs"]
mod couchbase;
#[path = "../tests/support/on_couchbase.rs"]
mod on_couchbase;
#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use couchbase::{Behaviour, Double};
use on_couchbase::profile;
use support::client::Client;
use support::server::{Server, userprofiles};

/// A page of avatars.
const USERS: usize = 50;

const ROUNDS: usize = 1000;

/// One exchange of the double.
const LATENCY: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    let targets = [("Couchbase's double", on_double(), 3.0), ("SQLite file", on_file(), 5.0)];
    let mut exit = ExitCode::SUCCESS;
    println!("| database, pooled | one user | {USERS} users | ratio | at most |\n|---|---|---|---|---|");
    for (name, (one, many), most) in targets {
        let ratio = many.as_secs_f64() / one.as_secs_f64();
        println!("| {name} | {} µs | {} µs | {ratio:.2} | {most} |", one.as_micros(), many.as_micros());
        if ratio > most {
            exit = ExitCode::FAILURE;
        }
    }
    exit
}

fn names() -> Vec<String> {
    (0..USERS).map(|number| format!("user-{number}")).collect()
}

fn on_double() -> (Duration, Duration) {
    let double = Double::start();
    for name in names() {
        double.put(&format!("userprofile::{name}"), &profile(&name));
    }
    double.set(Behaviour { delay: LATENCY, ..Behaviour::default() });
    medians(&on_couchbase::serve(&double, &["bucket.connections=pooled", "log.access=off"]))
}

fn on_file() -> (Duration, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = names().iter().map(|name| profile(name)).collect();
    std::fs::write(folder.path().join("users.jsonl"), lines.join("\n")).unwrap();
    let import = userprofiles().args(["import", "users.jsonl"]).current_dir(folder.path()).output().unwrap();
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    let path = format!("embedded.path={}", folder.path().join("data/userprofiles.db").display());
    medians(&Server::start(&[&path, "bucket.connections=pooled", "log.access=off"], &[]))
}

/// The medians of a request for one user and of one for all.
fn medians(server: &Server) -> (Duration, Duration) {
    let query: Vec<String> = names().iter().map(|name| format!("username={name}")).collect();
    let (one, many) = ("/users/user-7".to_owned(), format!("/users?{}", query.join("&")));
    let mut client = server.connect();
    let (mut times_of_one, mut times_of_many) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + 50 {
        let (one, many) = (time(&mut client, &one, 1), time(&mut client, &many, USERS));
        // The first rounds open connections and fill caches.
        if round >= 50 {
            times_of_one.push(one);
            times_of_many.push(many);
        }
    }
    (median(times_of_one), median(times_of_many))
}

fn time(client: &mut Client, target: &str, users: usize) -> Duration {
    let start = Instant::now();
    let answer = client.request("GET", target, "");
    let took = start.elapsed();
    assert_eq!((answer.status, answer.text().matches("\"username\":").count()), (200, users), "{}", answer.text());
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
