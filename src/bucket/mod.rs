//! Buckets: where documents live, whichever database that is.
//!
//! A [`Bucket`] is one connection to a database, in use by one thread at a time. A [`Database`] is what all its
//! connections share and only read: addresses, settings, secrets. [`get_bucket`] opens a connection; [`BucketPool`] lends
//! them to requests, either opened for each request or kept and lent again. [`drivers`] has every database by its name.
//!
//! Invariant: a bucket connection is never shared between threads, and no error of this module holds a document, a
//! secret or a full connection string.

pub mod arangodb;
#[cfg(feature = "cassandra")]
pub mod cassandra;
pub mod couchbase;
pub mod couchdb;
mod document;
pub mod driver;
pub mod drivers;
pub mod elasticsearch;
pub mod embedded;
mod error;
mod json_line;
mod members;
#[cfg(feature = "mongodb")]
pub mod mongodb;
#[cfg(any(feature = "cassandra", feature = "mongodb"))]
pub mod native;
mod pool;
pub mod remote;
pub mod report;
pub mod rest;
#[cfg(any(feature = "cassandra", feature = "mongodb"))]
mod runtime;
mod trace;

pub use document::{BatchSize, CreateOptions, Cursor, Document, Listed, NewDocument, Order, Page};
pub use error::{BucketError, ErrorKind};
pub use json_line::write_line;
pub use members::Members;
pub use pool::{BucketPool, PoolOptions};
pub use trace::Trace;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::clock::Deadline;
use crate::config::{BucketSettings, DatabaseName, Settings};
use crate::model::DocumentId;

/// What is known of the last exchange with a database, besides its outcome: for the log. Never a document, an id or a
/// value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// The number or the name of the error that decided, as the database has it.
    pub code: Option<String>,
    /// How long the database says that the request took, from its arrival there.
    pub elapsed: Option<Duration>,
    /// How long the database says that it worked on it.
    pub execution: Option<Duration>,
}

/// What a read of one document comes to; `Ok(None)`: the database was well and has no such document.
pub type Outcome = Result<Option<Document>, BucketError>;

/// One connection to a database: the main entry point of communication with it. (The name is that of the tutorial; a
/// bucket of Couchbase is part of a keyspace.)
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

    /// Reads several documents and calls `take` with each outcome, in the order of the ids, once for each of them. What
    /// concerns one document or id only (see [`ErrorKind::is_of_one_document`]) is passed to `take`; any other error ends
    /// the whole. Costs one exchange where the database can answer for several documents at once, and more where these are
    /// large: at most 64 MiB of documents are in memory at any time, besides what `take` keeps. Else it costs one each.
    ///
    /// # Errors
    /// As [`Bucket::get`], but for errors that concern one document.
    fn get_many(&mut self, ids: &[DocumentId], take: &mut dyn FnMut(Outcome)) -> Result<(), BucketError> {
        get_each(self, ids, take)
    }

    /// Stores documents, replacing those that have the same ids. No id may occur twice.
    ///
    /// If it fails, a database with transactions has stored none of them; in any other, some or all of them may be stored,
    /// each of them whole. Storing the same documents again is safe, and repairs it.
    ///
    /// # Errors
    /// Each variant of [`BucketError`] but `Busy`.
    fn upsert(&mut self, documents: &[NewDocument]) -> Result<(), BucketError>;

    /// Makes what documents are stored in (a database, an index, a collection), as far as it is not there. Returns what was
    /// made, each in words such as `the index "users"`. A database that was made when it was opened has no more to do.
    ///
    /// # Errors
    /// Each variant of [`BucketError`] but `Busy`; [`BucketError::Misconfigured`] too where it has to be made by other means.
    fn create(&mut self, options: CreateOptions) -> Result<Vec<String>, BucketError> {
        let _ = options;
        Ok(Vec::new())
    }

    /// Lists documents in the order of [`Database::order`]: from the first one on, or from where a page before has ended;
    /// at most `most` of them, and fewer where they are large. Documents that are not profiles are listed too, where the
    /// database does not tell them apart.
    ///
    /// # Errors
    /// Each variant of [`BucketError`] but `Busy`; [`BucketError::Misconfigured`] too where a database cannot list.
    fn list(&mut self, after: Option<&Cursor>, most: usize) -> Result<Page, BucketError>;

    /// Sets the deadline of the calls that follow. Costs nothing and never blocks.
    fn set_deadline(&mut self, deadline: Deadline);

    /// Sets the names of the request that the calls that follow serve. Costs nothing and never blocks.
    fn set_trace(&mut self, trace: &Trace) {
        let _ = trace;
    }

    /// The node that is asked, as `host:port`; `None` where there are no nodes. Never blocks.
    fn node(&self) -> Option<String> {
        None
    }

    /// What is known of the last exchange, for the log; `None` where nothing is, or where there was no exchange since
    /// [`Bucket::set_trace`]. Never blocks.
    fn last_details(&self) -> Option<Details> {
        None
    }

    /// True if a kept connection may be used again after it was idle since `idle_since`. Never blocks: it must not ask
    /// the database.
    fn is_fresh(&self, idle_since: Instant, now: Instant) -> bool {
        let _ = (idle_since, now);
        true
    }
}

/// [`Bucket::get_many`] by one [`Bucket::get`] each.
fn get_each<B: Bucket + ?Sized>(
    bucket: &mut B,
    ids: &[DocumentId],
    take: &mut dyn FnMut(Outcome),
) -> Result<(), BucketError> {
    for id in ids {
        match bucket.get(id) {
            Err(error) if !error.kind().is_of_one_document() => return Err(error),
            outcome => take(outcome),
        }
    }
    Ok(())
}

/// What the connections to one database share. Many threads use it at once, and only [`Database::reload`] changes it.
pub trait Database: Send + Sync {
    /// The name that `[bucket] database` has for it.
    fn name(&self) -> DatabaseName;

    /// Where it is and how it is reached, for the line at start-up; without secrets.
    fn describe(&self) -> String;

    /// The order in which [`Bucket::list`] lists.
    fn order(&self) -> Order {
        Order::Ids
    }

    /// How many documents one call of [`Bucket::upsert`] is to have: the work of a step that a signal waits for, and that is
    /// begun again if it fails.
    fn batch_size(&self) -> BatchSize {
        BatchSize { worthwhile_documents: 1_000, most_documents: 1_000, most_bytes: 4 * 1024 * 1024 }
    }

    /// Which names no member of a document can have, because the database uses them for something of its own:
    /// [`Bucket::upsert`] would fail. `None`: every name is free.
    fn reserved_members(&self) -> Option<IsReserved> {
        None
    }

    /// The files that it consists of, if it consists of files: an export must not replace them.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The nodes that it is known to consist of, and which of them can be asked. Empty where there are none, or where a
    /// driver of its own keeps them to itself. Never blocks.
    fn nodes(&self) -> Vec<NodeStatus> {
        Vec::new()
    }

    /// True if it was made when it was opened, and so holds nothing yet.
    fn is_new(&self) -> bool {
        false
    }

    /// Opens a connection. See [`get_bucket`], which everybody calls.
    ///
    /// # Errors
    /// As [`get_bucket`].
    fn open(&self, timeouts: &BucketTimeouts, deadline: Deadline) -> Result<Box<dyn Bucket>, BucketError>;

    /// Applies what may change while it runs from new settings, which are valid: secrets, certificates and timeouts. No request
    /// fails because of it, and what cannot be applied leaves everything as it was. Reads files, and asks no server.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for a file that cannot be used.
    fn reload(&self, settings: &Settings) -> Result<(), BucketError> {
        let _ = settings;
        Ok(())
    }
}

/// One node of a database, as it is known at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Which one, as `host:port`.
    pub node: String,
    /// True if requests go to it; false if it does not answer, or answers with errors.
    pub is_up: bool,
}

/// True for the name of a member that a database reserves.
pub type IsReserved = fn(&str) -> bool;

/// How long the operations on a bucket may take. The defaults are the tutorial's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketTimeouts {
    /// One read (`[bucket] operation_timeout`).
    pub operation: Duration,
    /// One node's share of it, where there is another node (`[bucket] attempt_timeout`).
    pub attempt: Duration,
    /// One TCP or TLS connection (`[bucket] connect_timeout`).
    pub connect: Duration,
    /// One page of a list, or one batch (`[bucket] n1ql_timeout`).
    pub batch: Duration,
}

impl Default for BucketTimeouts {
    fn default() -> Self {
        Self {
            operation: Duration::from_secs(30),
            attempt: Duration::from_millis(2500),
            connect: Duration::from_secs(2),
            batch: Duration::from_secs(300),
        }
    }
}

impl From<&BucketSettings> for BucketTimeouts {
    fn from(settings: &BucketSettings) -> Self {
        Self {
            operation: settings.operation_timeout,
            attempt: settings.attempt_timeout,
            connect: settings.connect_timeout,
            batch: settings.n1ql_timeout,
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
