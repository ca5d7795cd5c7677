//! What the error codes of the Data API mean for us: one table.
//!
//! Invariant: pure. A sentence is ours and names the code; the server's own message never gets into it, and neither
//! does a code that this table does not know, because nobody knows what may stand there.

use crate::bucket::BucketError;
use crate::bucket::couchbase::failure::{Failure, Remedy};
use crate::bucket::couchbase::query::meaning::{Meaning, Target};
use crate::bucket::couchbase::role;
use crate::model::InvalidDocument;

/// The failure that a code stands for, which came with this HTTP status. `None`: the code is not known. The one for a
/// document that is not there is no failure, and not in the table.
#[must_use]
pub fn of_code(code: &str, status: u16, peer: &str, target: &Target) -> Option<Failure> {
    let (meaning, remedy, sentence) = row(code, status, target)?;
    // It has a row, so it is one of the names below, letter by letter.
    let reason = format!("{peer} answered with the error {code}: {sentence}");
    let error = match meaning {
        Meaning::Misconfigured => BucketError::Misconfigured { reason },
        Meaning::Unavailable => BucketError::Unavailable { reason },
        Meaning::Timeout => BucketError::Timeout { reason },
        Meaning::TooLarge => BucketError::InvalidDocument(InvalidDocument::TooLarge),
    };
    Some(Failure { error, remedy })
}

/// Every code of the API's specification. First those that a read can meet, then those of writes and of requests for
/// parts of documents, neither of which we send.
fn row(code: &str, status: u16, target: &Target) -> Option<(Meaning, Remedy, String)> {
    use Meaning::{Misconfigured, Timeout, Unavailable};
    let (meaning, remedy, sentence) = match code {
        "BucketNotFound" => return Some((Misconfigured, Remedy::None, role::is_missing("bucket", target))),
        "ScopeNotFound" => return Some((Misconfigured, Remedy::None, role::is_missing("scope", target))),
        "CollectionNotFound" => return Some((Misconfigured, Remedy::None, role::is_missing("collection", target))),
        "NoReadAccess" => return Some((Misconfigured, Remedy::None, role::may_not_read(target))),
        "InvalidAuth" => (
            Misconfigured,
            Remedy::NewLogin,
            "it rejects our login; set [couchbase] username and password_file to a user that it knows",
        ),
        "Unauthorized" => (
            Misconfigured,
            Remedy::NewLogin,
            "it got no login from us, or takes none like that; set [couchbase] username and password_file",
        ),
        "InvalidArgument" => (
            Misconfigured,
            Remedy::None,
            "it does not take our request; check [couchbase] username and password_file, and that nothing in between \
             changes requests",
        ),
        "DocumentLocked" => (
            Unavailable,
            Remedy::Later,
            "somebody has locked the document for a write, and servers before 8.0 do not show it then",
        ),
        "Internal" => {
            (Unavailable, Remedy::AnotherNode, "it failed while it worked on our request; its own log says more")
        }
        "UnderlyingServiceUnavailable" => {
            (Unavailable, Remedy::Later, "the cluster behind it is out of its reach for now")
        }
        // Either side may have given up: with 504 the gateway has.
        "RequestCanceled" if status != 504 => {
            (Unavailable, Remedy::AnotherNode, "something between us and it gave our request up")
        }
        "RequestCanceled" | "DeadlineExceeded" => {
            (Timeout, Remedy::AnotherNode, "it gave up waiting for the cluster behind it")
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
            Remedy::None,
            "it takes our read for something else; look for something between us and it that changes requests",
        ),
        _ => return None,
    };
    Some((meaning, remedy, sentence.to_owned()))
}

/// The sentence for a refusal without a code: the gateway's, or that of what stands before it.
#[must_use]
pub fn forbidden(target: &Target) -> String {
    format!(
        "it, or what stands before it, does not let us in; add the address of this machine to those that are allowed \
         there, and check this: {}",
        role::may_not_read(target)
    )
}
