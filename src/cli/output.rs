//! How a command prints what it found: for people, or as one JSON document for scripts.
//!
//! Invariant: a document is printed whole, at the end of a command, and nothing else is on standard output beside it.

use std::io::{self, Write};

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;

/// The form of what a command prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// One JSON document on standard output, for scripts
    Json,
}

/// Writes one document, indented, with a line break behind it.
///
/// # Errors
/// What writing to `out` failed with.
pub fn print_json(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)?;
    out.flush()
}

/// Returns what printing came to. A reader that went away before the end, as `head` does, has seen what it wanted.
///
/// # Errors
/// Any other failure to write to standard output.
pub fn printed(outcome: io::Result<()>) -> anyhow::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("cannot write to standard output"),
    }
}
