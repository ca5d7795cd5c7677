//! The steps of `check` for the embedded database.
//!
//! Invariant: makes no file and changes none (beside the log files that `SQLite` itself makes and removes).

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{Access, access};

use super::file::DatabaseFile;
use super::{FileConnection, failure, schema};
use crate::bucket::check::{Walk, reason};
use crate::bucket::{Bucket, BucketError};
use crate::clock::{self, Deadline};
use crate::config::BucketSettings;
use crate::model::DocumentId;

/// The rights of others than the owner, in a file's mode.
const OTHERS: u32 = 0o077;

/// Looks at the file: whether it is there, who may use it, whose it is, and whether it can be read.
pub fn run(path: &Path, settings: &BucketSettings, walk: &mut Walk) {
    walk.passed("settings", "[bucket] database = \"embedded\"");
    let file = match DatabaseFile::find(path) {
        Ok(Some(file)) => file,
        Ok(None) => return not_there_yet(path, walk),
        Err(error) => {
            walk.failed("file", reason(&error));
            return skip(walk, &["permissions", "schema", "read"], "file");
        }
    };
    let Some(metadata) = step(walk, "file", fs::metadata(&file.path), &file.path) else {
        return skip(walk, &["permissions", "schema", "read"], "file");
    };
    walk.passed("file", format!("{}, {} bytes", file.path.display(), metadata.len()));
    if let Some(error) = failure::why_not_usable(&file.path) {
        walk.failed("permissions", reason(&error));
        return skip(walk, &["schema", "read"], "permissions");
    }
    walk.passed("permissions", permissions(&file.path, &metadata));
    let deadline = Deadline::after(clock::now(), settings.operation_timeout);
    let look = || {
        let connection = FileConnection::open(std::sync::Arc::new(file), None, deadline)?;
        Ok((schema::look(&connection.connection, &connection.file.path)?, connection))
    };
    match look() {
        Err(error) => {
            walk.failed("schema", reason(&error));
            skip(walk, &["read"], "schema");
        }
        Ok((schema::Found::Nothing, _)) => {
            walk.passed("schema", "the file is empty: `serve` or `import` makes the schema");
            walk.skipped("read", "there is nothing in it yet");
        }
        Ok((schema::Found::Ready, mut connection)) => {
            walk.passed("schema", format!("version {}", schema::SCHEMA_VERSION));
            read(&mut connection, walk);
        }
    }
}

fn read(connection: &mut FileConnection, walk: &mut Walk) {
    match connection.get(&DocumentId::sentinel()) {
        // Whatever is stored there: it was read.
        Ok(_) | Err(BucketError::InvalidDocument(_)) => walk.passed("read", "a document was looked for"),
        Err(error) => walk.failed("read", reason(&error)),
    }
}

/// That is no failure: the first start makes it. But it must be able to.
fn not_there_yet(path: &Path, walk: &mut Walk) {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    walk.passed("file", format!("{} is not there yet: `serve` or `import` makes it", path.display()));
    let folder = path.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    match access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => walk.passed("permissions", format!("it can be made in {}", folder.display())),
        Err(error) => {
            let error = failure::from_file_system(&path, &error.into());
            walk.failed("permissions", reason(&error));
        }
    }
    skip(walk, &["schema", "read"], "file");
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

fn step<T>(walk: &mut Walk, name: &'static str, outcome: io::Result<T>, path: &Path) -> Option<T> {
    outcome.map_err(|error| walk.failed(name, reason(&failure::from_file_system(path, &error)))).ok()
}

fn skip(walk: &mut Walk, names: &[&'static str], why: &str) {
    for name in names {
        walk.skipped(name, format!("needs {why}"));
    }
}
