//! Where an export goes: standard output, or a file that appears under its name once it is whole.
//!
//! Invariant: a file is readable by its owner only from its first byte on, and until [`NewFile::finish`] nothing has
//! changed under its name.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use crate::bucket::Database;
use crate::files::FileIdentity;

/// The open files of this process, by their numbers.
const DESCRIPTORS: &str = "/proc/self/fd";

const TEMPORARY_PREFIX: &str = ".userprofiles-export-";

/// Where documents are exported to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `-`, or nothing.
    StandardOutput,
    /// A file that is to be made.
    File(PathBuf),
}

impl Destination {
    /// Takes an argument of the command line.
    #[must_use]
    pub fn from_argument(argument: Option<&OsStr>) -> Self {
        match argument {
            None => Self::StandardOutput,
            Some(name) if name == "-" => Self::StandardOutput,
            Some(path) => Self::File(PathBuf::from(path)),
        }
    }
}

/// What to do about a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is an error.
    Refuse,
    /// The new file takes its place (`--force`).
    Replace,
}

/// A file that is written without a name, or under a temporary one where the file system knows no other way, and is gone if
/// it is dropped before it is finished.
pub struct NewFile {
    writer: BufWriter<Unfinished>,
    path: PathBuf,
    existing: Existing,
}

enum Unfinished {
    /// Nothing is left of it, whatever ends the process (open(2), `O_TMPFILE`).
    Nameless(File),
    Named(NamedTempFile),
}

impl NewFile {
    /// Begins a file in the folder of `path`, with the mode 0600.
    ///
    /// # Errors
    /// If there is a file already that may not be replaced, or something other than a regular file; if the folder
    /// cannot be written to.
    pub fn begin(path: &Path, existing: Existing) -> anyhow::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.is_file() => {
                bail!("{} is not a regular file: name another one, or `-` for standard output", path.display())
            }
            Ok(_) if existing == Existing::Refuse => bail!(already_there(path)),
            _ => {}
        }
        let unfinished = Unfinished::begin(folder_of(path))
            .with_context(|| format!("{} cannot be written: name a file in a folder that can be", path.display()))?;
        Ok(Self { writer: BufWriter::new(unfinished), path: path.to_owned(), existing })
    }

    /// Where the bytes are before it is finished; `None`: under no name.
    #[must_use]
    pub fn temporary_path(&self) -> Option<&Path> {
        match self.writer.get_ref() {
            Unfinished::Nameless(_) => None,
            Unfinished::Named(file) => Some(file.path()),
        }
    }

    /// Puts the file in its place, once all of it is on the disk.
    ///
    /// # Errors
    /// If that fails, or if a file that may not be replaced has come there meanwhile.
    pub fn finish(self) -> anyhow::Result<()> {
        let Self { writer, path, existing } = self;
        let not_written = || format!("{} cannot be written", path.display());
        let unfinished = writer.into_inner().map_err(io::IntoInnerError::into_error).with_context(not_written)?;
        unfinished.file().sync_all().with_context(not_written)?;
        match unfinished.place(&path, existing) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(already_there(&path)),
            Err(error) => Err(error).with_context(not_written),
        }
    }
}

impl Unfinished {
    fn begin(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        match openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR) {
            Ok(descriptor) if Path::new(DESCRIPTORS).exists() => Ok(Self::Nameless(File::from(descriptor))),
            // Said of the folder that was named, and not of a temporary file in it.
            Err(error) if !matches!(error, Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Err(error.into()),
            _ => tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(folder).map(Self::Named),
        }
    }

    fn file(&self) -> &File {
        match self {
            Self::Nameless(file) => file,
            Self::Named(file) => file.as_file(),
        }
    }

    /// Gives the file its name. A name that is taken can only be given to a file that has one already.
    fn place(self, path: &Path, existing: Existing) -> io::Result<()> {
        let named = match self {
            Self::Nameless(file) if existing == Existing::Refuse => return link(&file, path),
            Self::Nameless(file) => {
                let make = |name: &Path| link(&file, name);
                tempfile::Builder::new().prefix(TEMPORARY_PREFIX).make_in(folder_of(path), make)?.into_temp_path()
            }
            Self::Named(file) => file.into_temp_path(),
        };
        let placed = match existing {
            Existing::Replace => named.persist(path),
            Existing::Refuse => named.persist_noclobber(path),
        };
        placed.map_err(|error| error.error)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// open(2): a file without a name gets one by way of its descriptor.
fn link(file: &File, path: &Path) -> io::Result<()> {
    let descriptor = format!("{DESCRIPTORS}/{}", file.as_raw_fd());
    Ok(linkat(CWD, descriptor, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

/// Refuses to put an export in the place of the database that it is made of, by whatever name.
///
/// # Errors
/// If `path` is one of the database's files.
pub fn refuse_own_files(database: &dyn Database, path: &Path) -> anyhow::Result<()> {
    let identity = |path: &Path| fs::metadata(path).ok().map(|metadata| FileIdentity::of(&metadata));
    let Some(wanted) = identity(path) else { return Ok(()) };
    if database.files().iter().any(|file| identity(file) == Some(wanted)) {
        bail!("{} is a file of the database that is exported: name another one", path.display());
    }
    Ok(())
}

fn already_there(path: &Path) -> String {
    format!("{} is there already: name another file, or replace it with --force", path.display())
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
