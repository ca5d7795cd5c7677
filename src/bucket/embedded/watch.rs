//! Notices that something other than `SQLite` has written into the database file, such as a backup copied over it.
//!
//! In WAL mode the file itself is written to by checkpoints only, and a checkpoint shows in the log's index (`SQLite`,
//! "WAL-mode File Format", sections 2.1 and 2.2): it counts the frames it is about to move before it writes, and those it
//! has moved after. A file that has changed while the index says nothing of a checkpoint was changed by somebody else, and
//! connections that have pages of it at hand would mix old and new ones.
//!
//! Invariant: the index is only read, and its descriptor is never closed: that would drop the locks of all connections of
//! this process (`SQLite`, "How To Corrupt", POSIX advisory locks).

use std::fs::{self, File, Metadata};
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

/// Where the index has the salts of the log, and how many frames were moved into the file and are being moved.
const SALTS_AT: usize = 32;
const MOVED_AT: usize = 96;
const BEING_MOVED_AT: usize = 128;
const INDEX_BYTES: usize = 132;

/// What is known of changes to one file.
pub(super) struct FileWatch {
    path: PathBuf,
    index: ManuallyDrop<File>,
    state: Mutex<WatchState>,
}

struct WatchState {
    file: FileStamp,
    checkpoint: Checkpoint,
    foreign_changes: u64,
}

/// What changes with every write into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    bytes: u64,
    modified: (i64, i64),
}

/// How far the log has been moved into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Checkpoint {
    salts: [u8; 8],
    moved: u32,
    being_moved: u32,
}

impl FileWatch {
    /// Begins to watch the file at this path, which is no link, by the index of its log. A connection to it must be open in WAL mode, and have read
    /// from it.
    pub(super) fn start(path: PathBuf, index_path: &Path, metadata: &Metadata) -> io::Result<Self> {
        let index = ManuallyDrop::new(File::open(index_path)?);
        let (file, checkpoint) = (FileStamp::of(metadata), Checkpoint::read(&index)?);
        Ok(Self { path, index, state: Mutex::new(WatchState { file, checkpoint, foreign_changes: 0 }) })
    }

    /// Returns how often somebody else has changed the file until now. `metadata` are those of the file a moment ago.
    pub(super) fn foreign_changes(&self, metadata: &Metadata) -> io::Result<u64> {
        let mut state = self.state.lock();
        if FileStamp::of(metadata) == state.file {
            return Ok(state.foreign_changes);
        }
        // Between two looks at the index, so that a checkpoint that comes just now is seen in one of them.
        let earlier = Checkpoint::read(&self.index)?;
        let file = FileStamp::of(&fs::metadata(&self.path)?);
        let later = Checkpoint::read(&self.index)?;
        let is_explained =
            state.checkpoint.explains_change(later) || earlier.explains_change(later) || later.is_under_way();
        // Another thread may have looked meanwhile.
        if file != state.file && !is_explained {
            state.foreign_changes += 1;
        }
        (state.file, state.checkpoint) = (file, earlier);
        Ok(state.foreign_changes)
    }
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
        Self { bytes: metadata.size(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

impl Checkpoint {
    fn read(index: &File) -> io::Result<Self> {
        let mut bytes = [0; INDEX_BYTES];
        index.read_exact_at(&mut bytes, 0)?;
        let number = |at| u32::from_ne_bytes(array(&bytes, at));
        Ok(Self { salts: array(&bytes, SALTS_AT), moved: number(MOVED_AT), being_moved: number(BEING_MOVED_AT) })
    }

    fn is_under_way(self) -> bool {
        self.being_moved > self.moved
    }

    /// True if the file may have changed between the two by a checkpoint.
    fn explains_change(self, now: Self) -> bool {
        self != now || self.is_under_way()
    }
}

fn array<const N: usize>(bytes: &[u8; INDEX_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|n| bytes[at + n])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_file_is_explained_by_a_checkpoint_since_or_one_under_way() {
        let at = |salt, moved, being_moved| Checkpoint { salts: [salt; 8], moved, being_moved };
        for (before, now, expected) in [
            (at(1, 0, 0), at(1, 0, 0), false),
            (at(1, 7, 7), at(1, 7, 7), false),
            (at(1, 0, 0), at(1, 0, 7), true),
            (at(1, 0, 7), at(1, 7, 7), true),
            (at(1, 0, 7), at(1, 0, 7), true),
            (at(1, 7, 7), at(2, 0, 0), true),
        ] {
            assert_eq!(before.explains_change(now), expected, "{before:?} {now:?}");
        }
    }
}
