//! A Couchbase cluster of one node for tests: the cluster manager's port and the query port, over real sockets.
//!
//! It answers in the byte shapes of the real query engine (8.0 line), as far as this program can tell them apart:
//! header fields, members on lines of their own, `Content-Length` up to 16 KiB and chunks above, numbers and HTTP
//! statuses of errors. What it answers can be changed while it runs ([`Double::set`]), and what it was asked is
//! counted ([`Double::counts`]).
//!
//! Use it from a test with `#[path = "support/couchbase/mod.rs"] mod couchbase;`. Dropping it stops it.
//!
//! Invariant: it never reads the clock to decide anything, so a test that uses it can wait for what it is about
//! ([`Double::wait_until`]) and needs no sleeps.

#![allow(dead_code, unused_imports, reason = "each test program uses a part of it")]

mod behaviour;
mod http;
mod manager;
mod port;
mod query;

pub use behaviour::{Behaviour, Cut, ErrorAnswer, Hold, Manager, Query, Raised, Raw, Stored};
pub use port::{Port, PortCounts};

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use behaviour::Script;

/// The user that it knows.
pub const USERNAME: &str = "reader";

/// That user's password.
pub const PASSWORD: &str = "pa:ss wörd";

/// The bucket that it has, with the default scope and collection.
pub const BUCKET: &str = "bucket_name";

/// It stands in each message of an error, as values of documents do in real ones: it must not get anywhere.
pub const MESSAGE_MARKER: &str = "message-marker-4711";

/// How long [`Double::wait_until`] waits before it gives up the test.
const PATIENCE: Duration = Duration::from_secs(20);

/// The cluster.
pub struct Double {
    script: Arc<Script>,
    query: Port,
    manager: Port,
}

/// What was seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// On the query port.
    pub query: PortCounts,
    /// On the cluster manager's port.
    pub manager: PortCounts,
    /// `GET /pools/default/nodeServices`, whatever was answered.
    pub node_services: usize,
}

/// One request to the query service, as far as tests ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The statement.
    pub statement: String,
    /// `$id`
    pub id: String,
    /// `timeout`, as it was sent.
    pub timeout: String,
}

impl Double {
    /// Starts it on two free ports of 127.0.0.1. It has no documents yet.
    pub fn start() -> Self {
        let script = Arc::new(Script::default());
        let for_query = Arc::clone(&script);
        let query = Port::open("double-query", Arc::clone(&script), move |request, turn| {
            query::answer(&for_query, request, turn)
        });
        let for_manager = Arc::clone(&script);
        let query_address = query.address();
        let manager = Port::open("double-manager", Arc::clone(&script), move |request, turn| {
            manager::answer(&for_manager, request, turn, query_address)
        });
        Self { script, query, manager }
    }

    /// What goes into `[couchbase] connection_string`: `http://`, whose port is the cluster manager's.
    pub fn connection_string(&self) -> String {
        format!("http://{}", self.manager.address())
    }

    /// The cluster manager's address.
    pub fn manager_address(&self) -> SocketAddr {
        self.manager.address()
    }

    /// The query service's address.
    pub fn query_address(&self) -> SocketAddr {
        self.query.address()
    }

    /// Changes what is answered, from the next request on, and for those that are held.
    pub fn set(&self, behaviour: Behaviour) {
        self.script.change(|state| state.behaviour = behaviour);
    }

    /// Changes what the query service answers, and leaves the rest.
    pub fn set_query(&self, query: Query) {
        self.script.change(|state| state.behaviour.query = query);
    }

    /// Changes what the cluster manager answers, and leaves the rest.
    pub fn set_manager(&self, manager: Manager) {
        self.script.change(|state| state.behaviour.manager = manager);
    }

    /// Stores a JSON document.
    pub fn put(&self, id: &str, text: &str) {
        self.put_stored(id, Stored::json(text));
    }

    /// Stores a document in any shape.
    pub fn put_stored(&self, id: &str, stored: Stored) {
        self.script.change(|state| {
            state.documents.insert(id.to_owned(), stored);
        });
    }

    /// Takes a document away.
    pub fn remove(&self, id: &str) {
        self.script.change(|state| {
            state.documents.remove(id);
        });
    }

    /// The query port.
    pub fn query_port(&self) -> &Port {
        &self.query
    }

    /// The cluster manager's port.
    pub fn manager_port(&self) -> &Port {
        &self.manager
    }

    /// What was seen so far.
    pub fn counts(&self) -> Counts {
        Counts {
            query: self.query.counts(),
            manager: self.manager.counts(),
            node_services: self.script.lock().node_services,
        }
    }

    /// The requests to the query service so far, in their order.
    pub fn asked(&self) -> Vec<Asked> {
        self.script.lock().asked.clone()
    }

    /// What a well-behaved client would not have done, in words; empty if all was well.
    pub fn violations(&self) -> Vec<String> {
        self.script.lock().violations.clone()
    }

    /// Waits until the counts are as they should be.
    ///
    /// # Panics
    /// If they do not become so within 20 s.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Counts) -> bool) {
        let mut left = PATIENCE;
        loop {
            let counts = self.counts();
            if is_so(&counts) {
                return;
            }
            assert!(!left.is_zero(), "in vain waited for: {what}; counted {counts:?}");
            // Counting notifies; that the wait is short is for the moment between the look and the wait.
            let step = Duration::from_millis(5);
            self.script.wait(step);
            left = left.saturating_sub(step);
        }
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.script.stop();
        self.query.stop();
        self.manager.stop();
    }
}

/// A mutex that a panicking thread does not spoil for the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
