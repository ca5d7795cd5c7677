//! Many documents stored or listed, cut into calls of [`Batches`], each of which is repeated for as long as that may help.
//!
//! Invariant: nothing waits past the deadline of the link, and a failure that nothing helps against ends the batch at once.

use super::attempts::{self, Policy};
use super::node_link::NodeLink;
use super::protocol::{self, Batches, Protocol};
use crate::bucket::remote::batch;
use crate::bucket::{BucketError, BucketTimeouts, Cursor, NewDocument, Page};
use crate::model::DocumentId;

/// Stores documents. If it fails, some of them may be stored.
///
/// # Errors
/// Each variant of [`BucketError`] but `Busy`; its reason says how many documents are stored for certain.
pub fn store(link: &mut NodeLink, timeouts: &BucketTimeouts, documents: &[NewDocument]) -> Result<(), BucketError> {
    let cluster = link.cluster().clone();
    let batches = batches(cluster.protocol.as_ref())?;
    let policy = Policy::batch(timeouts, "storing documents");
    batch::store(
        documents,
        |rest| batches.fitting(rest),
        |part| attempts::run(link, &policy, |exchange| batches.store(part, exchange)),
    )
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
    if !batch::is_missing(read, batches.missing_codes())? {
        return Ok(Vec::new());
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
    most: usize,
) -> Result<Page, BucketError> {
    let cluster = link.cluster().clone();
    let batches = batches(cluster.protocol.as_ref())?;
    let policy = Policy::batch(timeouts, "listing documents");
    batch::list(most, |most| attempts::run(link, &policy, |exchange| batches.list(after, most, exchange)))
}

fn batches(protocol: &dyn Protocol) -> Result<&dyn Batches, BucketError> {
    protocol.batches().ok_or_else(|| {
        let advice = protocol.product().advice.no_batches;
        BucketError::misconfigured(format!("{} reads single documents only; {advice}", protocol.service()))
    })
}
