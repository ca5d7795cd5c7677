//! `export`: writes the stored documents as lines that `import` takes back, one JSON document a line.
//!
//! Invariant: a document is written as it is stored, but for line breaks between its members, which become spaces; and
//! a file is there under its name only once it is whole. What is written holds password hashes: it is the one place of
//! this program that lets them out, and it says so.

mod command;
mod destination;
mod sorted;

pub use command::run_command;
pub use destination::{Destination, Existing, NewFile, refuse_own_files};
pub use sorted::Scratch;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::bucket::CommandBucket;
use super::import::check_line;
use super::rate::Rate;
use crate::bucket::{BucketTimeouts, Cursor, Database, Listed, Order, write_line};
use crate::clock;
use crate::files;
use crate::model::DocumentId;

/// The first page has this many documents; later ones follow from the size of what came.
const FIRST_PAGE: usize = 100;

/// No page has more documents than this.
const LONGEST_PAGE: usize = 1_000;

/// Pages are to have about so many bytes: enough to make the exchange worth it, and little to hold in memory.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// What became of an export. Its `Display` is the summary for the person who asked for it.
#[derive(Debug, Default)]
pub struct ExportOutcome {
    /// How many documents were written.
    pub documents: u64,
    /// How many of them `import` would not store as they are stored now.
    pub unfit: u64,
    /// The first of these, and why.
    pub first_unfit: Option<(DocumentId, String)>,
    /// How many were not written, because their bytes are not UTF-8 and so no line of JSON.
    pub unreadable: u64,
    /// From the first document to the last.
    pub took: Duration,
}

impl fmt::Display for ExportOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { documents, unfit, first_unfit, unreadable, took } = self;
        let noun = if *documents == 1 { "document" } else { "documents" };
        write!(f, "{documents} {noun} exported")?;
        if *unreadable > 0 {
            write!(f, ", {unreadable} left out that are not UTF-8")?;
        }
        if let Some((id, reason)) = first_unfit {
            let first = id.as_str();
            write!(f, ", {unfit} of which `import` would not store like that (the first is {first:?}: {reason})")?;
        }
        write!(f, " ({})", Rate { count: *documents, took: *took })
    }
}

impl ExportOutcome {
    fn count(&mut self, listed: &Listed) {
        self.documents += 1;
        let reason = match check_line(listed.document.text()) {
            Ok(line) if line.id() == listed.id => return,
            Ok(_) => "its username is that of another document".to_owned(),
            Err(rejection) => rejection.to_string(),
        };
        self.unfit += 1;
        self.first_unfit.get_or_insert_with(|| (listed.id.clone(), reason));
    }
}

/// Exports all documents that the database lists, in the order of their ids, with a running count on standard error if that
/// is a terminal. What is kept on disk meanwhile is in `scratch`. `leave_out` is called with each document that is not UTF-8,
/// which is not written. Blocks until it is done; each page has its own deadline of the batch timeout.
///
/// # Errors
/// If the database cannot list its documents, or `output` cannot be written to.
pub fn run(
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    output: &mut dyn Write,
    progress: &ProgressBar,
    scratch: &Scratch,
    leave_out: &mut dyn FnMut(&DocumentId),
) -> anyhow::Result<ExportOutcome> {
    let start = clock::now();
    let mut unreadable = 0;
    let leave_out = &mut |id: &DocumentId| {
        unreadable += 1;
        leave_out(id);
    };
    let outcome = match database.order() {
        Order::Ids => write_all(database, timeouts, output, progress, leave_out)?,
        Order::Own => {
            let copy = sorted::copy(database, timeouts, scratch, leave_out)?;
            write_all(copy.database(), timeouts, output, progress, leave_out)?
        }
    };
    output.flush().context("the documents cannot be written")?;
    progress.finish_and_clear();
    Ok(ExportOutcome { unreadable, took: clock::now() - start, ..outcome })
}

fn write_all(
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    output: &mut dyn Write,
    progress: &ProgressBar,
    leave_out: &mut dyn FnMut(&DocumentId),
) -> anyhow::Result<ExportOutcome> {
    let mut outcome = ExportOutcome::default();
    for_each_page(database, timeouts, |documents| {
        for listed in documents {
            if std::str::from_utf8(listed.document.text()).is_err() {
                leave_out(&listed.id);
                continue;
            }
            write_line(output, listed.document.text()).context("the documents cannot be written")?;
            outcome.count(listed);
        }
        progress.set_position(outcome.documents);
        Ok(())
    })?;
    Ok(outcome)
}

/// Calls `take` with the documents of each page.
fn for_each_page(
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    mut take: impl FnMut(&[Listed]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut bucket = CommandBucket::new(database, timeouts);
    let (mut after, mut most, mut documents) = (None::<Cursor>, FIRST_PAGE, 0);
    loop {
        let page = bucket
            .call(|bucket| bucket.list(after.as_ref(), most))
            .with_context(|| format!("{documents} documents were read, and then no more"))?;
        take(&page.documents)?;
        documents += page.documents.len();
        most = next_page(&page.documents, most);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// How many documents the next page is to have, if they are like those of this one.
fn next_page(page: &[Listed], most: usize) -> usize {
    let bytes: usize = page.iter().map(|listed| listed.document.text().len()).sum();
    match bytes.checked_div(page.len()) {
        Some(average) => (PAGE_BYTES / average.max(1)).clamp(1, LONGEST_PAGE),
        None => most,
    }
}

/// A sentence for standard output that is a file which others may read.
#[must_use]
pub fn exposed_output() -> Option<String> {
    files::exposure(&std::fs::read_link("/proc/self/fd/1").ok()?)
}

/// A running count, unless nobody looks, or it would stand among the documents.
#[must_use]
pub fn progress_bar(destination: &Destination) -> ProgressBar {
    let is_in_the_way = *destination == Destination::StandardOutput && io::stdout().is_terminal();
    if is_in_the_way || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    match ProgressStyle::with_template("{spinner} {pos} documents in {elapsed}, {rate} a second") {
        Ok(style) => bar.with_style(style.with_key("rate", |state: &ProgressState, text: &mut dyn fmt::Write| {
            // Writing into a string cannot fail.
            let _ = write!(text, "{:.0}", state.per_sec());
        })),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests;
