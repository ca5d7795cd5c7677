//! The access log under hostile requests: whatever a client sends, each answer is one line, and every line can be read back.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

mod support;

use std::collections::HashMap;

use support::client::{Client, segment};
use support::process::userprofiles_by_shell;
use support::server::Server;

const REQUESTS: u64 = 10_000;

/// Pieces that mean something to some reader of logs: line ends, escapes, quotes, brackets, terminals, ids of the journal.
const PIECES: [&str; 24] = [
    "\"",
    "'",
    "\\",
    "\\n",
    "\\u000a",
    "=",
    " ",
    "\t",
    "{",
    "}",
    "<3>",
    "%0a",
    "%0D%0A",
    "\u{7f}",
    "\u{1b}[31m",
    "\u{9b}2J",
    "\u{2028}",
    "\u{85}",
    "é",
    "\u{202e}",
    "status=200",
    "request_id=forged",
    "\0",
    "\r",
];

/// A generator that gives the same requests in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        // The numbers of L'Ecuyer's generator with 64 bits.
        self.0 = self.0.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(3_037_000_493);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn hostile_text(&mut self) -> String {
        let length = 1 + self.below(8);
        (0..length).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }
}

/// What was sent, as far as it must be in the line.
struct Sent {
    target: String,
}

/// Sends hostile requests, each on its own connection where it is refused, and returns what was sent with each id.
fn send_all(server: &Server) -> HashMap<String, Sent> {
    let mut numbers = Numbers(1);
    let mut sent = HashMap::new();
    let mut client = server.connect();
    for number in 0..REQUESTS {
        let id = format!("hostile-{number}");
        let method = if number % 17 == 0 { "G=\"E" } else { "GET" };
        // Every other path is one that gets through; the others are refused with whatever is in them.
        let text = numbers.hostile_text();
        let path = match number % 2 {
            0 => format!("/users/{}", segment(&text)),
            _ => format!("/{text}"),
        };
        let value = numbers.hostile_text();
        // Some ids are hostile too: what is accepted of them stands in the line.
        let id = if number % 3 == 0 { format!("{id}{value}") } else { id };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: {id}\r\nTraceparent: {value}\r\nAccept: {value}\r\n\r\n"
        );
        client.send(request.as_bytes());
        let answer = client.answer();
        if answer.field("connection") == Some("close") {
            client = server.connect();
        }
        // An answer has an id of its own where the head was not readable.
        let id = answer.field("x-request-id").unwrap().to_owned();
        sent.insert(id, Sent { target: path });
    }
    sent
}

/// Reads the fields of a line of text back: `name=value`, a value with spaces or quotes as Rust writes a string.
fn fields_of(line: &str) -> Option<HashMap<String, String>> {
    let mut fields = HashMap::new();
    let mut rest = line.split_once(" answered ")?.1;
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=')?;
        let (value, behind) = match behind.strip_prefix('"') {
            Some(quoted) => {
                let end = end_of_quoted(quoted)?;
                (unescaped(&quoted[..end])?, &quoted[end + 1..])
            }
            None => {
                let end = behind.find(' ').unwrap_or(behind.len());
                (behind[..end].to_owned(), &behind[end..])
            }
        };
        if name.contains(|c: char| !c.is_ascii_lowercase() && c != '_')
            || fields.insert(name.to_owned(), value).is_some()
        {
            return None;
        }
        rest = behind.strip_prefix(' ').unwrap_or(behind);
    }
    Some(fields)
}

fn end_of_quoted(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end.then_some(at)
    })
}

fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        plain.push(match (c, c == '\\') {
            (c, false) => c,
            (_, true) => match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let digits: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                c @ ('"' | '\\' | '\'') => c,
                _ => return None,
            },
        });
    }
    Some(plain)
}

fn assert_reads_back(fields: &HashMap<String, String>, sent: &HashMap<String, Sent>, line: &str) {
    let sent = &sent[&fields["request_id"]];
    let (path, status) = (&fields["path"], fields["status"].parse::<u16>().unwrap());
    // Of a head that is no request only what could be read is logged.
    assert!(*path == sent.target || (path == "-" && status == 400), "{path:?} for {:?} in {line}", sent.target);
    for name in ["method", "route", "bytes", "duration_ms", "client", "protocol", "code"] {
        assert!(fields.contains_key(name), "{name} in {line}");
    }
    assert_eq!(fields.len(), 10, "{line}");
}

/// Sends everything, and returns what was sent and the access lines.
fn lines_of(server: &Server) -> (HashMap<String, Sent>, Vec<String>) {
    let sent = send_all(server);
    assert_eq!(sent.len() as u64, REQUESTS);
    Client::connect(server.public).request("GET", "/", "X-Request-Id: the-last-one\r\n");
    server.wait_for_log("the-last-one");
    let log = server.log();
    assert!(!log.contains(|c: char| c.is_control() && c != '\n'), "a control character is in the log");
    let lines = log.lines().filter(|line| line.contains("answered") && !line.contains("the-last-one"));
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    assert_eq!(lines.len() as u64, REQUESTS);
    (sent, lines)
}

/// A server whose standard error is what the journal says that it is.
fn server_under_the_journal() -> Server {
    let program = userprofiles_by_shell(r#"JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec "$@""#);
    let users = support::server::sample_users();
    let flags = ["--listen", "127.0.0.1:0", "--import", users.to_str().unwrap()];
    let mut server = Server::spawn(support::server::serve(program, &[], &flags));
    server.public = server.address_after("listening on http://");
    server
}

#[test]
fn every_line_of_text_can_be_read_back() {
    let (sent, lines) = lines_of(&Server::embedded(&[]));
    for line in &lines {
        let fields = fields_of(line).unwrap_or_else(|| panic!("cannot be read: {line}"));
        assert_reads_back(&fields, &sent, line);
    }
}

#[test]
fn every_line_of_the_journal_can_be_read_back() {
    let (sent, lines) = lines_of(&server_under_the_journal());
    for line in &lines {
        let text = line.strip_prefix("<6>").unwrap_or_else(|| panic!("no priority of info: {line}"));
        let fields = fields_of(&format!(" {text}")).unwrap_or_else(|| panic!("cannot be read: {line}"));
        assert_reads_back(&fields, &sent, line);
    }
}

#[test]
fn every_line_of_json_can_be_read_back() {
    let (sent, lines) = lines_of(&Server::embedded(&["log.format=json"]));
    for line in &lines {
        let object: HashMap<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        let mut fields: HashMap<String, String> = object
            .into_iter()
            .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        for name in ["time", "level", "target", "message"] {
            assert!(fields.remove(name).is_some(), "{name} in {line}");
        }
        assert_reads_back(&fields, &sent, line);
    }
}

#[test]
fn answers_can_be_left_out() {
    for (access, expected) in [("all", 3), ("errors", 2), ("off", 0)] {
        let server = Server::embedded(&[&format!("log.access={access}")]);
        let mut client = server.connect();
        for (path, status) in [("/users/johndoe", 200), ("/users/nobody", 404), ("/users/%ff", 422)] {
            assert_eq!(client.request("GET", path, "").status, status);
        }
        // A line that comes after those of the requests.
        server.signal("HUP");
        server.wait_for_log("HUP: reload complete");
        let log = server.log();
        assert_eq!(log.lines().filter(|line| line.contains(" answered ")).count(), expected, "{access}: {log}");
    }
}
