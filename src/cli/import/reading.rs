//! Reads and checks the lines in a thread of its own, while the thread that asks for them stores those before.
//!
//! Invariant: batches come in the order of their lines, and no more than a few of them are in memory.

use std::io::{self, BufRead};
use std::mem;
use std::panic;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;

use anyhow::anyhow;
use indicatif::ProgressBar;

use super::batch::Batch;
use super::for_each_valid;
use super::rejects::{Rejects, RejectsPlace};
use super::reserved::DroppedMembers;
use super::source::Input;
use crate::bucket::{BatchSize, Database, IsReserved};
use crate::model::DocumentId;
use crate::threads;

/// So many batches wait to be stored, so that whoever stores them need not wait for the next. While none may be added, the
/// next one grows: what takes long for each batch, as waiting for a disk does, happens less often the longer it takes.
const BATCHES_AHEAD: usize = 1;

/// The lines of an input, on their way into batches.
pub(super) struct Reading {
    batches: Receiver<Batch>,
    thread: JoinHandle<anyhow::Result<ReadOutcome>>,
    place: RejectsPlace,
}

/// What there is to say at the end of an input.
pub(super) struct ReadOutcome {
    pub(super) rejects: Rejects,
    pub(super) dropped: DroppedMembers,
    /// The rest of the documents.
    pub(super) last: Batch,
    /// A document that was in a batch, if any was.
    pub(super) example: Option<DocumentId>,
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
        let (size, is_reserved) = (database.batch_size(), database.reserved_members());
        let (sender, batches) = mpsc::sync_channel(BATCHES_AHEAD);
        let place = input.place.clone();
        let thread = threads::spawn("import-reader", move || read(input, size, is_reserved, &progress, &sender))?;
        Ok(Self { batches, thread, place })
    }

    /// Waits for the next batch but the last; `None`: there are no more, and [`Reading::finish`] says why.
    pub(super) fn next(&self) -> Option<Batch> {
        self.batches.recv().ok()
    }

    /// Returns how it ended, once there are no more batches.
    ///
    /// # Errors
    /// If the input could not be read to its end.
    pub(super) fn finish(self) -> anyhow::Result<ReadOutcome> {
        drop(self.batches);
        self.thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    }

    /// Ends it before its time.
    pub(super) fn abandon(self) {
        // A pipe may not bring another byte for hours. A file does, and its rejects are to be written out.
        if matches!(self.place, RejectsPlace::Files { .. }) {
            let _ = self.finish();
        }
    }
}

fn read(
    input: Input<impl BufRead>,
    size: BatchSize,
    is_reserved: Option<IsReserved>,
    progress: &ProgressBar,
    batches: &SyncSender<Batch>,
) -> anyhow::Result<ReadOutcome> {
    let abandoned = || anyhow!("nobody stores the lines any more");
    let (mut batch, mut example, mut dropped) = (Batch::new(size), None, DroppedMembers::default());
    let rejects = for_each_valid(input, progress, |number, line| {
        let document = dropped.drop_from(line.into_document(), is_reserved);
        example.get_or_insert_with(|| document.id.clone());
        batch.add(number, document);
        if batch.is_full() {
            batches.send(mem::replace(&mut batch, Batch::new(size))).map_err(|_| abandoned())?;
        } else if batch.is_worthwhile() {
            match batches.try_send(mem::replace(&mut batch, Batch::new(size))) {
                Ok(()) => {}
                Err(TrySendError::Full(kept)) => batch = kept,
                Err(TrySendError::Disconnected(_)) => return Err(abandoned()),
            }
        }
        Ok(())
    })?;
    Ok(ReadOutcome { rejects, dropped, last: batch, example })
}
