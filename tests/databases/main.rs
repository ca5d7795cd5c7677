//! What every database has in common, on all of them: real servers, and doubles of those that cannot be had.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[cfg(feature = "cassandra")]
mod cassandra_server;
#[path = "../support/certificates.rs"]
mod certificates;
mod complaints;
mod conformance;
#[path = "../support/couchbase/mod.rs"]
mod couchbase;
mod creation;
#[path = "../support/databases/mod.rs"]
mod databases;
mod logins;
mod many;
mod meanings;
#[cfg(feature = "mongodb")]
mod mongodb_server;
mod native_complaints;
#[cfg(all(feature = "cassandra", feature = "mongodb"))]
mod native_logins;
mod nodes;
#[path = "../support/mod.rs"]
mod support;
