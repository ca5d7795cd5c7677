//! What all databases over a network have in common, whichever way they are asked: names and sentences, addresses,
//! logins, certificates, failures, and the steps of `check`.
//!
//! [`Access`] is how the nodes of one database are reached; [`Failure`] is why one of them gave nothing, and what may
//! help. `rest` builds on it for databases that are asked over HTTP, `native` for those that have a driver of their
//! own.
//!
//! Invariant: nothing here names a product, or knows how a database is asked.

pub mod access;
pub mod auth;
pub mod batch;
pub mod check;
mod endpoint;
pub mod failure;
pub mod halves;
pub mod names;
mod operation;
mod plan;
pub mod product;
#[cfg(test)]
pub(super) mod test_product;
pub mod tls;

pub use access::Access;
pub use auth::{LoginConfig, Scheme};
pub use endpoint::{Endpoint, Security, authority};
pub use failure::{ErrorScope, Failure, Meaning, Retry};
pub use operation::Operation;
pub use plan::{Plan, ReloadFrom};
pub use product::{Advice, LoginPolicy, Product};
