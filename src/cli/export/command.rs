//! `export` as a command: where it goes, what is told about it, and what a signal leaves.
//!
//! Invariant: a signal leaves neither a file nor a copy of the documents.

use std::io::{self, BufWriter};

use super::{Destination, Existing, NewFile, Scratch, exposed_output, progress_bar, refuse_own_files, run};
use crate::bucket::{BucketTimeouts, Database};
use crate::cli::exit::{Exit, tell_user};
use crate::cli::interruption::{FOR_COMMANDS, Interruption};
use crate::model::DocumentId;

/// Exports all documents, and tells how it went.
///
/// # Errors
/// As [`run`], and if the file cannot be made.
pub fn run_command(
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    destination: &Destination,
    existing: Existing,
) -> anyhow::Result<Exit> {
    tell_user("what is exported holds password hashes: keep it as secret as the database itself");
    let progress = progress_bar(destination);
    let leave_out = &mut |id: &DocumentId| {
        tell_user(&format!(
            "{:?} is left out: it has bytes that are not UTF-8; correct it in the database",
            id.as_str()
        ));
    };
    let scratch = Scratch::default();
    let its_own = scratch.clone();
    let outcome = match destination {
        Destination::StandardOutput => {
            if let Some(warning) = exposed_output() {
                tell_user(&warning);
            }
            let _interruption = Interruption::watch(&FOR_COMMANDS, Exit::Failed, move || {
                its_own.remove();
                tell_user("interrupted: what was written is not complete");
            })?;
            let mut output = BufWriter::new(io::stdout().lock());
            run(database, timeouts, &mut output, &progress, &scratch, leave_out)?
        }
        Destination::File(path) => {
            refuse_own_files(database, path)?;
            let mut file = NewFile::begin(path, existing)?;
            let temporary = file.temporary_path().map(std::path::Path::to_owned);
            let interruption = Interruption::watch(&FOR_COMMANDS, Exit::Failed, move || {
                // If it is gone already, so much the better.
                let _ = temporary.as_ref().map(std::fs::remove_file);
                its_own.remove();
                tell_user("interrupted: no file was written");
            })?;
            let outcome = run(database, timeouts, &mut file, &progress, &scratch, leave_out)?;
            interruption.shield(|| file.finish())?;
            outcome
        }
    };
    tell_user(&outcome.to_string());
    Ok(if outcome.unreadable == 0 { Exit::Done } else { Exit::SomeRejected })
}
