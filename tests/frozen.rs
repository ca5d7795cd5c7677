//! While the database is frozen, everything that does not need it is answered at once, those who need it are told in
//! time, and all is well again as soon as it thaws.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use couchbase::{Behaviour, Double, Hold, Query};
use on_couchbase::{MODES, assert_holds_no_secret, profile, serve};
use support::client::{Answer, Client};
use support::server::{PATIENCE, Server};

const CLIENTS: usize = 64;
const TRIES: usize = 20;

/// What the issue demands of an answer that needs no database.
const AT_ONCE: Duration = Duration::from_millis(100);

/// For what the machine does besides, where a limit of the server itself is awaited.
const SLACK: Duration = Duration::from_secs(2);

fn double_with_x() -> Double {
    let double = Double::start();
    double.put("userprofile::x", &profile("x"));
    double
}

fn many_gets(address: SocketAddr) -> mpsc::Receiver<(Answer, Duration)> {
    let (sender, answers) = mpsc::channel();
    for _ in 0..CLIENTS {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut client = Client::connect(address);
            let start = Instant::now();
            let answer = client.request("GET", "/users/x", "");
            let _ = sender.send((answer, start.elapsed()));
        });
    }
    answers
}

/// Asks for what needs no database, each time on a connection of its own. None may be late.
fn assert_the_rest_is_answered_at_once(server: &Server, when: &str) {
    for (method, address, path, status) in [
        ("OPTIONS", server.public, "/users/x", 204),
        ("GET", server.public, "/nothing", 404),
        ("GET", server.public, "/", 200),
        ("GET", server.public, "/users/%ff/", 307),
        ("GET", server.public, "/users/%ff", 422),
        ("GET", server.public, "/users/%zz", 400),
        ("GET", server.admin, "/live", 200),
    ] {
        for number in 0..TRIES {
            let start = Instant::now();
            let answer = Client::connect(address).request(method, path, "");
            let elapsed = start.elapsed();
            assert_eq!(answer.status, status, "{method} {path}");
            assert!(elapsed < AT_ONCE, "{when}: {method} {path}, try {number}, took {} ms", elapsed.as_millis());
        }
    }
}

/// Polls until users are answered again, and asserts that this is so within a second, and stays so.
fn assert_is_well_within_a_second(server: &Server, thawed: Instant) {
    while server.get("/users/x").status != 200 {
        assert!(thawed.elapsed() < Duration::from_secs(1), "not well again: {}", server.get("/users/x").text());
    }
    for _ in 0..CLIENTS {
        assert_eq!(server.get("/users/x").json()["username"], "x");
    }
}

fn by_status(answers: &[(Answer, Duration)]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for (answer, _) in answers {
        *counts.entry(answer.status).or_insert(0) += 1;
    }
    counts
}

#[test]
fn with_the_default_timeouts_the_rest_is_quick_and_those_who_wait_get_their_answer_when_it_thaws() {
    for mode in MODES {
        let double = double_with_x();
        let server = serve(&double, &[mode]);
        assert_eq!(server.get("/users/x").status, 200);
        double.query_port().go_deaf();
        double.query_port().close_connections();
        let answers = many_gets(server.public);
        assert_the_rest_is_answered_at_once(&server, "while they begin to wait");

        // 32 workers, of which 28 may wait; nobody else finds a place in time.
        let mut early = Vec::new();
        for _ in 0..CLIENTS - 28 {
            let (answer, elapsed) = answers.recv_timeout(PATIENCE).unwrap();
            answer.assert_problem(503, "busy");
            assert!(answer.field("retry-after").is_some());
            assert!(elapsed < Duration::from_secs(1) + SLACK, "503 after {} ms", elapsed.as_millis());
            early.push(answer);
        }
        assert_the_rest_is_answered_at_once(&server, "while all places are taken");
        // Nor is the prober who asks the database in the way of the one who does not.
        let waiting_probers: Vec<Client> = (0..4).map(|_| ask_and_leave_it(server.admin, "/ready")).collect();
        assert_the_rest_is_answered_at_once(&server, "with four at /ready");
        drop(waiting_probers);

        double.query_port().reopen();
        let thawed = Instant::now();
        assert_is_well_within_a_second(&server, thawed);
        let late: Vec<(Answer, Duration)> = answers.iter().collect();
        assert_eq!(by_status(&late), BTreeMap::from([(200, 28)]));
        assert_eq!(double.counts().query.overlapping, 0);
        assert_holds_no_secret(&server.log());
    }
}

fn ask_and_leave_it(address: SocketAddr, path: &str) -> Client {
    let mut client = Client::connect(address);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    client
}

#[test]
fn users_are_told_in_time_and_all_is_well_again_after_it() {
    type Freeze = fn(&Double);
    let freezers: [(&str, Freeze, Freeze); 3] = [
        ("deaf", |double| double.query_port().go_deaf(), |double| double.query_port().reopen()),
        (
            "held",
            |double| double.set(Behaviour { hold: Hold::Queries, ..Behaviour::default() }),
            |double| double.set(Behaviour::default()),
        ),
        ("swallowed", |double| double.set_query(Query::Freeze), |double| double.set_query(Query::Answer)),
    ];
    for mode in MODES {
        for (name, freeze, thaw) in freezers {
            let double = double_with_x();
            let server = serve(&double, &[mode, "bucket.operation_timeout=2s", "bucket.wait_timeout=1s"]);
            assert_eq!(server.get("/users/x").status, 200);
            freeze(&double);
            if mode == MODES[1] {
                double.query_port().close_connections();
            }
            let answers = many_gets(server.public);
            assert_the_rest_is_answered_at_once(&server, name);
            let answers: Vec<(Answer, Duration)> = answers.iter().collect();
            assert_eq!(answers.len(), CLIENTS);
            for (answer, elapsed) in &answers {
                match answer.status {
                    503 => assert!(answer.field("retry-after").is_some()),
                    504 => drop(answer.assert_problem(504, "timeout")),
                    other => panic!("{other}: {}", answer.text()),
                }
                assert!(*elapsed < Duration::from_secs(2) + SLACK, "{name}: {} ms", elapsed.as_millis());
            }
            assert_eq!(by_status(&answers), BTreeMap::from([(503, CLIENTS - 28), (504, 28)]), "{mode} {name}");
            thaw(&double);
            assert_is_well_within_a_second(&server, Instant::now());
            assert_eq!(server.admin_get("/ready").status, 200);
        }
    }
}

#[test]
fn a_cluster_that_is_frozen_from_the_beginning() {
    for mode in MODES {
        let double = double_with_x();
        double.manager_port().go_deaf();
        double.query_port().go_deaf();
        let server = serve(&double, &[mode, "bucket.operation_timeout=2s"]);
        let answers = many_gets(server.public);
        assert_the_rest_is_answered_at_once(&server, "from the beginning");
        for (answer, elapsed) in answers {
            assert!([503, 504].contains(&answer.status), "{}", answer.text());
            assert!(elapsed < Duration::from_secs(2) + SLACK, "{} ms", elapsed.as_millis());
        }
        let ready = server.admin_get("/ready");
        ready.assert_problem(503, "unavailable");
        double.manager_port().reopen();
        double.query_port().reopen();
        assert_is_well_within_a_second(&server, Instant::now());
    }
}
