//! What the errors of ArangoDB mean for us: one table by its error numbers, and then by status.
//!
//! The numbers are those of ArangoDB 3.11 and 3.12 (`lib/Basics/errors.dat`); its texts may change with versions.
//!
//! Invariant: pure. The message of an error is never repeated: it may hold values of documents.

use serde::Deserialize;

use super::product::{ARANGODB, Target};
use crate::bucket::Details;
use crate::bucket::rest::{Completeness, ErrorScope, Failure, Meaning, Operation, Response, Retry};

/// The part of an error that we read.
#[derive(Deserialize)]
pub struct ErrorBody {
    /// What decides.
    #[serde(rename = "errorNum")]
    pub number: i64,
}

impl ErrorBody {
    /// The error of a response, if it is one of ArangoDB.
    #[must_use]
    pub fn of(response: &Response) -> Option<Self> {
        serde_json::from_slice(&response.body).ok()
    }
}

/// The failure that a response means which is no success. `peer` is who answered, in words.
#[must_use]
pub fn failure(response: &Response, operation: Operation, peer: &str, target: &Target) -> Failure {
    let status = response.status;
    if response.completeness == Completeness::Truncated {
        return ARANGODB.overlong(status, &response.body, peer);
    }
    match serde_json::from_slice::<ErrorBody>(&response.body) {
        Ok(body) => of_number(status, body.number, operation, peer, target),
        Err(error) if error.is_eof() => ARANGODB.unreadable(status, &error, &response.body, peer),
        Err(_) => ARANGODB.status_failure(status, peer),
    }
}

/// The failure that an error number means.
#[must_use]
pub fn of_number(status: u16, number: i64, operation: Operation, peer: &str, target: &Target) -> Failure {
    let (meaning, retry, sentence) = row(status, number, operation, target);
    let reason = format!("{peer} answered with error {number} (HTTP status {status}): {sentence}");
    let scope = if status == 500 { ErrorScope::Node } else { ErrorScope::Cluster };
    let details = Details { code: Some(number.to_string()), ..Details::default() };
    Failure::new(meaning.error(reason), retry).in_scope(scope).with_details(details)
}

/// The table.
fn row(status: u16, number: i64, operation: Operation, target: &Target) -> (Meaning, Retry, String) {
    use Meaning::{Misconfigured, Timeout, Unavailable};
    let Target { database, collection, .. } = target;
    let (meaning, retry, sentence) = match (number, status) {
        // A user without rights gets it for a database that is not there too.
        (_, 401) => (
            Misconfigured,
            Retry::NewCredentials,
            &*format!(
                "it rejects our login, or hides the database {database:?} from it; {}, and [arangodb] database to one that \
                 this user may see",
                ARANGODB.advice.wrong_login
            ),
        ),
        (1004, _) => (Misconfigured, Retry::Never, "it is in read-only mode; an administrator can end that"),
        (11, _) | (_, 403) => (Misconfigured, Retry::Never, &*missing_right(operation, target)),
        (1203, _) => (
            Misconfigured,
            Retry::Never,
            &*format!(
                "the database {database:?} has no collection {collection:?}; correct [arangodb] collection, or create it: \
                 userprofiles import --create FILE"
            ),
        ),
        (1228, _) => (
            Misconfigured,
            Retry::Never,
            &*format!(
                "it has no database {database:?}; correct [arangodb] database, or create it: userprofiles import --create \
                 FILE, as a user who may write to _system"
            ),
        ),
        (1200, _) => (Unavailable, Retry::AfterPause, "somebody else is writing the same document"),
        (1210, _) => (
            Misconfigured,
            Retry::Never,
            &*format!(
                "a unique index of the collection {collection:?} has the values of a document already; remove the index, or \
                 use another collection"
            ),
        ),
        (1620, _) => (
            Misconfigured,
            Retry::Never,
            &*format!("the schema of the collection {collection:?} refuses a document; change the schema"),
        ),
        (1600, _) => (
            Unavailable,
            Retry::Never,
            "it has lost the position in the list, as after a restart; run the export again",
        ),
        (1216 | 32, _) | (_, 413) => (
            Misconfigured,
            Retry::Never,
            "a document is larger than it takes; raise the limits of its memory (--query.memory-limit, \
             --rocksdb.max-transaction-size)",
        ),
        (1457 | 1500, _) | (_, 504) => (Timeout, Retry::NextNode, "it stopped at a time limit of its own"),
        (1464 | 1465 | 1478, _) => {
            (Unavailable, Retry::NextNode, "it has lost the connection to a server of its cluster")
        }
        (1491 | 1495 | 1496, _) => (Unavailable, Retry::NextNode, "the leader has changed, or is being elected"),
        (21004, _) => (Unavailable, Retry::NextNode, "our request waited in its queue for longer than we have time"),
        (_, 421 | 502 | 503) => (Unavailable, Retry::NextNode, "it is starting, stopping or overloaded"),
        (_, 429) => (Unavailable, Retry::AfterPause, "it is overloaded"),
        (_, 500) => (Unavailable, Retry::Never, "it failed by itself; its own log says more"),
        _ => (Misconfigured, Retry::Never, "it does not take our request; its own log says more"),
    };
    (meaning, retry, sentence.to_owned())
}

fn missing_right(operation: Operation, target: &Target) -> String {
    let (right, what) = match operation {
        Operation::Read | Operation::List => ("ro", "read"),
        Operation::Store => ("rw", "write to"),
        Operation::Create => {
            return format!(
                "our user ([arangodb] username) may not: only one with the access rw to the database may create the \
                 collection {:?}, and only one with rw to _system the database {:?}",
                target.collection, target.database
            );
        }
    };
    format!(
        "our user ([arangodb] username) may not {what} the collection {:?} of the database {:?}; in arangosh: {}",
        target.collection,
        target.database,
        target.grant(right)
    )
}
