//! What the errors of CouchDB mean for us: one table by status, name and reason.
//!
//! Its reasons are constant texts of CouchDB 3 (of its `chttpd` and `couch_db`) and of pouchdb-server; a status is compared by
//! its number, because its phrase varies.
//!
//! Invariant: pure. A reason is compared and never repeated: a validation function can write anything into it.

use serde::Deserialize;

use super::product::{COUCHDB, Target};
use crate::bucket::rest::{ErrorScope, Failure, Meaning, Response, Retry};
use crate::bucket::{BucketError, Details};

/// An error as CouchDB writes it.
#[derive(Deserialize)]
pub struct ErrorBody {
    /// Its name.
    pub error: String,
    /// A sentence.
    pub reason: String,
}

impl ErrorBody {
    /// The error of a response, if it is one of CouchDB.
    #[must_use]
    pub fn of(response: &Response) -> Option<Self> {
        serde_json::from_slice(&response.body).ok()
    }

    /// True if it says that there is no document: never was, or not any more.
    #[must_use]
    pub fn is_missing_document(&self) -> bool {
        self.error == "not_found" && matches!(self.reason.as_str(), "missing" | "deleted")
    }
}

/// The failure that a response means which is no success. `peer` is who answered, in words.
#[must_use]
pub fn failure(response: &Response, peer: &str, target: &Target) -> Failure {
    let status = response.status;
    let body = match serde_json::from_slice::<ErrorBody>(&response.body) {
        Ok(body) => body,
        Err(error) if error.is_eof() => return COUCHDB.unreadable(status, &error, &response.body, peer),
        Err(_) => return COUCHDB.status_failure(status, peer),
    };
    of_body(status, &body, peer, target)
}

fn of_body(status: u16, body: &ErrorBody, peer: &str, target: &Target) -> Failure {
    let (meaning, retry, sentence) = row(status, body, target);
    let reason = format!("{peer} answered with HTTP status {status} ({}): {sentence}", name(&body.error));
    let scope = if status == 500 { ErrorScope::Node } else { ErrorScope::Cluster };
    let details = Details { code: Some(name(&body.error).to_owned()), ..Details::default() };
    Failure::new(meaning.error(reason), retry).in_scope(scope).with_details(details)
}

/// The table.
fn row(status: u16, body: &ErrorBody, target: &Target) -> (Meaning, Retry, String) {
    use Meaning::{Misconfigured, Timeout, Unavailable};
    match (status, body.error.as_str(), body.reason.as_str()) {
        (401, "unauthorized", "You are not authorized to access this db.") => {
            (Misconfigured, Retry::Never, target.not_a_member())
        }
        (401, _, _) => {
            (Misconfigured, Retry::NewCredentials, format!("it rejects our login; {}", COUCHDB.advice.wrong_login))
        }
        (403, "forbidden", reason) if reason.contains("temporarily locked") => (
            Misconfigured,
            Retry::NewCredentials,
            format!(
                "it has locked the account after too many wrong passwords, and rejects the right one too for a while \
                 ([chttpd_auth_lockout] of CouchDB); {}",
                COUCHDB.advice.wrong_login
            ),
        ),
        (403, "forbidden", _) => (Misconfigured, Retry::Never, target.not_a_member()),
        (404, "not_found", _) => (Misconfigured, Retry::Never, target.no_database()),
        (412, "nodedown", _) => (Unavailable, Retry::NextNode, "the node is in maintenance mode".to_owned()),
        (413, "too_large" | "document_too_large", _) => (
            Misconfigured,
            Retry::Never,
            "a document is larger than it takes; raise max_document_size in [couchdb] of CouchDB's own settings"
                .to_owned(),
        ),
        // CouchDB says 500 for its own time limit.
        (500, "timeout", _) => (Timeout, Retry::NextNode, "it stopped at a time limit of its own".to_owned()),
        (500, _, _) => (Unavailable, Retry::Never, "it failed by itself; its own log says more".to_owned()),
        (503, _, _) => (Unavailable, Retry::NextNode, "it is overloaded, restarting or in maintenance".to_owned()),
        _ => (
            Misconfigured,
            Retry::Never,
            "it does not take our request; its own log says more, and so may a proxy in between".to_owned(),
        ),
    }
}

/// The failure of one document of several that were asked for, by the name of its error: a read of that document alone would
/// get it with a status.
#[must_use]
pub fn row_failure(error: &str, peer: &str, target: &Target) -> Failure {
    let status = match error {
        "unauthorized" => 401,
        "forbidden" => 403,
        "nodedown" => 412,
        "service unavailable" => 503,
        _ => 500,
    };
    of_body(status, &ErrorBody { error: error.to_owned(), reason: String::new() }, peer, target)
}

/// The failure of one document of a write, by the name of its error.
#[must_use]
pub fn item_failure(error: &str, peer: &str) -> Failure {
    let (error, retry) = match error {
        "conflict" => (
            BucketError::unavailable(format!("{peer} did not store a document that somebody else keeps changing")),
            Retry::AfterPause,
        ),
        "forbidden" | "unauthorized" => (
            BucketError::misconfigured(format!(
                "{peer} did not store a document: a validation function of the database (validate_doc_update) forbids \
                 it; change that function"
            )),
            Retry::Never,
        ),
        "timeout" | "service unavailable" | "nodedown" | "internal_server_error" => (
            BucketError::unavailable(format!("{peer} could not process a document ({})", name(error))),
            Retry::AfterPause,
        ),
        error => {
            (BucketError::misconfigured(format!("{peer} did not process a document ({})", name(error))), Retry::Never)
        }
    };
    Failure::new(error, retry)
}

/// The name of an error, if it is one: letters, as CouchDB has them.
fn name(error: &str) -> &str {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b' ');
    if error.len() <= 40 && error.bytes().all(is_name) { error } else { "an error without a name" }
}
