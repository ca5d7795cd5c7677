//! What was answered: from the bytes of a query service's answer to a document, to none, or to an error.
//!
//! Invariant: pure, and strict about success: only HTTP 200, `"status": "success"`, no errors, complete JSON and the id
//! that was asked for make a document. The engine sends 200 before it knows how a request ends, so the body decides
//! before the HTTP status does.

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::meaning::{self, Target};
use crate::bucket::{BucketError, Cas, Document};
use crate::model::{DocumentId, InvalidDocument, MAX_DOCUMENT_BYTES};

/// A success, with what the service had to say about it.
pub struct Answer {
    /// The document; `None`: there is none under this id.
    pub document: Option<Document>,
    /// The codes of the warnings, those that could be read.
    pub warnings: Vec<i64>,
}

/// The members that we read. All others may come and go with versions and parameters.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    results: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    errors: Option<Vec<Notice<'a>>>,
    #[serde(borrow)]
    warnings: Option<Vec<Notice<'a>>>,
    status: Option<String>,
}

/// An error or a warning. Its message is not read: it may hold values of documents.
#[derive(Deserialize)]
struct Notice<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    retry: Option<&'a RawValue>,
}

impl Notice<'_> {
    fn code(&self) -> Option<i64> {
        self.code?.get().parse().ok()
    }

    fn says_retry(&self) -> bool {
        self.retry.is_some_and(|retry| retry.get() == "true")
    }
}

/// A row of the statement in [`super::statement`]. The fields of `META(d)` are missing where a server does not know
/// them, and none of them may spoil a read by its type.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    cas: Option<&'a RawValue>,
    #[serde(borrow)]
    kind: Option<&'a RawValue>,
    /// Not an `Option`: a document may be `null`.
    #[serde(borrow)]
    doc: &'a RawValue,
}

/// Reads an answer that came whole. `peer` is who answered, in words for a reason.
///
/// # Errors
/// Each variant of [`BucketError`] but `Busy`.
pub fn read(status: u16, body: &[u8], id: &DocumentId, peer: &str, target: &Target) -> Result<Answer, BucketError> {
    let envelope: Envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(error) if error.classify() == Category::Eof && !body.trim_ascii().is_empty() => {
            return Err(BucketError::Unavailable { reason: format!("the answer of {peer} ends in its middle") });
        }
        Err(_) => return Err(meaning::of_status(status, peer)),
    };
    if let Some(errors) = envelope.errors.filter(|errors| !errors.is_empty()) {
        return Err(of_errors(status, &errors, peer, target));
    }
    if status != 200 {
        return Err(meaning::of_status(status, peer));
    }
    match envelope.status.as_deref() {
        Some("success") => {}
        Some("timeout") => {
            return Err(BucketError::Timeout { reason: format!("{peer} stopped our request at its time limit") });
        }
        // The engine's other final states, and those that should not outlive a request.
        Some(
            state @ ("stopped" | "errors" | "fatal" | "aborted" | "closed" | "completed" | "running" | "submitted"
            | "pre-processing"),
        ) => {
            let reason = format!("{peer} ended our request in the state \"{state}\" and named no error");
            return Err(BucketError::Unavailable { reason });
        }
        _ => return Err(meaning::of_status(status, peer)),
    }
    let Some(results) = envelope.results else {
        return Err(meaning::of_status(status, peer));
    };
    let document = match results.as_slice() {
        [] => None,
        [row] => Some(of_row(row, id, peer)?),
        _ => return Err(not_what_was_asked(peer, "it sent more than one row for one key")),
    };
    let warnings = envelope.warnings.unwrap_or_default().iter().filter_map(Notice::code).collect();
    Ok(Answer { document, warnings })
}

/// What an answer means that is longer than any answer with a document in it. `beginning` is what was read of it.
#[must_use]
pub fn overlong(status: u16, beginning: &[u8], peer: &str) -> BucketError {
    if status == 200 && beginning.trim_ascii_start().starts_with(b"{") {
        return BucketError::InvalidDocument(InvalidDocument::TooLarge);
    }
    meaning::of_status(status, peer)
}

/// Of several errors the first that a repetition would not mend says most; the official SDKs choose the same way.
fn of_errors(status: u16, errors: &[Notice], peer: &str, target: &Target) -> BucketError {
    let telling = errors.iter().find(|error| !error.says_retry()).or(errors.first());
    match telling.and_then(Notice::code) {
        Some(code) => meaning::of_code(code, peer, target),
        None if status == 200 => {
            BucketError::Unavailable { reason: format!("{peer} answered with an error that has no number") }
        }
        None => meaning::of_status(status, peer),
    }
}

fn of_row(row: &RawValue, id: &DocumentId, peer: &str) -> Result<Document, BucketError> {
    let row: Row =
        serde_json::from_str(row.get()).map_err(|_| not_what_was_asked(peer, "its row has no document in it"))?;
    if let Some(found) = text(row.id)
        && found != id.as_str()
    {
        return Err(not_what_was_asked(peer, "its row has another id than the one that was asked for"));
    }
    if text(row.kind).as_deref() == Some("base64") {
        return Err(BucketError::InvalidDocument(InvalidDocument::NotStoredAsJson));
    }
    let bytes = row.doc.get().as_bytes();
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(BucketError::InvalidDocument(InvalidDocument::TooLarge));
    }
    Ok(Document::new(bytes.to_vec(), row.cas.and_then(cas)))
}

/// Answers mixed up by something in between would show one user's profile to another. That is no matter of waiting:
/// somebody has to find it, so it is a misconfiguration and not an outage.
fn not_what_was_asked(peer: &str, what: &str) -> BucketError {
    BucketError::Misconfigured {
        reason: format!(
            "{peer} did not answer what it was asked: {what}; look for a proxy or a cache between it and this program"
        ),
    }
}

fn text(value: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(value?.get()).ok()
}

/// The engine keeps a CAS in a signed integer: one of 2^63 or more is printed as a negative number.
fn cas(value: &RawValue) -> Option<Cas> {
    let text = value.get();
    text.parse().or_else(|_| text.parse().map(i64::cast_unsigned)).ok().map(Cas)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::couchbase::statement::Keyspace;
    use crate::model::Username;

    fn answer(status: u16, body: &str) -> Result<Answer, BucketError> {
        let target = Target { keyspace: Keyspace::new("b", "_default", "_default").unwrap(), username: None };
        read(status, body.as_bytes(), &DocumentId::of(&Username::parse("a").unwrap()), "the peer", &target)
    }

    fn row(row: &str) -> Result<Answer, BucketError> {
        answer(200, &format!("{{\n\"requestID\": \"1\",\n\"results\": [\n{row}\n],\n\"status\": \"success\"\n}}\n"))
    }

    fn kind(outcome: &Result<Answer, BucketError>) -> &'static str {
        match outcome {
            Ok(Answer { document: Some(_), .. }) => "document",
            Ok(_) => "none",
            Err(BucketError::Misconfigured { .. }) => "misconfigured",
            Err(BucketError::Unavailable { .. }) => "unavailable",
            Err(BucketError::Timeout { .. }) => "timeout",
            Err(BucketError::InvalidDocument(_)) => "invalid-document",
            Err(BucketError::Busy { .. }) => "busy",
        }
    }

    #[test]
    fn the_document_is_what_stands_there_byte_by_byte() {
        let doc = "{\"b\":1.50 , \"a\":123456789012345678901234567890,\n\"c\":\"\\u00e9\\/\"}";
        let answer = row(&format!("{{\"id\":\"userprofile::a\",\"cas\":1,\"kind\":\"json\",\"doc\":{doc}}}")).unwrap();
        assert_eq!(answer.document.unwrap().text(), doc.as_bytes());
    }

    #[test]
    fn a_cas_has_64_bits_and_never_spoils_a_read() {
        for (text, expected) in [
            ("1732372981000000000", Some(1_732_372_981_000_000_000)),
            ("9223372036854775807", Some(u64::MAX >> 1)),
            ("18446744073709551615", Some(u64::MAX)),
            ("-1", Some(u64::MAX)),
            ("-9223372036854775808", Some(1 << 63)),
            ("0", Some(0)),
            ("null", None),
            ("1.5", None),
            ("1e3", None),
            ("\"1\"", None),
            ("18446744073709551616", None),
            ("{}", None),
        ] {
            let answer = row(&format!("{{\"id\":\"userprofile::a\",\"cas\":{text},\"doc\":{{}}}}")).unwrap();
            assert_eq!(answer.document.unwrap().cas(), expected.map(Cas), "{text}");
        }
    }

    #[test]
    fn rows_are_judged_by_what_they_hold() {
        for (text, expected) in [
            ("", "none"),
            (r#"{"doc":{}}"#, "document"),
            (r#"{"id":null,"kind":null,"doc":null}"#, "document"),
            (r#"{"id":7,"kind":7,"doc":[1]}"#, "document"),
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
    fn what_is_too_long_is_a_document_only_if_it_begins_like_an_answer() {
        assert_eq!(
            overlong(200, b"\n{\"requestID\"", "the peer"),
            BucketError::InvalidDocument(InvalidDocument::TooLarge)
        );
        assert!(matches!(overlong(200, b"<html>", "the peer"), BucketError::Misconfigured { .. }));
        assert!(matches!(overlong(503, b"{", "the peer"), BucketError::Unavailable { .. }));
    }

    #[test]
    fn deep_documents_do_not_overflow_anything() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(kind(&row(&format!("{{\"doc\":{deep}}}"))), "document");
    }
}
