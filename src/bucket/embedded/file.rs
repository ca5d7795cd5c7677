//! The database file as a thing in a file system: made, found, and recognised again.
//!
//! Invariant: a file that exists is never opened here but through `SQLite`. Closing any other descriptor of it would
//! drop the locks of all its connections in this process (`SQLite`, "How To Corrupt", POSIX advisory locks).

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::failure;
use crate::bucket::BucketError;

/// The database file: its place, and which file it was at the start.
pub(super) struct DatabaseFile {
    /// Absolute: `SQLite` would take some relative ones (`file:…`, `:memory:`) for something other than a path.
    pub(super) path: PathBuf,
    identity: FileIdentity,
}

/// What stays with a file when its name does not.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

impl DatabaseFile {
    /// Finds the file, or makes an empty one (mode 0600) and its folder (0700).
    pub(super) fn make(path: &Path) -> Result<Self, BucketError> {
        let failed = |error: io::Error| failure::from_file_system(path, &error);
        let path = std::path::absolute(path).map_err(failed)?;
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(failure::not_a_file(&path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_empty(&path).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        }
        let identity = FileIdentity::of(&path).map_err(failed)?;
        Ok(Self { path, identity })
    }

    /// Finds the file, and makes none.
    pub(super) fn find(path: &Path) -> Result<Option<Self>, BucketError> {
        let failed = |error: io::Error| failure::from_file_system(path, &error);
        let path = std::path::absolute(path).map_err(failed)?;
        match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => Err(failure::not_a_file(&path)),
            Ok(_) => Ok(Some(Self { identity: FileIdentity::of(&path).map_err(failed)?, path })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Opens a connection, and makes no file. Nothing is read from it yet.
    pub(super) fn connect(&self) -> Result<Connection, BucketError> {
        // One thread at a time uses a bucket connection, so SQLite need not lock it.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(&self.path, flags).map_err(|error| failure::from_sqlite(&self.path, &error))
    }

    /// Asks the file system, not the file: a microsecond or two.
    pub(super) fn check_in_place(&self) -> Result<(), BucketError> {
        match FileIdentity::of(&self.path) {
            Ok(identity) if identity == self.identity => Ok(()),
            Ok(_) => Err(failure::replaced(&self.path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(failure::vanished(&self.path)),
            Err(error) => Err(failure::from_file_system(&self.path, &error)),
        }
    }
}

fn make_empty(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // Another process was quicker, or it is a link that leads nowhere: SQLite will find out.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}
