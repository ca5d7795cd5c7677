//! What an HTTP status means where the body says nothing more: the same for every product.
//!
//! Invariant: pure.

use serde_json::error::Category;

use crate::bucket::remote::failure::{ErrorScope, Failure, Meaning, Retry};
use crate::bucket::remote::product::Product;

impl Product {
    /// The failure that an HTTP status means where the body brings no code.
    #[must_use]
    pub fn status_failure(&self, status: u16, peer: &str) -> Failure {
        let (meaning, retry, sentence) = match status {
            429 => (Meaning::Unavailable, Retry::AfterPause, ": too many requests".to_owned()),
            502 | 503 => {
                (Meaning::Unavailable, Retry::NextNode, ": it, or a proxy in front of it, is not ready".to_owned())
            }
            504 => (Meaning::Timeout, Retry::NextNode, ": a proxy in front of it timed out".to_owned()),
            401 => (Meaning::Misconfigured, Retry::NewCredentials, format!("; {}", self.advice.wrong_login)),
            403 => (Meaning::Misconfigured, Retry::Never, format!("; {}", self.advice.missing_right)),
            _ => (
                Meaning::Misconfigured,
                Retry::Never,
                format!(
                    " and not as {} does; check the hosts and ports of {}, and any proxy in between",
                    self.name,
                    self.hosts_setting()
                ),
            ),
        };
        // A server that names no reason for its 500 may be the only one that has it.
        let scope = if status == 500 { ErrorScope::Node } else { ErrorScope::Cluster };
        let reason = format!("{peer} answered with HTTP status {status}{sentence}");
        Failure::new(meaning.error(reason), retry).in_scope(scope)
    }

    /// What a body means that is not the JSON that it should be: the beginning of it, or somebody else's.
    #[must_use]
    pub fn unreadable(&self, status: u16, error: &serde_json::Error, body: &[u8], peer: &str) -> Failure {
        if error.classify() == Category::Eof && !body.trim_ascii().is_empty() {
            return Failure::cut_short(peer);
        }
        self.status_failure(status, peer)
    }

    /// What a JSON response means that is longer than any response with a document in it. `beginning` is what was read of
    /// it.
    #[must_use]
    pub fn overlong(&self, status: u16, beginning: &[u8], peer: &str) -> Failure {
        if status == 200 && beginning.trim_ascii_start().starts_with(b"{") {
            return Failure::too_large();
        }
        self.status_failure(status, peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::rest::test_tables::PRODUCT;
    use crate::bucket::{BucketError, ErrorKind};
    use crate::model::InvalidDocument;

    /// The conditions that SDKs retry, and those that they report (facts of the SDKs, by HTTP status alone).
    #[test]
    fn a_bare_status_has_its_row_and_its_retry() {
        for (statuses, expected, retry) in [
            (&[429][..], ErrorKind::Unavailable, Retry::AfterPause),
            (&[502, 503], ErrorKind::Unavailable, Retry::NextNode),
            (&[504], ErrorKind::Timeout, Retry::NextNode),
            (&[401], ErrorKind::Misconfigured, Retry::NewCredentials),
            (&[200, 204, 301, 400, 403, 404, 405, 406, 409, 413, 500, 501], ErrorKind::Misconfigured, Retry::Never),
        ] {
            for status in statuses {
                let failure = PRODUCT.status_failure(*status, "the peer");
                assert_eq!((failure.error.kind(), failure.retry), (expected, retry), "{status}");
                assert_eq!(failure.scope == ErrorScope::Node, *status == 500, "{status}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_a_document_only_if_it_begins_like_an_answer() {
        assert_eq!(
            PRODUCT.overlong(200, b"\n{\"requestID\"", "the peer").error,
            BucketError::InvalidDocument(InvalidDocument::TooLarge)
        );
        assert!(matches!(PRODUCT.overlong(200, b"<html>", "the peer").error, BucketError::Misconfigured { .. }));
        assert!(matches!(PRODUCT.overlong(503, b"{", "the peer").error, BucketError::Unavailable { .. }));
    }

    #[test]
    fn half_a_body_is_cut_and_none_or_another_is_not() {
        for (body, expected) in [("{\"a\":", true), ("", false), (" \n", false), ("<html>", false), ("{\"a\" 1", false)]
        {
            let error = serde_json::from_str::<serde::de::IgnoredAny>(body).unwrap_err();
            let failure = PRODUCT.unreadable(200, &error, body.as_bytes(), "the peer");
            assert_eq!(failure == Failure::cut_short("the peer"), expected, "{body:?}");
        }
    }
}
