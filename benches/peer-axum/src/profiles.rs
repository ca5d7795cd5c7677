//! Profiles out of the SQLite file that `userprofiles import` writes.
//!
//! Invariant: a request costs one `SELECT` on a thread that may block, and never more threads than connections.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use r2d2::{ManageConnection, Pool};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// How many connections there are, and so how many reads go on at once.
const CONNECTIONS: u32 = 16;

/// Whatever went wrong, for standard error; a client learns only that something did.
pub type ReadError = Box<dyn Error + Send + Sync>;

/// What a client gets.
#[derive(Serialize)]
pub struct User {
    username: String,
    email: Option<String>,
    full_name: Option<String>,
    disabled: Option<bool>,
}

/// What is stored.
#[derive(Deserialize)]
pub struct UserInDb {
    username: String,
    email: Option<String>,
    full_name: Option<String>,
    disabled: Option<bool>,
    #[serde(rename = "hashed_password")]
    _hashed_password: String,
}

impl From<UserInDb> for User {
    fn from(stored: UserInDb) -> Self {
        let UserInDb { username, email, full_name, disabled, .. } = stored;
        Self { username, email, full_name, disabled }
    }
}

/// The file, its connections, and the permits to use them.
pub struct Profiles {
    pool: Pool<SqliteFile>,
    permits: Arc<Semaphore>,
}

impl Profiles {
    /// Opens every connection at once.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(file: impl AsRef<Path>) -> Result<Self, ReadError> {
        let manager = SqliteFile(file.as_ref().to_owned());
        let pool = Pool::builder().max_size(CONNECTIONS).test_on_check_out(false).build(manager)?;
        Ok(Self { pool, permits: Arc::new(Semaphore::new(CONNECTIONS as usize)) })
    }

    /// The public part of a stored profile; `None` when there is none.
    ///
    /// # Errors
    /// When SQLite fails, or the document is no user profile.
    pub async fn read(profiles: Arc<Self>, username: String) -> Result<Option<User>, ReadError> {
        // A permit is awaited here, so that no thread is made only to wait for a connection.
        let permit = Arc::clone(&profiles.permits).acquire_owned().await?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            profiles.read_blocking(&username)
        })
        .await?
    }

    fn read_blocking(&self, username: &str) -> Result<Option<User>, ReadError> {
        let connection = self.pool.get()?;
        let mut select = connection.prepare_cached("SELECT body FROM documents WHERE id = ?1")?;
        let id = format!("userprofile::{username}");
        let parsed = select
            .query_row([&id], |row| Ok(serde_json::from_str::<UserInDb>(row.get_ref(0)?.as_str()?)))
            .optional()?;
        Ok(parsed.transpose()?.map(User::from))
    }
}

/// Opens connections to one file.
struct SqliteFile(PathBuf);

impl ManageConnection for SqliteFile {
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> Result<Connection, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.0, flags)?;
        connection.busy_timeout(Duration::from_secs(1))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        Ok(connection)
    }

    fn is_valid(&self, _connection: &mut Connection) -> Result<(), rusqlite::Error> {
        Ok(())
    }

    fn has_broken(&self, _connection: &mut Connection) -> bool {
        false
    }
}
