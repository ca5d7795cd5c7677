//! `[bucket]` and `[embedded]`: which database, and what holds for every one.
//!
//! Invariant: every name that `[bucket] database` accepts is a [`DatabaseName`].

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::error::ConfigError;
use super::values::{Values, defect};

/// `[bucket] database`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseName {
    /// A file of `SQLite`.
    Embedded,
    /// Couchbase.
    Couchbase,
    /// `MongoDB`.
    Mongodb,
    /// Cassandra.
    Cassandra,
    /// `CouchDB`.
    Couchdb,
    /// `ArangoDB`.
    Arangodb,
    /// Elasticsearch or `OpenSearch`.
    Elasticsearch,
}

impl DatabaseName {
    /// Every name, in the order of the settings.
    pub const ALL: [Self; 7] = [
        Self::Embedded,
        Self::Couchbase,
        Self::Mongodb,
        Self::Cassandra,
        Self::Couchdb,
        Self::Arangodb,
        Self::Elasticsearch,
    ];

    /// The name as the settings have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Couchbase => "couchbase",
            Self::Mongodb => "mongodb",
            Self::Cassandra => "cassandra",
            Self::Couchdb => "couchdb",
            Self::Arangodb => "arangodb",
            Self::Elasticsearch => "elasticsearch",
        }
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `[bucket] connections`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// Each request opens its own and drops it.
    PerRequest,
    /// Kept open, lent to one request at a time.
    Pooled,
}

/// `[bucket]`: what holds for every database.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    /// `database`
    pub database: DatabaseName,
    /// `connections`
    pub connections: Connections,
    /// `max_connections`; `None`: as many as there are workers that may use a bucket.
    pub max_connections: Option<u32>,
    /// `wait_timeout`
    pub wait_timeout: Duration,
    /// `operation_timeout`
    pub operation_timeout: Duration,
    /// `attempt_timeout`
    pub attempt_timeout: Duration,
    /// `n1ql_timeout`
    pub n1ql_timeout: Duration,
    /// `connect_timeout`
    pub connect_timeout: Duration,
    /// `slow_operation`
    pub slow_operation: Duration,
}

impl BucketSettings {
    pub(super) fn read(values: &Values) -> Result<Self, ConfigError> {
        let duration = |key| values.duration("bucket", key);
        let database = values.text("bucket", "database")?;
        let database = DatabaseName::ALL.into_iter().find(|name| name.as_str() == database);
        Ok(Self {
            database: database.ok_or_else(|| defect("bucket", "database", "is no database"))?,
            connections: match values.text("bucket", "connections")?.as_str() {
                "per-request" => Connections::PerRequest,
                "pooled" => Connections::Pooled,
                _ => return Err(defect("bucket", "connections", "is neither")),
            },
            max_connections: values.optional_count("bucket", "max_connections"),
            wait_timeout: duration("wait_timeout")?,
            operation_timeout: duration("operation_timeout")?,
            attempt_timeout: duration("attempt_timeout")?,
            n1ql_timeout: duration("n1ql_timeout")?,
            connect_timeout: duration("connect_timeout")?,
            slow_operation: duration("slow_operation")?,
        })
    }

    pub(super) fn check(&self, workers: u16, warnings: &mut Vec<String>) {
        if let Some(max) = self.max_connections.filter(|max| *max > u32::from(workers)) {
            warnings.push(format!(
                "[bucket] max_connections is {max}, but the {workers} of [http] workers never need more than one each"
            ));
        }
    }
}

/// `[embedded]`: the file of `SQLite`.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// `path`
    pub path: PathBuf,
}

impl EmbeddedSettings {
    pub(super) fn read(values: &Values) -> Result<Self, ConfigError> {
        values.text("embedded", "path").map(|path| Self { path: PathBuf::from(path) })
    }
}
