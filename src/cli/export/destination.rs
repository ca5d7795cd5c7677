//! Where an export goes: standard output, or a file that appears under its name once it is whole.
//!
//! Invariant: a file is readable by its owner only from its first byte on, and until [`NewFile::finish`] nothing has
//! changed under its name.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::NamedTempFile;

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

/// A file that is written under a temporary name, and removed if it is dropped before it is finished.
pub struct NewFile {
    writer: BufWriter<NamedTempFile>,
    path: PathBuf,
    existing: Existing,
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
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".userprofiles-export-")
            .tempfile_in(folder)
            .with_context(|| format!("{} cannot be written: name a file in a folder that can be", path.display()))?;
        Ok(Self { writer: BufWriter::new(file), path: path.to_owned(), existing })
    }

    /// Where the bytes are before it is finished.
    #[must_use]
    pub fn temporary_path(&self) -> &Path {
        self.writer.get_ref().path()
    }

    /// Puts the file in its place, once all of it is on the disk.
    ///
    /// # Errors
    /// If that fails, or if a file that may not be replaced has come there meanwhile.
    pub fn finish(self) -> anyhow::Result<()> {
        let Self { writer, path, existing } = self;
        let not_written = || format!("{} cannot be written", path.display());
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error).with_context(not_written)?;
        file.as_file().sync_all().with_context(not_written)?;
        let placed = match existing {
            Existing::Replace => file.persist(&path),
            Existing::Refuse => file.persist_noclobber(&path),
        };
        match placed {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => bail!(already_there(&path)),
            Err(error) => Err(error.error).with_context(not_written),
        }
    }
}

fn already_there(path: &Path) -> String {
    format!("{} is there already: name another file, or replace it with --force", path.display())
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
