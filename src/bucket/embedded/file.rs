//! The database file as a thing in a file system: made, found, and recognised again.
//!
//! Invariant: a file that exists is never opened here but through `SQLite`. Closing any other descriptor of it would
//! drop the locks of all its connections in this process (`SQLite`, "How To Corrupt", POSIX advisory locks).

use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{StatVfsMountFlags, statvfs};

use super::failure;
use super::watch::FileWatch;
use crate::bucket::BucketError;
use crate::config::DEFAULT_DATABASE_PATH;
use crate::files::FileIdentity;

/// The database file: its place, and which file it was at the start.
pub(super) struct DatabaseFile {
    /// Absolute: `SQLite` would take some relative ones (`file:…`, `:memory:`) for something other than a path.
    pub(super) path: PathBuf,
    /// The same without links: beside this one lie the files that `SQLite` makes.
    real_path: PathBuf,
    /// What its disk allows.
    pub(super) medium: Medium,
    identity: FileIdentity,
    /// Once a connection is kept open.
    watch: OnceLock<FileWatch>,
}

/// What the disk of a file allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// Reading and writing.
    Writable,
    /// It is mounted read-only: nobody can change the file, so it is read without locks and without a log.
    ReadOnly,
}

/// How often a file was changed past `SQLite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ForeignChanges(u64);

impl Medium {
    fn of(path: &Path) -> Self {
        match statvfs(path) {
            Ok(found) if found.f_flag.contains(StatVfsMountFlags::RDONLY) => Self::ReadOnly,
            // A file that cannot be asked about fails when it is opened.
            Ok(_) | Err(_) => Self::Writable,
        }
    }
}

impl DatabaseFile {
    /// Finds the file, or makes an empty one (mode 0600). The folder of the default path is made too (0700): any other that
    /// is missing may be a mistyped path.
    pub(super) fn make(path: &Path) -> Result<Self, BucketError> {
        if let Some(found) = Self::find(path)? {
            return Ok(found);
        }
        let failed = |error: io::Error| failure::from_file_system(path, &error);
        if let (true, Some(folder)) = (path == Path::new(DEFAULT_DATABASE_PATH), path.parent()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let path = std::path::absolute(path).map_err(failed)?;
        make_empty(&path).map_err(|error| failure::from_file_system(&path, &error))?;
        Self::existing(&path)
    }

    /// Finds a file that must be there.
    pub(super) fn existing(path: &Path) -> Result<Self, BucketError> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self::find(path)?.ok_or_else(|| failure::missing(&absolute))
    }

    /// Finds the file, and makes none.
    fn find(path: &Path) -> Result<Option<Self>, BucketError> {
        let failed = |error: io::Error| failure::from_file_system(path, &error);
        let path = std::path::absolute(path).map_err(failed)?;
        match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => Err(failure::not_a_file(&path)),
            Ok(metadata) => Ok(Some(Self::found(path, &metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn found(path: PathBuf, metadata: &Metadata) -> Self {
        let (medium, identity) = (Medium::of(&path), FileIdentity::of(metadata));
        let real_path = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        Self { path, real_path, medium, identity, watch: OnceLock::new() }
    }

    /// Watches for changes by others from now on. A connection must be open that has read from the file.
    pub(super) fn watch(&self) -> Result<(), BucketError> {
        let watch = fs::metadata(&self.path)
            .and_then(|metadata| FileWatch::start(self.real_path.clone(), &self.beside("-shm"), &metadata));
        let watch = watch.map_err(|error| failure::from_file_system(&self.path, &error))?;
        // It is called once.
        let _ = self.watch.set(watch);
        Ok(())
    }

    /// How long its log is, in bytes.
    pub(super) fn log_bytes(&self) -> u64 {
        fs::metadata(self.beside("-wal")).map_or(0, |metadata| metadata.len())
    }

    /// The file and those that `SQLite` keeps beside it.
    pub(super) fn all(&self) -> Vec<PathBuf> {
        vec![self.path.clone(), self.beside("-wal"), self.beside("-shm")]
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.real_path.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    /// Opens a connection, and makes no file. Nothing is read from it yet.
    pub(super) fn connect(&self) -> Result<Connection, BucketError> {
        // One thread at a time uses a bucket connection, so SQLite need not lock it.
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match self.medium {
            Medium::Writable => Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE),
            Medium::ReadOnly => {
                let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                Connection::open_with_flags(self.immutable_uri(), flags)
            }
        };
        connection.map_err(|error| failure::from_sqlite(&self.path, &error))
    }

    /// `SQLite`, "URI Filenames": no locks are taken and no other file is looked for.
    fn immutable_uri(&self) -> String {
        let path = percent_encode(self.path.as_os_str().as_bytes(), NON_ALPHANUMERIC);
        format!("file:{path}?immutable=1")
    }

    /// Returns how often somebody other than `SQLite` has changed it (see `watch`). Asks the file system, not the file: a
    /// microsecond or two.
    pub(super) fn check_in_place(&self) -> Result<ForeignChanges, BucketError> {
        let failed = |error| failure::from_file_system(&self.path, &error);
        match fs::metadata(&self.path) {
            Ok(metadata) if FileIdentity::of(&metadata) == self.identity => {
                let changes = self.watch.get().map_or(Ok(0), |watch| watch.foreign_changes(&metadata));
                changes.map(ForeignChanges).map_err(failed)
            }
            Ok(_) => Err(failure::replaced(&self.path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(failure::vanished(&self.path)),
            Err(error) => Err(failed(error)),
        }
    }
}

fn make_empty(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // Another process was quicker, or it is a link that leads nowhere: SQLite will find out.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}
