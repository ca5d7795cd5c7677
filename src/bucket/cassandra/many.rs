//! Several documents at once: one read each, all on their way at the same time.
//!
//! `WHERE id IN ?` would be one statement, but each id is a partition of its own, on nodes of its own. One node would ask the
//! others for them all, hold them all, and send them all in one answer without a limit, and from Cassandra 4.1 on a server can
//! refuse such statements (the guardrail for partition keys in a SELECT). Reads of their own go to a node that has the
//! document each, and are tried again one by one.
//!
//! Invariant: a row is believed only by the id in it. No more reads are on their way than have room in memory, going by the
//! largest document so far.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::rows::{Rows, panicked};
use super::session::CassandraClient;
use crate::bucket::remote::Failure;
use crate::bucket::remote::halves::{self, MAX_ANSWER_BYTES};
use crate::bucket::{Document, Outcome};
use crate::model::DocumentId;

/// How many reads are on their way at first, while nothing is known of the documents: four have 64 MiB at most, as a row of
/// Cassandra has 16 MiB at most unless somebody has raised `max_mutation_size`.
const FIRST_READS: usize = 4;

/// How many reads are on their way at most.
const MOST_READS: usize = 64;

impl Rows {
    /// Reads several documents.
    ///
    /// # Errors
    /// [`Failure`] of the first that failed, after all that were on their way have ended.
    pub async fn get_many(
        self: Arc<Self>,
        client: Arc<CassandraClient>,
        ids: Vec<DocumentId>,
    ) -> Result<Vec<Outcome>, Failure> {
        let mut outcomes: Vec<Outcome> = ids.iter().map(|_| Ok(None)).collect();
        let mut reads = JoinSet::new();
        let mut window = Window::default();
        let mut ended = Ok(());
        let mut left = ids.into_iter().enumerate();
        loop {
            while ended.is_ok() && reads.len() < window.size() {
                let Some((place, id)) = left.next() else { break };
                let (own, client) = (Arc::clone(&self), Arc::clone(&client));
                reads.spawn(async move { (place, own.get(&client, id.as_str()).await) });
            }
            let Some(read) = reads.join_next().await else { break };
            let found = read.map_err(|_| panicked()).and_then(|(place, found)| {
                let outcome = halves::outcome(found)?;
                window.record(&outcome)?;
                outcomes[place] = outcome;
                Ok(())
            });
            ended = ended.and(found);
        }
        ended.map(|()| outcomes)
    }
}

/// How many reads may be on their way.
struct Window {
    /// Reads that have ended.
    ended: usize,
    bytes: usize,
    largest: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { ended: 0, bytes: 0, largest: 1 }
    }
}

impl Window {
    fn size(&self) -> usize {
        (FIRST_READS + self.ended).min(MOST_READS).min((MAX_ANSWER_BYTES / self.largest).max(1))
    }

    /// Records what one read has brought.
    ///
    /// # Errors
    /// [`Failure::too_large`] if it is too much together.
    fn record(&mut self, outcome: &Outcome) -> Result<(), Failure> {
        let bytes =
            outcome.as_ref().ok().and_then(Option::as_ref).map_or(0, |document: &Document| document.text().len());
        self.ended += 1;
        self.bytes += bytes;
        self.largest = self.largest.max(bytes);
        if self.bytes > MAX_ANSWER_BYTES { Err(Failure::too_large()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::BucketError;
    use crate::model::InvalidDocument;

    fn document(bytes: usize) -> Document {
        Document::new(vec![b' '; bytes])
    }

    #[test]
    fn many_small_documents_are_asked_for_at_once_and_few_large_ones() {
        let mut window = Window::default();
        assert_eq!(window.size(), FIRST_READS);
        for _ in 0..10 {
            window.record(&Ok(Some(document(1000)))).unwrap();
        }
        assert_eq!(window.size(), FIRST_READS + 10);
        window.record(&Ok(None)).unwrap();
        window.record(&Err(BucketError::InvalidDocument(InvalidDocument::TooLarge))).unwrap();
        window.record(&Ok(Some(document(MAX_ANSWER_BYTES / 3)))).unwrap();
        assert_eq!(window.size(), 3);
        let rest = Ok(Some(document(MAX_ANSWER_BYTES / 3 * 2)));
        assert_eq!(window.record(&rest), Err(Failure::too_large()));
        for _ in 0..1000 {
            window.ended += 1;
        }
        window.largest = 1;
        assert_eq!(window.size(), MOST_READS);
    }
}
