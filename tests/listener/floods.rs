//! Too much of everything: bodies, heads, requests.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use userprofiles::clock;

use crate::GET;
use crate::support::server::Server;

/// What a request that hides in a body would ask for.
const SMUGGLED: &str = "GET /users/smuggled HTTP/1.1\r\nHost: x\r\nX-Request-Id: smuggled\r\n\r\n";

#[test]
fn a_declared_body_is_never_waited_for_and_nothing_after_it_is_a_request() {
    let server = Server::embedded(&[]);
    for (length, status_of_get, status_of_post) in
        [("1", 200, 405), ("100", 200, 405), ("100000000000", 200, 405), ("100000000000000000000", 400, 400)]
    {
        for (method, status) in [("GET", status_of_get), ("HEAD", status_of_get), ("POST", status_of_post)] {
            for behind in ["", "a", SMUGGLED, &SMUGGLED.repeat(100)] {
                let mut client = server.connect();
                client.send(format!(
                    "{method} /users/johndoe HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{behind}"
                ));
                let answer = client.answer_to(method);
                assert_eq!((answer.status, answer.field("connection")), (status, Some("close")), "{method} {length}");
                // What still comes is of no more interest.
                client.send(SMUGGLED);
                client.assert_closed();
            }
        }
    }
    server.get("/users/johndoe");
    assert!(!server.log().contains("smuggled"), "{}", server.log());
}

#[test]
fn a_client_that_waits_for_100_continue_gets_the_answer_itself() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    client.send("POST /users/johndoe HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n");
    let answer = client.answer();
    answer.assert_problem(405, "method-not-allowed");
    assert_eq!(answer.field("connection"), Some("close"));
    client.assert_closed();
    let mut client = server.connect();
    for _ in 0..2 {
        assert_eq!(client.request("GET", "/users/johndoe", "Expect: 100-continue\r\n").status, 200);
    }
    client.request("GET", "/users/johndoe", "Expect: the-unexpected\r\n").assert_problem(417, "expectation-failed");
    client.assert_closed();
}

#[test]
fn a_header_of_400_mb_costs_no_memory() {
    let server = Server::embedded(&[]);
    server.get("/users/johndoe");
    let before_kib = server.peak_memory_kib();
    let chunk = vec![b'a'; 1 << 20];
    for _ in 0..10 {
        let mut client = server.connect();
        client.send("GET /users/johndoe HTTP/1.1\r\nHost: x\r\nA: ");
        let sent_mb = (0..400).take_while(|_| client.stream.write_all(&chunk).is_ok()).count();
        assert!(sent_mb < 400, "all of it was taken");
        let answer = client.answer();
        answer.assert_problem(431, "headers-too-large");
        assert_eq!(answer.field("connection"), Some("close"));
    }
    let grown_kib = server.peak_memory_kib() - before_kib;
    assert!(grown_kib < 5 << 10, "{grown_kib} KiB");
    server.wait_for_sockets_of_listeners();
}

#[test]
fn ten_thousand_requests_in_one_write_are_answered_in_order() {
    const REQUESTS: usize = 10_000;
    const KINDS: [(&str, &str, u16); 3] =
        [("GET", "/users/johndoe", 200), ("GET", "/nothing", 404), ("HEAD", "/users/johndoe", 200)];
    // A machine that is busy with something else must not make requests wait too long.
    let server = Server::embedded(&["http.queue_timeout=1m", "http.write_timeout=1m"]);
    let request = |number: usize| {
        let (method, path, _) = KINDS[number % KINDS.len()];
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: number-{number}\r\n\r\n")
    };
    let bytes: String = (0..REQUESTS).map(request).collect();
    let mut client = server.connect();
    let mut sender = client.stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || sender.write_all(bytes.as_bytes()).unwrap());
        for number in 0..REQUESTS {
            let (method, _, status) = KINDS[number % KINDS.len()];
            let answer = client.answer_to(method);
            assert_eq!(answer.field("x-request-id"), Some(format!("number-{number}").as_str()));
            assert_eq!(answer.status, status, "{number}");
        }
    });
    assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
}

#[test]
fn a_client_with_ten_thousand_requests_does_not_keep_the_next_one_waiting() {
    const REQUESTS: usize = 10_000;
    /// Of the greedy client's, that may be answered first: some turns of it, and what the log is behind.
    const BEFORE: usize = 1_500;
    for workers in ["2", "4"] {
        let server =
            Server::embedded(&[&format!("http.workers={workers}"), "http.queue_timeout=1m", "http.write_timeout=1m"]);
        let mut modest = server.connect();
        modest.request("GET", "/users/johndoe", "");
        let mut greedy = server.connect();
        let mut sender = greedy.stream.try_clone().unwrap();
        let is_done = AtomicBool::new(false);
        let answered_greedy = || server.log().matches("request_id=greedy").count();
        std::thread::scope(|scope| {
            let request = "GET /users/johndoe HTTP/1.1\r\nHost: x\r\nX-Request-Id: greedy\r\n\r\n";
            scope.spawn(move || sender.write_all(request.repeat(REQUESTS).as_bytes()).unwrap());
            scope.spawn(|| {
                for _ in 0..REQUESTS {
                    assert_eq!(greedy.answer().status, 200);
                }
                is_done.store(true, Ordering::SeqCst);
            });
            server.wait_for_log("request_id=greedy");
            for number in 0..3 {
                let before = answered_greedy();
                let id = format!("modest-{number}");
                let answer = modest.request("GET", "/users/johndoe", &format!("X-Request-Id: {id}\r\n"));
                assert_eq!(answer.status, 200);
                server.wait_for_log(&id);
                let log = server.log();
                let meanwhile = log[..log.find(&id).unwrap()].matches("request_id=greedy").count() - before;
                assert!(meanwhile < BEFORE, "{workers} workers: {meanwhile} others came first");
            }
            assert!(!is_done.load(Ordering::SeqCst), "the greedy client was not there to be in the way");
        });
    }
}

#[test]
fn a_client_that_never_stops_asking_is_not_taken_for_a_slow_one() {
    // Each read ends in the middle of a head, and all of it takes longer than one head may.
    let settings = ["http.head_timeout=1s", "http.idle_timeout=1s", "http.write_timeout=1s", "http.queue_timeout=1m"];
    let server = Server::embedded(&settings);
    let mut client = server.connect();
    let start = clock::now();
    while start.elapsed() < Duration::from_secs(3) {
        client.send(GET.repeat(500));
        (0..500).for_each(|_| assert_eq!(client.answer().status, 200));
    }
}
