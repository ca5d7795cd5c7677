//! Reads and checks the lines in a thread of its own, while the thread that asks for them stores those before.
//!
//! Invariant: batches come in the order of their lines. While one is stored, one more is made, and documents that are worth
//! storing wait for nothing but the batch before them.

use std::io::{self, BufRead};
use std::panic;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::bail;
use indicatif::ProgressBar;
use parking_lot::{Condvar, Mutex};

use super::batch::Batch;
use super::for_each_valid;
use super::rejects::{Rejects, RejectsPlace};
use super::reserved::DroppedMembers;
use super::source::Input;
use crate::bucket::{BatchSize, Database, IsReserved, NewDocument};
use crate::model::DocumentId;
use crate::threads;

/// The lines of an input, on their way into batches.
pub(super) struct Reading {
    next: Arc<NextBatch>,
    thread: JoinHandle<anyhow::Result<ReadOutcome>>,
    place: RejectsPlace,
}

/// What there is to say at the end of an input.
pub(super) struct ReadOutcome {
    pub(super) rejects: Rejects,
    pub(super) dropped: DroppedMembers,
    /// A document that was in a batch, if any was.
    pub(super) example: Option<DocumentId>,
}

/// The batch that is being made. It grows while the one before it is stored: what takes long for each batch, as waiting for a
/// disk does, happens less often the longer it takes.
struct NextBatch {
    state: Mutex<NextBatchState>,
    changed: Condvar,
}

struct NextBatchState {
    batch: Batch,
    ending: Ending,
}

/// Whether more documents come, and whether anybody stores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Both.
    None,
    /// The input is at its end.
    OfInput,
    /// Nobody stores what is read.
    Abandoned,
}

impl NextBatch {
    fn new(size: BatchSize) -> Self {
        Self {
            state: Mutex::new(NextBatchState { batch: Batch::new(size), ending: Ending::None }),
            changed: Condvar::new(),
        }
    }

    /// Adds a document; while the batch is full, waits until it is taken.
    fn add(&self, line: u64, document: NewDocument) -> anyhow::Result<()> {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| state.batch.is_full() && state.ending == Ending::None);
        if state.ending == Ending::Abandoned {
            bail!("nobody stores the lines any more");
        }
        let was_worthwhile = state.batch.is_worthwhile();
        state.batch.add(line, document);
        if !was_worthwhile && state.batch.is_worthwhile() {
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Waits until there are documents that are worth storing, and takes them; `None` at the end of the input.
    fn take(&self) -> Option<Batch> {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| !state.batch.is_worthwhile() && state.ending == Ending::None);
        let taken = state.batch.is_worthwhile().then(|| state.batch.take());
        self.changed.notify_all();
        taken
    }

    fn end(&self, ending: Ending) {
        self.state.lock().ending = ending;
        self.changed.notify_all();
    }
}

/// Ends the input when the thread that reads it ends, however it does.
struct EndOfInput(Arc<NextBatch>);

impl Drop for EndOfInput {
    fn drop(&mut self) {
        self.0.end(Ending::OfInput);
    }
}

impl Reading {
    /// Begins to read.
    ///
    /// # Errors
    /// If the operating system has no thread left.
    pub(super) fn start(
        input: Input<impl BufRead + Send + 'static>,
        database: &dyn Database,
        progress: ProgressBar,
    ) -> io::Result<Self> {
        let is_reserved = database.reserved_members();
        let next = Arc::new(NextBatch::new(database.batch_size()));
        let place = input.place.clone();
        let end = EndOfInput(Arc::clone(&next));
        let thread = threads::spawn("import-reader", move || read(input, is_reserved, &progress, &end.0))?;
        Ok(Self { next, thread, place })
    }

    /// Waits for the next batch but the last; `None`: there are no more, and [`Reading::finish`] says why.
    pub(super) fn next(&self) -> Option<Batch> {
        self.next.take()
    }

    /// Returns how it ended, and the rest of the documents, once there are no more batches.
    ///
    /// # Errors
    /// If the input could not be read to its end.
    pub(super) fn finish(self) -> anyhow::Result<(ReadOutcome, Batch)> {
        let outcome = self.thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))?;
        Ok((outcome, self.next.state.lock().batch.take()))
    }

    /// Ends it before its time.
    pub(super) fn abandon(self) {
        self.next.end(Ending::Abandoned);
        // A pipe may not bring another byte for hours. A file does, and its rejects are to be written out.
        if matches!(self.place, RejectsPlace::Files { .. }) {
            let _ = self.finish();
        }
    }
}

fn read(
    input: Input<impl BufRead>,
    is_reserved: Option<IsReserved>,
    progress: &ProgressBar,
    next: &NextBatch,
) -> anyhow::Result<ReadOutcome> {
    let (mut example, mut dropped) = (None, DroppedMembers::default());
    let rejects = for_each_valid(input, progress, |number, line| {
        let document = dropped.drop_from(line.into_document(), is_reserved);
        example.get_or_insert_with(|| document.id.clone());
        next.add(number, document)
    })?;
    Ok(ReadOutcome { rejects, dropped, example })
}
