//! Databases that are asked over HTTP, whichever they are.
//!
//! A product supplies what is particular to it: a [`Product`] (its names and sentences), a [`Protocol`] (what is asked and
//! what a response means), and, unless its nodes are all in the settings, a [`Discovery`]. Everything else is here, from the
//! outside in:
//! - [`RestDatabase`] owns the [`Cluster`], which all connections share, and its threads; `connection` is one connection.
//! - `attempts` is the one loop that tries again: on another node, over a new connection, with new credentials, after a
//!   pause. `batch` stores and lists many documents by it. `node_link` is what it tries on: the current node.
//! - `nodes` knows which nodes can be asked: `health` decides, and the thread of `prober` finds out.
//! - `node` is a client of one node; `client` is one exchange of it over `ureq`, with TLS by `tls_connector`.
//!
//! A read: `connection` → `attempts` → `node_link` → `protocol::get` → the product's request → `node` → `client` → the product
//! reads the response. A write: `connection` → `batch` → `attempts` → `node_link` → the product's `Batches` → `node` → `client`.
//!
//! Invariant: nothing here names a product. No message of a server, which may hold values of documents, and no secret gets
//! into an error or a log line.

mod attempts;
mod batch;
pub mod bulk;
pub mod check;
mod client;
mod cluster;
mod connection;
mod database;
mod driver;
pub mod json_text;
pub mod message;
pub mod node;
mod node_link;
pub mod nodes;
pub mod own_members;
pub mod path_segment;
mod prober;
pub mod protocol;
mod status;
#[cfg(test)]
pub(super) mod test_tables;
mod tls_connector;

pub use super::remote::{
    Access, Advice, Endpoint, ErrorScope, Failure, LoginConfig, LoginPolicy, Meaning, Operation, Plan, Product,
    ReloadFrom, Retry, Scheme, Security,
};
pub use cluster::Cluster;
pub use database::RestDatabase;
pub use driver::{RestDriver, plan};
pub use message::{Call, Completeness, Method, Payload, Request, Response};
pub use nodes::{Discovery, Fixed, Nodes};
pub use protocol::{Batches, Exchange, Many, ManyOutcome, Protocol, ReadOutcome, Warning};
