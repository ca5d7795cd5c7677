//! What must hold for any bytes whatever: one function a target, for the fuzzer and for the replay of its corpus by
//! `cargo test` alike. Each panics if something does not hold.

#![allow(dead_code, reason = "each fuzz target uses one of them")]

use std::time::{Duration, Instant};

use userprofiles::api::query;
use userprofiles::api::route::{self, FileName, Route};
use userprofiles::clock;
use userprofiles::http::Limits;
use userprofiles::http::connection::{Connection, Expiry, Instruction};
use userprofiles::http::limits::{LINGER_TIMEOUT, MAX_HEAD_BYTES};
use userprofiles::http::message::framing::Persistence;
use userprofiles::http::message::head::{self, Head, Parsed};
use userprofiles::{DocumentId, Username};

const READS: [&str; 2] = ["x-test", "if-none-match"];

/// The longest input that is made of the fuzzer's bytes: beyond every limit of a head, and some requests more.
const LONGEST_BYTES: usize = 40_000;

/// The fuzzer's bytes, with repetitions written out, so that it reaches the limits of size with few of them: `FE n b` is
/// 64 n times the byte b; with n = 0 it is `FE b`.
fn expanded(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some((&first, later)) = rest.split_first() {
        rest = match (first, later) {
            (0xfe, [0, byte, later @ ..]) => {
                bytes.extend([0xfe, *byte]);
                later
            }
            (0xfe, [count, byte, later @ ..]) => {
                bytes.resize(bytes.len() + 64 * usize::from(*count), *byte);
                later
            }
            _ => {
                bytes.push(first);
                later
            }
        };
    }
    bytes.truncate(LONGEST_BYTES);
    bytes
}

/// The head parser: the same bytes give the same, a head does not depend on what follows it, no beginning of a head is
/// anything but incomplete, a refusal stands, and a head that was accepted is what RFC 9112 calls one.
pub fn head(data: &[u8]) {
    let bytes = expanded(data);
    let whole = head::parse(&bytes, &READS);
    assert_eq!(head::parse(&bytes, &READS), whole);
    match &whole {
        Parsed::Complete(head, length) => {
            assert_eq!(head::parse(&bytes[..*length], &READS), whole, "a head depends on what follows it");
            for length in beginnings(&bytes[..*length]) {
                assert_eq!(head::parse(&bytes[..length], &READS), Parsed::Incomplete, "at {length}");
            }
            check_head(head, &bytes[..*length]);
        }
        Parsed::Refused(refusal) => {
            let mut is_refused = false;
            for length in beginnings(&bytes) {
                match head::parse(&bytes[..length], &READS) {
                    Parsed::Incomplete => assert!(!is_refused, "a refusal that did not stand, at {length}"),
                    Parsed::Refused(earlier) => {
                        is_refused = true;
                        assert_eq!(earlier.code(), refusal.code(), "refused otherwise at {length}: {earlier:?}");
                    }
                    Parsed::Complete(..) => panic!("complete at {length}, and then {refusal:?}"),
                }
            }
        }
        Parsed::Incomplete => {
            assert!(bytes.len() < MAX_HEAD_BYTES);
            for length in beginnings(&bytes) {
                assert_eq!(head::parse(&bytes[..length], &READS), Parsed::Incomplete, "at {length}");
            }
        }
    }
}

/// The lengths at which a beginning is looked at: all of a short text; of a long one those where something may change.
fn beginnings(bytes: &[u8]) -> Vec<usize> {
    let is_of_interest = |length: &usize| {
        let (before, after) = (bytes[..*length].last(), bytes.get(*length));
        let is_repetition = before.is_some() && before == after;
        bytes.len() <= 256 || !is_repetition || length.is_multiple_of(1024) || length % 1024 == 1
    };
    (0..bytes.len()).filter(is_of_interest).collect()
}

/// What every head has that was accepted, told from its bytes without the parser.
fn check_head(head: &Head, bytes: &[u8]) {
    assert!(bytes.len() <= MAX_HEAD_BYTES);
    assert!(bytes.ends_with(b"\r\n\r\n"));
    let first_end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert_eq!(first_end + 4, bytes.len(), "an empty line within");
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' => assert_eq!(bytes[at - 1], b'\r', "a bare LF"),
            b'\r' => assert_eq!(bytes[at + 1], b'\n', "a bare CR"),
            0..=8 | 11..=31 | 127 => panic!("a control character"),
            _ => {}
        }
    }
    let is_path = head.target.starts_with('/') || head.method == "OPTIONS" && head.target == "*";
    assert!(is_path && head.target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{}", head.target);
    assert_ne!(head.method, "CONNECT");
    for (name, value) in &head.fields {
        assert!(READS.contains(&name.as_str()) && !value.contains(['\r', '\n', '\0']));
    }
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').skip(1).collect();
    let named = |name: &str| {
        let is_named = |line: &&&[u8]| {
            line.len() > name.len()
                && line[..name.len()].eq_ignore_ascii_case(name.as_bytes())
                && line[name.len()] == b':'
        };
        lines.iter().filter(is_named).count()
    };
    let (lengths, codings, hosts) = (named("content-length"), named("transfer-encoding"), named("host"));
    assert!(lengths + codings <= 1 && hosts <= 1, "two readers could read two things");
    let has_body = head.persistence == Persistence::Close;
    assert!(codings == 0 || has_body, "a coded body that nobody expects");
    assert!(lengths + codings == 1 || !has_body);
    assert!(!lines.iter().any(|line| line.starts_with(b" ") || line.starts_with(b"\t")), "a folded line");
    assert!(lines.len() <= 102, "more than 100 fields");
    // Written anew from what was understood, it means the same.
    let anew = format!("{} {} HTTP/1.1\r\nHost: x\r\n\r\n", head.method, head.target);
    if anew.len() <= 8192 {
        match head::parse(anew.as_bytes(), &READS) {
            Parsed::Complete(again, _) => assert_eq!((&again.method, &again.target), (&head.method, &head.target)),
            other => panic!("{anew:?} is {other:?}"),
        }
    }
}

/// The path and username decoder: no text makes it panic, a route's segment holds no separator, and a username that was
/// accepted can be part of a key and comes back from its encoded form.
pub fn username(data: &[u8]) {
    let raw_url = String::from_utf8_lossy(data);
    let path = userprofiles::http::path_of(&raw_url);
    assert!(!path.contains('?') && raw_url.starts_with(path));
    match route::route(&raw_url) {
        Route::User(segment) => {
            assert!(!segment.is_empty() && !segment.contains(['/', '?']));
            assert_eq!(format!("/users/{segment}"), path);
            assert_eq!(route::route(&format!("/users/{segment}/")), Route::UserAndSlash(segment));
        }
        Route::UserAndSlash(segment) => {
            assert!(!segment.is_empty() && !segment.contains(['/', '?']));
            assert_eq!(format!("/users/{segment}/"), path);
        }
        Route::Users(query) => {
            assert!(path == "/users" && raw_url.ends_with(query));
            check_query(query);
        }
        Route::Problem(code) => assert_eq!(code.path(), path),
        Route::File(FileName::Home) => assert!(path == "/" || path == "*"),
        Route::File(_) | Route::Unknown => {}
    }
    // As a segment of its own, whatever the fuzzer thinks of the path before it.
    for segment in raw_url.split(['/', '?']) {
        check_segment(segment);
    }
    if let Ok(username) = Username::from_bytes(data.to_vec()) {
        check_username(&username, data);
    }
}

/// No query names more users than may be asked for, or one who cannot be.
fn check_query(query: &str) {
    let Ok(asked) = query::usernames(query) else { return };
    assert!((1..=query::MAX_USERNAMES).contains(&asked.len()));
    for username in asked.iter().flatten() {
        check_username(username, username.as_str().as_bytes());
    }
}

fn check_segment(segment: &str) {
    let decoded = route::decode(segment);
    assert!(decoded.len() <= segment.len());
    if route::has_valid_triplets(segment) {
        assert_eq!(decoded.len(), segment.len() - 2 * segment.matches('%').count());
    }
    if let Ok(username) = Username::from_bytes(decoded.clone()) {
        check_username(&username, &decoded);
    }
}

fn check_username(username: &Username, bytes: &[u8]) {
    let name = username.as_str();
    assert_eq!(name.as_bytes(), bytes);
    assert!((1..=233).contains(&name.len()) && !name.chars().any(char::is_control));
    assert_eq!(DocumentId::of(username).as_str(), format!("userprofile::{name}"));
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    let encoded: String = bytes.iter().flat_map(|byte| ['%', digit(byte >> 4), digit(byte & 15)]).collect();
    assert!(route::has_valid_triplets(&encoded));
    assert_eq!(route::decode(&encoded), bytes);
    assert_eq!(route::route(&format!("/users/{encoded}?/")), Route::User(&encoded));
}

/// The connection machine: the same bytes lead to the same requests and refusals however they are cut, deadlines move
/// only as they are documented to, and it always comes to an end.
///
/// The first eight bytes say how to cut, the others are what comes.
pub fn connection(data: &[u8]) {
    let (cuts, stream) = data.split_at(data.len().min(8));
    let stream = expanded(stream);
    let whole = play(&stream, &[stream.len().max(1)]);
    // Byte by byte; a long stream, in which every head is parsed anew with each piece, in a thousand of them.
    assert_eq!(play(&stream, &[stream.len() / 1000 + 1]), whole, "byte by byte");
    let cuts: Vec<usize> = cuts.iter().map(|&cut| usize::from(cut) * stream.len().div_ceil(256) + 1).collect();
    if !cuts.is_empty() {
        assert_eq!(play(&stream, &cuts), whole, "cut at {cuts:?}");
    }
}

/// A connection, the moment, and what became of it.
struct Played {
    connection: Connection,
    limits: Limits,
    now: Instant,
    outcomes: Vec<String>,
}

/// Plays a stream in pieces of these sizes, in turn, to its end; what becomes of each request, in order.
fn play(stream: &[u8], sizes: &[usize]) -> Vec<String> {
    let limits = limits();
    let now = clock::now();
    let mut played = Played { connection: Connection::new(&limits, now), limits, now, outcomes: Vec::new() };
    let mut sizes = sizes.iter().cycle();
    let mut rest = stream;
    while !rest.is_empty() && played.go_on(&mut sizes) {
        let size = sizes.next().copied().unwrap_or(1);
        let (piece, later) = rest.split_at(size.min(played.connection.room_bytes()).min(rest.len()));
        assert!(!piece.is_empty(), "it wants to read, and has no room");
        rest = later;
        played.pass_time(size);
        let before = played.connection.deadline();
        played.connection.received(piece);
        assert_eq!(played.connection.deadline(), before, "bytes moved a deadline");
        assert!(played.connection.unread().len() <= MAX_HEAD_BYTES);
    }
    played.connection.received_end();
    assert!(!played.go_on(&mut sizes), "it waits for more after the end");
    played.outcomes
}

fn limits() -> Limits {
    Limits {
        first_byte_timeout: Duration::from_secs(5),
        head_timeout: Duration::from_secs(11),
        idle_timeout: Duration::from_secs(67),
        write_timeout: Duration::from_secs(31),
        queue_timeout: Duration::from_secs(1),
        drain_timeout: Duration::from_secs(20),
        max_connections: 10,
        max_connections_per_address: 10,
    }
}

impl Played {
    /// Does what the machine says until it waits for its client (true) or is over (false).
    fn go_on<'a>(&mut self, sizes: &mut impl Iterator<Item = &'a usize>) -> bool {
        for _ in 0..100_000 {
            let had_output = self.connection.has_output();
            let before = (self.connection.deadline(), self.connection.expiry());
            let step = self.connection.next(&self.limits, &READS, self.now);
            let after = self.connection.deadline();
            match step {
                Instruction::Handle(head) => {
                    self.outcomes.push(format!("{} {} {:?}", head.method, head.target, head.fields));
                    self.answer(head.persistence);
                }
                Instruction::Refuse(refusal) => {
                    self.outcomes.push(refusal.code().status().to_string());
                    self.answer(Persistence::Close);
                }
                Instruction::Send => self.send(sizes.next().copied().unwrap_or(1)),
                Instruction::Receive => {
                    let begins_head = !had_output && before.1 == Expiry::Quietly && self.expires_loudly();
                    let expected = if begins_head { self.in_(self.limits.head_timeout) } else { before.0 };
                    assert_eq!(after.instant(), expected.instant(), "a deadline was moved");
                    if !self.connection.has_output() {
                        return true;
                    }
                    // Before any wait, what is there goes out.
                    self.send(usize::MAX);
                }
                Instruction::ShutDownWrite => assert_eq!(after, self.in_(LINGER_TIMEOUT)),
                Instruction::CloseIfQuiet | Instruction::Close => return false,
            }
        }
        panic!("it comes to no end");
    }

    fn expires_loudly(&self) -> bool {
        self.connection.expiry() == Expiry::WithTimeout
    }

    fn in_(&self, wait: Duration) -> clock::Deadline {
        clock::Deadline::after(self.now, wait)
    }

    fn pass_time(&mut self, amount: usize) {
        self.now += Duration::from_millis(amount as u64 % 1000);
    }

    fn answer(&mut self, persistence: Persistence) {
        let expected =
            if self.connection.has_output() { self.connection.deadline() } else { self.in_(self.limits.write_timeout) };
        self.connection.output().extend_from_slice(b"an answer of some bytes");
        self.connection.answered(persistence, &self.limits, self.now);
        assert_eq!(self.connection.deadline(), expected, "the oldest answer decides when all must have gone");
        assert_eq!(self.connection.expiry(), Expiry::CutOff);
    }

    fn send(&mut self, most: usize) {
        let length = self.connection.unsent().len().min(most);
        let before = self.connection.deadline();
        self.pass_time(length);
        self.connection.sent(length, &self.limits, self.now);
        if self.connection.has_output() {
            assert_eq!(self.connection.deadline(), before, "a byte that went moved a deadline");
        } else if self.connection.idle_since().is_some() {
            assert_eq!(self.connection.deadline(), self.in_(self.limits.idle_timeout));
        }
    }
}
