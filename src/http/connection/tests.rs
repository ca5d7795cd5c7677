//! The life of connections, on an injected clock.

use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> Limits {
    Limits {
        first_byte_timeout: 5 * SECOND,
        head_timeout: 10 * SECOND,
        idle_timeout: 60 * SECOND,
        write_timeout: 30 * SECOND,
        queue_timeout: SECOND,
        drain_timeout: 20 * SECOND,
        max_connections: 10,
        max_connections_per_address: 10,
    }
}

/// A connection, and the moment at which it is looked at.
struct Played {
    connection: Connection,
    start: Instant,
    now: Instant,
}

impl Played {
    fn new() -> Self {
        let start = crate::clock::now();
        Self { connection: Connection::new(&limits(), start), start, now: start }
    }

    fn at_second(&mut self, second: u32) -> &mut Self {
        self.now = self.start + second * SECOND;
        self
    }

    fn receive(&mut self, bytes: &str) -> Step {
        self.connection.received(bytes.as_bytes());
        self.next()
    }

    fn next(&mut self) -> Step {
        self.connection.next(&limits(), &[], self.now)
    }

    fn answer(&mut self, persistence: Persistence) {
        self.connection.output().extend_from_slice(b"answer");
        self.connection.answered(persistence, &limits(), self.now);
    }

    fn send(&mut self, bytes: usize) {
        self.connection.sent(bytes, &limits(), self.now);
    }

    fn deadline_s(&self) -> u64 {
        self.connection.deadline().instant().duration_since(self.start).as_secs()
    }
}

const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn each_wait_has_its_deadline_and_no_byte_moves_it() {
    let mut played = Played::new();
    assert_eq!(played.next(), Step::Receive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (5, Expiry::Quietly));
    assert_eq!(played.at_second(1).receive("\r\n\r\n"), Step::Receive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (5, Expiry::Quietly));
    assert_eq!(played.at_second(2).receive("G"), Step::Receive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (12, Expiry::WithTimeout));
    assert_eq!(played.at_second(11).receive("ET /a HTTP/1.1\r\n"), Step::Receive);
    assert_eq!(played.deadline_s(), 12);
    assert!(matches!(played.receive("Host: x\r\n\r\n"), Step::Handle(_)));
    played.at_second(20).answer(Persistence::KeepAlive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (50, Expiry::CutOff));
    played.at_second(21).send(1);
    assert_eq!(played.deadline_s(), 50);
    played.send(5);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (81, Expiry::Quietly));
    assert!(played.connection.waits_for_request());
    assert_eq!(played.at_second(30).receive("GET"), Step::Receive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (40, Expiry::WithTimeout));
}

#[test]
fn pipelined_requests_are_handled_one_after_the_other() {
    let mut played = Played::new();
    played.connection.received(REQUEST.repeat(3).as_bytes());
    for _ in 0..3 {
        assert!(matches!(played.next(), Step::Handle(_)));
        played.answer(Persistence::KeepAlive);
    }
    assert_eq!(played.next(), Step::Receive);
    assert_eq!(played.connection.unsent(), b"answeransweranswer");
}

#[test]
fn a_refusal_ends_the_connection_with_a_linger() {
    let mut played = Played::new();
    assert_eq!(played.receive("GET / HTTP/9.9\r\n\r\nmore"), Step::Refuse(Refusal::VersionNotSupported));
    played.answer(Persistence::Close);
    assert_eq!(played.next(), Step::Send);
    played.at_second(3).send(6);
    assert_eq!(played.next(), Step::ShutDownWrite);
    assert_eq!(played.next(), Step::Receive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (3, Expiry::Quietly));
    assert_eq!(played.receive(&"x".repeat(MAX_LINGER_BYTES)), Step::Receive);
    assert_eq!(played.receive("x"), Step::Close);
}

#[test]
fn a_lingering_connection_closes_with_its_client() {
    let mut played = Played::new();
    assert!(matches!(played.receive("BAD\r\n"), Step::Refuse(_)));
    played.answer(Persistence::Close);
    played.send(6);
    assert_eq!(played.next(), Step::ShutDownWrite);
    played.connection.received_end();
    assert_eq!(played.next(), Step::Close);
}

#[test]
fn a_client_that_ended_its_side_gets_its_answers() {
    let mut played = Played::new();
    played.connection.received_end();
    assert!(matches!(played.receive(REQUEST), Step::Handle(_)));
    played.answer(Persistence::KeepAlive);
    assert_eq!(played.next(), Step::Send);
    played.send(6);
    assert_eq!(played.next(), Step::Close);
}

#[test]
fn half_a_head_and_an_end_is_closed_without_a_word() {
    let mut played = Played::new();
    assert_eq!(played.receive("GET /a HTTP/1.1\r\nHos"), Step::Receive);
    played.connection.received_end();
    assert_eq!(played.next(), Step::Close);
}

#[test]
fn bytes_behind_the_last_request_are_waited_out_until_the_client_ends_its_side() {
    for behind in ["", "GET"] {
        let mut played = Played::new();
        assert!(matches!(played.receive(&format!("{REQUEST}{behind}")), Step::Handle(_)));
        played.answer(Persistence::Close);
        assert_eq!(played.next(), Step::Send);
        played.send(6);
        assert_eq!(played.next(), Step::ShutDownWrite, "{behind:?}");
    }
    let mut played = Played::new();
    played.connection.received_end();
    assert!(matches!(played.receive(REQUEST), Step::Handle(_)));
    played.answer(Persistence::Close);
    played.send(6);
    assert_eq!(played.next(), Step::Close);
}

#[test]
fn after_the_request_that_its_client_called_the_last_it_is_closed_unless_more_came() {
    let (begin, end) = REQUEST.split_at(7);
    for (pieces, behind, expected) in [
        (&[REQUEST][..], "", Step::CloseIfQuiet),
        (&[REQUEST], "GET", Step::ShutDownWrite),
        (&[begin, end], "", Step::ShutDownWrite),
    ] {
        let mut played = Played::new();
        for piece in pieces {
            played.receive(piece);
        }
        played.connection.received(behind.as_bytes());
        played.answer(Persistence::LastRequest);
        assert_eq!(played.next(), Step::Send);
        played.send(6);
        assert_eq!(played.next(), expected, "{pieces:?} {behind:?}");
    }
    let mut played = Played::new();
    assert!(matches!(played.receive(REQUEST), Step::Handle(_)));
    played.answer(Persistence::LastRequest);
    played.send(6);
    assert_eq!(played.next(), Step::CloseIfQuiet);
    assert_eq!(played.receive("G"), Step::ShutDownWrite, "it was not quiet");
}

#[test]
fn a_drain_shortens_every_wait() {
    let mut played = Played::new();
    let end = Deadline::after(played.start, SECOND);
    played.connection.hurry(end);
    assert_eq!(played.deadline_s(), 1);
    assert!(matches!(played.receive(REQUEST), Step::Handle(_)));
    played.answer(Persistence::Close);
    assert_eq!(played.deadline_s(), 30);
    played.connection.hurry(end);
    assert_eq!(played.deadline_s(), 1);
}

#[test]
fn no_more_is_taken_than_one_head_needs() {
    let mut played = Played::new();
    assert_eq!(played.connection.room_bytes(), MAX_HEAD_BYTES);
    played.connection.received(&[b'a'; 100]);
    assert_eq!(played.connection.room_bytes(), MAX_HEAD_BYTES - 100);
}

#[test]
fn buffers_are_lent_for_a_turn_and_given_back_when_empty() {
    let mut played = Played::new();
    let mut buffers = Buffers { input: Vec::with_capacity(64), output: Vec::with_capacity(64) };
    played.connection.lend_buffers(&mut buffers);
    assert_eq!(buffers.input.capacity(), 0);
    played.connection.received(b"G");
    played.connection.return_buffers(&mut buffers);
    assert_eq!((buffers.input.capacity(), buffers.output.capacity()), (0, 64));
}

/// What a stream of bytes leads to: the requests by their targets, and the refusal that ends it.
fn outcomes(pieces: &[&[u8]]) -> Vec<String> {
    let mut played = Played::new();
    let mut outcomes = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(played.connection.room_bytes().max(1)));
            played.connection.received(now);
            rest = later;
            loop {
                match played.next() {
                    Step::Handle(head) => {
                        outcomes.push(format!("{} {}", head.method, head.target));
                        played.answer(head.persistence);
                    }
                    Step::Refuse(refusal) => {
                        outcomes.push(format!("{refusal:?}"));
                        played.answer(Persistence::Close);
                    }
                    Step::Send => played.send(played.connection.unsent().len()),
                    Step::ShutDownWrite => {}
                    Step::Receive | Step::CloseIfQuiet | Step::Close => break,
                }
            }
        }
    }
    outcomes
}

#[test]
fn however_the_bytes_are_cut_the_outcome_is_the_same() {
    let streams: [&[u8]; 10] = [
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n\r\nGET /b HTTP/1.0\r\n\r\nGET /c HTTP/1.0\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\nHost: x\n\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n",
        b"GET /a HTTP/3.0\r\nHost: x\r\n\r\n",
        b"GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\n\r\n",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    for stream in streams {
        let whole = outcomes(&[stream]);
        assert!(!whole.is_empty());
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(outcomes(&bytes), whole, "byte by byte: {}", stream.escape_ascii());
        for _ in 0..200 {
            let mut pieces = Vec::new();
            let mut rest = stream;
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(random.usize(1..=rest.len()));
                pieces.push(piece);
                rest = later;
            }
            assert_eq!(outcomes(&pieces), whole, "{}", stream.escape_ascii());
        }
    }
}
