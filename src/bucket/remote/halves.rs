//! Reading several documents in as few exchanges as their size allows.
//!
//! What an answer holds is known only once it is there. One that is too long is given up, and its ids are asked for again in
//! two halves, down to a single id, which is read by the ordinary [`Bucket::get`]. A failure that concerns one document,
//! whichever of them it is, is treated in the same way: it ends up at that document, and the others are read.
//!
//! Invariant: one call has at most twice [`MAX_ANSWER_BYTES`] of documents in memory at any time. Outcomes are passed on in the
//! order of the ids, and only those of an exchange that has succeeded.

use std::collections::{HashMap, HashSet};

use super::Failure;
use crate::bucket::{Bucket, BucketError, Document, Outcome, get_each};
use crate::model::DocumentId;

/// The longest answer with several documents, in bytes. It is in memory beside the documents that are cut from it, and each
/// may take half of the 64 MiB that one call is allowed. That is room for a hundred profiles of 300 KiB. It is a byte less than
/// half, because the buffer of an answer doubles as it fills: for one byte more it would be copied once more.
pub const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024 - 1;

/// Reads several documents in one exchange: one outcome for each id, in their order.
pub type Several<'a, B> = &'a mut dyn FnMut(&mut B, &[DocumentId]) -> Result<Vec<Outcome>, BucketError>;

/// [`Bucket::get_many`] by exchanges for several documents each.
///
/// # Errors
/// What `several` or [`Bucket::get`] failed with, unless it concerns one document.
pub fn read<B: Bucket>(
    bucket: &mut B,
    ids: &[DocumentId],
    several: Several<B>,
    take: &mut dyn FnMut(Outcome),
) -> Result<(), BucketError> {
    let are_different = ids.iter().collect::<HashSet<_>>().len() == ids.len();
    // What is found once cannot be the outcome of two.
    if are_different { read_half(bucket, ids, several, take) } else { get_each(bucket, ids, take) }
}

fn read_half<B: Bucket>(
    bucket: &mut B,
    ids: &[DocumentId],
    several: Several<B>,
    take: &mut dyn FnMut(Outcome),
) -> Result<(), BucketError> {
    if ids.len() <= 1 {
        return get_each(bucket, ids, take);
    }
    match several(bucket, ids) {
        Ok(outcomes) => {
            outcomes.into_iter().for_each(take);
            Ok(())
        }
        Err(error) if error.kind().is_of_one_document() => {
            let (first, second) = ids.split_at(ids.len() / 2);
            read_half(bucket, first, several, take)?;
            read_half(bucket, second, several, take)
        }
        Err(error) => Err(error),
    }
}

/// The outcome of one document among several: a failure that concerns it alone is its own, and any other is of them all.
///
/// # Errors
/// What does not concern one document.
pub fn outcome(found: Result<Option<Document>, Failure>) -> Result<Outcome, Failure> {
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(failure) if failure.error.kind().is_of_one_document() => Ok(Err(failure.error)),
        Err(failure) => Err(failure),
    }
}

/// The outcomes of several ids where a database sends what it has, in an order of its own, and nothing for the others.
pub struct Outcomes<'a> {
    /// Of the ids for which nothing has come.
    places: HashMap<&'a str, usize>,
    outcomes: Vec<Outcome>,
}

impl<'a> Outcomes<'a> {
    /// Nothing has come yet. No id may occur twice.
    #[must_use]
    pub fn of(ids: &'a [DocumentId]) -> Self {
        let places = ids.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
        Self { places, outcomes: ids.iter().map(|_| Ok(None)).collect() }
    }

    /// Records what has come for an id, which is the one that the database sent with it.
    ///
    /// # Errors
    /// What does not concern one document; `not_asked` for an id that was not asked for, or that comes again.
    pub fn put(
        &mut self,
        id: &str,
        found: Result<Document, Failure>,
        not_asked: impl FnOnce() -> Failure,
    ) -> Result<(), Failure> {
        let place = self.places.remove(id).ok_or_else(not_asked)?;
        self.outcomes[place] = outcome(found.map(Some))?;
        Ok(())
    }

    /// True if there is an id for which nothing has come.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        !self.places.is_empty()
    }

    /// One outcome for each id, in their order.
    #[must_use]
    pub fn into_vec(self) -> Vec<Outcome> {
        self.outcomes
    }
}

#[cfg(test)]
mod tests;
