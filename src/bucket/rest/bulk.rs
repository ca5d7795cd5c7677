//! Many documents in the body of one request.
//!
//! Invariant: pure. A body is made in memory that was taken at once: a buffer that grows would leave pieces of documents
//! behind.

use crate::bucket::remote::failure::{Failure, Retry};
use crate::bucket::{BucketError, NewDocument};

/// The longest response that holds no documents, in bytes: some hundred bytes for each document of a request.
pub const MAX_SUMMARY_BYTES: usize = 4 * 1024 * 1024;

/// Checks that every document of a request was named in its response.
///
/// # Errors
/// [`Failure`] if there were fewer or more; the same may be sent again.
pub fn ensure_all_named(named: usize, documents: &[NewDocument], peer: &str) -> Result<(), Failure> {
    if named == documents.len() {
        return Ok(());
    }
    let reason = format!("{peer} named {named} of {} documents as stored", documents.len());
    Err(Failure::new(BucketError::unavailable(reason), Retry::AfterPause))
}

/// Documents between `before` and `after`, separated by commas, each with the members that `first_members` has for it (JSON
/// without braces) in front of its own.
#[must_use]
pub fn array<'a>(
    before: &str,
    documents: impl Iterator<Item = &'a NewDocument>,
    first_members: impl Fn(&NewDocument) -> String,
    after: &str,
) -> Vec<u8> {
    let parts: Vec<(String, &str)> = documents
        .map(|document| (first_members(document), document.text.split_once('{').map_or("}", |(_, rest)| rest)))
        .collect();
    let room: usize = parts.iter().map(|(first, rest)| first.len() + rest.len() + "{,,".len()).sum();
    let mut body = Vec::with_capacity(before.len() + room + after.len());
    body.extend_from_slice(before.as_bytes());
    for (place, (first, rest)) in parts.iter().enumerate() {
        let is_empty = rest.trim_ascii_start().starts_with('}');
        for piece in [if place == 0 { "{" } else { ",{" }, first, if is_empty { "" } else { "," }, rest] {
            body.extend_from_slice(piece.as_bytes());
        }
    }
    body.extend_from_slice(after.as_bytes());
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::rest::test_tables::new_document as document;

    #[test]
    fn each_document_has_its_first_members_and_the_rest_as_it_is() {
        let documents =
            [document("a", " {\"n\":1.50,\n\"x\":\"}\"} "), document("b", "{ }"), document("c", "{\"y\":{}}")];
        let first = |document: &NewDocument| format!("\"_id\":\"{}\"", document.id.username().unwrap());
        let body = array("[", documents.iter(), first, "]");
        assert_eq!(
            String::from_utf8(body.clone()).unwrap(),
            "[{\"_id\":\"a\",\"n\":1.50,\n\"x\":\"}\"} ,{\"_id\":\"b\" },{\"_id\":\"c\",\"y\":{}}]"
        );
        assert!(body.capacity() <= body.len() + 3 * documents.len() + 2, "it never grew");
    }
}
