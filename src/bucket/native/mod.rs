//! Databases that are asked by a driver of their own, whichever they are.
//!
//! A product supplies a [`Native`]: how its driver opens a client, and what is asked of it. Everything else is here,
//! from the outside in:
//! - [`NativeDriver`] opens, reloads and checks such a database; `database` is that database to the rest of the
//!   program, and `shared` what all its connections share.
//! - `connection` is one connection: a handle of the shared client, as the makers of drivers want it. A client for each
//!   request would cost a login each time.
//! - `attempts` is the one loop that tries again: with new credentials, over a new client, after a pause.
//! - `shared_client` opens the client at its first use, and another one where that is needed, once a second at most.
//!
//! A read: `connection` → `attempts` → `shared_client` → the product's future → `runtime`, which bounds the wait for
//! it.
//!
//! Invariant: nothing here names a product. No message of a server, which may hold values of documents, and no secret
//! gets into an error or a log line.

mod attempts;
mod connection;
mod database;
mod driver;
mod shared;
mod shared_client;
#[cfg(test)]
mod tests;

pub use driver::NativeDriver;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::remote::auth::Credentials;
use super::remote::tls::Configuration;
use super::remote::{Endpoint, Failure};
use super::{BucketTimeouts, CreateOptions, Cursor, Document, IsReserved, NewDocument, Order, Outcome, Page};
use crate::model::DocumentId;

/// What a driver is waited for. It must go on by itself if nobody waits any more.
pub type Reply<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// What a product supplies.
pub trait Native: Send + Sync + 'static {
    /// What its driver opens once, and all connections use at the same time.
    type Client: Send + Sync + 'static;

    /// The order in which [`Native::list`] lists.
    fn order(&self) -> Order {
        Order::Ids
    }

    /// See [`crate::bucket::Database::reserved_members`].
    fn reserved_members(&self) -> Option<IsReserved> {
        None
    }

    /// The codes ([`crate::bucket::Details::code`]) of a read that say that what the documents are stored in is not
    /// there.
    fn missing_codes(&self) -> &'static [&'static str];

    /// The nodes to begin with, for `check`.
    fn nodes(&self) -> Reply<Vec<Endpoint>>;

    /// Opens a client that is known by these credentials and certificates.
    fn open(&self, identity: &ClientIdentity) -> Reply<Self::Client>;

    /// Reads one document; `None`: there is none under this id.
    fn get(&self, call: Call<Self::Client>, id: &DocumentId) -> Reply<Option<Document>>;

    /// Reads several documents: one outcome for each id, in their order. No id occurs twice. Documents with more than
    /// [`MAX_ANSWER_BYTES`] together are [`Failure::too_large`], and so have the ids asked for in two halves.
    ///
    /// [`MAX_ANSWER_BYTES`]: super::remote::halves::MAX_ANSWER_BYTES
    fn get_many(&self, call: Call<Self::Client>, ids: &[DocumentId]) -> Reply<Vec<Outcome>>;

    /// How many of these documents, from the first one on, belong in one call of [`Native::store`]: one at least.
    fn fitting(&self, documents: &[NewDocument]) -> usize;

    /// Stores documents, replacing those that have the same ids. After a failure, any of them may be stored and any
    /// may not.
    fn store(&self, call: Call<Self::Client>, documents: &[NewDocument]) -> Reply<()>;

    /// Lists a page: see [`crate::bucket::Bucket::list`].
    fn list(&self, call: Call<Self::Client>, after: Option<&Cursor>, most: usize) -> Reply<Page>;

    /// Makes what the documents are stored in, as far as it is not there, and returns what was made, in words.
    fn create(&self, call: Call<Self::Client>, options: CreateOptions) -> Reply<Vec<String>>;
}

/// One call of a driver.
pub struct Call<C> {
    /// The client that is shared.
    pub client: Arc<C>,
    /// How long it is waited for.
    pub left: Duration,
}

/// As whom, with which certificates and within which timeouts a client was opened: another one is opened when one of them is
/// replaced.
#[derive(Clone)]
pub struct ClientIdentity {
    /// As whom.
    pub credentials: Arc<Credentials>,
    /// With which certificates; `None`: without TLS.
    pub tls: Option<Arc<Configuration>>,
    /// Within which timeouts.
    pub timeouts: BucketTimeouts,
}

impl ClientIdentity {
    /// Returns true if a client of one can be used for the other, until there is one with its timeouts.
    fn is(&self, other: &Self) -> bool {
        let same_tls = match (&self.tls, &other.tls) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        };
        same_tls && Arc::ptr_eq(&self.credentials, &other.credentials)
    }
}
