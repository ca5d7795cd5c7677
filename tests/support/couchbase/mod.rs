//! A Couchbase cluster of one node for tests: the cluster manager's port, the query port and a gateway's, over real
//! sockets.
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
mod bulk;
mod codes;
mod documents;
mod front;
mod gateway;
pub mod http;
mod manager;
pub mod port;
mod query;

pub use behaviour::{
    Behaviour, Cut, Documents, ErrorAnswer, Hold, Login, Manager, Query, Raised, Raw, Script, Setup, Stored,
};
pub use codes::{CodeRow, code_rows};
pub use front::{Front, Handshakes};
pub use http::{Framing, Request, answer};
pub use port::{Action, Port, PortCounts, Then};

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

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
    gateway: Port,
}

/// What was seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// On the query port.
    pub query: PortCounts,
    /// On the cluster manager's port.
    pub manager: PortCounts,
    /// On the gateway's port.
    pub gateway: PortCounts,
    /// `GET /pools/default/nodeServices`, whatever was answered.
    pub node_services: usize,
}

/// One request for a document, as far as tests ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The statement, or the path of a GET.
    pub statement: String,
    /// `$id`, or `$ids` with commas between them, or the id that the path stands for.
    pub id: String,
    /// `timeout`, as it was sent; empty for a GET.
    pub timeout: String,
    /// `client_context_id`, if it was sent.
    pub context_id: Option<String>,
    /// The header field `traceparent`, if it was sent.
    pub traceparent: Option<String>,
}

impl Double {
    /// Starts it on three free ports of 127.0.0.1. It has no documents yet.
    pub fn start() -> Self {
        Self::start_with(Script::default())
    }

    /// Starts another node of the same cluster: it has the same documents, and does and counts what is its own.
    pub fn start_beside(other: &Self) -> Self {
        Self::start_with(Script::sharing(other.script.stored_documents()))
    }

    fn start_with(script: Script) -> Self {
        let script = Arc::new(script);
        let for_query = Arc::clone(&script);
        let query = Port::open("double-query", Arc::clone(&script), move |request, turn| {
            query::answer(&for_query, request, turn)
        });
        let for_manager = Arc::clone(&script);
        let query_address = query.address();
        let manager = Port::open("double-manager", Arc::clone(&script), move |request, turn| {
            manager::answer(&for_manager, request, turn, query_address)
        });
        let for_gateway = Arc::clone(&script);
        let gateway = Port::open("double-gateway", Arc::clone(&script), move |request, turn| {
            gateway::answer(&for_gateway, request, turn)
        });
        Self { script, query, manager, gateway }
    }

    /// What goes into `[couchbase] connection_string`: `http://`, whose port is the cluster manager's.
    pub fn connection_string(&self) -> String {
        format!("http://{}", self.manager.address())
    }

    /// The same for `api = "data-api"`: the port is the gateway's.
    pub fn gateway_string(&self) -> String {
        format!("http://{}", self.gateway.address())
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

    /// Holds these requests from now on, or lets those go that are held, and leaves the rest.
    pub fn set_hold(&self, hold: Hold) {
        self.script.change(|state| state.behaviour.hold = hold);
    }

    /// Changes what the query service answers, and leaves the rest.
    pub fn set_query(&self, query: Query) {
        self.script.change(|state| state.behaviour.query = query);
    }

    /// Changes what is answered to reads of documents by GET, and leaves the rest.
    pub fn set_documents(&self, documents: Documents) {
        self.script.change(|state| state.behaviour.documents = documents);
    }

    /// Changes what the cluster manager answers, and leaves the rest.
    pub fn set_manager(&self, manager: Manager) {
        self.script.change(|state| state.behaviour.manager = manager);
    }

    /// Lets others in than before, from the next request on.
    pub fn set_login(&self, login: Login) {
        self.script.change(|state| state.login = login);
    }

    /// Stores a JSON document.
    pub fn put(&self, id: &str, text: &str) {
        self.put_stored(id, Stored::json(text));
    }

    /// Stores a document in any shape.
    pub fn put_stored(&self, id: &str, stored: Stored) {
        self.script.documents().insert(id.to_owned(), stored);
    }

    /// Takes a document away.
    pub fn remove(&self, id: &str) {
        self.script.documents().remove(id);
    }

    /// The query port.
    pub fn query_port(&self) -> &Port {
        &self.query
    }

    /// The cluster manager's port.
    pub fn manager_port(&self) -> &Port {
        &self.manager
    }

    /// The gateway's port.
    pub fn gateway_port(&self) -> &Port {
        &self.gateway
    }

    /// What was seen so far.
    pub fn counts(&self) -> Counts {
        Counts {
            query: self.query.counts(),
            manager: self.manager.counts(),
            gateway: self.gateway.counts(),
            node_services: self.script.lock().node_services,
        }
    }

    /// The requests for documents so far, in their order.
    pub fn asked(&self) -> Vec<Asked> {
        self.script.lock().asked.clone()
    }

    /// How many documents each request to store had, in their order.
    pub fn batches(&self) -> Vec<usize> {
        self.script.lock().batches.clone()
    }

    /// How many documents each request to list wanted, in their order.
    pub fn pages(&self) -> Vec<u64> {
        self.script.lock().pages.clone()
    }

    /// Whether a request is held, or delayed, that stores or lists many documents.
    pub fn works_on_many(&self) -> bool {
        self.script.lock().many_in_work > 0
    }

    /// All documents: their ids and texts, in the order of the ids.
    pub fn all_documents(&self) -> Vec<(String, String)> {
        let all = self.script.documents();
        let mut all: Vec<_> = all.iter().map(|(id, stored)| (id.clone(), stored.text.clone())).collect();
        all.sort();
        all
    }

    /// The text of a document.
    pub fn document(&self, id: &str) -> Option<String> {
        self.script.documents().get(id).map(|stored| stored.text.clone())
    }

    /// Changes what the cluster manager says of the cluster and the bucket, and leaves the rest.
    pub fn set_setup(&self, setup: Setup) {
        self.script.change(|state| state.behaviour.setup = setup);
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
        self.gateway.stop();
    }
}

/// A mutex that a panicking thread does not spoil for the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
