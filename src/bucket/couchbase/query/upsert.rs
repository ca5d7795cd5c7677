//! Many documents stored by one statement: `UPSERT … VALUES`, with each id and each document as a named argument.
//!
//! Invariant: pure; the text of the statement comes from the settings and the number of documents alone. A document is
//! sent as the JSON that it is; the engine stores what it parsed, so that the order of members, white space and
//! numbers beyond 64 bits may come back in another form.

use std::fmt::Write;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::envelope::{self, Notice, Success};
use super::meaning;
use super::parameters::{self, StatementKind};
use crate::bucket::couchbase::keyspace::Keyspace;
use crate::bucket::couchbase::product::{COUCHBASE, Target};
use crate::bucket::remote::batch;
use crate::bucket::rest::json_text::JsonText;
use crate::bucket::rest::{Call, Completeness, Failure, Response, Retry};
use crate::bucket::{BucketError, NewDocument};
use crate::model::InvalidDocument;

/// There are this many documents in a request at most: the service plans each as an expression of its own.
const MAX_REQUEST_DOCUMENTS: usize = 256;

/// What a document needs in a request besides its text and its id, in bytes: names of arguments, and its place in the
/// statement.
const BYTES_AROUND_DOCUMENT: usize = 64;

/// What a request needs besides its documents, in bytes: the statement's beginning, and the other parameters.
const BYTES_AROUND_REQUEST: usize = 1024;

/// The largest response to a write, in bytes: counts and errors.
pub const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// How many of these documents belong in one request.
pub fn fitting(documents: &[NewDocument]) -> usize {
    batch::fitting(documents, MAX_REQUEST_DOCUMENTS)
}

/// The body of the request that stores these documents.
///
/// # Errors
/// [`InvalidDocument::NotJson`] for a text that is not JSON.
pub fn request(keyspace: &Keyspace, documents: &[NewDocument], call: &Call) -> Result<Vec<u8>, InvalidDocument> {
    let values = documents.iter().map(|document| json(&document.text)).collect::<Result<Vec<_>, _>>()?;
    // All of it at once: a buffer that grows would leave pieces of documents behind in memory. In an id at most each
    // letter is escaped by one more, since control characters cannot be in it.
    let room = documents
        .iter()
        .map(|document| document.text.len() + 2 * document.id.as_str().len() + BYTES_AROUND_DOCUMENT)
        .sum::<usize>();
    let mut body = Vec::with_capacity(room + BYTES_AROUND_REQUEST);
    let arguments = Arguments { documents, values: &values };
    parameters::write(&mut body, &upsert(keyspace, documents.len()), &arguments, StatementKind::Write, call);
    Ok(body)
}

fn json(text: &str) -> Result<&RawValue, InvalidDocument> {
    serde_json::from_str(text).map_err(|error| InvalidDocument::NotJson { line: error.line(), column: error.column() })
}

/// The ids and the texts of documents, each under a name of its own.
struct Arguments<'a> {
    documents: &'a [NewDocument],
    values: &'a [&'a RawValue],
}

impl Serialize for Arguments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        for (place, (document, value)) in self.documents.iter().zip(self.values).enumerate() {
            members.serialize_entry(&format!("$k{place}"), document.id.as_str())?;
            members.serialize_entry(&format!("$v{place}"), value)?;
        }
        members.end()
    }
}

fn upsert(keyspace: &Keyspace, documents: usize) -> String {
    let mut statement = format!("UPSERT INTO {keyspace} (KEY, VALUE) VALUES ");
    for place in 0..documents {
        let comma = if place == 0 { "" } else { ", " };
        // Into a string: it cannot fail.
        let _ = write!(statement, "{comma}($k{place}, $v{place})");
    }
    statement
}

/// Reads the response to it: only a whole success that counts every document is one.
///
/// # Errors
/// [`Failure`] with each variant of [`BucketError`] but `Busy` and `UnusableId`.
pub fn read(response: &Response, documents: usize, peer: &str, target: &Target) -> Result<(), Failure> {
    if response.completeness == Completeness::Truncated {
        return Err(COUCHBASE.status_failure(response.status, peer));
    }
    let of_error = |code, error: &Notice| of_error(code, error, peer, target);
    let Success { mutations, .. } = envelope::open(response.status, &JsonText::of(&response.body), peer, &of_error)?;
    match mutations {
        Some(count) if usize::try_from(count) != Ok(documents) => {
            let reason = format!("{peer} stored {count} of {documents} documents and named no error");
            Err(Failure::new(BucketError::unavailable(reason), Retry::AfterPause))
        }
        _ => Ok(()),
    }
}

/// What an error means that a write can meet, where that is something else than for a read.
fn of_error(code: i64, error: &Notice, peer: &str, target: &Target) -> Failure {
    let general = meaning::of_code(code, error.retry(), peer, target);
    let reason = |sentence: &str| format!("{peer} answered with error {code}: {sentence}");
    let error = match code {
        1000 => BucketError::Misconfigured {
            reason: reason("it takes no writes: the service, or something between us and it, is set to read only"),
        },
        1080 => BucketError::Timeout {
            reason: reason("it stopped at the time limit of the request ([bucket] n1ql_timeout)"),
        },
        1193 | 1194 => BucketError::Misconfigured {
            reason: reason("the documents are too large for it; raise the limits that an administrator has set for it"),
        },
        10_000..=10_999 | 13_000..=13_999 => BucketError::Misconfigured {
            reason: reason(&format!(
                "the user ({}) may not write to {}; an administrator can run: {} (on servers before 7.6 a wrong \
                 password looks the same)",
                target.who(),
                target.keyspace,
                target.grant("query_insert, query_update")
            )),
        },
        12_009 => BucketError::Unavailable { reason: reason("the data service did not store all of the documents") },
        _ => return general,
    };
    Failure { error, ..general }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::*;
    use crate::bucket::Trace;
    use crate::model::{DocumentId, MAX_USERNAME_BYTES, Username};

    fn document(name: &str, text: &str) -> NewDocument {
        NewDocument { id: DocumentId::of(&Username::parse(name).unwrap()), text: Zeroizing::new(text.to_owned()) }
    }

    fn call(seconds: u64, trace: &Trace) -> Call<'_> {
        Call { left: Duration::from_secs(seconds), trace }
    }

    fn target() -> Target {
        Target { keyspace: Keyspace::new("b", "s", "c"), username: Some("writer".to_owned()) }
    }

    fn outcome(status: u16, body: &str) -> Result<(), Failure> {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        read(&Response { status, etag: None, body, completeness: Completeness::Complete }, 2, "the peer", &target())
    }

    #[test]
    fn ids_and_documents_are_arguments_and_the_documents_are_sent_as_they_are() {
        let documents = [document("a\"\\", " {\"n\":1.50,\n\"x\":\"\\u00e9\"}\r"), document("b", "{}")];
        let body = request(&target().keyspace, &documents, &call(30, &Trace::of("r-1", None))).unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            concat!(
                r#"{"statement":"UPSERT INTO `b`.`s`.`c` (KEY, VALUE) VALUES ($k0, $v0), ($k1, $v1)","#,
                r#""$k0":"userprofile::a\"\\","$v0":{"n":1.50,"#,
                "\n\"x\":\"\\u00e9\"},",
                r#""$k1":"userprofile::b","$v1":{},"#,
                r#""readonly":false,"timeout":"29900ms","client_context_id":"r-1","pretty":false,"metrics":true,"signature":false}"#,
            )
        );
        assert!(request(&target().keyspace, &[document("a", "{")], &call(0, &Trace::default())).is_err());
    }

    #[test]
    fn a_request_never_outgrows_the_memory_that_was_taken_for_it() {
        let worst: String = "\"".repeat(MAX_USERNAME_BYTES);
        let documents: Vec<NewDocument> =
            (0..MAX_REQUEST_DOCUMENTS).map(|place| document(&worst[place % 200..], "{}")).collect();
        let bucket = "x".repeat(100);
        let part = "y".repeat(251);
        let keyspace = Keyspace::new(&bucket, &part, &part);
        let context_id = "z".repeat(64);
        let room: usize = documents
            .iter()
            .map(|document| document.text.len() + 2 * document.id.as_str().len() + BYTES_AROUND_DOCUMENT)
            .sum();
        let body = request(&keyspace, &documents, &call(u64::MAX / 1000, &Trace::of(&context_id, None))).unwrap();
        assert!(body.len() <= room + BYTES_AROUND_REQUEST, "{} of {room}", body.len());
    }

    #[test]
    fn only_a_success_that_counts_every_document_is_one() {
        for (status, body, retry) in [
            (200, r#"{"results":[],"status":"success","metrics":{"mutationCount":2}}"#, None),
            (200, r#"{"results":[],"status":"success"}"#, None),
            (200, r#"{"results":[],"status":"success","metrics":{"mutationCount":1}}"#, Some(Retry::AfterPause)),
            (
                200,
                r#"{"results":[],"errors":[{"code":12009,"retry":true}],"status":"errors"}"#,
                Some(Retry::AfterPause),
            ),
            (200, r#"{"results":[],"errors":[{"code":1080,"retry":true}],"status":"fatal"}"#, Some(Retry::NextNode)),
            (503, r#"{"errors":[{"code":1181}],"status":"fatal"}"#, Some(Retry::NextNode)),
            (503, "", Some(Retry::NextNode)),
            (200, r#"{"results":[],"stat"#, Some(Retry::NextNode)),
            (403, r#"{"errors":[{"code":1000}],"status":"fatal"}"#, Some(Retry::Never)),
            (401, r#"{"errors":[{"code":13014}],"status":"fatal"}"#, Some(Retry::NewCredentials)),
        ] {
            assert_eq!(outcome(status, body).err().map(|failure| failure.retry), retry, "{status} {body}");
        }
    }

    #[test]
    fn a_missing_right_is_told_with_the_statement_that_grants_it() {
        let failure = outcome(401, r#"{"errors":[{"code":13014}],"status":"fatal"}"#).unwrap_err();
        let BucketError::Misconfigured { reason } = failure.error else { panic!("{failure:?}") };
        assert!(reason.contains("GRANT query_insert, query_update ON `b`.`s`.`c` TO `writer`;"), "{reason}");
        for (body, part) in [
            (r#"{"errors":[{"code":1080}],"status":"fatal"}"#, "n1ql_timeout"),
            (r#"{"errors":[{"code":1000}],"status":"fatal"}"#, "read only"),
            (r#"{"errors":[{"code":1194}],"status":"fatal"}"#, "too large"),
        ] {
            assert!(outcome(200, body).unwrap_err().error.to_string().contains(part), "{body}");
        }
    }
}
