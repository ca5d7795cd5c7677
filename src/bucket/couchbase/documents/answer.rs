//! What was answered: from the bytes of the document endpoint's answer to a document, to none, or to an error.
//!
//! Invariant: pure, and strict about absence: only HTTP 404 without a body says that there is no document. Any other
//! 404 is about the bucket, the collection or the address.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bucket::couchbase::product::{self, COUCHBASE, Target};
use crate::bucket::rest::json_text::{JsonText, present};
use crate::bucket::rest::{Failure, Meaning, ReadOutcome, Retry};
use crate::bucket::{BucketError, Document};
use crate::model::{DocumentId, InvalidDocument, MAX_DOCUMENT_BYTES};

/// What the manager says of a bucket that is not there.
const NO_BUCKET: &[u8] = b"Requested resource not found.";

/// What it says of a path that it does not know.
const NO_PATH: &[u8] = b"Object Not Found";

/// The members that we read. Others, such as `xattrs`, may come and go with versions.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    meta: Meta<'a>,
    /// From 5.5 on the text of the document as a string, before that the document itself.
    #[serde(borrow, default, deserialize_with = "present")]
    json: Option<&'a RawValue>,
    /// The bytes of what is not JSON.
    #[serde(borrow, default, deserialize_with = "present")]
    base64: Option<&'a RawValue>,
}

/// Nothing in it may spoil a read by its type.
#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    /// Why it is not JSON.
    #[serde(borrow)]
    att_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    deleted: Option<&'a RawValue>,
}

/// What an error of the manager has in its JSON. Its words are not read.
#[derive(Deserialize)]
struct ErrorBody<'a> {
    #[serde(borrow, rename = "passwordExpired")]
    password_expired: Option<&'a RawValue>,
}

/// Reads a complete response. `peer` is who answered, in words for a reason.
///
/// # Errors
/// [`Failure`] with each variant of [`BucketError`] but `Busy` and `UnusableId`.
pub fn read(status: u16, body: &[u8], id: &DocumentId, peer: &str, target: &Target) -> Result<ReadOutcome, Failure> {
    let document = match status {
        200 => of_envelope(body, id, peer)?,
        404 if body.is_empty() => None,
        _ => return Err(of_error(status, body, peer, target)),
    };
    Ok(ReadOutcome::new(document))
}

fn of_envelope(body: &[u8], id: &DocumentId, peer: &str) -> Result<Option<Document>, Failure> {
    let text = JsonText::of(body);
    let Envelope { meta, json, base64 } =
        serde_json::from_str(text.as_str()).map_err(|error| COUCHBASE.unreadable(200, &error, body, peer))?;
    if string(meta.id).as_deref() != Some(id.as_str()) {
        return Err(Failure::not_what_was_asked(peer, "its document does not have the id that was asked for"));
    }
    // What was deleted may be shown for a while, and is no document any more.
    if meta.deleted.is_some_and(|deleted| deleted.get() == "true") {
        return Ok(None);
    }
    if base64.is_some() || meta.att_reason.is_some() {
        return Err(Failure::lasting(BucketError::InvalidDocument(InvalidDocument::NotStoredAsJson)));
    }
    let json = json.ok_or_else(|| COUCHBASE.status_failure(200, peer))?.get();
    if text.original(json) != json.as_bytes() {
        return Err(Failure::lasting(BucketError::InvalidDocument(InvalidDocument::NotUtf8)));
    }
    let text = if json.starts_with('"') {
        serde_json::from_str::<String>(json).map_err(|_| COUCHBASE.status_failure(200, peer))?.into_bytes()
    } else {
        json.as_bytes().to_vec()
    };
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(Failure::too_large());
    }
    Ok(Some(Document::new(text)))
}

fn string(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    serde_json::from_str(value?.get()).ok()
}

/// What is said with any status but 200 and 404 without a body.
fn of_error(status: u16, body: &[u8], peer: &str, target: &Target) -> Failure {
    let reason = |sentence: &str| format!("{peer} answered with HTTP status {status}: {sentence}");
    let misconfigured = |sentence: &str| Failure::lasting(Meaning::Misconfigured.error(reason(sentence)));
    let unavailable = |sentence: &str, retry| Failure::new(Meaning::Unavailable.error(reason(sentence)), retry);
    let text = body.trim_ascii();
    match (status, text) {
        (404, NO_BUCKET) => return misconfigured(&product::is_missing("bucket", target)),
        (404, NO_PATH) => {
            return misconfigured(
                "it has no such address; servers older than 7.0 know no scopes and collections, so leave [couchbase] \
                 scope and collection at _default there, and else set [couchbase] api = \"query\"",
            );
        }
        // An internal crash is reported as a list.
        (500, [b'[', ..]) => return unavailable("it failed by itself; its own log says more", Retry::NextNode),
        (400 | 403 | 404 | 500 | 503, [b'{', ..]) => {}
        _ => return COUCHBASE.status_failure(status, peer),
    }
    let ErrorBody { password_expired } = match serde_json::from_slice(text) {
        Ok(refusal) => refusal,
        Err(error) => return COUCHBASE.unreadable(status, &error, text, peer),
    };
    match status {
        404 => misconfigured(&product::is_missing("scope or collection", target)),
        403 if password_expired.is_some_and(|flag| flag.get() == "true") => misconfigured(
            "the password of our user has expired; an administrator has to set a new one, and [couchbase] \
             password_file has to hold it",
        )
        .with(Retry::NewCredentials),
        403 => misconfigured(&product::may_not_read(target)),
        500 => unavailable("it could not read from the data service; its own log says more", Retry::NextNode),
        503 => unavailable("it could not read from the data service for now", Retry::AfterPause),
        _ => misconfigured(
            "it does not take our request; check that nothing in between changes requests, or set [couchbase] api = \
             \"query\"",
        ),
    }
}

#[cfg(test)]
mod tests;
