//! Cassandra and `ScyllaDB`, by the driver `scylla`: a table `(id text PRIMARY KEY, doc text)`, whose `doc` is the
//! JSON as it was stored.
//!
//! `session` has the way from the settings to the driver, `rows` what is asked, `many` how several rows are read at once,
//! `meaning` what its errors mean,
//! `product` the names, the sentences and the statements that make the table.
//!
//! Invariant: all that is asynchronous runs in the futures that are handed out here.

mod many;
mod meaning;
mod product;
mod rows;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::native::{Call, ClientIdentity, Native, NativeDriver, Reply};
use super::remote::check::{CodeStep, CodeSteps};
use super::remote::{Access, Endpoint, LoginConfig, Operation, Plan, Security, batch};
use super::{CreateOptions, Cursor, Document, NewDocument, Order, Outcome, Page};
use crate::config::{CassandraSettings, DatabaseName, Settings, host_and_port};
use crate::model::DocumentId;
use meaning::{NO_DATACENTER, NO_TABLE};
use product::{CASSANDRA, Target};
use rows::Rows;
use session::{CassandraClient, SessionSettings};

const USUAL_PORT: u16 = 9042;

/// The driver of Cassandra and `ScyllaDB`.
pub static DRIVER: NativeDriver<Cassandra> = NativeDriver {
    name: DatabaseName::Cassandra,
    product: &CASSANDRA,
    plan: |settings| Ok(plan(&settings.cassandra)),
    native: Cassandra::new,
    steps: |settings| {
        let target = Target::new(&settings.cassandra);
        let (datacenter, table) = (&target.datacenter, target.name());
        CodeSteps::new(vec![
            CodeStep {
                name: "datacenter",
                codes: &[NO_DATACENTER],
                passed: format!("there are nodes in {datacenter:?}"),
            },
            CodeStep { name: "table", codes: &[NO_TABLE], passed: format!("{table} is there") },
            CodeStep { name: "role", codes: &["0x2100"], passed: format!("{table} may be read") },
        ])
    },
    plain: "[cassandra] tls is false",
};

fn plan(settings: &CassandraSettings) -> Plan {
    let documents = format!("the table {}", Target::new(settings).name());
    Plan::new(&documents, LoginConfig::for_driver(&settings.login), settings.tls.clone(), endpoints(settings))
}

fn endpoints(settings: &CassandraSettings) -> Vec<Endpoint> {
    let security = if settings.uses_tls { Security::Tls } else { Security::Plain };
    settings.nodes.iter().map(|node| endpoint(node, security)).collect()
}

fn endpoint(node: &str, security: Security) -> Endpoint {
    let (host, port) = host_and_port(node);
    Endpoint::new(security, host, port.unwrap_or(USUAL_PORT))
}

/// [`Native`] of Cassandra.
pub struct Cassandra {
    nodes: Vec<Endpoint>,
    settings: SessionSettings,
    rows: Arc<Rows>,
}

impl Cassandra {
    fn new(settings: &Settings, access: &Access) -> Self {
        let own = &settings.cassandra;
        let rows = Arc::new(Rows::new(Target::new(own), &access.tls));
        Self { nodes: endpoints(own), settings: SessionSettings::new(own), rows }
    }
}

impl Native for Cassandra {
    type Client = CassandraClient;

    fn order(&self) -> Order {
        Order::Own
    }

    fn missing_codes(&self) -> &'static [&'static str] {
        &[NO_TABLE]
    }

    fn nodes(&self) -> Reply<Vec<Endpoint>> {
        Box::pin(std::future::ready(Ok(self.nodes.clone())))
    }

    fn open(&self, identity: &ClientIdentity) -> Reply<CassandraClient> {
        let (settings, rows, identity) = (self.settings.clone(), Arc::clone(&self.rows), identity.clone());
        Box::pin(async move {
            settings.open(&identity).await.map_err(|error| rows.context(Operation::Read).opening(error.as_ref()))
        })
    }

    fn get(&self, call: Call<CassandraClient>, id: &DocumentId) -> Reply<Option<Document>> {
        let (rows, id) = (Arc::clone(&self.rows), id.as_str().to_owned());
        Box::pin(async move { rows.get(&call.client, &id).await })
    }

    fn get_many(&self, call: Call<CassandraClient>, ids: &[DocumentId]) -> Reply<Vec<Outcome>> {
        Box::pin(Arc::clone(&self.rows).get_many(call.client, ids.to_vec()))
    }

    fn fitting(&self, documents: &[NewDocument]) -> usize {
        batch::fitting(documents, batch::MOST_DOCUMENTS)
    }

    fn store(&self, call: Call<CassandraClient>, documents: &[NewDocument]) -> Reply<()> {
        let rows = Arc::clone(&self.rows);
        let documents = documents.iter().map(|document| (document.id.clone(), document.text.to_string())).collect();
        Box::pin(rows.store(call.client, documents))
    }

    fn list(&self, call: Call<CassandraClient>, after: Option<&Cursor>, most: usize) -> Reply<Page> {
        let (rows, after) = (Arc::clone(&self.rows), after.cloned());
        Box::pin(async move { rows.list(&call.client, after.as_ref(), most).await })
    }

    fn create(&self, call: Call<CassandraClient>, options: CreateOptions) -> Reply<Vec<String>> {
        let rows = Arc::clone(&self.rows);
        Box::pin(async move { rows.create(&call.client, options).await })
    }
}
