//! The services of a cluster that can be asked for documents.
//!
//! Invariant: pure.

use crate::config::CouchbaseApi;

/// Which service of a node is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The query service (`n1ql`, `n1qlSSL`).
    Query,
    /// The cluster manager (`mgmt`, `mgmtSSL`).
    Manager,
    /// The Data API of a gateway: the hosts of the connection string themselves, which belong to no topology.
    Gateway,
}

impl Service {
    /// The service that `[couchbase] api` asks.
    #[must_use]
    pub fn of(api: CouchbaseApi) -> Self {
        match api {
            CouchbaseApi::Query => Self::Query,
            CouchbaseApi::Documents => Self::Manager,
            CouchbaseApi::DataApi => Self::Gateway,
        }
    }

    /// Its name in a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "the query service",
            Self::Manager => "the cluster manager",
            Self::Gateway => "the Data API",
        }
    }
}
