//! What the error codes of the Data API mean for us: one table.
//!
//! Invariant: pure. A sentence is ours and names the code; the server's own message never gets into it, and neither
//! does a code that this table does not know, because nobody knows what it may contain.

use crate::bucket::couchbase::product::{self, Target};
use crate::bucket::rest::{Failure, Meaning, Retry};

/// The failure that a code stands for, which came with this HTTP status. `None`: the code is not known. The one for a
/// document that is not there is no failure, and not in the table.
#[must_use]
pub fn of_code(code: &str, status: u16, peer: &str, target: &Target) -> Option<Failure> {
    let (meaning, retry, sentence) = row(code, status, target)?;
    // It has a row, so it is one of the names below, letter by letter.
    let reason = format!("{peer} answered with the error {code}: {sentence}");
    Some(Failure::new(meaning.error(reason), retry))
}

/// Every code of the API's specification. First those that a read can meet, then those of writes and of requests for
/// parts of documents, neither of which we send.
fn row(code: &str, status: u16, target: &Target) -> Option<(Meaning, Retry, String)> {
    use Meaning::{Misconfigured, Timeout, Unavailable};
    let (meaning, retry, sentence) = match code {
        "BucketNotFound" => return Some((Misconfigured, Retry::Never, product::is_missing("bucket", target))),
        "ScopeNotFound" => return Some((Misconfigured, Retry::Never, product::is_missing("scope", target))),
        "CollectionNotFound" => return Some((Misconfigured, Retry::Never, product::is_missing("collection", target))),
        "NoReadAccess" => return Some((Misconfigured, Retry::Never, product::may_not_read(target))),
        "InvalidAuth" => (
            Misconfigured,
            Retry::NewCredentials,
            "it rejects our login; set [couchbase] username and password_file to a user that it knows",
        ),
        "Unauthorized" => (
            Misconfigured,
            Retry::NewCredentials,
            "it got no login from us, or takes none like that; set [couchbase] username and password_file",
        ),
        "InvalidArgument" => (
            Misconfigured,
            Retry::Never,
            "it does not take our request; check [couchbase] username and password_file, and that nothing in between \
             changes requests",
        ),
        "DocumentLocked" => (
            Unavailable,
            Retry::AfterPause,
            "somebody has locked the document for a write, and servers before 8.0 do not show it then",
        ),
        "Internal" => (Unavailable, Retry::NextNode, "it failed while it worked on our request; its own log says more"),
        "UnderlyingServiceUnavailable" => {
            (Unavailable, Retry::AfterPause, "the cluster behind it is out of its reach for now")
        }
        // Either side may have given up: with 504 the gateway has.
        "RequestCanceled" if status != 504 => {
            (Unavailable, Retry::NextNode, "something between us and it gave our request up")
        }
        "RequestCanceled" | "DeadlineExceeded" => {
            (Timeout, Retry::NextNode, "it gave up waiting for the cluster behind it")
        }
        "NoWriteAccess"
        | "DocumentExists"
        | "CasMismatch"
        | "DocumentNotLocked"
        | "DocumentNotJson"
        | "DocumentNotNumeric"
        | "DocumentTooDeep"
        | "ValueTooLarge"
        | "PathMismatch"
        | "PathNotFound"
        | "PathExists"
        | "PathInvalid"
        | "PathTooBig"
        | "UnknownVattr"
        | "DurabilityImpossible" => (
            Misconfigured,
            Retry::Never,
            "it takes our read for something else; look for something between us and it that changes requests",
        ),
        _ => return None,
    };
    Some((meaning, retry, sentence.to_owned()))
}

/// The sentence for a refusal without a code: the gateway's, or that of a proxy before it.
#[must_use]
pub fn forbidden(target: &Target) -> String {
    format!(
        "it, or what stands before it, does not let us in; add the address of this machine to those that are allowed \
         there, and check this: {}",
        product::may_not_read(target)
    )
}
