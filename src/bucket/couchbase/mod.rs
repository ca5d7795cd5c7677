//! Couchbase, over its query service: `SELECT … USE KEYS` by HTTP, one key-value read in the cluster each.
//!
//! From the outside in: [`Couchbase`] is what all connections share; `discovery` and `refresher` know where the query
//! service runs, out of what `topology` reads; `connection` is one bucket connection, over one HTTP client
//! (`transport`, with `resolver`) with one login (`credentials`); `statement` is what it asks, `answer` what it gets, and `meaning` what
//! Couchbase's numbers mean.
//!
//! Invariant: `statement`, `answer`, `meaning` and `topology` are pure; only `transport` owns sockets. No message of
//! the server, which may hold values of documents, and no secret gets into an error or a log line.

mod answer;
mod connection;
mod credentials;
mod discovery;
mod meaning;
mod refresher;
mod resolver;
mod statement;
mod topology;
mod transport;

use std::sync::Arc;

use connection::QueryConnection;
use credentials::Credentials;
use discovery::Discovery;
use meaning::Target;
use statement::Keyspace;

use super::{Bucket, BucketError, BucketTimeouts, Database};
use crate::clock::Deadline;
use crate::config::{BucketSettings, CouchbaseApi, CouchbaseSettings, DatabaseName, Scheme};
use crate::observe::Observer;

/// A Couchbase cluster. Its connections share what is known of its nodes.
pub struct Couchbase {
    shared: Arc<Shared>,
    seeds: String,
}

/// What all connections share; it is only read.
struct Shared {
    discovery: Arc<Discovery>,
    credentials: Arc<Credentials>,
    target: Target,
    statement: String,
    observer: Observer,
}

impl Couchbase {
    /// Takes the settings. Asks nobody, so that a server starts while its database is down.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for settings that can never work.
    pub fn start(
        settings: &CouchbaseSettings,
        bucket: &BucketSettings,
        observer: &Observer,
    ) -> Result<Arc<Self>, BucketError> {
        refuse_what_is_not_built(settings)?;
        let keyspace = Keyspace::new(&settings.bucket, &settings.scope, &settings.collection)?;
        let credentials = Credentials::new(settings.username.as_deref(), settings.password.as_ref())?;
        let credentials = Arc::new(credentials);
        let seeds = settings.connection_string.seeds.clone();
        let names: Vec<String> =
            seeds.iter().map(|seed| topology::authority(&seed.host, seed.management_port)).collect();
        let discovery = Discovery::new(
            seeds,
            settings.network.clone(),
            Arc::clone(&credentials),
            BucketTimeouts::from(bucket),
            observer.clone(),
        );
        let shared = Shared {
            discovery: Arc::new(discovery),
            statement: keyspace.select(),
            target: Target { keyspace, username: credentials.username().map(str::to_owned) },
            credentials,
            observer: observer.clone(),
        };
        Ok(Arc::new(Self { shared: Arc::new(shared), seeds: names.join(", ") }))
    }
}

/// What later versions are to do; until then it is better not to start than to do something else.
fn refuse_what_is_not_built(settings: &CouchbaseSettings) -> Result<(), BucketError> {
    let refuse = |reason: &str| Err(BucketError::Misconfigured { reason: reason.to_owned() });
    match settings.api {
        CouchbaseApi::Query => {}
        CouchbaseApi::Documents | CouchbaseApi::DataApi => {
            return refuse("[couchbase] api: only \"query\" is built into this program yet");
        }
    }
    match settings.connection_string.scheme {
        Scheme::Couchbase | Scheme::Http => Ok(()),
        Scheme::Couchbases | Scheme::Https => refuse(
            "[couchbase] connection_string: TLS is not built into this program yet; use couchbase:// on a network that \
             you trust",
        ),
    }
}

impl Database for Couchbase {
    fn name(&self) -> DatabaseName {
        DatabaseName::Couchbase
    }

    fn describe(&self) -> String {
        let Target { keyspace, username } = &self.shared.target;
        let user = username.as_deref().map_or_else(|| "without a login".to_owned(), |user| format!("as {user:?}"));
        format!("Couchbase, {keyspace} by the query service of the cluster at {}, {user}, without TLS", self.seeds)
    }

    fn open(&self, timeouts: &BucketTimeouts, deadline: Deadline) -> Result<Box<dyn Bucket>, BucketError> {
        let topology = self.shared.discovery.topology(deadline)?;
        // A topology has a node at least.
        let node = &topology.query_nodes[fastrand::usize(..topology.query_nodes.len())];
        Ok(Box::new(QueryConnection::new(Arc::clone(&self.shared), node, timeouts, deadline)))
    }
}

impl Drop for Couchbase {
    fn drop(&mut self) {
        self.shared.discovery.stop();
    }
}
