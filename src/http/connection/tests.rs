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

/// A connection, when it began, and the present moment.
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

    fn receive(&mut self, bytes: &str) -> Instruction {
        self.connection.received(bytes.as_bytes());
        self.next()
    }

    fn next(&mut self) -> Instruction {
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
    assert_eq!(played.next(), Instruction::Receive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (5, Expiry::Quietly));
    assert_eq!(played.at_second(1).receive("\r\n\r\n"), Instruction::Receive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (5, Expiry::Quietly));
    assert_eq!(played.at_second(2).receive("G"), Instruction::Receive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (12, Expiry::WithTimeout));
    assert_eq!(played.at_second(11).receive("ET /a HTTP/1.1\r\n"), Instruction::Receive);
    assert_eq!(played.deadline_s(), 12);
    assert!(matches!(played.receive("Host: x\r\n\r\n"), Instruction::Handle(_)));
    played.at_second(20).answer(Persistence::KeepAlive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (50, Expiry::CutOff));
    played.at_second(21).send(1);
    assert_eq!(played.deadline_s(), 50);
    played.send(5);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (81, Expiry::Quietly));
    assert!(played.connection.idle_since().is_some());
    assert_eq!(played.at_second(30).receive("GET"), Instruction::Receive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (40, Expiry::WithTimeout));
}

#[test]
fn pipelined_requests_are_handled_one_after_the_other() {
    let mut played = Played::new();
    played.connection.received(REQUEST.repeat(3).as_bytes());
    for _ in 0..3 {
        assert!(matches!(played.next(), Instruction::Handle(_)));
        played.answer(Persistence::KeepAlive);
    }
    assert_eq!(played.next(), Instruction::Receive);
    assert_eq!(played.connection.unsent(), b"answeransweranswer");
}

#[test]
fn a_refusal_ends_the_connection_with_a_linger() {
    let mut played = Played::new();
    assert_eq!(played.receive("GET / HTTP/9.9\r\n\r\nmore"), Instruction::Refuse(Refusal::VersionNotSupported));
    played.answer(Persistence::Close);
    assert_eq!(played.next(), Instruction::Send);
    played.at_second(3).send(6);
    assert_eq!(played.next(), Instruction::ShutDownWrite);
    assert_eq!(played.next(), Instruction::Receive);
    assert_eq!((played.deadline_s(), played.connection.expiry()), (3, Expiry::Quietly));
    assert_eq!(played.receive(&"x".repeat(MAX_LINGER_BYTES)), Instruction::Receive);
    assert_eq!(played.receive("x"), Instruction::Close);
}

#[test]
fn a_lingering_connection_closes_with_its_client() {
    let mut played = Played::new();
    assert!(matches!(played.receive("BAD\r\n"), Instruction::Refuse(_)));
    played.answer(Persistence::Close);
    played.send(6);
    assert_eq!(played.next(), Instruction::ShutDownWrite);
    played.connection.received_end();
    assert_eq!(played.next(), Instruction::Close);
}

#[test]
fn a_client_that_ended_its_side_gets_its_answers() {
    let mut played = Played::new();
    played.connection.received_end();
    assert!(matches!(played.receive(REQUEST), Instruction::Handle(_)));
    played.answer(Persistence::KeepAlive);
    assert_eq!(played.next(), Instruction::Send);
    played.send(6);
    assert_eq!(played.next(), Instruction::Close);
}

#[test]
fn half_a_head_and_an_end_is_closed_without_a_word() {
    let mut played = Played::new();
    assert_eq!(played.receive("GET /a HTTP/1.1\r\nHos"), Instruction::Receive);
    played.connection.received_end();
    assert_eq!(played.next(), Instruction::Close);
}

#[test]
fn bytes_behind_the_last_request_are_waited_out_until_the_client_ends_its_side() {
    for behind in ["", "GET"] {
        let mut played = Played::new();
        assert!(matches!(played.receive(&format!("{REQUEST}{behind}")), Instruction::Handle(_)));
        played.answer(Persistence::Close);
        assert_eq!(played.next(), Instruction::Send);
        played.send(6);
        assert_eq!(played.next(), Instruction::ShutDownWrite, "{behind:?}");
    }
    let mut played = Played::new();
    played.connection.received_end();
    assert!(matches!(played.receive(REQUEST), Instruction::Handle(_)));
    played.answer(Persistence::Close);
    played.send(6);
    assert_eq!(played.next(), Instruction::Close);
}

#[test]
fn after_the_request_that_its_client_called_the_last_it_is_closed_unless_more_came() {
    let (begin, end) = REQUEST.split_at(7);
    for (pieces, behind, expected) in [
        (&[REQUEST][..], "", Instruction::CloseIfQuiet),
        (&[REQUEST], "GET", Instruction::ShutDownWrite),
        (&[begin, end], "", Instruction::ShutDownWrite),
    ] {
        let mut played = Played::new();
        for piece in pieces {
            played.receive(piece);
        }
        played.connection.received(behind.as_bytes());
        played.answer(Persistence::LastRequest);
        assert_eq!(played.next(), Instruction::Send);
        played.send(6);
        assert_eq!(played.next(), expected, "{pieces:?} {behind:?}");
    }
    let mut played = Played::new();
    assert!(matches!(played.receive(REQUEST), Instruction::Handle(_)));
    played.answer(Persistence::LastRequest);
    played.send(6);
    assert_eq!(played.next(), Instruction::CloseIfQuiet);
    assert_eq!(played.receive("G"), Instruction::ShutDownWrite, "it was not quiet");
}

#[test]
fn a_drain_shortens_every_wait() {
    let mut played = Played::new();
    let end = Deadline::after(played.start, SECOND);
    played.connection.cap_deadlines(end);
    assert_eq!(played.deadline_s(), 1);
    assert!(matches!(played.receive(REQUEST), Instruction::Handle(_)));
    played.answer(Persistence::Close);
    assert_eq!(played.deadline_s(), 30);
    played.connection.cap_deadlines(end);
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
                    Instruction::Handle(head) => {
                        outcomes.push(format!("{} {}", head.method, head.target));
                        played.answer(head.persistence);
                    }
                    Instruction::Refuse(refusal) => {
                        outcomes.push(format!("{refusal:?}"));
                        played.answer(Persistence::Close);
                    }
                    Instruction::Send => played.send(played.connection.unsent().len()),
                    Instruction::ShutDownWrite => {}
                    Instruction::Receive | Instruction::CloseIfQuiet | Instruction::Close => break,
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
