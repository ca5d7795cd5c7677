//! TERM and INT: nobody who has sent a whole request goes without a whole answer, and the process ends in time.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use couchbase::{Behaviour, Double, Hold};
use on_couchbase::{MODES, profile, serve};
use support::client::{Answer, Client, End};
use support::server::{PATIENCE, Server};
use userprofiles::clock;

const CLIENTS: usize = 64;

/// For what the machine does besides.
const SLACK: Duration = Duration::from_secs(2);

/// How it ended for a client that asks again as soon as it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// An answer said that it was the last one, and it was.
    Told,
    /// The connection was closed between two requests, before the next one was begun.
    ClosedBetween,
    /// The connection broke while the request was being written.
    NotSent,
    /// The whole request was written, no end was in sight, and no answer came.
    Unanswered,
}

/// True if the other side has closed, as far as this side can know now.
fn is_closed(client: &Client) -> bool {
    client.stream.set_nonblocking(true).unwrap();
    let seen = client.stream.peek(&mut [0]);
    client.stream.set_nonblocking(false).unwrap();
    !matches!(seen, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Asks until the server ends it. Every answer must be whole and right.
fn ask_until_the_end(address: SocketAddr, answered: &AtomicUsize) -> Ending {
    let mut client = Client::connect(address);
    loop {
        if is_closed(&client) {
            return Ending::ClosedBetween;
        }
        if client.stream.write_all(b"GET /users/johndoe HTTP/1.1\r\nHost: x\r\n\r\n").is_err() {
            return Ending::NotSent;
        }
        let Some(answer) = client.try_answer_to("GET") else {
            return Ending::Unanswered;
        };
        assert_eq!((answer.status, answer.json()["username"].as_str()), (200, Some("johndoe")));
        answered.fetch_add(1, Ordering::Relaxed);
        if answer.field("connection") == Some("close") {
            client.assert_closed();
            return Ending::Told;
        }
    }
}

struct Load {
    clients: Vec<JoinHandle<Ending>>,
}

impl Load {
    /// Starts it, and waits until it runs.
    fn start(address: SocketAddr) -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let client = |_| {
            let answered = Arc::clone(&answered);
            std::thread::spawn(move || ask_until_the_end(address, &answered))
        };
        let load = Self { clients: (0..CLIENTS).map(client).collect() };
        while answered.load(Ordering::Relaxed) < CLIENTS * 10 {
            assert!(load.clients.iter().all(|client| !client.is_finished()), "a client came to an end before TERM");
            std::thread::yield_now();
        }
        load
    }

    fn endings(self) -> Vec<Ending> {
        self.clients.into_iter().map(|client| client.join().unwrap()).collect()
    }
}

#[test]
fn under_load_every_request_that_was_sent_is_answered() {
    for (number, signal) in ["TERM", "INT", "TERM", "TERM"].into_iter().enumerate() {
        let double = Double::start();
        double.put("userprofile::johndoe", &profile("johndoe"));
        let mut server = match number {
            0 | 1 => Server::embedded(&["http.drain_timeout=10s"]),
            2 => serve(&double, &[MODES[0], "http.drain_timeout=10s"]),
            _ => serve(&double, &[MODES[1], "http.drain_timeout=10s"]),
        };
        let load = Load::start(server.public);
        server.signal(signal);
        let start = Instant::now();
        let status = server.wait();
        let elapsed = start.elapsed();
        let endings = load.endings();
        let told = endings.iter().filter(|ending| **ending == Ending::Told).count();
        assert!(!endings.contains(&Ending::Unanswered), "{signal}: {endings:?}");
        // A client that asks again at once is always between an answer and a request that it has begun.
        assert_eq!(told, CLIENTS, "{signal}: {endings:?}");
        assert_eq!(status.code(), Some(0), "{signal}; its log:\n{}", server.log());
        assert!(elapsed < Duration::from_secs(10), "it took {} ms", elapsed.as_millis());
        server.wait_for_log("stopped");
    }
}

/// A database with which no request comes to an end, and the clients that wait for one: each has sent a whole request.
fn frozen(settings: &[&str]) -> (Double, Server, Vec<Client>) {
    let double = Double::start();
    double.put("userprofile::johndoe", &profile("johndoe"));
    let server = serve(&double, settings);
    assert_eq!(server.get("/users/johndoe").status, 200);
    double.set(Behaviour { hold: Hold::Queries, ..Behaviour::default() });
    let ask = |_| {
        let mut client = server.connect();
        client.send("GET /users/johndoe HTTP/1.1\r\nHost: x\r\n\r\n");
        client
    };
    let clients = (0..CLIENTS).map(ask).collect();
    double.wait_until("all places to be taken", |counts| counts.query.in_work == 28);
    (double, server, clients)
}

/// Until it is going down for sure: it says so in the log a moment before.
fn wait_until_refused(server: &Server) {
    while std::net::TcpStream::connect(server.public).is_ok() {
        std::thread::yield_now();
    }
}

/// Each must have a whole 503 that says that it was the last answer. Gives them, and those that got nothing.
fn last_answers(clients: Vec<Client>) -> (Vec<Answer>, usize) {
    let mut answers = Vec::new();
    let mut unanswered = 0;
    for mut client in clients {
        match client.try_answer_to("GET") {
            Some(answer) => answers.push(answer),
            None => unanswered += 1,
        }
    }
    for answer in &answers {
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(["/problems/unavailable", "/problems/busy"].contains(&answer.json()["type"].as_str().unwrap()));
        assert!(answer.field("retry-after").is_some(), "{}", answer.head);
    }
    (answers, unanswered)
}

#[test]
fn with_a_frozen_database_everybody_gets_503_and_it_ends_in_time() {
    for signal in ["TERM", "INT"] {
        for mode in MODES {
            let (_double, mut server, clients) = frozen(&[mode, "http.drain_timeout=2s"]);
            server.signal(signal);
            let start = Instant::now();
            let status = server.wait();
            let elapsed = start.elapsed();
            let (answers, unanswered) = last_answers(clients);
            assert_eq!((answers.len(), unanswered), (CLIENTS, 0));
            let going_down = answers.iter().filter(|answer| answer.json()["type"] == "/problems/unavailable");
            assert_eq!(going_down.count(), CLIENTS);
            assert_eq!(status.code(), Some(0), "its log:\n{}", server.log());
            assert!(elapsed < Duration::from_secs(2) + SLACK, "{signal}: {} ms", elapsed.as_millis());
        }
    }
}

#[test]
fn with_a_frozen_database_those_in_line_get_503_too() {
    let (_double, mut server, clients) = frozen(&["http.drain_timeout=2s", "http.queue_timeout=30s"]);
    // The answer of another client says that all the requests above are in the server's hands.
    assert_eq!(server.get("/").status, 200);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let (answers, unanswered) = last_answers(clients);
    assert_eq!((answers.len(), unanswered), (CLIENTS, 0));
}

#[test]
fn when_the_database_thaws_during_the_drain_everybody_gets_their_answer() {
    for mode in MODES {
        let (double, mut server, mut clients) =
            frozen(&[mode, "http.drain_timeout=30s", "http.queue_timeout=30s", "bucket.wait_timeout=30s"]);
        server.signal("TERM");
        server.wait_for_log("shutting down");
        double.set(Behaviour::default());
        for client in &mut clients {
            assert_eq!(client.answer().status, 200);
            client.assert_closed();
        }
        let all_answered = Instant::now();
        assert_eq!(server.wait().code(), Some(0));
        // The clients keep their ends open: that must not hold it up.
        assert!(all_answered.elapsed() < SLACK, "it took {} ms more", all_answered.elapsed().as_millis());
        drop(clients);
    }
}

#[test]
fn an_idle_server_ends_at_once() {
    for (signal, connections) in [("TERM", 0), ("INT", 0), ("TERM", 20)] {
        let mut server = Server::embedded(&[]);
        let mut clients: Vec<Client> = (0..connections).map(|_| server.connect()).collect();
        for client in &mut clients {
            assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
        }
        let silent = (connections > 0).then(|| server.connect());
        server.signal(signal);
        let start = Instant::now();
        assert_eq!(server.wait().code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(2), "{} ms", start.elapsed().as_millis());
        for mut client in clients.into_iter().chain(silent) {
            client.assert_closed();
        }
        server.wait_for_log("stopped");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT")] {
        let (_double, mut server, clients) = frozen(&["http.drain_timeout=50s"]);
        server.signal(first);
        server.wait_for_log("shutting down");
        server.signal(second);
        let start = Instant::now();
        let status = server.wait();
        assert!(start.elapsed() < Duration::from_secs(5), "{} ms", start.elapsed().as_millis());
        assert_ne!(status.code(), Some(0));
        drop(clients);
    }
}

#[test]
fn nothing_new_is_accepted_while_it_goes_down() {
    let (_double, mut server, clients) = frozen(&["http.drain_timeout=3s"]);
    server.signal("TERM");
    wait_until_refused(&server);
    // Refused while those from before still wait, and not because it is gone.
    let mut late = clients;
    assert_eq!(late[0].end_within(Duration::from_millis(1)), End::Open);
    assert_eq!(server.wait().code(), Some(0));
    let (answers, unanswered) = last_answers(late);
    assert_eq!((answers.len(), unanswered), (CLIENTS, 0));
}

#[test]
fn a_half_sent_head_does_not_hold_it_up() {
    for (settings, on_admin_too) in [(&["http.drain_timeout=1s"][..], false), (&["http.drain_timeout=2s"], true)] {
        let mut server = Server::embedded(settings);
        let addresses: &[SocketAddr] = if on_admin_too { &[server.public, server.admin] } else { &[server.public] };
        let half_sent = |address: &SocketAddr| {
            let mut client = Client::connect(*address);
            client.send("GET /users/johndoe HTTP/1.1\r\nHost: x\r\nX-");
            client
        };
        let clients: Vec<Client> = addresses.iter().map(half_sent).collect();
        assert_eq!(server.get("/users/johndoe").status, 200);
        assert_eq!(server.admin_get("/live").status, 200);
        server.signal("TERM");
        let start = Instant::now();
        assert_eq!(server.wait().code(), Some(0));
        let elapsed = start.elapsed();
        let drain_timeout = if on_admin_too { 2 } else { 1 };
        let limit = Duration::from_secs(drain_timeout) + Duration::from_secs(1);
        assert!(elapsed < limit, "{} ms with drain_timeout={drain_timeout}s", elapsed.as_millis());
        for mut client in clients {
            // A 408, or a clean end; never half an answer.
            if let Some(answer) = client.try_answer_to("GET") {
                answer.assert_problem(408, "request-timeout");
            }
        }
    }
}

#[test]
fn a_head_that_is_finished_during_the_drain_is_answered() {
    let mut server = Server::embedded(&[]);
    let mut client = server.connect();
    client.send("GET /users/johndoe HTTP/1.1\r\nHost: x\r\n");
    assert_eq!(server.get("/users/johndoe").status, 200);
    server.signal("TERM");
    wait_until_refused(&server);
    client.send("\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.field("connection")), (200, Some("close")));
    client.assert_closed();
    assert_eq!(server.wait().code(), Some(0));
}

/// During the start, an import, a reload that fails, and a drain: TERM ends in order, and HUP ends nothing.
#[test]
fn signals_at_any_moment_end_it_in_order_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    // HUP and then TERM while it imports from a pipe that stays open.
    let pipe = folder.path().join("users");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let flags = ["--listen", "127.0.0.1:0", "--import", pipe.to_str().unwrap()];
    let mut importing = Server::spawn(support::server::serve(support::process::userprofiles(), &[], &flags));
    let mut users = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    for number in 0..1500 {
        writeln!(users, "{{\"username\":\"user{number}\",\"hashed_password\":\"h\"}}").unwrap();
    }
    let log = importing.folder().join("data/userprofiles.db-wal");
    let start = clock::now();
    while std::fs::metadata(&log).map_or(0, |log| log.len()) == 0 {
        assert!(start.elapsed() < PATIENCE, "{}", importing.log());
        std::thread::yield_now();
    }
    importing.signal("HUP");
    importing.signal("TERM");
    assert_eq!(importing.wait().code(), Some(0), "{}", importing.log());
    assert!(!importing.log().contains("listening"), "it went on: {}", importing.log());

    // HUP as early as a signal can come after the start of the program.
    let flags = ["--listen", "127.0.0.1:0"];
    let mut starting = Server::spawn(support::server::serve(support::process::userprofiles(), &[], &flags));
    starting.wait_for_log("database: ");
    for _ in 0..20 {
        starting.signal("HUP");
    }
    starting.wait_for_log("operators: ");
    starting.wait_for_log("HUP: reload complete");
    starting.signal("TERM");
    assert_eq!(starting.wait().code(), Some(0), "{}", starting.log());

    // In a drain that a slow client holds up, HUP changes nothing.
    let mut draining = Server::embedded(&["http.drain_timeout=1s"]);
    let mut half_sent = draining.connect();
    half_sent.send("GET /users/johndoe HTTP/1.1\r\n");
    draining.get("/users/johndoe");
    draining.signal("TERM");
    draining.wait_for_log("shutting down");
    draining.signal("HUP");
    assert_eq!(draining.wait().code(), Some(0), "{}", draining.log());
}
