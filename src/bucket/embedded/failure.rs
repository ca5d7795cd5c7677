//! What the failures of `SQLite` and of the file system mean for a bucket, and what to do about them.
//!
//! Invariant: a reason names the file and a rule, never an id or a document. `SQLite`'s own words are not passed on,
//! since nothing says that they hold no value.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::ffi::{self, ErrorCode};
use rustix::fs::{Access, access};

use crate::bucket::BucketError;

fn misconfigured(path: &Path, what: &str) -> BucketError {
    BucketError::Misconfigured { reason: format!("[embedded] path: {} {what}", path.display()) }
}

fn unavailable(path: &Path, what: &str) -> BucketError {
    BucketError::Unavailable { reason: format!("{} {what}", path.display()) }
}

/// The deadline was over before anything was stored or read.
pub(super) fn too_late() -> BucketError {
    BucketError::Timeout { reason: "the SQLite file, with the time of the operation already over".to_owned() }
}

/// A folder, a device, a socket.
pub(super) fn not_a_file(path: &Path) -> BucketError {
    misconfigured(path, "is not a regular file (a folder or a device, perhaps): name a file")
}

/// There is no file, and nothing that is to be made.
pub(super) fn missing(path: &Path) -> BucketError {
    misconfigured(
        path,
        "is not there: correct the path (a relative one begins in the folder that the command runs in), or make the file \
         with `userprofiles import FILE.jsonl`",
    )
}

/// What is in the log of a file on a read-only disk cannot be read.
pub(super) fn log_on_read_only_disk(path: &Path) -> BucketError {
    misconfigured(
        path,
        "lies on a read-only disk, and the file of that name that ends in -wal holds changes that are not in it yet: mount \
         the disk for writing once and run `userprofiles get` on it, or copy both files elsewhere",
    )
}

/// There was a file at the start and there is none now.
pub(super) fn vanished(path: &Path) -> BucketError {
    misconfigured(
        path,
        "was deleted or moved away while this program ran: put it back if you can (it is used again at once), or \
         start the program again (it makes an empty file where there is none; --import FILE.jsonl fills it)",
    )
}

/// There is another file under this name than at the start.
pub(super) fn replaced(path: &Path) -> BucketError {
    misconfigured(
        path,
        "was replaced by another file while this program ran: stop the program, delete the files of that name that end \
         in -wal and -shm (they belong to the old file and would damage the new one), and start it again. Importing \
         into the file needs no stop",
    )
}

/// Made by somebody else.
pub(super) fn foreign(path: &Path) -> BucketError {
    misconfigured(path, "is the SQLite file of another program: name a file of its own for this one")
}

/// The documents table is not there, or not as it must be.
pub(super) fn wrong_table(path: &Path) -> BucketError {
    misconfigured(
        path,
        "lacks the table documents(id, body) as this program makes it: restore the file from a backup, or move it away \
         and import again",
    )
}

/// Its pages do not fit together.
fn damaged(path: &Path, how: &str) -> BucketError {
    misconfigured(
        path,
        &format!(
            "is damaged ({how}), or was overwritten while this program ran: stop the program first, then restore the file \
             from a backup, or move it away and import again"
        ),
    )
}

/// Its schema is a later one than this program knows.
pub(super) fn newer(path: &Path, version: i32, known: i32) -> BucketError {
    misconfigured(
        path,
        &format!(
            "was made by a newer userprofiles (schema {version}, this one knows {known}): use that version, or name \
             another file"
        ),
    )
}

/// It can be read and not written.
pub(super) fn read_only(path: &Path) -> BucketError {
    why_not_usable(path).unwrap_or_else(|| {
        misconfigured(
            path,
            "cannot be written to, which SQLite's write-ahead log needs even for reading: give this program the right \
             to write the file and its folder, on a disk that is not mounted read-only",
        )
    })
}

/// Where it lies, `SQLite`'s write-ahead log does not work.
pub(super) fn no_log(path: &Path) -> BucketError {
    misconfigured(path, "lies where SQLite cannot keep a write-ahead log (a network file system, perhaps): move it")
}

/// What a failure to find or make the file means.
pub(super) fn from_file_system(path: &Path, error: &io::Error) -> BucketError {
    let rights = "give this program the right to read and write the file and its folder, or name another file";
    let elsewhere = "make its folder, or name a file in a folder that exists";
    match error.kind() {
        ErrorKind::PermissionDenied => misconfigured(path, &format!("cannot be used ({error}): {rights}")),
        ErrorKind::ReadOnlyFilesystem => misconfigured(
            path,
            &format!("lies on a read-only disk ({error}): mount it for writing, or name another file"),
        ),
        ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::AlreadyExists
        | ErrorKind::InvalidInput
        | ErrorKind::InvalidFilename => misconfigured(path, &format!("cannot be made ({error}): {elsewhere}")),
        _ => unavailable(path, &format!("cannot be used now: {error}")),
    }
}

/// What a failure of `SQLite` means, at the start and later alike.
pub(super) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> BucketError {
    let code = match error {
        rusqlite::Error::SqliteFailure(code, _) | rusqlite::Error::SqlInputError { error: code, .. } => *code,
        rusqlite::Error::NulError(_) | rusqlite::Error::InvalidPath(_) => {
            return misconfigured(path, "is no path that SQLite takes: name another file");
        }
        _ => return unavailable(path, "could not be used: SQLite answered something that this program does not know"),
    };
    let number = code.extended_code;
    match code.code {
        ErrorCode::NotADatabase => {
            misconfigured(path, "is not an SQLite file, or is damaged: restore a back-up, or name another one")
        }
        ErrorCode::DatabaseCorrupt => damaged(path, &format!("SQLite {number}")),
        ErrorCode::ReadOnly if number == ffi::SQLITE_READONLY_DBMOVED => replaced(path),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => read_only(path),
        ErrorCode::CannotOpen => why_not_usable(path)
            .unwrap_or_else(|| unavailable(path, &format!("or a file beside it cannot be opened (SQLite {number})"))),
        // Plain SQLITE_ERROR: our statements are constants, so it is the table that does not fit them.
        ErrorCode::Unknown if number == ffi::SQLITE_ERROR => wrong_table(path),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            unavailable(path, &format!("is locked by another process for too long (SQLite {number})"))
        }
        ErrorCode::DiskFull => unavailable(path, "lies on a full disk: make room"),
        ErrorCode::SystemIoFailure => {
            unavailable(path, &format!("could not be read or written (SQLite {number}): see the system's log"))
        }
        ErrorCode::OutOfMemory => unavailable(path, "could not be used for want of memory"),
        _ => unavailable(path, &format!("could not be used (SQLite {number})")),
    }
}

/// Asks the file system why `SQLite` could not use the file; `None` if it sees no reason.
pub(super) fn why_not_usable(path: &Path) -> Option<BucketError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Some(vanished(path)),
        Err(error) => return Some(from_file_system(path, &error)),
        Ok(metadata) if !metadata.is_file() => return Some(not_a_file(path)),
        Ok(_) => {}
    }
    let folder = path.parent().unwrap_or(path);
    let file_access = access(path, Access::READ_OK | Access::WRITE_OK);
    let all = file_access.and_then(|()| access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK));
    all.err().map(|error| from_file_system(path, &error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter a meaning, so that the table below stays readable.
    fn meaning(error: &BucketError) -> char {
        match error {
            BucketError::Misconfigured { .. } => 'm',
            BucketError::Unavailable { .. } => 'u',
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_code_of_sqlite_has_the_meaning_of_spec_4() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("there.db");
        fs::write(&path, "").unwrap();
        for (code, expected, word) in [
            (ffi::SQLITE_CORRUPT, 'm', "damaged"),
            (ffi::SQLITE_CORRUPT_INDEX, 'm', "damaged"),
            (ffi::SQLITE_NOTADB, 'm', "not an SQLite file"),
            (ffi::SQLITE_READONLY, 'm', "cannot be written"),
            (ffi::SQLITE_READONLY_DBMOVED, 'm', "replaced"),
            (ffi::SQLITE_PERM, 'm', "cannot be written"),
            (ffi::SQLITE_ERROR, 'm', "table documents"),
            (ffi::SQLITE_BUSY, 'u', "locked"),
            (ffi::SQLITE_BUSY_RECOVERY, 'u', "locked"),
            (ffi::SQLITE_LOCKED, 'u', "locked"),
            (ffi::SQLITE_PROTOCOL, 'u', "locked"),
            (ffi::SQLITE_FULL, 'u', "full disk"),
            (ffi::SQLITE_IOERR, 'u', "read or written"),
            (ffi::SQLITE_IOERR_READ, 'u', "read or written"),
            (ffi::SQLITE_CANTOPEN, 'u', "cannot be opened"),
            (ffi::SQLITE_NOMEM, 'u', "memory"),
            (ffi::SQLITE_MISUSE, 'u', "SQLite 21"),
        ] {
            let marked = rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("marker-4711".to_owned()));
            let error = from_sqlite(&path, &marked);
            assert_eq!(meaning(&error), expected, "{code}: {error}");
            let told = error.to_string();
            assert!(told.contains(word) && told.contains("there.db") && !told.contains("marker"), "{code}: {told}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let cannot_open = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CANTOPEN), None);
        let gone = from_sqlite(&folder.path().join("gone.db"), &cannot_open);
        assert!(matches!(&gone, BucketError::Misconfigured { reason } if reason.contains("deleted")), "{gone}");
        let directory = from_sqlite(folder.path(), &cannot_open);
        assert!(
            matches!(&directory, BucketError::Misconfigured { reason } if reason.contains("regular")),
            "{directory}"
        );
    }

    #[test]
    fn what_the_file_system_refuses_for_good_is_misconfigured_and_the_rest_passes() {
        for (kind, expected) in [
            (ErrorKind::PermissionDenied, 'm'),
            (ErrorKind::ReadOnlyFilesystem, 'm'),
            (ErrorKind::NotADirectory, 'm'),
            (ErrorKind::NotFound, 'm'),
            (ErrorKind::InvalidFilename, 'm'),
            (ErrorKind::StorageFull, 'u'),
            (ErrorKind::Other, 'u'),
        ] {
            assert_eq!(meaning(&from_file_system(Path::new("/x.db"), &kind.into())), expected, "{kind:?}");
        }
    }
}
