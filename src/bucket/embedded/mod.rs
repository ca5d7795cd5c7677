//! The embedded database: one `SQLite` file, and a bucket connection is one `SQLite` connection to it.
//!
//! The file is in WAL mode, so that another process may import into it while this one reads. [`Embedded`] keeps one
//! connection that no request gets for as long as it lives: else the last bucket connection to close would fold up the
//! log, and the next one to open would find the file locked or have to set it up again (measured: opening and reading
//! takes three times as long without it, and two threads at it get in each other's way for 10 to 20 ms). The same
//! connection makes many reads cheap (`shared_lock`).
//!
//! A file that is moved away, deleted or replaced while the program runs is not followed: the log beside it still
//! belongs to the old file, and `SQLite` would apply it to the new one. New connections and
//! writes are then refused, and kept ones within a second, in words that say so, until the program is started again.
//!
//! Invariant: documents are stored and answered byte for byte, and a batch is stored whole or not at all.

pub(super) mod check;
mod driver;
mod failure;
mod file;
mod schema;
mod shared_lock;
mod watch;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, ffi};

pub use driver::EmbeddedDriver;

use super::{
    BatchSize, Bucket, BucketError, BucketTimeouts, Cursor, Database, Document, Listed, NewDocument, Outcome, Page,
    get_each,
};
use crate::clock::{self, Deadline};
use crate::config::DatabaseName;
use crate::files;
use crate::model::{DocumentId, InvalidDocument, MAX_DOCUMENT_BYTES};
use file::{DatabaseFile, ForeignChanges, Medium};
use schema::TableState;
use shared_lock::SharedLock;

/// The driver of the embedded file.
pub static DRIVER: EmbeddedDriver = EmbeddedDriver;

/// Look-ups go through the index, and read the id of the row all the same, to be compared: `SQLite` would take it from the
/// index, which can lead to any row in a file that is damaged or was overwritten.
const SELECT: &str = "SELECT body, id FROM documents NOT INDEXED \
                      WHERE rowid = (SELECT rowid FROM documents WHERE id = ?1)";
/// The same for an array of ids, in their order, and with their places in it. (Measured: 50 ids take a third less time than by
/// look-ups of one transaction, and no more than by `IN`, which finds them in another order.)
const SELECT_MANY: &str = "SELECT row.body, row.id, asked.key FROM json_each(?1) AS asked \
                           CROSS JOIN documents AS found ON found.id = asked.value \
                           CROSS JOIN documents AS row NOT INDEXED ON row.rowid = found.rowid";
const LIST: &str = "SELECT found.id, row.id, row.body FROM documents AS found \
                    CROSS JOIN documents AS row NOT INDEXED ON row.rowid = found.rowid \
                    WHERE found.id > ?1 ORDER BY found.id LIMIT ?2";
const UPSERT: &str =
    "INSERT INTO documents (id, body) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET body = excluded.body";

/// A list ends after so many bytes of documents, though not before the first of them.
const LONGEST_LIST_BYTES: usize = 8 * 1024 * 1024;

/// A batch is a transaction. Larger ones are no faster, and two of them are in memory while documents are imported.
const BATCH_SIZE: BatchSize =
    BatchSize { worthwhile_documents: 1_000, most_documents: 32_000, most_bytes: 1024 * 1024 };

/// What a connection that stores keeps of the file in memory, in KiB: all that a batch changes. `SQLite`'s 2 MiB would write
/// pages into the log that are changed once more before the batch is stored.
const WRITER_CACHE_KIBIBYTES: i64 = 8 * 1024;

/// `SQLite` counts its waits in milliseconds in an `i32`; nobody waits longer than this for a lock.
const LONGEST_LOCK_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a writer that is done may wait for readers, to fold the log into the file.
const LOG_FOLD_WAIT: Duration = Duration::from_millis(250);

/// A writer folds the log once it is longer than this, in bytes. `SQLite` itself folds it at half of that, but begins it
/// anew only in a moment without readers, which may never come.
const LONGEST_LOG_BYTES: u64 = 8 * 1024 * 1024;

/// A kept connection asks this often whether its file is still the one under that name. Asking costs a third of a
/// read, so it is not asked each time.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The `SQLite` file that holds the documents.
pub struct Embedded {
    file: Arc<DatabaseFile>,
    /// None is needed on a read-only disk.
    lock: Option<Arc<SharedLock>>,
    before: TableState,
}

impl Embedded {
    /// Opens the file, and makes it if there is none: readable by its owner only, since it holds password hashes. A file of
    /// another program is left as it is.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for a path that cannot be a database of ours: no rights, a folder, a read-only
    /// disk, damaged, not `SQLite`, another program's, or made by a newer version of this one.
    /// [`BucketError::Unavailable`] if the file is locked for over five seconds, the disk is full or fails, or there is
    /// no thread left.
    pub fn create(path: &Path) -> Result<Self, BucketError> {
        Self::of_file(DatabaseFile::make(path)?)
    }

    /// Opens the file, and makes none.
    ///
    /// # Errors
    /// As [`Embedded::create`], and [`BucketError::Misconfigured`] if there is none.
    pub fn open_existing(path: &Path) -> Result<Self, BucketError> {
        Self::of_file(DatabaseFile::existing(path)?)
    }

    fn of_file(file: DatabaseFile) -> Result<Self, BucketError> {
        let mut keeper = file.connect()?;
        let (lock, before) = match file.medium {
            Medium::Writable => {
                let before = schema::prepare(&mut keeper, &file.path)?;
                file.watch()?;
                let lock = SharedLock::start(keeper).map_err(|error| failure::from_file_system(&file.path, &error))?;
                (Some(Arc::new(lock)), before)
            }
            Medium::ReadOnly if file.log_bytes() > 0 => return Err(failure::log_on_read_only_disk(&file.path)),
            Medium::ReadOnly => (None, schema::look(&keeper, &file.path)?),
        };
        Ok(Self { file: Arc::new(file), lock, before })
    }

    /// A sentence for a file that others may use: it holds password hashes.
    #[must_use]
    pub fn exposure(&self) -> Option<String> {
        files::exposure(&self.file.path)
    }

    /// False where the disk is mounted read-only.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.file.medium == Medium::Writable
    }
}

impl Database for Embedded {
    fn name(&self) -> DatabaseName {
        DatabaseName::Embedded
    }

    fn describe(&self) -> String {
        format!("the SQLite file {}", self.file.path.display())
    }

    fn batch_size(&self) -> BatchSize {
        BATCH_SIZE
    }

    fn files(&self) -> Vec<PathBuf> {
        self.file.all()
    }

    fn is_new(&self) -> bool {
        self.before == TableState::Missing
    }

    fn open(&self, _: &BucketTimeouts, deadline: Deadline) -> Result<Box<dyn Bucket>, BucketError> {
        Ok(Box::new(FileConnection::open(Arc::clone(&self.file), self.lock.clone(), deadline)?))
    }
}

/// One connection to the file.
struct FileConnection {
    connection: Connection,
    file: Arc<DatabaseFile>,
    /// `None`: each read pays for its lock itself.
    lock: Option<Arc<SharedLock>>,
    deadline: Deadline,
    file_checked_at: Cell<Instant>,
    /// Before it was opened.
    foreign_changes: ForeignChanges,
    log_to_fold: LogToFold,
    /// Once the log is longer than this, in bytes, it is folded.
    fold_log_at: u64,
}

/// Whether this connection has left something in the log.
#[derive(PartialEq, Eq)]
enum LogToFold {
    None,
    Some,
}

impl FileConnection {
    fn open(file: Arc<DatabaseFile>, lock: Option<Arc<SharedLock>>, deadline: Deadline) -> Result<Self, BucketError> {
        let foreign_changes = file.check_in_place()?;
        Ok(Self {
            connection: file.connect()?,
            file,
            lock,
            deadline,
            file_checked_at: Cell::new(clock::now()),
            foreign_changes,
            log_to_fold: LogToFold::None,
            fold_log_at: LONGEST_LOG_BYTES,
        })
    }

    /// Lets the next statement wait for locks for as long as there is time, and no longer.
    fn bound_lock_waits(&self) -> Result<(), BucketError> {
        let left = self.deadline.remaining(clock::now());
        if left.is_zero() {
            return Err(failure::too_late());
        }
        self.connection.busy_timeout(left.min(LONGEST_LOCK_WAIT)).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> BucketError {
        failure::from_sqlite(&self.file.path, error)
    }

    /// Bounds the waits of a statement that reads, and records that it is about to begin.
    fn begin_read(&self) -> Result<(), BucketError> {
        self.bound_lock_waits()?;
        if let Some(lock) = &self.lock {
            lock.record_read();
        }
        Ok(())
    }

    /// `None`: no such row.
    fn body(&self, id: &DocumentId) -> rusqlite::Result<Option<Result<Document, InvalidDocument>>> {
        self.connection.prepare_cached(SELECT)?.query_row([id.as_str()], |row| body(row, id)).optional()
    }

    /// One statement, which sees one state of the file and locks it once.
    fn bodies(&self, ids: &[DocumentId], take: &mut dyn FnMut(Outcome)) -> Result<(), BucketError> {
        let failed = |error: rusqlite::Error| self.failed(&error);
        let mut select = self.connection.prepare_cached(SELECT_MANY).map_err(failed)?;
        let asked: Vec<&str> = ids.iter().map(DocumentId::as_str).collect();
        // Strings: there is nothing in them that serde_json can fail on.
        let mut rows = select.query([serde_json::to_string(&asked).unwrap_or_default()]).map_err(failed)?;
        let mut left = (0_i64..).zip(ids);
        while let Some(row) = rows.next().map_err(failed)? {
            let place: i64 = row.get(2).map_err(failed)?;
            let id = loop {
                match left.next() {
                    Some((number, id)) if number == place => break id,
                    Some(_) => take(Ok(None)),
                    None => return Err(failed(wrong_row())),
                }
            };
            take(body(row, id).map_err(failed)?.map(Some).map_err(BucketError::InvalidDocument));
            if self.deadline.is_over(clock::now()) {
                return Err(failure::too_late());
            }
        }
        left.for_each(|_| take(Ok(None)));
        Ok(())
    }

    /// The ids are text in bytewise order (`SQLite`'s `BINARY` collation), and none is empty.
    fn bodies_after(&self, after: &str, most: usize) -> rusqlite::Result<Vec<Listed>> {
        let mut select = self.connection.prepare_cached(LIST)?;
        let mut rows = select.query((after, i64::try_from(most).unwrap_or(i64::MAX)))?;
        let mut listed = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            if row.get_ref(0)? != row.get_ref(1)? {
                return Err(wrong_row());
            }
            let id = DocumentId::stored(row.get(0)?);
            let text = row.get_ref(2)?.as_bytes()?;
            bytes += text.len();
            listed.push(Listed { id, document: Document::new(text.to_vec()) });
            if bytes >= LONGEST_LIST_BYTES {
                break;
            }
        }
        Ok(listed)
    }

    /// Folds a log that has grown long. While somebody has a transaction open for longer than a writer waits, that cannot
    /// be done, and is tried again when the log has grown by as much.
    fn bound_log(&mut self) {
        let bytes = self.file.log_bytes();
        if bytes <= self.fold_log_at {
            return;
        }
        let wait = self.deadline.remaining(clock::now()).min(LOG_FOLD_WAIT);
        let _ = self.connection.busy_timeout(wait).and_then(|()| schema::fold_log(&self.connection));
        let left = self.file.log_bytes();
        self.fold_log_at = if left < bytes { LONGEST_LOG_BYTES } else { left + LONGEST_LOG_BYTES };
    }

    /// One transaction; dropped without a commit, it is rolled back.
    fn store(&mut self, documents: &[NewDocument]) -> Result<(), BucketError> {
        let failed = |error: rusqlite::Error| failure::from_sqlite(&self.file.path, &error);
        // Negative: KiB (SQLite, "PRAGMA cache_size").
        self.connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIBIBYTES).map_err(failed)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        {
            let mut upsert = transaction.prepare_cached(UPSERT).map_err(failed)?;
            for document in documents {
                if self.deadline.is_over(clock::now()) {
                    return Err(failure::too_late());
                }
                upsert.execute((document.id.as_str(), document.text.as_str())).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)
    }
}

/// The body of a row that must be the one of this id.
fn body(row: &Row, id: &DocumentId) -> rusqlite::Result<Result<Document, InvalidDocument>> {
    if row.get_ref(1)?.as_str().ok() != Some(id.as_str()) {
        return Err(wrong_row());
    }
    Ok(match row.get_ref(0)? {
        ValueRef::Text(text) if text.len() > MAX_DOCUMENT_BYTES => Err(InvalidDocument::TooLarge),
        ValueRef::Text(text) => Ok(Document::new(text.to_vec())),
        _ => Err(InvalidDocument::NotStoredAsJson),
    })
}

/// An index that leads to a row of another id: the error that `SQLite` has for it.
fn wrong_row() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT_INDEX), None)
}

impl Bucket for FileConnection {
    fn get(&mut self, id: &DocumentId) -> Outcome {
        self.begin_read()?;
        self.body(id).map_err(|error| self.failed(&error))?.transpose().map_err(BucketError::InvalidDocument)
    }

    fn get_many(&mut self, ids: &[DocumentId], take: &mut dyn FnMut(Outcome)) -> Result<(), BucketError> {
        if ids.len() <= 1 {
            return get_each(self, ids, take);
        }
        self.begin_read()?;
        self.bodies(ids, take)
    }

    fn upsert(&mut self, documents: &[NewDocument]) -> Result<(), BucketError> {
        self.log_to_fold = LogToFold::None;
        self.file.check_in_place()?;
        self.bound_lock_waits()?;
        self.store(documents)?;
        self.log_to_fold = LogToFold::Some;
        self.bound_log();
        Ok(())
    }

    fn list(&mut self, after: Option<&Cursor>, most: usize) -> Result<Page, BucketError> {
        self.bound_lock_waits()?;
        let after = after.map_or("", |cursor| cursor.0.as_str());
        let documents = self.bodies_after(after, most).map_err(|error| self.failed(&error))?;
        let next = documents.last().map(|listed| Cursor(listed.id.as_str().to_owned()));
        Ok(Page { documents, next })
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// False once the file under this name is another one, or was overwritten; that is noticed within a second.
    fn is_fresh(&self, _: Instant, now: Instant) -> bool {
        if now.saturating_duration_since(self.file_checked_at.get()) < FILE_CHECK_INTERVAL {
            return true;
        }
        self.file_checked_at.set(now);
        self.file.check_in_place().is_ok_and(|changes| changes == self.foreign_changes)
    }
}

impl Drop for FileConnection {
    /// A writer leaves the log empty where it can.
    fn drop(&mut self) {
        if self.log_to_fold == LogToFold::Some && self.connection.busy_timeout(LOG_FOLD_WAIT).is_ok() {
            let _ = schema::fold_log(&self.connection);
        }
    }
}

#[cfg(test)]
mod tests;
