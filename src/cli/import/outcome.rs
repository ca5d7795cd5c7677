//! What became of an import: the summary for the person who asked for it, and the same for scripts.
//!
//! Invariant: nothing of a document is in it but its line number, the rule that it breaks, and names of members.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::rejects::{RejectsPlace, RejectsReport};
use super::reserved::DroppedMembers;
use crate::cli::rate::Rate;
use crate::model::DocumentId;

/// What was done with the lines that are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// They are stored.
    Stored,
    /// They were only checked: `--dry-run`.
    Checked,
}

/// What became of an import. Its `Display` is the summary for the person who asked for it.
#[derive(Debug)]
pub struct ImportOutcome {
    /// What was done with the valid lines.
    pub treatment: Treatment,
    /// How many there are; two lines for one user count twice, and the later one is what is stored.
    pub valid: u64,
    /// Lines that were not stored.
    pub rejected: u64,
    /// Where to read about these.
    pub rejects: RejectsReport,
    /// Members that were not stored.
    pub dropped: DroppedMembers,
    /// A document that is stored now, if any is.
    pub example: Option<DocumentId>,
    /// From the first line to the last.
    pub took: Duration,
}

impl fmt::Display for ImportOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { treatment, valid, rejected, rejects, dropped, took, .. } = self;
        let lines = if *valid == 1 { "line" } else { "lines" };
        let treated = match treatment {
            Treatment::Stored => "stored",
            Treatment::Checked => "valid",
        };
        write!(f, "{valid} {lines} {treated}, ")?;
        match &rejects.first {
            None => write!(f, "none rejected")?,
            Some((line, reason)) => write!(f, "{rejected} rejected (the first is line {line}: {reason})")?,
        }
        if *treatment == Treatment::Checked {
            write!(f, "; nothing was stored")?;
        }
        if rejects.first.is_some() {
            match (&rejects.place, &rejects.failure) {
                (RejectsPlace::StandardError, _) => write!(f, "; the reasons are above"),
                (RejectsPlace::Files { lines, reasons }, None) => {
                    write!(f, "; correct {} and import it; {} says why", lines.display(), reasons.display())
                }
                (RejectsPlace::Files { lines, .. }, Some(error)) => {
                    write!(f, "; they could not be written to {} ({error})", lines.display())
                }
            }?;
        }
        write!(f, "{dropped} ({})", Rate { count: valid + rejected, took: *took })
    }
}

/// What `import --format json` prints.
#[derive(Serialize)]
pub struct ImportDocument {
    dry_run: bool,
    valid: u64,
    stored: u64,
    rejected: u64,
    first_rejected: Option<RejectedLine>,
    /// `null`: there are none, or they could not be written.
    rejects: Option<RejectsFiles>,
    dropped_members: u64,
    seconds: f64,
}

#[derive(Serialize)]
struct RejectedLine {
    line: u64,
    reason: String,
}

#[derive(Serialize)]
struct RejectsFiles {
    lines: String,
    reasons: String,
}

impl From<&ImportOutcome> for ImportDocument {
    fn from(outcome: &ImportOutcome) -> Self {
        let ImportOutcome { treatment, valid, rejected, rejects, dropped, took, .. } = outcome;
        let stored = if *treatment == Treatment::Stored { *valid } else { 0 };
        let first = rejects.first.as_ref();
        let files = match (&rejects.place, &rejects.failure) {
            (RejectsPlace::Files { lines, reasons }, None) if first.is_some() => {
                Some(RejectsFiles { lines: lines.display().to_string(), reasons: reasons.display().to_string() })
            }
            _ => None,
        };
        Self {
            dry_run: *treatment == Treatment::Checked,
            valid: *valid,
            stored,
            rejected: *rejected,
            first_rejected: first.map(|(line, reason)| RejectedLine { line: *line, reason: reason.to_string() }),
            rejects: files,
            dropped_members: dropped.count,
            seconds: took.as_secs_f64(),
        }
    }
}
