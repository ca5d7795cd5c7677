//! One bucket connection to a database that is asked by its own driver: a handle of the client that all share.
//!
//! Invariant: in use by one thread at a time; what is tried again is decided by `attempts` alone.

use std::sync::Arc;

use super::attempts::{self, Policy};
use super::shared::Shared;
use super::{Call, Native, Reply};
use crate::bucket::remote::{Failure, batch, halves};
use crate::bucket::{Bucket, BucketError, CreateOptions, Cursor, Details, NewDocument, Outcome, Page, Trace};
use crate::clock::Deadline;
use crate::model::DocumentId;

/// A [`Bucket`] by a driver of its own.
pub struct NativeConnection<N: Native> {
    shared: Arc<Shared<N>>,
    deadline: Deadline,
    /// Of the last exchange for this request.
    details: Option<Details>,
}

impl<N: Native> NativeConnection<N> {
    /// Connects to nothing yet: the first call does, where there is no client.
    pub fn new(shared: &Arc<Shared<N>>, deadline: Deadline) -> Self {
        Self { shared: Arc::clone(shared), deadline, details: None }
    }

    /// Makes an attempt as for a read, and keeps its details.
    fn read<T: Send + 'static>(&mut self, attempt: impl FnMut(Call<N::Client>) -> Reply<T>) -> Result<T, BucketError> {
        let outcome = attempts::run(&self.shared, self.deadline, Policy::Read, attempt);
        let details = |failure: &Failure| failure.details.clone();
        self.details = Some(outcome.as_ref().err().map(details).unwrap_or_default());
        outcome.map_err(|failure| failure.error)
    }
}

impl<N: Native> Bucket for NativeConnection<N> {
    fn get(&mut self, id: &DocumentId) -> Outcome {
        let shared = Arc::clone(&self.shared);
        self.read(|call| shared.native.get(call, id))
    }

    fn get_many(&mut self, ids: &[DocumentId], take: &mut dyn FnMut(Outcome)) -> Result<(), BucketError> {
        let shared = Arc::clone(&self.shared);
        let mut several =
            |connection: &mut Self, ids: &[DocumentId]| connection.read(|call| shared.native.get_many(call, ids));
        halves::read(self, ids, &mut several, take)
    }

    fn upsert(&mut self, documents: &[NewDocument]) -> Result<(), BucketError> {
        let (shared, native) = (&*self.shared, &self.shared.native);
        let policy = Policy::Batch { what: "storing documents" };
        batch::store(
            documents,
            |rest| native.fitting(rest),
            |part| attempts::run(shared, self.deadline, policy, |call| native.store(call, part)),
        )
    }

    fn create(&mut self, options: CreateOptions) -> Result<Vec<String>, BucketError> {
        let (shared, native) = (&*self.shared, &self.shared.native);
        let policy = Policy::Batch { what: "creating what is missing" };
        let sentinel = DocumentId::sentinel();
        let read = attempts::run(shared, self.deadline, policy, |call| native.get(call, &sentinel));
        if !batch::is_missing(read, native.missing_codes())? {
            return Ok(Vec::new());
        }
        let made = attempts::run(shared, self.deadline, policy, |call| native.create(call, options));
        made.map_err(|failure| failure.error)
    }

    fn list(&mut self, after: Option<&Cursor>, most: usize) -> Result<Page, BucketError> {
        let (shared, native) = (&*self.shared, &self.shared.native);
        let policy = Policy::Batch { what: "listing documents" };
        batch::list(most, |most| attempts::run(shared, self.deadline, policy, |call| native.list(call, after, most)))
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    fn set_trace(&mut self, _: &Trace) {
        self.details = None;
    }

    fn last_details(&self) -> Option<Details> {
        self.details.clone()
    }
}
