//! Real servers that are killed, frozen and started again while 32 clients read: no answer is wrong, none comes after its time,
//! and afterwards everything is as before.
//!
//! Invariant: what a machine under load adds to a time is allowed for; the times themselves are printed (`--nocapture`).
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/databases/mod.rs"]
mod databases;
mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use databases::real::RealServer;
use databases::{MODES, REAL_SERVERS, Store};
use support::client::Client;
use support::server::{PATIENCE, Server};

const CLIENTS: usize = 32;
const OPERATION_TIMEOUT: Duration = Duration::from_secs(1);
/// What the machine may add: it starts a server of a database beside all this.
const SLACK: Duration = Duration::from_secs(1);
/// Those by which a driver of its own watches a server, and one of its runtime.
const SOCKETS_OF_DRIVER: usize = 6;
const FROZEN: Duration = Duration::from_secs(5);

/// What the clients saw.
#[derive(Default)]
struct Seen {
    wrong: Mutex<Vec<String>>,
    latest: Mutex<Duration>,
    found: AtomicUsize,
    failed: AtomicUsize,
    is_over: AtomicBool,
}

impl Seen {
    /// Asks for users until it is over, each time for another one.
    fn ask(&self, server: &Server, number: usize) {
        let mut client = Client::connect(server.public);
        for turn in number.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let (name, is_there) = (format!("user{}", turn % 10), turn % 10 != 9);
            let start = Instant::now();
            let answer = client.request("GET", &format!("/users/{name}"), "");
            let took = start.elapsed();
            let mut latest = self.latest.lock().unwrap();
            *latest = took.max(*latest);
            drop(latest);
            let is_right = match answer.status {
                200 => is_there && answer.json()["username"] == *name,
                404 => !is_there && answer.json()["type"] == "/problems/user-not-found",
                503 | 504 => true,
                _ => false,
            };
            if !is_right {
                self.wrong.lock().unwrap().push(format!("{name}: {} {}", answer.status, answer.text()));
            }
            let is_answer = answer.status < 500;
            if is_answer { &self.found } else { &self.failed }.fetch_add(1, Ordering::Relaxed);
            if !is_answer {
                // Failures are quick, and a client that only fails is no load worth having.
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Waits until users are found again, and returns how long that took.
    fn wait_for_answers(&self, server: &Server) -> Duration {
        let start = Instant::now();
        let before = self.found.load(Ordering::Relaxed);
        while self.found.load(Ordering::Relaxed) < before + CLIENTS {
            assert!(start.elapsed() < PATIENCE, "no answers any more:\n{}", server.log());
            std::thread::sleep(Duration::from_millis(1));
        }
        start.elapsed()
    }
}

#[test]
fn a_server_that_is_killed_frozen_and_started_again_costs_its_own_time_and_nothing_else() {
    for name in REAL_SERVERS {
        let Some(real) = RealServer::start(name, "outages") else { continue };
        let real = Arc::new(real);
        let store = Store::of(Arc::clone(&real));
        for number in 0..9 {
            let text = format!(r#"{{"username":"user{number}","hashed_password":"hash-marker"}}"#);
            store.put(&format!("userprofile::user{number}"), &text).unwrap();
        }
        for mode in MODES {
            under_load(&format!("{name}, {mode}"), &real, &store, mode);
        }
    }
}

fn under_load(what: &str, real: &RealServer, store: &Store, mode: &str) {
    let server = store.serve(&[mode, "bucket.operation_timeout=1s", "bucket.max_connections=32", "http.workers=64"]);
    // Buffers, threads and kept connections come with the first requests.
    let warm = Seen::default();
    run(&server, &warm, || {
        warm.wait_for_answers(&server);
    });
    server.wait_for_sockets_of_listeners_and(CLIENTS + SOCKETS_OF_DRIVER);
    let threads = server.threads();

    let seen = Seen::default();
    let mut healed = Vec::new();
    run(&server, &seen, || {
        seen.wait_for_answers(&server);
        real.signal("KILL");
        std::thread::sleep(Duration::from_secs(1));
        real.restart();
        healed.push(("kill", seen.wait_for_answers(&server)));
        real.signal("STOP");
        std::thread::sleep(FROZEN);
        real.signal("CONT");
        healed.push(("freeze", seen.wait_for_answers(&server)));
        real.stop();
        real.restart();
        healed.push(("stop", seen.wait_for_answers(&server)));
    });
    let latest = *seen.latest.lock().unwrap();
    let (found, failed) = (seen.found.into_inner(), seen.failed.into_inner());
    println!("{what}: {found} answers, {failed} failures, the latest after {latest:?}, healed after {healed:?}");
    assert_eq!(*seen.wrong.lock().unwrap(), Vec::<String>::new(), "{what}");
    assert!(failed > 0, "{what}: nothing happened");
    assert!(latest < OPERATION_TIMEOUT + SLACK, "{what}: {latest:?}");
    assert!(healed.iter().all(|(_, after)| *after < Duration::from_secs(1) + SLACK), "{what}: {healed:?}");
    server.wait_for_sockets_of_listeners_and(CLIENTS + SOCKETS_OF_DRIVER);
    let start = Instant::now();
    while server.threads() > threads {
        assert!(start.elapsed() < PATIENCE, "{what}: {} threads, and {threads} before", server.threads());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn run(server: &Server, seen: &Seen, act: impl FnOnce()) {
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            scope.spawn(move || seen.ask(server, number));
        }
        // Also if it fails, or the clients would go on for ever.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        seen.is_over.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}
