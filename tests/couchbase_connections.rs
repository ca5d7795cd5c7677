//! How many connections the server has to its database, seen from the database's end: one a request, or a few that are
//! kept; never one for two requests at a time, and never more than are allowed.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use couchbase::{Behaviour, Double, Hold, Query};
use on_couchbase::{MODES, assert_holds_no_secret, profile, serve};
use support::client::Answer;
use support::server::{PATIENCE, Server};

const JOHN: &str = r#"{"username":"johndoe","email":null,"full_name":null,"disabled":null}"#;
const CLIENTS: usize = 64;

fn double_with_john() -> Double {
    let double = Double::start();
    double.put("userprofile::johndoe", &profile("johndoe"));
    double
}

fn hold(hold: Hold) -> Behaviour {
    Behaviour { hold, ..Behaviour::default() }
}

/// As many clients at once, each on a connection of its own with so many GETs in a row. Gives the answers as they come.
fn many_clients(server: &Server, gets: usize) -> mpsc::Receiver<Answer> {
    let (sender, answers) = mpsc::channel();
    for _ in 0..CLIENTS {
        let (address, sender) = (server.public, sender.clone());
        std::thread::spawn(move || {
            let mut client = support::client::Client::connect(address);
            for _ in 0..gets {
                sender.send(client.request("GET", "/users/johndoe", "")).unwrap();
            }
        });
    }
    answers
}

fn assert_well_behaved(double: &Double) {
    assert_eq!(double.violations(), Vec::<String>::new());
    let counts = double.counts();
    assert_eq!((counts.query.overlapping, counts.manager.overlapping), (0, 0), "{counts:?}");
}

#[test]
fn per_request_is_one_connection_a_request() {
    let double = double_with_john();
    let server = serve(&double, &["bucket.connections=per-request"]);
    let mut client = server.connect();
    for _ in 0..50 {
        assert_eq!(client.request("GET", "/users/johndoe", "").text(), JOHN);
        client.request("GET", "/users/nobody", "").assert_problem(404, "user-not-found");
    }
    let counts = double.counts();
    assert_eq!(counts.query.requests, [1; 100]);
    assert_eq!(counts.query.most_open, 1);
    assert_eq!(counts.node_services, 1, "the cluster is asked once where its query service is");
    double.wait_until("all to be closed", |counts| counts.query.open == 0);
    assert_well_behaved(&double);
}

#[test]
fn pooled_is_one_connection_for_requests_in_a_row() {
    let double = double_with_john();
    let server = serve(&double, &["bucket.connections=pooled"]);
    for _ in 0..5 {
        let mut client = server.connect();
        for _ in 0..10 {
            assert_eq!(client.request("GET", "/users/johndoe", "").text(), JOHN);
            client.request("GET", "/users/nobody", "").assert_problem(404, "user-not-found");
        }
    }
    assert_eq!(double.counts().query.requests, [100]);
    assert_well_behaved(&double);
}

#[test]
fn what_does_not_need_the_database_does_not_ask_it() {
    for mode in MODES {
        let double = double_with_john();
        let server = serve(&double, &[mode]);
        let mut client = server.connect();
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/nothing"),
            ("GET", "/users/%ff"),
            ("GET", "/users/johndoe/"),
            ("POST", "/users/johndoe"),
            ("OPTIONS", "/users/johndoe"),
        ] {
            client.request(method, path, "");
        }
        assert_eq!(server.admin_get("/live").status, 200);
        assert_eq!(double.counts(), couchbase::Counts::default());
    }
}

#[test]
fn many_clients_never_share_a_connection_and_never_open_more_than_allowed() {
    for mode in MODES {
        for max_connections in [1, 4, 28] {
            let double = double_with_john();
            double.set(Behaviour { delay: Duration::from_millis(2), ..Behaviour::default() });
            let limit = format!("bucket.max_connections={max_connections}");
            let server = serve(&double, &[mode, &limit, "bucket.wait_timeout=60s", "http.queue_timeout=60s"]);
            let answers: Vec<Answer> = many_clients(&server, 10).iter().collect();
            assert_eq!(answers.len(), CLIENTS * 10);
            for answer in &answers {
                assert_eq!((answer.status, answer.text()), (200, JOHN), "{mode} {limit}");
            }
            let counts = double.counts().query;
            assert!(counts.most_in_work <= max_connections, "{mode} {limit}: {} at once", counts.most_in_work);
            assert!(counts.most_open <= max_connections, "{mode} {limit}: {} open", counts.most_open);
            assert_eq!(counts.all_requests(), CLIENTS * 10);
            if mode == "bucket.connections=pooled" {
                assert!(counts.connections <= max_connections, "{limit}: {}", counts.connections);
            } else {
                assert_eq!(counts.connections, CLIENTS * 10, "{limit}");
            }
            assert_well_behaved(&double);
        }
    }
}

#[test]
fn those_that_get_no_connection_in_time_are_told_that_it_is_busy() {
    for mode in MODES {
        let double = double_with_john();
        double.set(hold(Hold::Queries));
        let server =
            serve(&double, &[mode, "bucket.max_connections=4", "bucket.wait_timeout=50ms", "http.queue_timeout=60s"]);
        let answers = many_clients(&server, 1);
        for _ in 0..CLIENTS - 4 {
            let answer = answers.recv_timeout(PATIENCE).unwrap();
            answer.assert_problem(503, "busy");
            let wait: u32 = answer.field("retry-after").unwrap().parse().unwrap();
            assert!(wait >= 1);
        }
        let counts = double.counts().query;
        assert_eq!((counts.in_work, counts.open, counts.most_open), (4, 4, 4), "{mode}");
        double.set(hold(Hold::Nothing));
        let rest: Vec<Answer> = answers.iter().collect();
        assert_eq!(rest.len(), 4);
        assert!(rest.iter().all(|answer| (answer.status, answer.text()) == (200, JOHN)));
        assert_eq!(server.get("/users/johndoe").status, 200);
        server.wait_for_log("[bucket] max_connections, wait_timeout");
        assert_well_behaved(&double);
    }
}

#[test]
fn a_server_that_starts_before_its_database() {
    for mode in MODES {
        let double = double_with_john();
        double.manager_port().close();
        double.query_port().close();
        let server = serve(&double, &[mode]);
        for _ in 0..3 {
            let answer = server.get("/users/johndoe");
            answer.assert_problem(503, "unavailable");
            assert!(answer.field("retry-after").is_some());
        }
        assert_eq!(server.admin_get("/live").status, 200);
        assert_eq!(server.admin_get("/ready").status, 503);
        double.query_port().reopen();
        double.manager_port().reopen();
        assert_eq!(server.get("/users/johndoe").text(), JOHN);
        // What /ready found out holds for a second.
        let reopened = Instant::now();
        while server.admin_get("/ready").status != 200 {
            assert!(reopened.elapsed() < PATIENCE, "not ready: {}", server.admin_get("/ready").text());
        }
        assert_holds_no_secret(&server.log());
    }
}

#[test]
fn a_database_that_is_restarted_while_connections_are_kept() {
    for mode in MODES {
        let double = double_with_john();
        let server = serve(&double, &[mode]);
        let answers: Vec<Answer> = many_clients(&server, 2).iter().collect();
        assert!(answers.iter().all(|answer| answer.status == 200));
        let mut client = server.connect();
        for _ in 0..5 {
            double.query_port().close_connections();
            double.wait_until("all to be closed", |counts| counts.query.open == 0);
            for _ in 0..8 {
                assert_eq!(client.request("GET", "/users/johndoe", "").text(), JOHN, "{mode}");
            }
        }
        double.query_port().close();
        client.request("GET", "/users/johndoe", "").assert_problem(503, "unavailable");
        double.query_port().reopen();
        assert_eq!(client.request("GET", "/users/johndoe", "").text(), JOHN, "{mode}");
        assert_well_behaved(&double);
    }
}

#[test]
fn a_kept_connection_that_breaks_when_it_is_used_again() {
    for query in [Query::HangUpOnReused, Query::ResetOnReused] {
        let double = double_with_john();
        double.set_query(query);
        let server = serve(&double, &["bucket.connections=pooled"]);
        let mut client = server.connect();
        for _ in 0..10 {
            assert_eq!(client.request("GET", "/users/johndoe", "").text(), JOHN);
        }
        assert_well_behaved(&double);
    }
    // The other way to close: right after an answer.
    let double = double_with_john();
    double.set(Behaviour { close_after: Some(1), ..Behaviour::default() });
    let server = serve(&double, &["bucket.connections=pooled"]);
    let mut client = server.connect();
    for _ in 0..10 {
        assert_eq!(client.request("GET", "/users/johndoe", "").text(), JOHN);
    }
    assert_eq!(double.counts().query.connections, 10);
}
