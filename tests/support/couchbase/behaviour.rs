//! What the double does, as data that a test can change at any moment.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Asked;

/// Everything that can be scripted.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// What the query service answers.
    pub query: Query,
    /// What the cluster manager answers.
    pub manager: Manager,
    /// What the cluster manager and the gateway answer to a read of a document.
    pub documents: Documents,
    /// What it says of the cluster and the bucket.
    pub setup: Setup,
    /// Requests that wait until this is changed.
    pub hold: Hold,
    /// How long a document takes, whoever is asked for it.
    pub delay: Duration,
    /// A connection is closed, without a word, after so many documents on it.
    pub close_after: Option<usize>,
}

/// What the query service answers to a request that is in order.
#[derive(Clone, Debug, Default)]
pub enum Query {
    /// The document that was asked for, or no row.
    #[default]
    Answer,
    /// As `Answer`, with warnings of these numbers.
    Warnings(Vec<i64>),
    /// An error.
    Error(ErrorAnswer),
    /// Rows first, in chunks, and then an error of this number.
    ErrorAfterRows(i64),
    /// No rows, no errors, and this state, such as `stopped`.
    State(&'static str),
    /// So many documents of a batch are stored, and then there is an error.
    StoreSome(usize),
    /// Something else altogether.
    Raw(Raw),
    /// As `Answer`, but not all of it.
    Cut(Cut),
    /// The request is read and nothing happens any more.
    Freeze,
    /// The request is read and the connection closed.
    HangUp,
    /// The request is read and the connection reset.
    Reset,
    /// The first request on a connection is answered; at the next one the connection is closed.
    HangUpOnReused,
    /// The first request on a connection is answered; at the next one the connection is reset.
    ResetOnReused,
}

/// What the cluster manager answers to `nodeServices`.
#[derive(Clone, Debug, Default)]
pub enum Manager {
    /// One node without a hostname, as a small cluster says it.
    #[default]
    Answer,
    /// This JSON; `$N1QL` in it becomes the query port.
    Nodes(String),
    /// Something else altogether.
    Raw(Raw),
    /// The request is read and nothing happens any more.
    Freeze,
    /// The request is read and the connection closed.
    HangUp,
}

/// What is answered to a read of a document by GET that is in order.
#[derive(Clone, Debug, Default)]
pub enum Documents {
    /// The document that was asked for, or that there is none.
    #[default]
    Answer,
    /// As `Answer`, but the manager shows the document itself, as versions before 5.5 do.
    Nested,
    /// Something else altogether.
    Raw(Raw),
    /// The same with this entity tag.
    Tagged(String, Raw),
    /// As `Answer`, but not all of it.
    Cut(Cut),
    /// The request is read and nothing happens any more.
    Freeze,
    /// The request is read and the connection closed.
    HangUp,
    /// The request is read and the connection reset.
    Reset,
    /// The first request on a connection is answered; at the next one the connection is closed.
    HangUpOnReused,
}

/// What the cluster manager says of the cluster and the bucket. `None` is what a user hears who may read documents.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// To `/pools`.
    pub pools: Option<Raw>,
    /// To `/pools/default/b/{bucket}`.
    pub bucket: Option<Raw>,
    /// To `/pools/default/buckets/{bucket}/scopes`.
    pub scopes: Option<Raw>,
    /// A collection that there is besides the default one: its scope and its name.
    pub collection: Option<(&'static str, &'static str)>,
}

/// Which requests wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// None.
    #[default]
    Nothing,
    /// Those for documents, whoever is asked.
    Queries,
    /// Those of the cluster manager.
    NodeServices,
}

/// An error of the query service.
#[derive(Clone, Debug)]
pub struct ErrorAnswer {
    /// Its numbers, each with its `retry` member. One at least.
    pub errors: Vec<(i64, Option<bool>)>,
    /// The HTTP status.
    pub status: u16,
    /// Whether execution had begun.
    pub raised: Raised,
}

impl ErrorAnswer {
    /// One error without a `retry` member.
    pub fn new(code: i64, status: u16, raised: Raised) -> Self {
        Self { errors: vec![(code, None)], status, raised }
    }
}

/// When an error is raised: `results` stand in the answer only once execution has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// While the request was parsed, checked or planned.
    Before,
    /// While it was executed.
    During,
}

/// An answer that is written out.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Vec<u8>,
}

impl Raw {
    /// Text as HTML.
    pub fn html(status: u16, body: &str) -> Self {
        Self { status, content_type: Some("text/html"), body: body.as_bytes().to_vec() }
    }

    /// JSON, with the type that the query service gives it.
    pub fn json(status: u16, body: &str) -> Self {
        let content_type = Some("application/json; version=8.0.0-N1QL");
        Self { status, content_type, body: body.as_bytes().to_vec() }
    }

    /// No body.
    pub fn empty(status: u16) -> Self {
        Self { status, content_type: None, body: Vec::new() }
    }
}

/// In which way an answer ends too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// `Content-Length` promises more; then the connection is closed.
    ContentLength,
    /// The last chunks do not come; then the connection is closed.
    Chunks,
    /// The last chunks do not come, and the connection stays open.
    ChunksAndFreeze,
    /// The framing is whole, the JSON is not.
    Json,
    /// Half the head; then the connection is closed.
    Head,
}

/// A document as the engine shows it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The text that stands in the row.
    pub text: String,
    /// The text of `META(d).cas`; `None` leaves it out.
    pub cas: Option<String>,
    /// `META(d).type`; `None` leaves it out.
    pub kind: Option<&'static str>,
    /// The text of `META(d).id`, if it is not the id that was asked for.
    pub id: Option<String>,
}

impl Stored {
    /// A JSON document.
    pub fn json(text: &str) -> Self {
        Self { text: text.to_owned(), cas: Some("1732372981000000000".to_owned()), kind: Some("json"), id: None }
    }

    /// A binary value of five bytes: the engine shows a placeholder.
    pub fn binary() -> Self {
        Self { kind: Some("base64"), ..Self::json("\"<binary (5 b)>\"") }
    }

    /// The same with another CAS.
    #[must_use]
    pub fn with_cas(self, cas: &str) -> Self {
        Self { cas: Some(cas.to_owned()), ..self }
    }
}

/// Who is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The one user, with this password.
    Password(String),
    /// Whoever brings no login at all: their certificate has said who they are.
    Certificate,
}

impl Default for Login {
    fn default() -> Self {
        Self::Password(super::PASSWORD.to_owned())
    }
}

/// The documents of a cluster by their ids.
pub type StoredDocuments = Arc<Mutex<HashMap<String, Stored>>>;

/// The behaviour, the documents and what was seen, shared by all threads of a double.
#[derive(Default)]
pub struct Script {
    /// Of the cluster: doubles that are nodes of one share them.
    documents: StoredDocuments,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub struct State {
    pub behaviour: Behaviour,
    pub login: Login,
    pub asked: Vec<Asked>,
    pub node_services: usize,
    pub batches: Vec<usize>,
    pub pages: Vec<u64>,
    pub many_in_work: usize,
    pub violations: Vec<String>,
    pub is_stopped: bool,
}

impl Script {
    /// With documents that others may have too.
    pub fn sharing(documents: &StoredDocuments) -> Self {
        Self { documents: Arc::clone(documents), ..Self::default() }
    }

    /// For [`Script::sharing`].
    pub fn stored_documents(&self) -> &StoredDocuments {
        &self.documents
    }

    /// The documents. Lock nothing else while this is held.
    pub fn documents(&self) -> MutexGuard<'_, HashMap<String, Stored>> {
        super::lock(&self.documents)
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        super::lock(&self.state)
    }

    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Tells those who wait that something was counted.
    pub fn notify(&self) {
        self.changed.notify_all();
    }

    pub fn violation(&self, what: String) {
        self.change(|state| state.violations.push(what));
    }

    pub fn stop(&self) {
        self.change(|state| state.is_stopped = true);
    }

    /// Waits until something changes, or for `limit`.
    pub fn wait(&self, limit: Duration) {
        drop(self.changed.wait_timeout(self.lock(), limit).unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits while `hold` holds these requests, and then gives the behaviour of the moment.
    pub fn behaviour(&self, hold: Hold) -> Behaviour {
        let must_wait = |state: &mut State| state.behaviour.hold == hold && !state.is_stopped;
        let state = self.changed.wait_while(self.lock(), must_wait).unwrap_or_else(PoisonError::into_inner);
        state.behaviour.clone()
    }

    /// Waits for `delay`, or until the double stops.
    pub fn delay(&self, delay: Duration) {
        if !delay.is_zero() {
            let is_running = |state: &mut State| !state.is_stopped;
            drop(self.changed.wait_timeout_while(self.lock(), delay, is_running));
        }
    }
}
