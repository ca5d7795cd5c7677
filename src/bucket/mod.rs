//! Buckets: where documents live, whichever database that is.
//!
//! A [`Bucket`] is one connection to a database, in use by one thread at a time. A [`Database`] is what all its
//! connections share and only read: addresses, settings, secrets. [`get_bucket`] opens a connection; [`Buckets`]
//! lends them to requests, either opened for each request or kept and lent again.
//!
//! Invariant: a bucket connection is never shared between threads, and no error of this module holds a document, a
//! secret or a full connection string.
//!
//! A new database is one new file (or folder) here and one line in [`database`] and in [`check::run`].

pub mod check;
pub mod couchbase;
pub mod embedded;
mod error;
mod lend;
mod trace;

pub use error::BucketError;
pub use lend::Buckets;
pub use trace::Trace;

use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::clock::Deadline;
use crate::config::{BucketSettings, DatabaseName, Settings};
use crate::model::DocumentId;
use crate::observe::Observer;

/// One document as the database holds it. Its text may hold a password hash: it is wiped on drop and has no `Debug`.
pub struct Document {
    text: Zeroizing<Vec<u8>>,
    cas: Option<Cas>,
}

impl Document {
    /// Takes the text of a document, and its CAS where the database has one.
    #[must_use]
    pub fn new(text: Vec<u8>, cas: Option<Cas>) -> Self {
        Self { text: Zeroizing::new(text), cas }
    }

    /// The JSON text, as it is stored.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The version of the document, where the database tells it.
    #[must_use]
    pub fn cas(&self) -> Option<Cas> {
        self.cas
    }
}

/// A document's version in Couchbase: 64 bits that compare equal or do not, and mean nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cas(pub u64);

/// One document that is to be stored: its text goes in as it is.
pub struct NewDocument {
    /// Its id.
    pub id: DocumentId,
    /// One JSON object; wiped on drop, since it holds a password hash.
    pub text: Zeroizing<String>,
}

/// One document of a list.
pub struct Listed {
    /// Its id.
    pub id: DocumentId,
    /// What is stored under it.
    pub document: Document,
}

/// What a database and our connection to it have to say about the last exchange, beside its outcome. Never a document,
/// an id or a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange<'a> {
    /// Who was asked, as `host:port`.
    pub node: &'a str,
    /// The number or the name of the error that decided.
    pub code: Option<&'a str>,
    /// How long the database says that the request took, from its arrival there.
    pub elapsed: Option<Duration>,
    /// How long the database says that it worked on it.
    pub execution: Option<Duration>,
}

/// One connection to a database: the main entry point of communication with it.
///
/// Contract for those who write one: no call outlives the deadline that was set last by more than the time a thread
/// needs to wake up (a local file's disk excepted: no system call bounds that); each failure is the [`BucketError`]
/// that its documentation describes; a call that failed leaves a bucket which can be dropped without blocking.
pub trait Bucket: Send {
    /// Reads one document. Costs one exchange with the database, and blocks for as long as that takes. `None`: the
    /// database was well and has no such document.
    ///
    /// # Errors
    /// Each variant of [`BucketError`] but `Busy`.
    fn get(&mut self, id: &DocumentId) -> Result<Option<Document>, BucketError>;

    /// Stores documents, replacing those that have the same ids. No id may stand there twice.
    ///
    /// If it fails, a database with transactions (`embedded`) has stored none of them; in any other, some or all of
    /// them may be stored, each of them whole. Storing the same documents again is safe, and mends it.
    ///
    /// # Errors
    /// Each variant of [`BucketError`] but `Busy`.
    fn upsert(&mut self, documents: &[NewDocument]) -> Result<(), BucketError>;

    /// Lists documents in the ascending order of the bytes of their ids: those after `after`, or from the first one on,
    /// and at most `most` of them. It may be fewer, since documents are large or small; only if there are no more at
    /// all is it none. Documents that are no profiles are listed too, where the database does not tell them apart.
    ///
    /// # Errors
    /// Each variant of [`BucketError`] but `Busy`; [`BucketError::Misconfigured`] too where a database cannot list.
    fn list(&mut self, after: Option<&DocumentId>, most: usize) -> Result<Vec<Listed>, BucketError> {
        let _ = (after, most);
        Err(BucketError::Misconfigured {
            reason: "this program cannot list the documents of that database: use the database's own tools to export \
                     them"
                .to_owned(),
        })
    }

    /// Sets the deadline of the calls that follow. Costs nothing and never blocks.
    fn set_deadline(&mut self, deadline: Deadline);

    /// Says for whom the calls that follow are, where the database can be told. Costs nothing and never blocks.
    fn set_trace(&mut self, trace: &Trace) {
        let _ = trace;
    }

    /// What is known of the last exchange, for the log; `None` where there is nothing to say, or was no exchange since
    /// [`Bucket::set_trace`]. Costs nothing and never blocks.
    fn last_exchange(&self) -> Option<Exchange<'_>> {
        None
    }

    /// True if a kept connection may be used again after lying still since `idle_since`. Never blocks: it must not ask
    /// the database.
    fn is_fresh(&self, idle_since: Instant, now: Instant) -> bool {
        let _ = (idle_since, now);
        true
    }
}

/// What the connections to one database share. It is only read, by many threads at once.
pub trait Database: Send + Sync {
    /// The name that `[bucket] database` has for it.
    fn name(&self) -> DatabaseName;

    /// Where it is and how it is reached, for the line at start-up; without secrets.
    fn describe(&self) -> String;

    /// Opens a connection. See [`get_bucket`], which everybody calls.
    ///
    /// # Errors
    /// As [`get_bucket`].
    fn open(&self, timeouts: &BucketTimeouts, deadline: Deadline) -> Result<Box<dyn Bucket>, BucketError>;

    /// Takes what may change while it runs out of new settings, which are valid: secrets and certificates. No request
    /// fails because of it, and what cannot be taken leaves everything as it was. Reads files, and asks no server.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for a file that cannot be used.
    fn reload(&self, settings: &Settings) -> Result<(), BucketError> {
        let _ = settings;
        Ok(())
    }
}

/// How long the operations on a bucket may take. The defaults are the tutorial's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketTimeouts {
    /// One read (`[bucket] operation_timeout`).
    pub operation: Duration,
    /// One node's share of it, where there is another node (`[bucket] attempt_timeout`).
    pub attempt: Duration,
    /// One TCP or TLS connection (`[bucket] connect_timeout`).
    pub connect: Duration,
    /// Listing and batches (`[bucket] n1ql_timeout`).
    pub n1ql: Duration,
}

impl Default for BucketTimeouts {
    fn default() -> Self {
        Self {
            operation: Duration::from_secs(30),
            attempt: Duration::from_millis(2500),
            connect: Duration::from_secs(2),
            n1ql: Duration::from_secs(300),
        }
    }
}

impl From<&BucketSettings> for BucketTimeouts {
    fn from(settings: &BucketSettings) -> Self {
        Self {
            operation: settings.operation_timeout,
            attempt: settings.attempt_timeout,
            connect: settings.connect_timeout,
            n1ql: settings.n1ql_timeout,
        }
    }
}

/// Opens a bucket connection with its timeouts and its first deadline set.
///
/// Costs what a connection costs in that database, and nothing that a connection does not need: what the database
/// shares (its topology, say) is there already or is looked up once.
///
/// # Errors
/// Each variant of [`BucketError`] but `Busy`, `UnusableId` and `InvalidDocument`.
pub fn get_bucket(
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    deadline: Deadline,
) -> Result<Box<dyn Bucket>, BucketError> {
    let mut bucket = database.open(timeouts, deadline)?;
    bucket.set_deadline(deadline);
    Ok(bucket)
}

/// The database that the settings name. Nothing is asked over a network yet, so that the server starts while its
/// database is down.
///
/// # Errors
/// [`BucketError::Misconfigured`] for settings that can never work, such as a file that is no database.
pub fn database(settings: &Settings, observer: &Observer) -> Result<Arc<dyn Database>, BucketError> {
    match settings.bucket.database {
        DatabaseName::Embedded => Ok(Arc::new(embedded::Embedded::create(&settings.embedded.path)?)),
        DatabaseName::Couchbase => Ok(couchbase::Couchbase::start(&settings.couchbase, &settings.bucket, observer)?),
        name => Err(not_built(name)),
    }
}

fn not_built(name: DatabaseName) -> BucketError {
    BucketError::Misconfigured { reason: format!("[bucket] database = \"{name}\" is not built into this program yet") }
}
