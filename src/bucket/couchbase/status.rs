//! What an HTTP status means where the body says nothing more: the same for every way in.
//!
//! Invariant: pure.

use serde_json::error::Category;

use super::failure::{Failure, Remedy};
use crate::bucket::BucketError;
use crate::model::InvalidDocument;

/// The failure that an HTTP status stands for where the body brings no code.
#[must_use]
pub fn failure(status: u16, peer: &str) -> Failure {
    let reason = |sentence: &str| format!("{peer} answered with HTTP status {status}{sentence}");
    let (error, remedy) = match status {
        429 => (BucketError::Unavailable { reason: reason(": too many requests") }, Remedy::Later),
        502 | 503 => (
            BucketError::Unavailable { reason: reason(": it, or what stands before it, is not ready") },
            Remedy::AnotherNode,
        ),
        504 => (BucketError::Timeout { reason: reason(": something before it gave up waiting") }, Remedy::AnotherNode),
        401 => (
            BucketError::Misconfigured {
                reason: reason("; set [couchbase] username and password_file to a user that it knows"),
            },
            Remedy::NewLogin,
        ),
        403 => (
            BucketError::Misconfigured {
                reason: reason("; the user of [couchbase] username needs the role query_select on the bucket"),
            },
            Remedy::None,
        ),
        _ => (
            BucketError::Misconfigured {
                reason: reason(
                    " and not as Couchbase does; check the hosts and ports of [couchbase] connection_string, and \
                     what stands between",
                ),
            },
            Remedy::None,
        ),
    };
    Failure { error, remedy }
}

/// What a body means that is not the JSON that it should be: the beginning of it, or somebody else's.
#[must_use]
pub fn unreadable(status: u16, error: &serde_json::Error, body: &[u8], peer: &str) -> Failure {
    if error.classify() == Category::Eof && !body.trim_ascii().is_empty() {
        return Failure::cut_short(peer);
    }
    failure(status, peer)
}

/// What a JSON answer means that is longer than any answer with a document in it. `beginning` is what was read of it.
#[must_use]
pub fn overlong(status: u16, beginning: &[u8], peer: &str) -> Failure {
    if status == 200 && beginning.trim_ascii_start().starts_with(b"{") {
        return Failure::lasting(BucketError::InvalidDocument(InvalidDocument::TooLarge));
    }
    failure(status, peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conditions that SDKs retry, and those that they report (facts of the SDKs, by HTTP status alone).
    #[test]
    fn a_bare_status_has_its_row_and_its_remedy() {
        for (statuses, expected, remedy) in [
            (&[429][..], "unavailable", Remedy::Later),
            (&[502, 503], "unavailable", Remedy::AnotherNode),
            (&[504], "timeout", Remedy::AnotherNode),
            (&[401], "misconfigured", Remedy::NewLogin),
            (&[200, 204, 301, 400, 403, 404, 405, 406, 409, 413, 500, 501], "misconfigured", Remedy::None),
        ] {
            for status in statuses {
                let failure = failure(*status, "the peer");
                let meaning = match failure.error {
                    BucketError::Misconfigured { .. } => "misconfigured",
                    BucketError::Unavailable { .. } => "unavailable",
                    BucketError::Timeout { .. } => "timeout",
                    _ => "neither",
                };
                assert_eq!((meaning, failure.remedy), (expected, remedy), "{status}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_a_document_only_if_it_begins_like_an_answer() {
        assert_eq!(
            overlong(200, b"\n{\"requestID\"", "the peer").error,
            BucketError::InvalidDocument(InvalidDocument::TooLarge)
        );
        assert!(matches!(overlong(200, b"<html>", "the peer").error, BucketError::Misconfigured { .. }));
        assert!(matches!(overlong(503, b"{", "the peer").error, BucketError::Unavailable { .. }));
    }

    #[test]
    fn half_a_body_is_cut_and_none_or_another_is_not() {
        for (body, expected) in [("{\"a\":", true), ("", false), (" \n", false), ("<html>", false), ("{\"a\" 1", false)]
        {
            let error = serde_json::from_str::<serde::de::IgnoredAny>(body).unwrap_err();
            let failure = unreadable(200, &error, body.as_bytes(), "the peer");
            assert_eq!(failure == Failure::cut_short("the peer"), expected, "{body:?}");
        }
    }
}
