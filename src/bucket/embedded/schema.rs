//! Whose file it is, which version of the schema it has, and how an empty one gets it.
//!
//! Invariant: only a file that is ours or empty is ever written to.

use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, MAIN_DB, TransactionBehavior};

use super::failure;
use crate::bucket::BucketError;
use crate::clock::{self, Deadline};

/// In the header of every file that this program makes (bytes 68-71): the letters `uspr`.
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"uspr");

/// The schema that this program makes, in `user_version`.
pub(super) const SCHEMA_VERSION: i32 = 1;

/// An ordinary table with an index of its own: `WITHOUT ROWID` saves one look-up (up to a seventh of a read with
/// documents of 250 bytes), but keeps only the first kilobyte of a row at hand, and so reads documents of 3 KB four
/// times and those of 20 KB seven times as slowly (measured).
const SCHEMA: &str = "CREATE TABLE documents (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT";

/// As long as `SQLite` waits for a lock by default in this binding.
const SWITCH_WAIT: Duration = Duration::from_secs(5);
const SWITCH_PAUSE: Duration = Duration::from_millis(5);

/// What is in a file.
#[derive(Debug, PartialEq, Eq)]
enum Contents {
    Nothing,
    Ours,
    OursButNewer(i32),
    Foreign,
}

/// Makes sure that the file is ours, has our table, can be written to and is in WAL mode. Returns what was in it before.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<TableState, BucketError> {
    let failed = |error: rusqlite::Error| failure::from_sqlite(path, &error);
    let mut before = TableState::Ready;
    if contents(connection).map_err(failed)? == Contents::Nothing {
        migrate(connection).map_err(failed)?;
        before = TableState::Missing;
    }
    if look(connection, path)? == TableState::Missing {
        return Err(failure::foreign(path));
    }
    if connection.is_readonly(MAIN_DB).map_err(failed)? {
        return Err(failure::read_only(path));
    }
    let mode = switch_to_wal(connection).map_err(failed)?;
    if mode != "wal" {
        return Err(failure::no_log(path));
    }
    // The first read in WAL mode: from here on this connection holds the log open.
    contents(connection).map_err(failed)?;
    // It is no loss but that of time if another process writes just now, or the disk is full.
    let _ = put_size_in_log(connection);
    Ok(before)
}

/// The state of our table in a file that can be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TableState {
    /// The file is empty.
    Missing,
    /// Our table is in it.
    Ready,
}

/// Looks whose file it is, and writes nothing.
pub(super) fn look(connection: &Connection, path: &Path) -> Result<TableState, BucketError> {
    let failed = |error: rusqlite::Error| failure::from_sqlite(path, &error);
    match contents(connection).map_err(failed)? {
        Contents::Ours => {}
        Contents::Nothing => return Ok(TableState::Missing),
        Contents::OursButNewer(version) => return Err(failure::newer(path, version, SCHEMA_VERSION)),
        Contents::Foreign => return Err(failure::foreign(path)),
    }
    if !table_fits(connection).map_err(failed)? {
        return Err(failure::wrong_table(path));
    }
    Ok(TableState::Ready)
}

fn contents(connection: &Connection) -> rusqlite::Result<Contents> {
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i32>(0));
    let application_id = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let has_objects: bool =
        connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    Ok(match (application_id, version) {
        (APPLICATION_ID, SCHEMA_VERSION) => Contents::Ours,
        (APPLICATION_ID, newer) if newer > SCHEMA_VERSION => Contents::OursButNewer(newer),
        (0, 0) if !has_objects => Contents::Nothing,
        _ => Contents::Foreign,
    })
}

/// Gives an empty file its schema, unless another process has done so meanwhile.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if contents(&transaction)? == Contents::Nothing {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()
}

/// Answers the journal mode that there is now. Where another connection is switching too, `SQLite` gives up at once
/// instead of waiting, so the waiting is done here.
fn switch_to_wal(connection: &Connection) -> rusqlite::Result<String> {
    let deadline = Deadline::after(clock::now(), SWITCH_WAIT);
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        match mode {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && !deadline.is_over(clock::now()) =>
            {
                thread::sleep(SWITCH_PAUSE);
            }
            mode => return mode,
        }
    }
}

/// Writes the first page as it is, and folds the log again. From its first commit on, a log knows the size of its file;
/// before, each read asks the operating system for it (`SQLite`, `pager.c`, `pagerPagecount`; measured: a twentieth of the
/// processor time of a request). The connection waits for no locks from here on.
fn put_size_in_log(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if contents(&transaction)? == Contents::Ours {
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()?;
    fold_log(connection)
}

/// Moves what is in the log into the file, so that a plain copy of the file is a whole backup and readers need not look in
/// two places. Where readers are in the way, `SQLite` does it some other time.
pub(super) fn fold_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// True if the columns are those that our statements need.
fn table_fits(connection: &Connection) -> rusqlite::Result<bool> {
    let mut columns = connection.prepare("SELECT name, type, pk FROM pragma_table_info('documents') ORDER BY cid")?;
    let found = columns
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<Vec<(String, String, i32)>>>()?;
    let expected = [("id", "TEXT", 1), ("body", "TEXT", 0)];
    Ok(found.iter().map(|(name, kind, key)| (name.as_str(), kind.as_str(), *key)).eq(expected))
}
