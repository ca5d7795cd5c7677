//! One table of documents, stored in every database and asked for in both modes: the answers are the same bytes.

use std::collections::BTreeMap;

use serde::Deserialize;
use userprofiles::cli::import::parse_line;

use crate::databases::{MODES, Store};
use crate::support::client::{Answer, Client, segment};

/// A case of `tests/data/database-cases.json`.
#[derive(Deserialize)]
struct Case {
    #[serde(rename = "case")]
    what: String,
    /// Who is asked for; `None`: the name of the case's own document, `case-` and its number.
    username: Option<String>,
    /// What is stored, with `USERNAME` for the name as JSON writes it and `FILL:n:` for so many letters; `None`: nothing.
    document: Option<String>,
    status: u16,
    /// Of a problem.
    code: Option<String>,
    /// Of a 200, with `USERNAME` likewise.
    answer: Option<String>,
    /// Why a database cannot store it.
    #[serde(default)]
    cannot_store: BTreeMap<String, String>,
    /// Why a double cannot take it by `import`, although the real one can.
    #[serde(default)]
    not_by_import: BTreeMap<String, String>,
}

/// A case with everything filled in.
struct Filled {
    case: Case,
    username: String,
    document: Option<String>,
    answer: Option<String>,
}

fn cases() -> Vec<Filled> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../data/database-cases.json")).unwrap();
    assert!(cases.len() > 40);
    let filled = cases.into_iter().enumerate().map(|(number, case)| {
        let username = case.username.clone().map_or_else(|| format!("case-{number}"), |name| fill(&name));
        let written = serde_json::to_string(&username).unwrap();
        let named = |text: &String| fill(&text.replace("USERNAME", &written));
        let (document, answer) = (case.document.as_ref().map(named), case.answer.as_ref().map(named));
        Filled { case, username, document, answer }
    });
    filled.collect()
}

/// Replaces `FILL:n:` by `n` letters, and `NEST:n:` by so many arrays in each other.
fn fill(text: &str) -> String {
    let mut text = text.to_owned();
    for (mark, make) in [("FILL:", repeat as fn(usize) -> String), ("NEST:", nest)] {
        while let Some(start) = text.find(mark) {
            let end = start + mark.len() + text[start + mark.len()..].find(':').unwrap();
            let count = text[start + mark.len()..end].parse().unwrap();
            text.replace_range(start..=end, &make(count));
        }
    }
    text
}

fn repeat(count: usize) -> String {
    "x".repeat(count)
}

fn nest(count: usize) -> String {
    "[".repeat(count) + &"]".repeat(count)
}

/// What must be the same everywhere.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    body: String,
    etag: Option<String>,
    /// Of the same request with `If-None-Match`.
    conditional: (u16, Option<String>),
}

fn seen(answer: &Answer, conditional: &Answer) -> Seen {
    let etag = |answer: &Answer| answer.field("etag").map(str::to_owned);
    Seen {
        status: answer.status,
        body: answer.text().to_owned(),
        etag: etag(answer),
        conditional: (conditional.status, etag(conditional)),
    }
}

/// Stores the cases by `import`, and those that it would refuse by the database's own protocol.
fn store(store: &Store, cases: &[Filled]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let (mut lines, mut others, mut wrong) = (String::new(), Vec::new(), Vec::new());
    for filled in cases {
        let Some(document) = &filled.document else { continue };
        match parse_line(document.as_bytes()) {
            Ok(parsed)
                if parsed.id.username() == Some(&filled.username)
                    && !filled.case.not_by_import.contains_key(store.name) =>
            {
                lines.push_str(document);
                lines.push('\n');
            }
            _ => others.push((filled, document)),
        }
    }
    let output = store.import(&lines, folder.path());
    assert_eq!(output.status.code(), Some(0), "{}: {}", store.name, String::from_utf8_lossy(&output.stderr));
    for (filled, document) in others {
        let why_not = filled.case.cannot_store.get(store.name);
        match (store.put(&format!("userprofile::{}", filled.username), document), why_not) {
            (Ok(()), None) | (Err(_), Some(_)) => {}
            // It takes it and changes it: an empty place would be another thing.
            (Ok(()), Some(why_not)) if why_not.starts_with("alters") => {}
            (outcome, why_not) => {
                wrong.push(format!("{}: {}: {outcome:?}, {why_not:?}", store.name, filled.case.what));
            }
        }
    }
    wrong
}

#[test]
fn every_database_answers_with_the_same_bytes() {
    let cases = cases();
    let mut reference: BTreeMap<usize, Seen> = BTreeMap::new();
    let mut wrong = Vec::new();
    for database in Store::all("conformance") {
        wrong.extend(store(&database, &cases));
        for mode in MODES {
            let server = database.serve(&[mode]);
            let mut client = server.connect();
            let mut single: Vec<(&str, Answer)> = Vec::new();
            for (number, filled) in cases.iter().enumerate() {
                if filled.case.cannot_store.contains_key(database.name) {
                    continue;
                }
                let path = format!("/users/{}", segment(&filled.username));
                let request_id = format!("X-Request-Id: case-{number}\r\n");
                let answer = client.request("GET", &path, &request_id);
                let tag = answer.field("etag").unwrap_or("\"none\"").to_owned();
                let conditional = client.request("GET", &path, &format!("{request_id}If-None-Match: {tag}\r\n"));
                let place = format!("{}, {mode}, {}", database.name, filled.case.what);
                wrong.extend(complaint(filled, &answer).map(|complaint| format!("{place}: {complaint}")));
                let seen = seen(&answer, &conditional);
                let first = reference.entry(number).or_insert_with(|| self::seen(&answer, &conditional));
                if *first != seen {
                    wrong.push(format!("{place}: {seen:?} and not {first:?}"));
                }
                single.push((&filled.username, answer));
            }
            let together = several_at_once(&mut client, &single);
            wrong.extend(together.into_iter().map(|what| format!("{}, {mode}, at once: {what}", database.name)));
            assert!(!server.log().contains("hash-marker"), "{}: {}", database.name, server.log());
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// As many as fit in a request line, whatever their names are.
const NAMES_AT_ONCE: usize = 10;

/// An answer about several users has a bound of its own.
const LONGEST_ELEMENT_BYTES: usize = 400_000;

/// Asks for the same users by one request each, and by one for several: the elements must be the answers, and the problems
/// without what belongs to one request.
fn several_at_once(client: &mut Client, single: &[(&str, Answer)]) -> Vec<String> {
    let fitting: Vec<&(&str, Answer)> =
        single.iter().filter(|(_, answer)| answer.body.len() <= LONGEST_ELEMENT_BYTES).collect();
    assert!(fitting.len() > 20);
    let mut wrong = Vec::new();
    for chunk in fitting.chunks(NAMES_AT_ONCE) {
        let names: Vec<String> = chunk.iter().map(|(name, _)| format!("username={}", segment(name))).collect();
        let answer = client.request("GET", &format!("/users?{}", names.join("&")), "");
        let expected: Vec<String> = chunk.iter().map(|(_, answer)| element(answer)).collect();
        let expected = format!("[{}]", expected.join(","));
        if answer.status != 200 || answer.text() != expected {
            wrong.push(format!("{} {} and not {expected}", answer.status, answer.text()));
        }
    }
    wrong
}

fn element(answer: &Answer) -> String {
    if answer.status == 200 {
        return answer.text().to_owned();
    }
    let text = answer.text();
    let end = text.find(",\"instance\":").unwrap_or_else(|| panic!("no instance: {text}"));
    format!("{}}}", &text[..end])
}

/// What is wrong with an answer, by the table.
fn complaint(filled: &Filled, answer: &Answer) -> Option<String> {
    let is_as_told = answer.status == filled.case.status
        && match (&filled.answer, &filled.case.code) {
            (Some(expected), None) => answer.text() == expected,
            (None, Some(code)) => answer.json()["type"] == format!("/problems/{code}"),
            _ => panic!("{}: an answer or a code", filled.case.what),
        };
    (!is_as_told || answer.text().contains("hash-marker")).then(|| format!("{} {}", answer.status, answer.text()))
}
