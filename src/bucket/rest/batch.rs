//! Many documents stored or listed, cut into calls of [`Batches`], each of which is repeated for as long as that may help.
//!
//! Storing may be repeated because it replaces whole documents: twice is as good as once. What a failed call has stored is
//! not known, so it is made again whole.
//!
//! Invariant: nothing waits past the deadline of the link, and a failure that nothing helps against ends the batch at once.

use super::attempts::{self, Policy};
use super::failure::Failure;
use super::node_link::NodeLink;
use super::protocol::{self, Batches, Protocol};
use crate::bucket::{BucketError, BucketTimeouts, Cursor, NewDocument, Page};
use crate::model::{DocumentId, InvalidDocument};

/// Stores documents. If it fails, some of them may be stored.
///
/// # Errors
/// Each variant of [`BucketError`] but `Busy`; its reason says how many documents are stored for certain.
pub fn store(link: &mut NodeLink, timeouts: &BucketTimeouts, documents: &[NewDocument]) -> Result<(), BucketError> {
    let cluster = link.cluster().clone();
    let batches = batches(cluster.protocol.as_ref())?;
    let policy = Policy::batch(timeouts, "storing documents");
    let mut stored = 0;
    while stored < documents.len() {
        let rest = &documents[stored..];
        let some = &rest[..batches.fitting(rest).clamp(1, rest.len())];
        attempts::run(link, &policy, |exchange| batches.store(some, exchange)).map_err(|failure| {
            failure.error.map_reason(|reason| {
                format!(
                    "{reason} ({stored} of {} documents are stored; some of the others may be too)",
                    documents.len()
                )
            })
        })?;
        stored += some.len();
    }
    Ok(())
}

/// Makes what is missing: see [`crate::bucket::Bucket::create`].
///
/// # Errors
/// Each variant of [`BucketError`] but `Busy`.
pub fn create(link: &mut NodeLink, timeouts: &BucketTimeouts) -> Result<Vec<String>, BucketError> {
    let cluster = link.cluster().clone();
    let batches = batches(cluster.protocol.as_ref())?;
    let policy = Policy::batch(timeouts, "creating what is missing");
    let sentinel = DocumentId::sentinel();
    let read = attempts::run(link, &policy, |exchange| protocol::get(cluster.protocol.as_ref(), &sentinel, exchange));
    let is_missing =
        |failure: &Failure| failure.details.code.as_deref().is_some_and(|code| batches.missing_codes().contains(&code));
    match read {
        // A user who may read it, but not create it, is served too.
        Ok(_) => return Ok(Vec::new()),
        Err(failure) if !is_missing(&failure) => return Err(failure.error),
        Err(_) => {}
    }
    attempts::run(link, &policy, |exchange| batches.create(exchange)).map_err(|failure| failure.error)
}

/// Lists a page: see [`crate::bucket::Bucket::list`].
///
/// # Errors
/// Each variant of [`BucketError`] but `Busy`.
pub fn list(
    link: &mut NodeLink,
    timeouts: &BucketTimeouts,
    after: Option<&Cursor>,
    mut most: usize,
) -> Result<Page, BucketError> {
    let cluster = link.cluster().clone();
    let batches = batches(cluster.protocol.as_ref())?;
    let policy = Policy::batch(timeouts, "listing documents");
    loop {
        let outcome = attempts::run(link, &policy, |exchange| batches.list(after, most, exchange));
        match outcome.map_err(|failure| failure.error) {
            // A page of fewer documents may be short enough.
            Err(BucketError::InvalidDocument(InvalidDocument::TooLarge)) if most > 1 => most = most.div_ceil(4),
            outcome => return outcome,
        }
    }
}

fn batches(protocol: &dyn Protocol) -> Result<&dyn Batches, BucketError> {
    protocol.batches().ok_or_else(|| {
        let advice = protocol.product().advice.no_batches;
        BucketError::misconfigured(format!("{} reads single documents only; {advice}", protocol.service()))
    })
}
