//! `import`: stores the documents of a file, one JSON object a line.
//!
//! Lines are checked one by one and stored in batches, and storing a batch again changes nothing. So an import that was
//! interrupted at any moment is completed by running it again. A signal takes effect once the current batch is stored.
//!
//! Invariant: works through the traits of `bucket` only, and so the same with every database.

mod batch;
mod format;
mod line;
mod lines;
mod rejects;
mod reserved;

pub use line::{Rejection, parse_line};
pub use rejects::{RejectsPlace, RejectsReport};
pub use reserved::DroppedMembers;

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::interruption::Interruption;
use crate::bucket::{BucketTimeouts, Database};
use crate::model::DocumentId;
use batch::{Batch, Store};
use lines::Lines;
use rejects::Rejects;

/// Where documents are imported from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportSource {
    /// `-`
    StandardInput,
    /// A file, or anything that can be read like one.
    File(PathBuf),
}

impl ImportSource {
    /// Takes an argument of the command line.
    #[must_use]
    pub fn from_argument(argument: &OsStr) -> Self {
        if argument == "-" { Self::StandardInput } else { Self::File(PathBuf::from(argument)) }
    }
}

/// What became of an import. Its `Display` is the summary for the person who asked for it.
#[derive(Debug)]
pub struct ImportOutcome {
    /// Lines whose document is stored; two lines for one user count twice, and the later one is what is stored.
    pub stored: u64,
    /// Lines that were not stored.
    pub rejected: u64,
    /// Where to read about these.
    pub rejects: RejectsReport,
    /// Members that were not stored.
    pub dropped: DroppedMembers,
    /// A document that is stored now, if any is.
    pub example: Option<DocumentId>,
}

impl fmt::Display for ImportOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, rejected, rejects, dropped, .. } = self;
        let Some((line, reason)) = &rejects.first else {
            return write!(f, "{} stored, none rejected{dropped}", lines(*stored));
        };
        write!(f, "{} stored, {rejected} rejected (the first is line {line}: {reason}); ", lines(*stored))?;
        match (&rejects.place, &rejects.failure) {
            (RejectsPlace::StandardError, _) => write!(f, "the reasons are above"),
            (RejectsPlace::Files { lines, reasons }, None) => {
                write!(f, "correct {} and import it; {} says why", lines.display(), reasons.display())
            }
            (RejectsPlace::Files { lines, .. }, Some(error)) => {
                write!(f, "they could not be written to {} ({error})", lines.display())
            }
        }?;
        write!(f, "{dropped}")
    }
}

fn lines(count: u64) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}

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
    match source {
        ImportSource::StandardInput => {
            let (place, file) = (RejectsPlace::StandardError, "FILE");
            import(
                database,
                timeouts,
                Input { reader: io::stdin().lock(), place, file },
                &progress_bar(None),
                interruption,
            )
            .context("standard input was not imported completely")
        }
        ImportSource::File(path) => {
            let not_opened = || format!("{} cannot be opened: name a file with one document a line", path.display());
            let file = File::open(path).with_context(not_opened)?;
            let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
            // A pipe or a device has no neighbours.
            let place = size.map_or(RejectsPlace::StandardError, |_| RejectsPlace::beside(path));
            let name = path.display().to_string();
            let input = Input { reader: BufReader::new(file), place, file: &name };
            import(database, timeouts, input, &progress_bar(size), interruption)
                .with_context(|| format!("{name} was not imported completely"))
        }
    }
}

/// What is imported.
struct Input<'a, R> {
    reader: R,
    place: RejectsPlace,
    /// Its name in a command.
    file: &'a str,
}

/// As [`run`], from any input.
fn import(
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    mut input: Input<'_, impl BufRead>,
    progress: &ProgressBar,
    interruption: &Interruption,
) -> anyhow::Result<ImportOutcome> {
    if let Some(advice) = format::advice(input.reader.fill_buf().context("reading it failed")?, input.file) {
        bail!("one JSON document a line is wanted, and {advice}");
    }
    let mut lines = Lines::new(input.reader);
    let mut rejects = Rejects::new(input.place);
    let mut store = Store::new(database, timeouts);
    let mut batch = Batch::default();
    let mut example = None;
    let mut dropped = DroppedMembers::default();
    while let Some(line) = lines.next().context("reading it failed")? {
        progress.set_position(line.bytes_read);
        if is_blank(line.text) {
            continue;
        }
        match parse_line(line.text) {
            Ok(document) => {
                example.get_or_insert_with(|| document.id.clone());
                batch.add(line.number, dropped.drop_from(document, database));
            }
            Err(rejection) => rejects.add(line.number, line.text, rejection),
        }
        if batch.is_full() {
            interruption.shield(|| store.store(&std::mem::take(&mut batch)))?;
            if interruption.stop_requested() {
                let stored = store.stored_lines();
                bail!(
                    "interrupted: {stored} lines are stored, none of them half. Importing the whole file once more is safe"
                );
            }
        }
    }
    interruption.shield(|| store.store(&batch))?;
    progress.finish_and_clear();
    let (stored, rejected) = (store.stored_lines(), rejects.count());
    Ok(ImportOutcome { stored, rejected, rejects: rejects.finish(), dropped, example })
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// A bar for an input whose size in bytes is known, a running count for another, and nothing at all where nobody
/// looks.
fn progress_bar(size: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match size {
        Some(bytes) => (ProgressBar::new(bytes), "{wide_bar} {bytes} of {total_bytes}, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {bytes} in {elapsed}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests;
