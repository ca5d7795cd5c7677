//! Where one reads which lines were not stored, and why: two files beside the imported one, or standard error where there
//! is no such place.
//!
//! `FILE.rejected.jsonl` has the lines themselves, to be corrected and imported again; `FILE.rejected.txt` has their numbers
//! and the reasons.
//!
//! Invariant: a rejected line may hold a password hash, so it is written into a file of its owner's only and nowhere else;
//! and after a run without rejects there are no such files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::line::Rejection;

/// Where the rejects of one run go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RejectsPlace {
    /// Beside the file that is imported.
    Files {
        /// The lines.
        lines: PathBuf,
        /// Their numbers and the reasons.
        reasons: PathBuf,
    },
    /// Numbers and reasons on standard error: what is imported is no regular file.
    StandardError,
}

impl RejectsPlace {
    /// The place for what is imported from this path: `FILE.rejected.jsonl` for `FILE.jsonl`.
    #[must_use]
    pub fn beside(path: &Path) -> Self {
        let stem = if path.extension().is_some_and(|extension| extension == "jsonl") {
            path.with_extension("")
        } else {
            path.to_owned()
        };
        let with = |ending: &str| {
            let mut name = stem.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        Self::Files { lines: with(".rejected.jsonl"), reasons: with(".rejected.txt") }
    }
}

/// The rejects of one run.
pub(super) struct Rejects {
    place: RejectsPlace,
    /// Made with the first reject.
    files: Option<(BufWriter<File>, BufWriter<File>)>,
    failure: Option<io::Error>,
    count: u64,
    first: Option<(u64, Rejection)>,
}

/// What became of the rejects of one run, for the summary.
#[derive(Debug)]
pub struct RejectsReport {
    /// Where they are written, if there are any.
    pub place: RejectsPlace,
    /// The first one: its line, and why it was not stored.
    pub first: Option<(u64, Rejection)>,
    /// Why they could not be written. The import itself goes on without them.
    pub failure: Option<io::Error>,
}

impl Rejects {
    /// Removes what an earlier run has left.
    pub(super) fn new(place: RejectsPlace) -> Self {
        if let RejectsPlace::Files { lines, reasons } = &place {
            // If one cannot be removed, the first reject will find that it cannot be written either.
            let _ = fs::remove_file(lines);
            let _ = fs::remove_file(reasons);
        }
        Self { place, files: None, failure: None, count: 0, first: None }
    }

    /// Records a reject. Never fails: that it cannot be written down must not stop an import.
    pub(super) fn add(&mut self, number: u64, text: &[u8], rejection: Rejection) {
        self.count += 1;
        if self.failure.is_none() {
            self.failure = self.write(number, text, &rejection).err();
        }
        self.first.get_or_insert((number, rejection));
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Writes out what is still in memory.
    pub(super) fn finish(mut self) -> RejectsReport {
        let flushed = self.files.as_mut().map_or(Ok(()), |(lines, reasons)| lines.flush().and(reasons.flush()));
        RejectsReport { failure: self.failure.or(flushed.err()), place: self.place, first: self.first }
    }

    fn write(&mut self, number: u64, text: &[u8], rejection: &Rejection) -> io::Result<()> {
        let (lines_path, reasons_path) = match &self.place {
            RejectsPlace::Files { lines, reasons } => (lines, reasons),
            RejectsPlace::StandardError => return writeln!(io::stderr(), "userprofiles: line {number}: {rejection}"),
        };
        let (lines, reasons) = match &mut self.files {
            Some(files) => files,
            none => none.insert((create(lines_path)?, create(reasons_path)?)),
        };
        writeln!(reasons, "line {number}: {rejection}")?;
        // Of a line that is too long, only the beginning is there, which is of no use to anybody.
        if rejection.is_too_large() { Ok(()) } else { lines.write_all(text).and_then(|()| lines.write_all(b"\n")) }
    }
}

fn create(path: &Path) -> io::Result<BufWriter<File>> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(BufWriter::new)
}
