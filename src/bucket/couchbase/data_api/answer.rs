//! What was answered: from the Data API's answer to a document, to none, or to an error.
//!
//! Invariant: pure, and strict about absence: only HTTP 404 with the code `DocumentNotFound` says that there is no
//! document. With HTTP 200 the body is the document itself, so no word in it can make an error of it.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::meaning;
use crate::bucket::couchbase::product::{COUCHBASE, Target};
use crate::bucket::rest::{Completeness, Failure, ReadOutcome, Response, Retry};
use crate::bucket::{BucketError, Document};
use crate::model::{DocumentId, UserInDb};

/// The one code that is no error for us.
const NO_DOCUMENT: &str = "DocumentNotFound";

/// The members of an error that we read. Its message is not among them.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    /// What the error is about, as a path; not in all versions.
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

/// Reads a response. `peer` is who answered, in words for a reason.
///
/// # Errors
/// [`Failure`] with each variant of [`BucketError`] but `Busy` and `UnusableId`.
pub fn read(response: &Response, id: &DocumentId, peer: &str, target: &Target) -> Result<ReadOutcome, Failure> {
    let document = match (response.status, response.completeness) {
        (200, Completeness::Complete) => Some(of_body(response, id, peer)?),
        (200, Completeness::Truncated) => {
            return Err(Failure::too_large());
        }
        (status, Completeness::Complete) => of_error(status, &response.body, id, peer, target)?,
        (status, Completeness::Truncated) => return Err(of_status(status, peer, target)),
    };
    Ok(ReadOutcome::new(document))
}

/// The bytes are judged by whoever reads the document, whatever `Content-Type` says of them: that comes from flags
/// which a writer may have left at zero.
fn of_body(response: &Response, id: &DocumentId, peer: &str) -> Result<Document, Failure> {
    // Every document has an entity tag. Without one a page of something in between is more likely than a broken document.
    if response.etag.is_none() && serde_json::from_slice::<IgnoredAny>(&response.body).is_err() {
        return Err(COUCHBASE.status_failure(200, peer));
    }
    if may_be_decoded_again(id) && names_another_user(&response.body, id) {
        return Err(asked_for_another(peer));
    }
    Ok(Document::new(response.body.to_vec()))
}

/// True if one decoding more than we encoded for makes another name of it. The response brings no id, so it cannot tell.
fn may_be_decoded_again(id: &DocumentId) -> bool {
    id.as_str().contains(['%', '+'])
}

/// What is no user profile names nobody: whoever reads the document refuses it.
fn names_another_user(document: &[u8], id: &DocumentId) -> bool {
    match UserInDb::from_json(document) {
        Ok(user) => user.is_none_or(|user| id.username() != Some(&user.username)),
        Err(_) => false,
    }
}

fn asked_for_another(peer: &str) -> Failure {
    Failure::not_what_was_asked(
        peer,
        "it looked for another name than ours, so something decodes names once too seldom or once too often",
    )
}

/// `Ok`: there is no document.
fn of_error(
    status: u16,
    body: &[u8],
    id: &DocumentId,
    peer: &str,
    target: &Target,
) -> Result<Option<Document>, Failure> {
    let body = body.trim_ascii();
    // Errors are declared as JSON or as plain text, as it happens, so the body says what it is.
    if !body.starts_with(b"{") {
        return Err(of_status(status, peer, target));
    }
    let Envelope { code, resource } =
        serde_json::from_slice(body).map_err(|error| match COUCHBASE.unreadable(status, &error, body, peer) {
            cut if cut == Failure::cut_short(peer) => cut,
            _ => of_status(status, peer, target),
        })?;
    let Some(code) = string(code) else { return Err(of_status(status, peer, target)) };
    if code == NO_DOCUMENT && status == 404 {
        let is_for_another = string(resource).is_some_and(|resource| !resource.ends_with(id.as_str()));
        return if may_be_decoded_again(id) && is_for_another { Err(asked_for_another(peer)) } else { Ok(None) };
    }
    Err(meaning::of_code(&code, status, peer, target).unwrap_or_else(|| of_status(status, peer, target)))
}

fn string(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    serde_json::from_str(value?.get()).ok()
}

/// What an HTTP status means without a code that is known.
fn of_status(status: u16, peer: &str, target: &Target) -> Failure {
    let reason = |sentence: &str| format!("{peer} answered with HTTP status {status}: {sentence}");
    match status {
        403 => Failure::lasting(BucketError::Misconfigured { reason: reason(&meaning::forbidden(target)) }),
        499 => Failure::of_node(BucketError::Unavailable {
            reason: reason("something between us and it gave our request up"),
        }),
        500 => Failure::of_node(BucketError::Unavailable { reason: reason("it failed by itself") }),
        503 => Failure::of_node(BucketError::Unavailable { reason: reason("it is not ready") }).with(Retry::AfterPause),
        status => COUCHBASE.status_failure(status, peer),
    }
}

#[cfg(test)]
mod tests;
