//! Peers that go without a word, at every point of an exchange.

use std::io::Read;

use crate::support::client::Client;
use crate::support::server::Server;
use crate::{GET, HALF_A_HEAD, big_user, import_flags};

/// What a client has done by the time it goes.
const POINTS: [fn(&mut Client); 10] = [
    |_| {},
    |client| client.send("\r\n"),
    |client| client.send(HALF_A_HEAD),
    |client| client.send(GET),
    |client| client.send(GET.repeat(50)),
    |client| client.send("GET /users/big HTTP/1.1\r\nHost: x\r\n\r\n"),
    |client| {
        client.send("GET /users/big HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20));
        client.stream.read_exact(&mut [0; 100]).unwrap();
    },
    |client| {
        client.send(GET);
        client.answer();
    },
    |client| {
        client.send("POST /users/johndoe HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nab");
        client.answer();
    },
    |client| {
        client.send("GET / HTTP/9.9\r\n\r\n");
        client.stream.read_exact(&mut [0; 1]).unwrap();
        client.send("more");
    },
];

#[test]
fn a_peer_that_resets_at_any_point_harms_nobody() {
    let file = big_user(1 << 20);
    let server = Server::start(&["http.first_byte_timeout=1h", "http.head_timeout=1h"], &import_flags(&file));
    let bystander = server.connect();
    let threads = server.threads();
    for round in 0..20 {
        let mut clients: Vec<Client> = POINTS.iter().map(|_| server.connect()).collect();
        for (client, until) in clients.iter_mut().zip(POINTS) {
            until(client);
        }
        // All at once, or each at its point.
        if round % 2 == 0 {
            clients.into_iter().for_each(Client::reset);
        } else {
            clients.into_iter().rev().for_each(Client::reset);
        }
    }
    // All that is left are the listeners and the bystander.
    server.wait_for_sockets(server.sockets_at_start() + 1);
    let mut bystander = bystander;
    assert_eq!(bystander.request("GET", "/users/big", "").status, 200);
    assert_eq!(server.threads(), threads);
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}
