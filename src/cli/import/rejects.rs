//! The file that says which lines were not stored, and why: one JSON object a line.
//!
//! Invariant: it never holds anything of a rejected line, which may hold a password hash; and after a run without
//! rejects there is no such file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::line::Rejection;

/// The rejects of one run.
pub(super) struct Rejects {
    path: PathBuf,
    /// Made with the first reject.
    file: Option<BufWriter<File>>,
    failure: Option<io::Error>,
    count: u64,
    first: Option<(u64, Rejection)>,
}

/// What became of the rejects of one run, for the summary.
#[derive(Debug)]
pub struct RejectsReport {
    /// Where they are written, if there are any.
    pub path: PathBuf,
    /// The first one: its line, and why it was not stored.
    pub first: Option<(u64, Rejection)>,
    /// Why they could not be written. The import itself goes on without them.
    pub failure: Option<io::Error>,
}

/// One line of the file.
#[derive(Serialize)]
struct Reject<'a> {
    line: u64,
    reason: &'a str,
}

impl Rejects {
    /// Takes away what an earlier run has left.
    pub(super) fn new(path: PathBuf) -> Self {
        // If it cannot be removed, the first reject will find that it cannot be written either.
        let _ = fs::remove_file(&path);
        Self { path, file: None, failure: None, count: 0, first: None }
    }

    /// Takes note of a reject. Never fails: that a note cannot be written must not stop an import.
    pub(super) fn add(&mut self, line: u64, rejection: Rejection) {
        self.count += 1;
        if self.failure.is_none() {
            self.failure = self.write(line, &rejection.to_string()).err();
        }
        self.first.get_or_insert((line, rejection));
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Writes out what is still in memory.
    pub(super) fn finish(mut self) -> RejectsReport {
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        RejectsReport { failure: self.failure.or(flushed.err()), path: self.path, first: self.first }
    }

    fn write(&mut self, line: u64, reason: &str) -> io::Result<()> {
        let mut text = serde_json::to_vec(&Reject { line, reason })?;
        text.push(b'\n');
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(File::create(&self.path)?)),
        };
        file.write_all(&text)
    }
}
