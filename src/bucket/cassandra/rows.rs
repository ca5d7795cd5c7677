//! What is asked of a table: to read, store and list rows, and to be made.
//!
//! Invariant: a row is believed only by the id in it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use scylla::errors::ExecutionError;
use scylla::response::query_result::QueryRowsResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::statement::{Consistency, Statement};
use tokio::task::JoinSet;

use super::meaning::Context;
use super::product::Target;
use super::session::CassandraClient;
use crate::bucket::remote::tls::Tls;
use crate::bucket::remote::{Failure, Operation};
use crate::bucket::{BucketError, CreateOptions, Cursor, Document, Listed, Page};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};

/// How many rows are stored at the same time: Cassandra stores one as fast as many, and its batches are for other
/// things.
const CONCURRENT_WRITES: usize = 32;

/// One table, through whichever session.
pub struct Rows {
    target: Target,
    tls: Arc<Tls>,
}

impl Rows {
    /// The rows of a target.
    #[must_use]
    pub fn new(target: Target, tls: &Arc<Tls>) -> Self {
        Self { target, tls: Arc::clone(tls) }
    }

    /// What failures are told from.
    #[must_use]
    pub fn context(&self, operation: Operation) -> Context<'_> {
        Context { operation, target: &self.target, tls: &self.tls }
    }

    fn failure(&self, client: &CassandraClient, operation: Operation, error: &ExecutionError) -> Failure {
        self.context(operation).execution(error, &datacenters(client))
    }

    /// Reads one document.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn get(&self, client: &CassandraClient, id: &str) -> Result<Option<Document>, Failure> {
        let prepared = client.read.get(&client.session).await;
        let statement = prepared.map_err(|error| self.context(Operation::Read).prepare(&error))?;
        let executed = client.session.execute_unpaged(statement, (id,)).await;
        let result = executed.map_err(|error| self.failure(client, Operation::Read, &error))?;
        let rows = result.into_rows_result().map_err(|_| self.context(Operation::Read).other_types())?;
        let row =
            rows.maybe_first_row::<(&str, Option<&str>)>().map_err(|_| self.context(Operation::Read).other_types())?;
        row.map(|(found, text)| if found == id { document(text) } else { Err(not_what_was_asked()) }).transpose()
    }

    /// Stores documents.
    ///
    /// # Errors
    /// [`Failure`] of the first that failed, after all have ended.
    pub async fn store(
        self: Arc<Self>,
        client: Arc<CassandraClient>,
        documents: Vec<(DocumentId, String)>,
    ) -> Result<(), Failure> {
        let prepared = client.store.get(&client.session).await;
        let statement = prepared.map_err(|error| self.context(Operation::Store).prepare(&error))?.clone();
        let mut writes = JoinSet::new();
        let mut outcome = Ok(());
        for (id, text) in documents {
            if writes.len() == CONCURRENT_WRITES {
                outcome = outcome.and(next(&mut writes).await);
            }
            if outcome.is_err() {
                break;
            }
            let (own, client, statement) = (Arc::clone(&self), Arc::clone(&client), statement.clone());
            writes.spawn(async move {
                let executed = client.session.execute_unpaged(&statement, (id.as_str(), text)).await;
                executed.map(drop).map_err(|error| own.failure(&client, Operation::Store, &error).about(&id))
            });
        }
        while !writes.is_empty() {
            outcome = outcome.and(next(&mut writes).await);
        }
        outcome
    }

    /// Lists a page in the order of tokens.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn list(&self, client: &CassandraClient, after: Option<&Cursor>, most: usize) -> Result<Page, Failure> {
        let prepared = client.list.get(&client.session).await;
        let mut statement = prepared.map_err(|error| self.context(Operation::List).prepare(&error))?.clone();
        statement.set_page_size(i32::try_from(most).unwrap_or(i32::MAX).max(1));
        let executed = client.session.execute_single_page(&statement, (), position(after)?).await;
        let (result, next) = executed.map_err(|error| self.failure(client, Operation::List, &error))?;
        let rows = result.into_rows_result().map_err(|_| self.context(Operation::Read).other_types())?;
        Ok(Page { documents: self.listed(&rows)?, next: cursor(&next) })
    }

    fn listed(&self, rows: &QueryRowsResult) -> Result<Vec<Listed>, Failure> {
        let rows = rows.rows::<(&str, Option<&str>)>().map_err(|_| self.context(Operation::Read).other_types())?;
        let mut listed = Vec::new();
        for row in rows {
            let (id, text) = row.map_err(|_| self.context(Operation::Read).other_types())?;
            let id = DocumentId::stored(id.to_owned());
            // The table may hold other things too.
            if id.username().is_some() {
                let document = document(text).map_err(|failure| failure.about(&id))?;
                listed.push(Listed { id, document });
            }
        }
        Ok(listed)
    }

    /// Makes the keyspace and the table, as far as they are not there.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn create(&self, client: &CassandraClient, options: CreateOptions) -> Result<Vec<String>, Failure> {
        let Target { keyspace, table, datacenter, .. } = &self.target;
        let nodes = nodes_in(client, datacenter);
        if nodes == 0 {
            return Err(self.failure(client, Operation::Create, &ExecutionError::EmptyPlan));
        }
        let mut made = Vec::new();
        let schema = "SELECT keyspace_name FROM system_schema";
        if !self.exists(client, &format!("{schema}.keyspaces WHERE keyspace_name = ?"), &[keyspace]).await? {
            let factor = options.replication_factor.unwrap_or(if nodes >= 3 { 3 } else { 1 });
            self.change(client, self.target.create_keyspace(factor)).await?;
            let replicas = if factor == 1 { "one replica".to_owned() } else { format!("{factor} replicas") };
            made.push(format!("the keyspace {keyspace:?} with {replicas}"));
        }
        let tables = format!("{schema}.tables WHERE keyspace_name = ? AND table_name = ?");
        if !self.exists(client, &tables, &[keyspace, table]).await? {
            self.change(client, self.target.create_table()).await?;
            made.push(format!("the table {table:?}"));
        }
        Ok(made)
    }

    async fn exists(&self, client: &CassandraClient, statement: &str, names: &[&String]) -> Result<bool, Failure> {
        let mut statement = Statement::new(statement);
        // Each node has the whole schema, and no replica of it.
        statement.set_consistency(Consistency::One);
        let result = client.session.query_unpaged(statement, names).await;
        let result = result.map_err(|error| self.failure(client, Operation::Create, &error))?;
        Ok(result.into_rows_result().map_err(|_| self.context(Operation::Read).other_types())?.rows_num() > 0)
    }

    /// Changes the schema, and waits until the nodes agree on it.
    async fn change(&self, client: &CassandraClient, statement: String) -> Result<(), Failure> {
        let changed = client.session.query_unpaged(statement, ()).await;
        changed.map(drop).map_err(|error| self.failure(client, Operation::Create, &error))
    }
}

/// The outcome of one write.
async fn next(writes: &mut JoinSet<Result<(), Failure>>) -> Result<(), Failure> {
    match writes.join_next().await {
        Some(Ok(outcome)) => outcome,
        Some(Err(_)) => Err(panicked()),
        None => Ok(()),
    }
}

/// A task of the driver's ended without an outcome.
pub fn panicked() -> Failure {
    Failure::lasting(BucketError::unavailable("the driver of Cassandra panicked"))
}

/// A row without a document is as one whose document is `null`.
fn document(text: Option<&str>) -> Result<Document, Failure> {
    let text = text.unwrap_or("null");
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(Failure::too_large());
    }
    Ok(Document::new(text.as_bytes().to_vec()))
}

fn not_what_was_asked() -> Failure {
    Failure::not_what_was_asked("Cassandra", "its row does not have the id that was asked for")
}

fn datacenters(client: &CassandraClient) -> Vec<String> {
    let state = client.session.get_cluster_state();
    let mut names: Vec<String> = state.get_nodes_info().iter().filter_map(|node| node.datacenter.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn nodes_in(client: &CassandraClient, datacenter: &str) -> usize {
    let state = client.session.get_cluster_state();
    state.get_nodes_info().iter().filter(|node| node.datacenter.as_deref() == Some(datacenter)).count()
}

/// Where a list goes on. The database gives that as bytes.
fn position(after: Option<&Cursor>) -> Result<PagingState, Failure> {
    let Some(Cursor(text)) = after else { return Ok(PagingState::start()) };
    let bytes = STANDARD_NO_PAD.decode(text);
    let unknown = |_| Failure::lasting(BucketError::misconfigured("the position in the list is none of Cassandra's"));
    Ok(PagingState::new_from_raw_bytes(bytes.map_err(unknown)?))
}

fn cursor(next: &PagingStateResponse) -> Option<Cursor> {
    match next {
        PagingStateResponse::HasMorePages { state } => {
            state.as_bytes_slice().map(|bytes| Cursor(STANDARD_NO_PAD.encode(bytes)))
        }
        PagingStateResponse::NoMorePages => None,
    }
}
