//! Small files that hold settings, secrets and certificates.
//!
//! Invariant: who serves waits for a file within a limit: one in a dead network mount, or a FIFO that nobody writes to,
//! never answers. What was read is wiped on drop.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::threads::{self, NotDone};

/// The longest wait for one file while serving.
pub const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What editors of other systems put before the text of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads a file, of which `max_bytes` are of interest, for as long as that takes. One byte more is returned of a file that
/// is longer. A byte order mark of UTF-8 is cut off.
///
/// # Errors
/// Those of the file system.
pub fn read(path: &Path, max_bytes: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    // At its full size from the beginning: a vector that grows leaves copies of a secret behind.
    let expected = usize::try_from(file.metadata()?.len().min(max_bytes)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected + 1 + BYTE_ORDER_MARK.len()));
    file.take(max_bytes + 1 + BYTE_ORDER_MARK.len() as u64).read_to_end(&mut bytes)?;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    bytes.truncate(usize::try_from(max_bytes).unwrap_or(usize::MAX).saturating_add(1));
    Ok(bytes)
}

/// What stays with a file when its name does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The file that was asked about.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A sentence for a file that holds secrets and that others may read, or others or its group may change; `None` if they may
/// not, or it is no regular file.
#[must_use]
pub fn exposure(path: &Path) -> Option<String> {
    const GROUP_WRITES: u32 = 0o020;
    const OTHERS: u32 = 0o007;
    let mode = fs::metadata(path).ok().filter(Metadata::is_file)?.permissions().mode() & 0o777;
    let is_exposed = mode & (GROUP_WRITES | OTHERS) != 0;
    let path = path.display();
    is_exposed
        .then(|| format!("{path} may be used by others than its owner (mode {mode:04o}); better: chmod 600 {path}"))
}

/// As [`read`], within a limit if there is one.
///
/// # Errors
/// Those of the file system; [`ErrorKind::TimedOut`] if the file does not answer.
pub fn read_within(path: &Path, max_bytes: u64, limit: Option<Duration>) -> io::Result<Zeroizing<Vec<u8>>> {
    match limit {
        Some(limit) => FileReader::default().read(path, max_bytes, limit),
        None => read(path, max_bytes),
    }
}

/// Reads within a limit, one file at a time: while a read is stuck, the next one fails at once, so that those who read again
/// and again do not gather threads.
#[derive(Clone, Debug, Default)]
pub struct FileReader {
    is_reading: Arc<AtomicBool>,
}

impl FileReader {
    /// As [`read`], within `limit`.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if the file does not answer; those of the file system.
    pub fn read(&self, path: &Path, max_bytes: u64, limit: Duration) -> io::Result<Zeroizing<Vec<u8>>> {
        if self.is_reading.swap(true, Ordering::AcqRel) {
            return Err(no_answer());
        }
        let (reading, path) = (Reading(Arc::clone(&self.is_reading)), path.to_owned());
        let work = move || {
            let _reading = reading;
            read(&path, max_bytes)
        };
        match threads::run_within("file-reader", limit, work) {
            Ok(outcome) => outcome,
            Err(NotDone::TimedOut | NotDone::Panicked) => Err(no_answer()),
            Err(NotDone::NoThread(error)) => Err(error),
        }
    }
}

/// A read under way; it is over when this is dropped.
struct Reading(Arc<AtomicBool>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn no_answer() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the file system does not answer, or nobody writes into this pipe")
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[test]
    fn a_byte_order_mark_is_cut_and_a_longer_file_has_one_byte_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for (contents, read_as) in
            [("\u{feff}abc", "abc"), ("abc", "abc"), ("", ""), ("abcdef", "abcd"), ("\u{feff}abcdef", "abcd")]
        {
            fs::write(&path, contents).unwrap();
            let max_bytes = if contents.ends_with("abcdef") { 3 } else { 16 };
            assert_eq!(*read(&path, max_bytes).unwrap(), read_as.as_bytes());
            assert_eq!(*FileReader::default().read(&path, max_bytes, LONGEST_WAIT).unwrap(), read_as.as_bytes());
        }
    }

    #[test]
    fn a_pipe_without_a_writer_holds_nobody_and_one_thread_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let reader = FileReader::default();
        let first = reader.read(&path, 16, Duration::from_millis(10)).unwrap_err();
        // If that began a second read, it would wait for as long as it may.
        let second = reader.read(&path, 16, Duration::MAX).unwrap_err();
        assert_eq!((first.kind(), second.kind()), (ErrorKind::TimedOut, ErrorKind::TimedOut));
        fs::write(&path, "late").unwrap();
        while reader.is_reading.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, "file").unwrap();
        assert_eq!(*reader.read(&path, 16, LONGEST_WAIT).unwrap(), b"file");
    }
}
