//! `[bucket]`: which database, and what holds for every one.

use std::time::Duration;

use crate::config::setting::{BucketTimeout, Count, Findings, Reloaded, choice, section};

choice! {
    /// `[bucket] database`
    pub enum DatabaseName {
        /// A file of `SQLite`.
        Embedded = "embedded",
        /// Couchbase.
        Couchbase = "couchbase",
        /// `MongoDB`.
        Mongodb = "mongodb",
        /// Cassandra.
        Cassandra = "cassandra",
        /// `CouchDB`.
        Couchdb = "couchdb",
        /// `ArangoDB`.
        Arangodb = "arangodb",
        /// Elasticsearch or `OpenSearch`.
        Elasticsearch = "elasticsearch",
    }
}

choice! {
    /// `[bucket] connections`
    pub enum Connections {
        /// Each request opens its own and drops it.
        PerRequest = "per-request",
        /// Kept open, lent to one request at a time.
        Pooled = "pooled",
    }
}

section! {
    /// What holds for every database.
    pub struct BucketSettings in "bucket" {
        /// Where the profiles are: "embedded", "couchbase", "mongodb", "cassandra", "couchdb", "arangodb" or
        /// "elasticsearch". The embedded file is the default because it needs nothing else to run.
        pub database: DatabaseName = DatabaseName::Embedded,
        /// "per-request": each request opens a connection of its own and drops it. It is the simplest thing that is
        /// right. It costs a request about 0.1 ms with an HTTP database on the same machine; further away a round trip
        /// more, and TLS adds its handshake. "pooled": connections are kept and lent to one request at a time. Prefer it
        /// with TLS. With MongoDB and Cassandra both cost the same: a connection is a handle of the one client that their
        /// drivers want all requests to share.
        pub connections: Reloaded<Connections> = Connections::PerRequest,
        /// How many bucket connections may be open at once. Unset: as many as there are workers that may use a bucket
        /// (all but a few, which keep answering while a database is frozen). Set it lower to spare the database. MongoDB's
        /// driver has a bound of its own, the number at the start: more than that take a restart.
        pub max_connections: Reloaded<Option<Count<u32, 1, 1024>>>; example "28",
        /// How long a request may wait for a bucket connection. Past that it gets 503.
        pub wait_timeout: BucketTimeout = Duration::from_secs(1),
        /// How long reading one document may take, whatever has to be tried for it. Past that the request gets 504. The
        /// tutorial's value; a few seconds are kinder to users.
        pub operation_timeout: BucketTimeout = Duration::from_secs(30),
        /// How long one node may take before another is asked, where there is another: what Couchbase's own libraries
        /// allow one read.
        pub attempt_timeout: BucketTimeout = Duration::from_millis(2500),
        /// How long one listing or one batch (`export`, `import`) may take. The tutorial's value.
        pub n1ql_timeout: BucketTimeout = Duration::from_secs(300),
        /// How long opening one connection to one node may take: long enough for one lost packet, which is sent again
        /// after 1 s.
        pub connect_timeout: BucketTimeout = Duration::from_secs(2),
        /// Reads that take this long or longer are logged, once each and without the document or its id: with the
        /// request id, the node, our time and the server's own.
        pub slow_operation: BucketTimeout = Duration::from_secs(1),
    }
}

impl BucketSettings {
    pub(super) fn check(&self, workers: u16, findings: &mut Findings) {
        if let Some(max) = self.max_connections.filter(|max| *max > u32::from(workers)) {
            findings.warn(format!(
                "[bucket] max_connections is {max}, but the {workers} of [http] workers never need more than one each"
            ));
        }
    }
}
