//! `import`: stores the documents of a file, one JSON object a line.
//!
//! Lines are checked one by one in one thread, and stored in batches by another, and storing a batch again changes nothing. So an import that was
//! interrupted at any moment is completed by running it again. A signal takes effect once the current batch is stored.
//!
//! Invariant: works through the traits of `bucket` only, and so the same with every database.

mod batch;
mod command;
mod format;
mod line;
mod lines;
mod outcome;
mod reading;
mod rejects;
mod reserved;
mod source;

pub use command::run_command;
pub use line::{Rejection, ValidLine, check_line, parse_line};
pub use outcome::{ImportOutcome, Treatment};
pub use rejects::{RejectsPlace, RejectsReport};
pub use reserved::DroppedMembers;
pub use source::ImportSource;

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::interruption::Interruption;
use crate::bucket::{BucketTimeouts, Database};
use crate::clock;
use batch::Store;
use lines::Lines;
use reading::{ReadOutcome, Reading};
use rejects::Rejects;
use source::Input;

/// The progress bar is told after so many lines.
const LINES_PER_UPDATE: u64 = 256;

/// Imports all of `source`, with a progress bar on standard error if that is a terminal. Blocks until it is done; each
/// batch has its own deadline of the N1QL timeout.
///
/// # Errors
/// If the source cannot be read, a batch cannot be stored, or it was interrupted. Rejected lines are no error: see [`ImportOutcome`].
pub fn run(
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    source: &ImportSource,
    interruption: &Interruption,
) -> anyhow::Result<ImportOutcome> {
    let input = source.open()?;
    let not_complete = format!("{} was not imported completely", input.name);
    let progress = progress_bar(input.bytes);
    store_lines(database, timeouts, input, progress, interruption).context(not_complete)
}

/// Checks all of `source` as [`run`] does, and writes nothing: the reasons of rejected lines go to standard error.
///
/// # Errors
/// If the source cannot be read.
pub fn check(source: &ImportSource) -> anyhow::Result<ImportOutcome> {
    let input = Input { place: RejectsPlace::StandardError, ..source.open()? };
    let not_complete = format!("{} was not checked completely", input.name);
    let progress = progress_bar(input.bytes);
    let (start, mut valid) = (clock::now(), 0);
    let rejects = for_each_valid(input, &progress, |_, _| {
        valid += 1;
        Ok(())
    });
    let rejects = rejects.context(not_complete)?;
    Ok(ImportOutcome {
        treatment: Treatment::Checked,
        valid,
        rejected: rejects.count(),
        rejects: rejects.finish(),
        dropped: DroppedMembers::default(),
        example: None,
        took: clock::now() - start,
    })
}

/// As [`run`], from any input.
fn store_lines(
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    input: Input<impl BufRead + Send + 'static>,
    progress: ProgressBar,
    interruption: &Interruption,
) -> anyhow::Result<ImportOutcome> {
    let start = clock::now();
    let reading = Reading::start(input, database, progress).context("cannot start a thread")?;
    let mut store = Store::new(database, timeouts);
    let stored = store_batches(&reading, &mut store, interruption);
    if let Err(error) = stored {
        reading.abandon();
        return Err(error);
    }
    let (ReadOutcome { rejects, dropped, example }, last) = reading.finish()?;
    interruption.shield(|| store.store(&last))?;
    Ok(ImportOutcome {
        treatment: Treatment::Stored,
        valid: store.stored_lines(),
        rejected: rejects.count(),
        rejects: rejects.finish(),
        dropped,
        example,
        took: clock::now() - start,
    })
}

fn store_batches(reading: &Reading, store: &mut Store<'_>, interruption: &Interruption) -> anyhow::Result<()> {
    while let Some(batch) = reading.next() {
        interruption.shield(|| store.store(&batch))?;
        if interruption.stop_requested() {
            let stored = store.stored_lines();
            bail!(
                "interrupted: {stored} lines are stored, none of them half. Importing the whole file once more is safe"
            );
        }
    }
    Ok(())
}

/// Reads all lines, calls `take` with the number of each that is valid, and returns the others.
fn for_each_valid(
    mut input: Input<impl BufRead>,
    progress: &ProgressBar,
    mut take: impl FnMut(u64, ValidLine<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Rejects> {
    let failed = "reading it failed";
    if let Some(advice) = format::advice(input.reader.fill_buf().context(failed)?, &input.argument) {
        bail!("one JSON document a line is wanted, and {advice}");
    }
    let mut lines = Lines::new(input.reader);
    let mut rejects = Rejects::new(input.place);
    while let Some(line) = lines.next().context(failed)? {
        if line.number.is_multiple_of(LINES_PER_UPDATE) {
            progress.set_position(line.bytes_read);
            progress.set_message(format!("{} lines", line.number));
        }
        if is_blank(line.text) {
            continue;
        }
        match check_line(line.text) {
            Ok(valid) => take(line.number, valid)?,
            Err(rejection) => rejects.add(line.number, line.text, rejection),
        }
    }
    progress.finish_and_clear();
    Ok(rejects)
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// A bar for an input whose size in bytes is known, a running count for another, and nothing at all where nobody
/// looks.
fn progress_bar(bytes: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match bytes {
        Some(bytes) => {
            (ProgressBar::new(bytes), "{wide_bar} {msg}, {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
        }
        None => (ProgressBar::no_length(), "{spinner} {msg}, {bytes} in {elapsed}, {bytes_per_sec}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style).with_message("0 lines"),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests;
