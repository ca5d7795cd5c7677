//! The rules of RFC 9110, RFC 9112 and RFC 3986 as tables of rows, through the real binary over real sockets.
//!
//! `data/http-cases.json` is a table that others measured servers with; `data/http-cases-own.json` is ours. A row:
//!
//! - `send`: the pieces to send; a text (each character is one byte) or `{"repeat": text, "times": number}`.
//! - `then_shutdown_write`: whether the client then ends its side.
//! - `status`: the statuses that the one answer may have. A list in which a status is repeated cannot mean that, and is
//!   the statuses of as many answers, in order; `in_order` says the same of a list without repetition.
//! - `methods`: what is answered, where that is not the method that `send` begins with each time.
//! - `end`: `close` (nothing but the end follows the answers), `open` (the next request on the connection is answered),
//!   or `any` (whichever the answer says).
//!
//! Each row is sent in one piece and byte by byte: both must lead to the same.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};

use serde::Deserialize;
use support::client::{Answer, Client};
use support::server::Server;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    send: Vec<Piece>,
    then_shutdown_write: bool,
    status: Vec<u16>,
    #[serde(default)]
    in_order: bool,
    #[serde(default)]
    methods: Vec<String>,
    end: End,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Piece {
    Text(String),
    Repeated { repeat: String, times: usize },
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum End {
    Open,
    Close,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    OnePiece,
    ByteByByte,
}

/// More than this takes too long byte by byte; where the limits are is no matter of how bytes are cut.
const LONGEST_CUT_BYTES: usize = 2000;

/// A server that has refused a request reads this much of what still comes (`MAX_LINGER_BYTES`), so that its client sees
/// the end of the connection and not a reset.
const LINGERS_FOR_BYTES: usize = 256 * 1024;

#[test]
fn the_shared_table() {
    assert_eq!(play_table(include_str!("data/http-cases.json")), 63);
}

#[test]
fn our_own_table() {
    assert!(play_table(include_str!("data/http-cases-own.json")) > 63);
}

/// Plays all rows, tells of all that fail, and gives their number.
fn play_table(json: &str) -> usize {
    let rows: Vec<Row> = serde_json::from_str(json).unwrap();
    let server = Server::embedded(&[]);
    let mut failures = Vec::new();
    for row in &rows {
        for cut in [Cut::OnePiece, Cut::ByteByByte] {
            if cut == Cut::ByteByByte && row.bytes().len() > LONGEST_CUT_BYTES {
                continue;
            }
            if let Err(failure) = play(row, cut, server.public) {
                failures.push(format!("{} ({cut:?}): {failure}", row.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} rows:\n{}", failures.len(), rows.len(), failures.join("\n"));
    rows.len()
}

impl Row {
    fn bytes(&self) -> Vec<u8> {
        let latin1 = |text: &str| text.chars().map(|char| u8::try_from(char).unwrap()).collect::<Vec<u8>>();
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => latin1(text),
            Piece::Repeated { repeat, times } => latin1(repeat).repeat(*times),
        };
        self.send.iter().flat_map(piece).collect()
    }

    fn answers_in_order(&self) -> bool {
        self.in_order || (1..self.status.len()).any(|index| self.status[..index].contains(&self.status[index]))
    }

    /// The statuses that each answer may have.
    fn expected(&self) -> Vec<Vec<u16>> {
        match self.status.as_slice() {
            [] => Vec::new(),
            statuses if self.answers_in_order() => statuses.iter().map(|status| vec![*status]).collect(),
            statuses => vec![statuses.to_vec()],
        }
    }

    fn method(&self, index: usize) -> &str {
        let first = || matches!(&self.send[0], Piece::Text(text) if text.trim_start().starts_with("HEAD "));
        match self.methods.get(index) {
            Some(method) => method,
            None if self.methods.is_empty() && first() => "HEAD",
            None => "GET",
        }
    }
}

fn play(row: &Row, cut: Cut, address: SocketAddr) -> Result<(), String> {
    let mut client = Client::connect(address);
    let bytes = row.bytes();
    match cut {
        Cut::OnePiece => client.send(&bytes),
        // The server may have refused what came so far, and closed.
        Cut::ByteByByte => bytes.chunks(1).for_each(|byte| client.send(byte)),
    }
    if row.then_shutdown_write {
        client.stream.shutdown(Shutdown::Write).map_err(|error| error.to_string())?;
    }
    let mut says_close = false;
    for (index, statuses) in row.expected().iter().enumerate() {
        let method = row.method(index);
        let answer = client.try_answer_to(method).ok_or_else(|| format!("no answer {index}"))?;
        if !statuses.contains(&answer.status) {
            return Err(format!("{} instead of {statuses:?}: {}", answer.status, answer.body.escape_ascii()));
        }
        check_answer(&answer, method)?;
        if says_close {
            return Err(format!("an answer after the one that said close: {}", answer.head));
        }
        says_close = answer.field("connection") == Some("close");
    }
    if says_close && row.end == End::Open {
        return Err("it says close".to_owned());
    }
    // A client that ends its side is not told that the server does so too.
    if !says_close && row.end == End::Close && !row.then_shutdown_write {
        return Err("it does not say close".to_owned());
    }
    if says_close || row.end == End::Close {
        expect_end(&mut client, bytes.len() <= LINGERS_FOR_BYTES)
    } else {
        expect_open(&mut client, &row.name)
    }
}

/// What every answer has, and every problem.
fn check_answer(answer: &Answer, method: &str) -> Result<(), String> {
    for field in ["date", "x-request-id"] {
        answer.field(field).ok_or_else(|| format!("no {field} in {}", answer.head))?;
    }
    if answer.status < 400 {
        return Ok(());
    }
    if answer.field("content-type") != Some("application/problem+json") {
        return Err(format!("no problem: {}", answer.head));
    }
    if answer.field("content-length").is_none_or(|length| length == "0") {
        return Err(format!("a problem without a length: {}", answer.head));
    }
    if answer.status == 405 && answer.field("allow").is_none() {
        return Err("a 405 without Allow".to_owned());
    }
    if method == "HEAD" {
        return Ok(());
    }
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    let is_complete = problem["status"] == answer.status
        && problem["request_id"].as_str() == answer.field("x-request-id")
        && ["type", "title", "detail"].iter().all(|member| problem[member].is_string());
    if is_complete { Ok(()) } else { Err(format!("an incomplete problem: {problem}")) }
}

/// Nothing more comes but the end; not even a reset, which could have destroyed the answer on its way.
fn expect_end(client: &mut Client, cleanly: bool) -> Result<(), String> {
    let mut rest = client.take_unread();
    match client.stream.read_to_end(&mut rest) {
        Ok(_) if rest.is_empty() => Ok(()),
        Ok(_) => Err(format!("more than the answers: {}", rest.escape_ascii())),
        Err(error) if error.kind() == ErrorKind::ConnectionReset && !cleanly => Ok(()),
        Err(error) => Err(format!("instead of the end: {error}")),
    }
}

/// The next answer is that to the next request: so nothing else was read as one.
fn expect_open(client: &mut Client, name: &str) -> Result<(), String> {
    let probe = format!("GET /users/johndoe HTTP/1.1\r\nHost: x\r\nX-Request-Id: probe-{name}\r\n\r\n");
    client.stream.write_all(probe.as_bytes()).map_err(|error| format!("it is not open: {error}"))?;
    let answer = client.try_answer_to("GET").ok_or("it is not open")?;
    let id = answer.field("x-request-id");
    if answer.status == 200 && id == Some(format!("probe-{name}").as_str()) {
        Ok(())
    } else {
        Err(format!("the next request got {} {id:?}", answer.status))
    }
}
