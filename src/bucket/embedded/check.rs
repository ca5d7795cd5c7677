//! The steps of `check` for the embedded database.
//!
//! Invariant: makes no file and changes none (besides the log files that `SQLite` itself makes and removes).

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::file::DatabaseFile;
use super::{FileConnection, failure, schema};
use crate::bucket::report::Report;
use crate::bucket::{Bucket, BucketError, BucketTimeouts};
use crate::clock::{self, Deadline};
use crate::model::DocumentId;

/// The rights of others than the owner, in a file's mode.
const OTHERS: u32 = 0o077;

/// Checks the file: whether it is there, who may use it, whose it is, and whether it can be read.
pub fn run(path: &Path, timeouts: &BucketTimeouts, report: &mut Report) {
    report.passed("settings", "[bucket] database = \"embedded\"");
    let file = match DatabaseFile::existing(path) {
        Ok(file) => file,
        Err(error) => {
            report.failed("file", error.reason());
            return report.skip_all(&["permissions", "schema", "read"], "file");
        }
    };
    let Some(metadata) = step(report, "file", fs::metadata(&file.path), &file.path) else {
        return report.skip_all(&["permissions", "schema", "read"], "file");
    };
    report.passed("file", format!("{}, {} bytes", file.path.display(), metadata.len()));
    if let Some(error) = failure::why_not_usable(&file.path) {
        report.failed("permissions", error.reason());
        return report.skip_all(&["schema", "read"], "permissions");
    }
    report.passed("permissions", permissions(&file.path, &metadata));
    let deadline = Deadline::after(clock::now(), timeouts.operation);
    let look = || -> Result<_, BucketError> {
        let connection = FileConnection::open(std::sync::Arc::new(file), None, deadline)?;
        Ok((schema::look(&connection.connection, &connection.file.path)?, connection))
    };
    match look() {
        Err(error) => {
            report.failed("schema", error.reason());
            report.skip_all(&["read"], "schema");
        }
        Ok((schema::TableState::Missing, _)) => {
            report.passed("schema", "the file is empty: `serve` or `import` makes the schema");
            report.skipped("read", "there is nothing in it yet");
        }
        Ok((schema::TableState::Ready, mut connection)) => {
            report.passed("schema", format!("version {}", schema::SCHEMA_VERSION));
            read(&mut connection, report);
        }
    }
}

fn read(connection: &mut FileConnection, report: &mut Report) {
    match connection.get(&DocumentId::sentinel()) {
        // Whatever is stored there: it was read.
        Ok(_) | Err(BucketError::InvalidDocument(_)) => report.passed("read", "a document was looked for"),
        Err(error) => report.failed("read", error.reason()),
    }
}

fn permissions(path: &Path, metadata: &Metadata) -> String {
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS == 0 {
        return format!("mode {mode:04o}: its owner's only");
    }
    format!(
        "mode {mode:04o}: others than its owner may use it, and it holds password hashes; better: chmod 600 {}",
        path.display()
    )
}

fn step<T>(report: &mut Report, name: &'static str, outcome: io::Result<T>, path: &Path) -> Option<T> {
    outcome.map_err(|error| report.failed(name, failure::from_file_system(path, &error).reason())).ok()
}
