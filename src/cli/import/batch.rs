//! Collects documents into batches of bounded size, each stored by one call of `Bucket::upsert`.
//!
//! Invariant: no id occurs in a batch twice, and of two lines for one user the later one wins.

use std::collections::HashMap;

use anyhow::Context as _;

use crate::bucket::{BatchSize, BucketTimeouts, Database, NewDocument};
use crate::cli::bucket::CommandBucket;
use crate::model::DocumentId;

/// Documents that wait to be stored together.
pub(super) struct Batch {
    size: BatchSize,
    documents: Vec<NewDocument>,
    places: HashMap<DocumentId, usize>,
    bytes: usize,
    lines: u64,
    first_and_last_line: Option<(u64, u64)>,
}

impl Batch {
    /// An empty one.
    pub(super) fn new(size: BatchSize) -> Self {
        Self { size, documents: Vec::new(), places: HashMap::new(), bytes: 0, lines: 0, first_and_last_line: None }
    }

    pub(super) fn add(&mut self, line: u64, document: NewDocument) {
        self.lines += 1;
        self.bytes += document.text.len();
        self.first_and_last_line = Some((self.first_and_last_line.map_or(line, |(first, _)| first), line));
        if let Some(place) = self.places.get(&document.id) {
            let earlier = std::mem::replace(&mut self.documents[*place], document);
            self.bytes -= earlier.text.len();
        } else {
            self.places.insert(document.id.clone(), self.documents.len());
            self.documents.push(document);
        }
    }

    /// True if it is time to store it, should the database have nothing else to do.
    pub(super) fn is_worthwhile(&self) -> bool {
        self.documents.len() >= self.size.worthwhile_documents || self.is_full()
    }

    /// Takes all documents out.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.size))
    }

    pub(super) fn is_full(&self) -> bool {
        self.documents.len() >= self.size.most_documents || self.bytes >= self.size.most_bytes
    }
}

/// Stores batches through one bucket connection at a time, each within its own batch timeout.
pub(super) struct Store<'a> {
    bucket: CommandBucket<'a>,
    stored_lines: u64,
}

impl<'a> Store<'a> {
    pub(super) fn new(database: &'a dyn Database, timeouts: &'a BucketTimeouts) -> Self {
        Self { bucket: CommandBucket::new(database, timeouts), stored_lines: 0 }
    }

    /// How many lines are stored: a user who has two counts twice.
    pub(super) fn stored_lines(&self) -> u64 {
        self.stored_lines
    }

    pub(super) fn store(&mut self, batch: &Batch) -> anyhow::Result<()> {
        let Some((first, last)) = batch.first_and_last_line else {
            return Ok(());
        };
        self.bucket.call(|bucket| bucket.upsert(&batch.documents)).with_context(|| {
            format!(
                "lines {first} to {last} are not all stored; {} lines before them are. Importing the whole file once \
                 more is safe, once this is fixed",
                self.stored_lines
            )
        })?;
        self.stored_lines += batch.lines;
        Ok(())
    }
}
