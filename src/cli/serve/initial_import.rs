//! `serve --import`: the documents that are stored before the server starts.
//!
//! Invariant: a signal ends it between two batches, so that no document is stored by half.

use std::ffi::OsStr;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::bucket::{BucketTimeouts, Database};
use crate::cli::Exit;
use crate::cli::import::{self, ImportSource};
use crate::cli::interruption::Interruption;
use crate::model::DocumentId;
use crate::observe::{Observation, Observer};

/// How it ended.
pub enum InitialImport {
    /// The file was read to its end.
    Done {
        /// A document that is stored now, if any is.
        example: Option<DocumentId>,
    },
    /// By a signal.
    Interrupted,
}

/// Imports `file`. Rejected lines are reported, and no error.
///
/// # Errors
/// If the file cannot be read, or a batch cannot be stored.
pub fn run(
    file: &OsStr,
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    observer: &Observer,
) -> anyhow::Result<InitialImport> {
    // A signal between two batches ends it at once, also while it waits for a slow pipe.
    let interruption = {
        let observer = observer.clone();
        Interruption::watch(&[SIGTERM, SIGINT], Exit::Done, move || {
            observer.emit(&Observation::Stopped);
            log::logger().flush();
        })?
    };
    let outcome = match import::run(database, timeouts, &ImportSource::from_argument(file), &interruption) {
        Err(error) if interruption.stop_requested() => {
            observer.emit(&Observation::ImportInterrupted { reason: &format_args!("{error:#}") });
            observer.emit(&Observation::Stopped);
            return Ok(InitialImport::Interrupted);
        }
        outcome => outcome?,
    };
    observer.emit(&Observation::Imported { rejected: outcome.rejected, summary: &outcome });
    Ok(InitialImport::Done { example: outcome.example })
}
