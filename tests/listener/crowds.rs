//! Many connections: what they cost, and who waits when there is no place left.

use std::time::Duration;

use crate::support::client::{Client, End};
use crate::support::server::Server;
use crate::{GET, HALF_A_HEAD, allow_many_files};

const LONG_WAITS: [&str; 3] = ["http.first_byte_timeout=1h", "http.head_timeout=1h", "http.idle_timeout=1h"];

fn embedded_with(settings: &[&str]) -> Server {
    Server::embedded(&[&LONG_WAITS, settings].concat())
}

#[test]
fn silent_pre_connections_do_not_keep_a_request_waiting() {
    let server = embedded_with(&["http.workers=2"]);
    let silent: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    assert_eq!(server.get("/users/johndoe").status, 200);
    for mut client in silent {
        assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
    }
}

#[test]
fn half_sent_heads_and_idle_connections_cost_no_thread() {
    allow_many_files();
    let server = embedded_with(&[]);
    server.get("/users/johndoe");
    let threads = server.threads();
    let mut half_sent: Vec<Client> = (0..3000)
        .map(|_| {
            let mut client = server.connect();
            client.send(HALF_A_HEAD);
            client
        })
        .collect();
    let mut idle: Vec<Client> = (0..1000)
        .map(|_| {
            let mut client = server.connect();
            assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
            client
        })
        .collect();
    assert_eq!(server.threads(), threads);
    assert_eq!(server.get("/users/johndoe").status, 200);
    for client in half_sent.iter_mut().step_by(100) {
        client.send("t: x\r\n\r\n");
        assert_eq!(client.answer().status, 200);
    }
    for client in idle.iter_mut().step_by(100) {
        assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
    }
    assert_eq!(server.threads(), threads);
}

#[test]
fn at_the_cap_a_new_connection_waits_for_a_place() {
    let server = embedded_with(&["http.max_connections=8"]);
    let mut silent: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    let mut ninth = server.connect();
    ninth.send(GET);
    // None of the eight is idle after an answer, so none is closed to make room.
    assert_eq!(ninth.end_within(Duration::from_millis(300)), End::Open);
    assert_eq!(server.admin_get("/live").status, 200);
    assert_eq!(server.admin_get("/ready").status, 200);
    assert_eq!(silent[0].request("GET", "/users/johndoe", "").status, 200);
    drop(silent.pop());
    assert_eq!(ninth.answer().status, 200);
}

#[test]
fn at_the_cap_the_longest_idle_connection_makes_room() {
    let server = embedded_with(&["http.max_connections=8", "log.level=debug"]);
    let mut kept: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for index in [0, 1] {
        assert_eq!(kept[index].request("GET", "/users/johndoe", "").status, 200);
    }
    // From its answer on a connection is idle, and after a second of that it may be closed for another one.
    std::thread::sleep(Duration::from_millis(300));
    for client in &mut kept[2..] {
        assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
    }
    std::thread::sleep(Duration::from_millis(1100));
    // The first one is used again, so the second one is the longest idle.
    assert_eq!(kept[0].request("GET", "/users/johndoe", "").status, 200);
    assert_eq!(server.get("/users/johndoe").status, 200);
    server.wait_for_log("evicted");
    // Those that answered within the same moment may have become idle in any order, but the first one was used since.
    assert_eq!(kept[0].request("GET", "/users/johndoe", "").status, 200);
    let is_open = |client: &mut Client| {
        client.send(GET);
        client.try_answer_to("GET").is_some()
    };
    assert_eq!(kept.iter_mut().skip(1).filter_map(|client| is_open(client).then_some(())).count(), 6);
}

#[test]
fn the_last_place_is_taken_without_closing_anybody() {
    let server = embedded_with(&["http.max_connections=8", "log.level=debug"]);
    let mut kept: Vec<Client> = (0..7).map(|_| server.connect()).collect();
    for client in &mut kept {
        assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
    }
    // From now on each of them could be closed to make room.
    std::thread::sleep(Duration::from_millis(1100));
    let mut eighth = server.connect();
    for client in kept.iter_mut().chain([&mut eighth]) {
        assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
    }
    assert!(!server.log().contains("evicted"), "{}", server.log());
}

#[test]
fn a_connection_that_came_while_all_were_fresh_gets_its_place_once_one_is_idle() {
    let server = embedded_with(&["http.max_connections=8"]);
    let mut kept: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for client in &mut kept {
        assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
    }
    let mut ninth = server.connect();
    ninth.stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    ninth.send(GET);
    // Nobody says or does anything more: the eight wait for an hour, and the ninth must not.
    assert_eq!(ninth.answer().status, 200);
}

#[test]
fn many_connections_at_the_cap_are_all_answered() {
    let server = embedded_with(&["http.max_connections=8"]);
    let mut clients: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("GET /users/johndoe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
}
