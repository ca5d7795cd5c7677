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

/// A session, with the statements that were prepared in it.
pub struct CassandraClient {
    pub session: Session,
    statements: Statements,
}

#[derive(Default)]
struct Statements {
    read: OnceCell<PreparedStatement>,
    store: OnceCell<PreparedStatement>,
    list: OnceCell<PreparedStatement>,
}

/// What every session of a database is opened with.
#[derive(Clone)]
pub struct SessionSettings {
    nodes: Vec<String>,
    datacenter: String,
    consistency: Consistency,
    timeouts: BucketTimeouts,
}

impl SessionSettings {
    /// What the settings say.
    #[must_use]
    pub fn new(settings: &CassandraSettings, timeouts: BucketTimeouts) -> Self {
        Self {
            nodes: settings.nodes.clone(),
            datacenter: settings.local_datacenter.clone(),
            consistency: consistency(settings.consistency),
            timeouts,
        }
    }

    /// Opens a session. The driver itself waits a minute for a node that accepts a connection and then says nothing.
    ///
    /// # Errors
    /// The driver's; `None` if the time was over first.
    pub async fn open(&self, identity: &ClientIdentity) -> Result<CassandraClient, Option<NewSessionError>> {
        // They are tried one after the other.
        let nodes = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX).max(1);
        let limit = self.timeouts.connect.saturating_mul(nodes).min(self.timeouts.operation);
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
            .request_timeout(Some(self.timeouts.operation))
            .build();
        // One connection to a node carries thousands of requests at once.
        let one = PoolSize::PerHost(std::num::NonZeroUsize::MIN);
        let tls = identity.tls.as_ref().map(|tls| TlsContext::from(tls.rustls.clone()));
        let mut builder = SessionBuilder::new()
            .known_nodes(&self.nodes)
            .default_execution_profile_handle(profile.into_handle())
            .connection_timeout(self.timeouts.connect)
            .keepalive_interval(KEEPALIVE_INTERVAL)
            .keepalive_timeout(KEEPALIVE_TIMEOUT)
            .pool_size(one)
            .fetch_schema_metadata(false)
            .tls_context(tls);
        if let Some((username, password)) = identity.credentials.username_and_password() {
            builder = builder.user(username, password.expose_secret());
        }
        Ok(CassandraClient { session: builder.build().await?, statements: Statements::default() })
    }

    /// The statement that reads a row by its id.
    ///
    /// # Errors
    /// The driver's.
    pub async fn read<'a>(
        &self,
        client: &'a CassandraClient,
        target: &Target,
    ) -> Result<&'a PreparedStatement, PrepareError> {
        let text = format!("SELECT id, doc FROM {} WHERE id = ?", target.quoted());
        prepare(&client.session, &client.statements.read, &text, self.timeouts.operation).await
    }

    /// The statement that stores a row.
    ///
    /// # Errors
    /// The driver's.
    pub async fn store<'a>(
        &self,
        client: &'a CassandraClient,
        target: &Target,
    ) -> Result<&'a PreparedStatement, PrepareError> {
        let text = format!("INSERT INTO {} (id, doc) VALUES (?, ?)", target.quoted());
        prepare(&client.session, &client.statements.store, &text, self.timeouts.batch).await
    }

    /// The statement that lists rows, in the order of their tokens.
    ///
    /// # Errors
    /// The driver's.
    pub async fn list<'a>(
        &self,
        client: &'a CassandraClient,
        target: &Target,
    ) -> Result<&'a PreparedStatement, PrepareError> {
        let text = format!("SELECT id, doc FROM {}", target.quoted());
        prepare(&client.session, &client.statements.list, &text, self.timeouts.batch).await
    }
}

/// Prepares a statement, once a session. Each may be executed again: it reads, or it replaces a whole document.
async fn prepare<'a>(
    session: &Session,
    cell: &'a OnceCell<PreparedStatement>,
    text: &str,
    request_timeout: Duration,
) -> Result<&'a PreparedStatement, PrepareError> {
    cell.get_or_try_init(async || {
        let mut statement = Statement::new(text);
        statement.set_is_idempotent(true);
        statement.set_request_timeout(Some(request_timeout));
        session.prepare(statement).await
    })
    .await
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
