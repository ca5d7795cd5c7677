//! What a read gets: from the bytes of a query service's response to a document, to none, or to an error.
//!
//! Invariant: pure. Of a success (see [`super::envelope`]), only one row at most with an id that was asked for makes a
//! document.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::{self, Notice, Success};
use super::meaning;
use crate::bucket::couchbase::product::Target;
use crate::bucket::remote::halves::Outcomes;
use crate::bucket::rest::json_text::JsonText;
use crate::bucket::rest::{Failure, ManyOutcome, ReadOutcome, Retry, Warning};
use crate::bucket::{BucketError, Document};
use crate::model::{DocumentId, InvalidDocument, MAX_DOCUMENT_BYTES};

/// A row of the statement in [`super::statement`]. Every server knows `META(d).id`: a row without it, or with another, is
/// not believed, since it could be another user's. `META(d).type` is missing where a server does not know it.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    kind: Option<&'a RawValue>,
    /// Not an `Option`: a document may be `null`.
    #[serde(borrow)]
    doc: &'a RawValue,
}

/// Reads a complete response. `peer` is who answered, in words for a reason.
///
/// # Errors
/// [`Failure`] with each variant of [`BucketError`] but `Busy` and `UnusableId`.
pub fn read(status: u16, body: &[u8], id: &DocumentId, peer: &str, target: &Target) -> Result<ReadOutcome, Failure> {
    let body = JsonText::of(body);
    let Success { rows, warnings, details, .. } = open(status, &body, peer, target)?;
    let document = match rows.as_slice() {
        [] => None,
        [row] => {
            let row = parse(row, peer);
            let is_asked = |row: &Row| text(row.id).as_deref() == Some(id.as_str());
            let found = row.and_then(|row| if is_asked(&row) { document(&row, &body) } else { Err(not_asked(peer)) });
            Some(found.map_err(|failure| failure.with_details(details.clone()))?)
        }
        _ => return Err(Failure::not_what_was_asked(peer, "it sent more than one row for one key")),
    };
    Ok(ReadOutcome { found: document, warnings: warnings_of(&warnings), details })
}

/// Reads a complete response to the statement for many documents.
///
/// # Errors
/// As [`read`], but for what concerns one document.
pub fn read_many(
    status: u16,
    body: &[u8],
    ids: &[DocumentId],
    peer: &str,
    target: &Target,
) -> Result<ManyOutcome, Failure> {
    let body = JsonText::of(body);
    let Success { rows, warnings, details, .. } = open(status, &body, peer, target)?;
    let mut outcomes = Outcomes::of(ids);
    for row in rows {
        let put = parse(row, peer).and_then(|row| {
            let id = text(row.id).ok_or_else(|| not_asked(peer))?;
            outcomes.put(&id, document(&row, &body), || not_asked(peer))
        });
        put.map_err(|failure| failure.with_details(details.clone()))?;
    }
    Ok(ManyOutcome { found: outcomes.into_vec(), warnings: warnings_of(&warnings), details })
}

fn open<'a>(status: u16, body: &'a JsonText, peer: &str, target: &Target) -> Result<Success<'a>, Failure> {
    let of_error = |code, error: &Notice| {
        let failure = meaning::of_code(code, error.retry(), peer, target);
        // Who is known to lack a role has logged in: another password would not help.
        if error.misses_a_role() { failure.with(Retry::Never) } else { failure }
    };
    envelope::open(status, body, peer, &of_error)
}

fn warnings_of(codes: &[i64]) -> Vec<Warning> {
    codes.iter().map(|code| Warning { code: *code, meaning: meaning::of_warning(*code) }).collect()
}

fn not_asked(peer: &str) -> Failure {
    Failure::not_what_was_asked(peer, "its row does not have the id that was asked for")
}

fn parse<'a>(row: &'a RawValue, peer: &str) -> Result<Row<'a>, Failure> {
    serde_json::from_str(row.get()).map_err(|_| Failure::not_what_was_asked(peer, "its row has no document in it"))
}

fn document(row: &Row, body: &JsonText) -> Result<Document, Failure> {
    if text(row.kind).as_deref() == Some("base64") {
        return Err(Failure::lasting(BucketError::InvalidDocument(InvalidDocument::NotStoredAsJson)));
    }
    let bytes = body.original(row.doc.get());
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(Failure::too_large());
    }
    Ok(Document::new(bytes.to_vec()))
}

fn text(value: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(value?.get()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bucket::Details;
    use crate::bucket::couchbase::keyspace::Keyspace;
    use crate::model::{UserInDb, Username};

    fn found(status: u16, body: &str) -> Result<ReadOutcome, Failure> {
        let target = Target { keyspace: Keyspace::new("b", "_default", "_default"), username: None };
        read(status, body.as_bytes(), &DocumentId::of(&Username::parse("a").unwrap()), "the peer", &target)
    }

    fn answer(status: u16, body: &str) -> Result<ReadOutcome, BucketError> {
        found(status, body).map_err(|failure| failure.error)
    }

    fn row(row: &str) -> Result<ReadOutcome, BucketError> {
        answer(200, &format!("{{\n\"requestID\": \"1\",\n\"results\": [\n{row}\n],\n\"status\": \"success\"\n}}\n"))
    }

    fn kind(outcome: &Result<ReadOutcome, BucketError>) -> &'static str {
        match outcome {
            Ok(ReadOutcome { found: Some(_), .. }) => "document",
            Ok(_) => "none",
            Err(error) => error.kind().as_str(),
        }
    }

    #[test]
    fn the_document_is_what_stands_there_byte_by_byte() {
        let doc = "{\"b\":1.50 , \"a\":123456789012345678901234567890,\n\"c\":\"\\u00e9\\/\"}";
        let answer = row(&format!("{{\"id\":\"userprofile::a\",\"cas\":1,\"kind\":\"json\",\"doc\":{doc}}}")).unwrap();
        assert_eq!(answer.found.unwrap().text(), doc.as_bytes());
    }

    #[test]
    fn rows_are_judged_by_what_they_hold() {
        for (text, expected) in [
            ("", "none"),
            (r#"{"doc":{}}"#, "misconfigured"),
            (r#"{"id":null,"doc":{}}"#, "misconfigured"),
            (r#"{"id":7,"doc":{}}"#, "misconfigured"),
            (r#"{"id":"userprofile::a","kind":null,"doc":null}"#, "document"),
            (r#"{"id":"userprofile::a","kind":7,"doc":[1]}"#, "document"),
            (r#"{"id":"userprofile::a","doc":{}}"#, "document"),
            (r#"{"id":"userprofile::A","doc":{}}"#, "misconfigured"),
            (r#"{"id":"userprofile::a","kind":"base64","doc":"<binary (5 b)>"}"#, "invalid-document"),
            (r#"{"id":"userprofile::a"}"#, "misconfigured"),
            ("7", "misconfigured"),
            (r#"{"doc":{}},{"doc":{}}"#, "misconfigured"),
        ] {
            assert_eq!(kind(&row(text)), expected, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_the_documents_own_trouble() {
        let mut body =
            br#"{"results":[{"id":"userprofile::a","doc":{"username":"Ren?"}}],"status":"success"}"#.to_vec();
        let place = body.iter().position(|byte| *byte == b'?').unwrap();
        body[place] = 0xE9;
        let target = Target { keyspace: Keyspace::new("b", "_default", "_default"), username: None };
        let id = DocumentId::of(&Username::parse("a").unwrap());
        let document = read(200, &body, &id, "the peer", &target).ok().unwrap().found.unwrap();
        assert_eq!(document.text(), b"{\"username\":\"Ren\xe9\"}");
        assert_eq!(UserInDb::from_json(document.text()).unwrap_err(), InvalidDocument::NotUtf8);
    }

    #[test]
    fn only_a_whole_success_is_a_success() {
        for (status, body, expected) in [
            (200, r#"{"results":[],"status":"success"}"#, "none"),
            (200, r#"{"results":[],"errors":[],"status":"success"}"#, "none"),
            (200, r#"{"results":[],"errors":null,"warnings":null,"status":"success"}"#, "none"),
            (200, r#"{"status":"success"}"#, "misconfigured"),
            (200, r#"{"results":[]}"#, "misconfigured"),
            (200, r#"{"results":[],"status":"splendid"}"#, "misconfigured"),
            (200, r#"{"results":[],"status":200}"#, "misconfigured"),
            (200, r#"{"results":[],"status":"stopped"}"#, "unavailable"),
            (200, r#"{"results":[],"status":"timeout"}"#, "timeout"),
            (200, r#"{"results":[],"errors":[{"code":5000,"msg":""}],"status":"success"}"#, "unavailable"),
            (200, r#"{"results":[],"errors":[{"code":1080,"retry":true}],"status":"timeout"}"#, "timeout"),
            (200, r#"{"results":[],"errors":[{"msg":""}],"status":"fatal"}"#, "unavailable"),
            (401, r#"{"errors":[{"msg":""}],"status":"fatal"}"#, "misconfigured"),
            (503, r#"{"results":[],"status":"success"}"#, "unavailable"),
            (500, r#"{"results":[],"status":"success"}"#, "misconfigured"),
            (200, r#"{"results":[],"status":"success"} x"#, "misconfigured"),
            (200, r#"{"results":[],"status":"succ"#, "unavailable"),
            (200, "", "misconfigured"),
            (503, "", "unavailable"),
            (200, "<html>", "misconfigured"),
        ] {
            assert_eq!(kind(&answer(status, body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn what_the_service_says_of_its_work_is_kept_and_never_spoils_a_read() {
        let ms = |number| Some(Duration::from_millis(number));
        for (metrics, elapsed, execution) in [
            (r#"{"elapsedTime":"3ms","executionTime":"2ms","resultCount":1}"#, ms(3), ms(2)),
            (r#"{"executionTime":"1m0.5s"}"#, None, ms(60_500)),
            (r#"{"elapsedTime":"soon","executionTime":"-1ms"}"#, None, None),
            (r#"{"elapsedTime":3}"#, None, None),
            ("{}", None, None),
            ("null", None, None),
            ("7", None, None),
        ] {
            let body = format!(r#"{{"results":[],"status":"success","metrics":{metrics}}}"#);
            let ReadOutcome { found: document, details, .. } = found(200, &body).ok().unwrap();
            assert!(document.is_none(), "{metrics}");
            assert_eq!(details, Details { code: None, elapsed, execution }, "{metrics}");
        }
        let errors = r#"{"errors":[{"code":12008,"retry":true},{"code":5000}],"metrics":{"elapsedTime":"1s"}}"#;
        let expected = Details { code: Some("5000".to_owned()), elapsed: ms(1000), execution: None };
        assert_eq!(found(200, errors).err().unwrap().details, expected);
        assert_eq!(found(503, "").err().unwrap().details, Details::default());
    }

    #[test]
    fn of_several_errors_the_first_that_repetition_would_not_mend_decides() {
        for (errors, expected) in [
            (r#"{"code":12008,"retry":true},{"code":12003}"#, "misconfigured"),
            (r#"{"code":12003,"retry":false},{"code":1080,"retry":true}"#, "misconfigured"),
            (r#"{"code":1080,"retry":true},{"code":12008,"retry":true}"#, "timeout"),
        ] {
            assert_eq!(kind(&answer(200, &format!(r#"{{"errors":[{errors}],"status":"fatal"}}"#))), expected);
        }
    }

    #[test]
    fn deep_documents_do_not_overflow_anything() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(kind(&row(&format!("{{\"id\":\"userprofile::a\",\"doc\":{deep}}}"))), "document");
    }
}
