//! Storing, creating and listing in ways that hold for every database without transactions over many documents.
//!
//! Storing may be repeated because it replaces whole documents: twice is as good as once. What a failed call has
//! stored is not known, so it is made again whole.
//!
//! Invariant: asks nobody by itself; the caller's closures do, and bound the time.

use super::failure::Failure;
use crate::bucket::{BucketError, NewDocument, Page};
use crate::model::InvalidDocument;

/// The documents of one request have this many bytes at most, unless one alone has more. A server holds a request
/// several times over while it works on it, and a request that fails is sent again, so it should not be much.
const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// How many documents are sent at once, where nothing about a product asks for another number.
pub const MOST_DOCUMENTS: usize = 500;

/// How many of these documents belong in one request, of at most `most`.
#[must_use]
pub fn fitting(documents: &[NewDocument], most: usize) -> usize {
    let mut bytes = 0;
    let fitting = documents.iter().take(most).take_while(|document| {
        bytes += document.text.len();
        bytes <= MAX_REQUEST_BYTES
    });
    fitting.count().max(1)
}

/// Stores documents part by part: `fitting` says how many of those that are left make one part, and `store` stores it.
///
/// # Errors
/// What `store` failed with; its reason says how many documents are stored for certain.
pub fn store(
    documents: &[NewDocument],
    fitting: impl Fn(&[NewDocument]) -> usize,
    mut store: impl FnMut(&[NewDocument]) -> Result<(), Failure>,
) -> Result<(), BucketError> {
    let mut stored = 0;
    while stored < documents.len() {
        let rest = &documents[stored..];
        let part = &rest[..fitting(rest).clamp(1, rest.len())];
        store(part).map_err(|failure| {
            failure.error.map_reason(|reason| {
                format!(
                    "{reason} ({stored} of {} documents are stored; some of the others may be too)",
                    documents.len()
                )
            })
        })?;
        stored += part.len();
    }
    Ok(())
}

/// True if a read of the sentinel, which ended like this, shows by one of these codes that what the documents are
/// stored in is missing. A user who may read it, but not create it, is served too: there is nothing to create for
/// him.
///
/// # Errors
/// What else the read failed with.
pub fn is_missing<T>(read: Result<T, Failure>, missing_codes: &[&str]) -> Result<bool, BucketError> {
    match read {
        Ok(_) => Ok(false),
        Err(failure) if failure.details.code.as_deref().is_some_and(|code| missing_codes.contains(&code)) => Ok(true),
        Err(failure) => Err(failure.error),
    }
}

/// Lists a page of at most `most` documents, and of fewer where they are too large to be read at once.
///
/// # Errors
/// What `list` failed with.
pub fn list(mut most: usize, mut list: impl FnMut(usize) -> Result<Page, Failure>) -> Result<Page, BucketError> {
    loop {
        match list(most).map_err(|failure| failure.error) {
            // A page of fewer documents may be short enough.
            Err(BucketError::InvalidDocument(InvalidDocument::TooLarge)) if most > 1 => most = most.div_ceil(4),
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::rest::test_tables::new_document as document;

    #[test]
    fn a_request_has_a_mebibyte_of_documents_or_one_document() {
        let small: Vec<NewDocument> = (0..1000).map(|_| document("a", "{}")).collect();
        assert_eq!((fitting(&small, 256), fitting(&small[..3], 256)), (256, 3));
        let half = "x".repeat(MAX_REQUEST_BYTES / 2);
        let halves: Vec<NewDocument> = (0..4).map(|_| document("a", &half)).collect();
        assert_eq!(fitting(&halves, 256), 2);
        let whole = "x".repeat(MAX_REQUEST_BYTES * 3);
        assert_eq!(fitting(&[document("a", &whole), document("b", "{}")], 256), 1);
        assert_eq!(fitting(&[document("b", "{}"), document("a", &whole)], 256), 1);
    }
}
