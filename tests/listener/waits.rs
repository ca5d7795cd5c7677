//! Every wait for a client has an absolute end: nothing sent, half a head, drops of a head, nothing after an answer, an
//! answer that is not taken.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use userprofiles::clock;

use crate::support::client::{Client, End};
use crate::support::server::Server;
use crate::{GET, HALF_A_HEAD, big_user, import_flags};

/// Longer than any wait that is not to end in a test.
const FOREVER: &str = "1h";

fn server_with(timeout: &str, value: &str) -> Server {
    let setting = |name: &str| format!("http.{name}={}", if name == timeout { value } else { FOREVER });
    let settings = ["first_byte_timeout", "head_timeout", "idle_timeout", "write_timeout"].map(setting);
    Server::embedded(&settings.each_ref().map(String::as_str))
}

#[test]
fn a_client_that_sends_nothing_is_left_without_a_word() {
    let server = server_with("first_byte_timeout", "300ms");
    let mut silent = server.connect();
    // Empty lines begin no request.
    let mut empty_lines = server.connect();
    empty_lines.send("\r\n\r\n\r");
    for client in [&mut silent, &mut empty_lines] {
        client.assert_closed();
    }
    server.wait_for_sockets_of_listeners();
}

#[test]
fn half_a_head_gets_a_408() {
    let server = server_with("head_timeout", "300ms");
    for half in ["G", HALF_A_HEAD, "GET /users/johndoe HTTP/1.1\r\nHost: x\r\n", "\r\nHEAD / HTTP/1.1\r"] {
        let method = if half.contains("HEAD") { "HEAD" } else { "GET" };
        let mut client = server.connect();
        client.send(half);
        let answer = client.answer_to(method);
        assert_eq!((answer.status, answer.field("connection")), (408, Some("close")), "{half:?}");
        if method == "GET" {
            answer.assert_problem(408, "request-timeout");
        }
        client.assert_closed();
    }
    let mut second = server.connect();
    assert_eq!(second.request("GET", "/users/johndoe", "").status, 200);
    second.send(HALF_A_HEAD);
    second.answer().assert_problem(408, "request-timeout");
    second.assert_closed();
    let mut pipelined = server.connect();
    pipelined.send(format!("{GET}{GET}{HALF_A_HEAD}"));
    assert_eq!([200, 200, 408], [(); 3].map(|()| pipelined.answer().status));
    pipelined.assert_closed();
}

#[test]
fn no_drop_of_a_head_moves_its_deadline() {
    let server = server_with("head_timeout", "400ms");
    let mut client = server.connect();
    let mut sender = client.stream.try_clone().unwrap();
    let is_answered = AtomicBool::new(false);
    let start = clock::now();
    std::thread::scope(|scope| {
        let drips = scope.spawn(|| {
            // Ten seconds of it.
            for byte in HALF_A_HEAD.bytes().chain([b'a'; 160]) {
                if is_answered.load(Ordering::SeqCst) || sender.write_all(&[byte]).is_err() {
                    return DripsEnd::CutOff;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            DripsEnd::LastDrop
        });
        client.answer().assert_problem(408, "request-timeout");
        assert!(start.elapsed() >= Duration::from_millis(350), "cut off at {:?}", start.elapsed());
        client.assert_closed();
        is_answered.store(true, Ordering::SeqCst);
        assert_eq!(drips.join().unwrap(), DripsEnd::CutOff);
    });
}

#[derive(Debug, PartialEq)]
enum DripsEnd {
    CutOff,
    LastDrop,
}

#[test]
fn a_client_that_is_idle_after_an_answer_is_left_without_a_word() {
    let server = server_with("idle_timeout", "300ms");
    let mut client = server.connect();
    for path in ["/users/johndoe", "/users/nobody", "/nothing"] {
        client.request("GET", path, "");
    }
    client.assert_closed();
    let mut empty_lines = server.connect();
    assert_eq!(empty_lines.request("GET", "/users/johndoe", "").status, 200);
    empty_lines.send("\r\n");
    empty_lines.assert_closed();
    server.wait_for_sockets_of_listeners();
}

#[test]
fn answers_that_nobody_reads_are_cut_off_and_do_not_pile_up() {
    let file = big_user(1 << 20);
    let server = Server::start(&["http.write_timeout=700ms", "log.level=debug"], &import_flags(&file));
    assert_eq!(server.get("/users/big").status, 200);
    let before_kib = server.peak_memory_kib();
    let mut client = server.connect();
    client.send("GET /users/big HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200));
    server.wait_for_log("write-timeout");
    server.wait_for_sockets_of_listeners();
    let mut received = Vec::new();
    // What the operating systems held between them, and then the end or a reset.
    let _ = client.stream.read_to_end(&mut received);
    assert!(received.len() < 100 << 20, "all of it came");
    let grown_kib = server.peak_memory_kib() - before_kib;
    assert!(grown_kib < 24 << 10, "{grown_kib} KiB for answers of 1 MiB each");
    assert_eq!(server.get("/users/big").status, 200);
}

#[test]
fn no_byte_that_is_read_moves_the_deadline_of_an_answer() {
    let file = big_user(16 << 20);
    let server = Server::start(&["http.write_timeout=700ms", "log.level=debug"], &import_flags(&file));
    let mut client = connect_with_small_buffer(server.public);
    client.send("GET /users/big HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut received = 0;
    let mut buffer = [0; 8192];
    loop {
        match client.stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(length) => received += length,
        }
        // It never pauses for long, but at this pace the whole takes seconds.
        if !server.log().contains("write-timeout") {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(received < 16 << 20, "all of it came");
    }
    server.wait_for_log("write-timeout");
}

/// The operating system then takes little on behalf of a client that does not read.
fn connect_with_small_buffer(address: SocketAddr) -> Client {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.connect(&address.into()).unwrap();
    let client = Client::over(socket.into());
    client.stream.set_read_timeout(Some(crate::support::server::PATIENCE)).unwrap();
    client
}

#[test]
fn a_client_that_asks_in_time_is_never_left() {
    let server = Server::embedded(&["http.first_byte_timeout=2s", "http.idle_timeout=2s", "http.head_timeout=2s"]);
    let mut client = server.connect();
    let start = clock::now();
    while start.elapsed() < Duration::from_secs(4) {
        client.send(GET);
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(client.end_within(Duration::from_millis(10)), End::Open);
}

/// As after a machine was suspended: the client was not late, it was the server that stood still.
#[test]
fn what_arrives_while_the_process_stands_still_is_answered() {
    let server = server_with("idle_timeout", "500ms");
    let mut idle = server.connect();
    for _ in 0..3 {
        assert_eq!(idle.request("GET", "/users/johndoe", "").status, 200);
        server.signal("STOP");
        idle.send(GET);
        std::thread::sleep(Duration::from_secs(2));
        server.signal("CONT");
        assert_eq!(idle.answer().status, 200);
    }
    idle.assert_closed();
}
