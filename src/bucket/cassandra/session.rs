//! From the settings to a session of the driver, and what is kept with it.
//!
//! Invariant: each wait of the driver that is not bounded by a request is bounded here.

use std::time::Duration;

use scylla::client::PoolSize;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::{Session, TlsContext};
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{NewSessionError, PrepareError};
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, Statement};
use secrecy::ExposeSecret;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::product::Target;
use crate::bucket::BucketTimeouts;
use crate::bucket::native::ClientIdentity;
use crate::config::{self, CassandraSettings};

/// From one sign of life to the next on a connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);

/// How long it is waited for: longer than a node pauses to collect its garbage.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A session, with the statements that are prepared in it.
pub struct CassandraClient {
    /// The session.
    pub session: Session,
    /// Reads a row by its id.
    pub read: PreparedOnce,
    /// Stores a row.
    pub store: PreparedOnce,
    /// Lists rows, in the order of their tokens.
    pub list: PreparedOnce,
}

/// A statement that is prepared at its first use, once a session.
pub struct PreparedOnce {
    statement: Statement,
    prepared: OnceCell<PreparedStatement>,
}

impl PreparedOnce {
    /// It may be executed again: it reads, or it replaces a whole document.
    fn new(text: String, request_timeout: Duration) -> Self {
        let mut statement = Statement::new(text);
        statement.set_is_idempotent(true);
        statement.set_request_timeout(Some(request_timeout));
        Self { statement, prepared: OnceCell::new() }
    }

    /// The statement, prepared in this session.
    ///
    /// # Errors
    /// The driver's.
    pub async fn get(&self, session: &Session) -> Result<&PreparedStatement, PrepareError> {
        self.prepared.get_or_try_init(|| session.prepare(self.statement.clone())).await
    }
}

/// What every session of a database is opened with.
#[derive(Clone)]
pub struct SessionSettings {
    nodes: Vec<String>,
    /// As statements have it.
    table: String,
    datacenter: String,
    consistency: Consistency,
}

impl SessionSettings {
    /// What the settings say.
    #[must_use]
    pub fn new(settings: &CassandraSettings) -> Self {
        Self {
            nodes: settings.nodes.clone(),
            table: Target::new(settings).quoted(),
            datacenter: settings.local_datacenter.clone(),
            consistency: consistency(settings.consistency),
        }
    }

    /// Opens a session. The driver itself waits a minute for a node that accepts a connection and then says nothing.
    ///
    /// # Errors
    /// The driver's; `None` if the time was over first.
    pub async fn open(&self, identity: &ClientIdentity) -> Result<CassandraClient, Option<NewSessionError>> {
        // They are tried one after the other.
        let nodes = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX).max(1);
        let limit = identity.timeouts.connect.saturating_mul(nodes).min(identity.timeouts.operation);
        match timeout(limit, self.build(identity)).await {
            Ok(built) => built.map_err(Some),
            Err(_) => Err(None),
        }
    }

    async fn build(&self, identity: &ClientIdentity) -> Result<CassandraClient, NewSessionError> {
        let nearest =
            DefaultPolicy::builder().prefer_datacenter(self.datacenter.clone()).permit_dc_failover(false).build();
        let profile = ExecutionProfile::builder()
            .consistency(self.consistency)
            .load_balancing_policy(nearest)
            .request_timeout(Some(identity.timeouts.operation))
            .build();
        // One connection to a node carries thousands of requests at once.
        let one = PoolSize::PerHost(std::num::NonZeroUsize::MIN);
        let tls = identity.tls.as_ref().map(|tls| TlsContext::from(tls.rustls.clone()));
        let mut builder = SessionBuilder::new()
            .known_nodes(&self.nodes)
            .default_execution_profile_handle(profile.into_handle())
            .connection_timeout(identity.timeouts.connect)
            .keepalive_interval(KEEPALIVE_INTERVAL)
            .keepalive_timeout(KEEPALIVE_TIMEOUT)
            .pool_size(one)
            .fetch_schema_metadata(false)
            .tls_context(tls);
        if let Some((username, password)) = identity.credentials.username_and_password() {
            builder = builder.user(username, password.expose_secret());
        }
        let (table, BucketTimeouts { operation, batch, .. }) = (&self.table, identity.timeouts);
        Ok(CassandraClient {
            session: builder.build().await?,
            read: PreparedOnce::new(format!("SELECT id, doc FROM {table} WHERE id = ?"), operation),
            store: PreparedOnce::new(format!("INSERT INTO {table} (id, doc) VALUES (?, ?)"), batch),
            list: PreparedOnce::new(format!("SELECT id, doc FROM {table}"), batch),
        })
    }
}

fn consistency(consistency: config::Consistency) -> Consistency {
    match consistency {
        config::Consistency::One => Consistency::One,
        config::Consistency::Two => Consistency::Two,
        config::Consistency::Three => Consistency::Three,
        config::Consistency::Quorum => Consistency::Quorum,
        config::Consistency::All => Consistency::All,
        config::Consistency::LocalQuorum => Consistency::LocalQuorum,
        config::Consistency::EachQuorum => Consistency::EachQuorum,
        config::Consistency::LocalOne => Consistency::LocalOne,
    }
}
