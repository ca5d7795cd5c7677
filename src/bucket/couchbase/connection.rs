//! One bucket connection: one TCP connection to one query node.
//!
//! Invariant: at most one connection is open, and at most one request is on it. An exchange is repeated only once, and
//! only if the kept connection turned out to be closed: then the node has not been asked yet as far as we know, and a
//! read may be asked twice.

use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use super::answer::{self, Answer};
use super::meaning;
use super::statement;
use super::topology::Endpoint;
use super::transport::{Ask, Client, Extent, Failure, MAX_IDLE_AGE, Reply};
use crate::bucket::{Bucket, BucketError, BucketTimeouts, Document, NewDocument};
use crate::clock::{self, Deadline};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};
use crate::observe::Observation;

/// What an answer holds besides its document, in bytes: ids, states, warnings. There is room to spare.
const ENVELOPE_BYTES: usize = 64 * 1024;

/// Where the query service takes requests.
const PATH: &str = "/query/service";

/// A [`Bucket`] over the query service.
pub struct QueryConnection {
    shared: Arc<Shared>,
    timeouts: BucketTimeouts,
    client: Client,
    url: String,
    peer: String,
    deadline: Deadline,
}

impl QueryConnection {
    /// Dials nothing yet: the first read does.
    pub(super) fn new(shared: Arc<Shared>, node: &Endpoint, timeouts: &BucketTimeouts, deadline: Deadline) -> Self {
        let authority = node.authority();
        Self {
            shared,
            timeouts: *timeouts,
            client: Client::new(timeouts),
            url: format!("http://{authority}{PATH}"),
            peer: format!("the query service at {authority}"),
            deadline,
        }
    }

    fn read(&mut self, id: &DocumentId) -> Result<Answer, BucketError> {
        let reply = match self.ask(id) {
            Err(Failure::StaleConnection(_)) => {
                self.client = Client::new(&self.timeouts);
                self.ask(id)
            }
            outcome => outcome,
        };
        let reply = reply.map_err(Failure::into_error)?;
        match reply.extent {
            Extent::Whole => answer::read(reply.status, &reply.body, id, &self.peer, &self.shared.target),
            Extent::OverLimit => Err(answer::overlong(reply.status, &reply.body, &self.peer)),
        }
    }

    fn ask(&self, id: &DocumentId) -> Result<Reply, Failure> {
        let left = self.deadline.remaining(clock::now());
        // The place of a request id, once a bucket is told one.
        let context_id = None;
        let body = statement::read_request(&self.shared.statement, id, left, context_id);
        let ask = Ask {
            credentials: &self.shared.credentials,
            deadline: self.deadline,
            max_body_bytes: MAX_DOCUMENT_BYTES + ENVELOPE_BYTES,
        };
        self.client.post(&self.url, &body, &self.peer, &ask)
    }
}

impl Bucket for QueryConnection {
    fn get(&mut self, id: &DocumentId) -> Result<Option<Document>, BucketError> {
        match self.read(id) {
            Ok(answer) => {
                for code in answer.warnings {
                    let meaning = meaning::of_warning(code);
                    self.shared.observer.emit(&Observation::DatabaseWarned { code, meaning });
                }
                Ok(answer.document)
            }
            Err(error) => {
                if matches!(error, BucketError::Unavailable { .. } | BucketError::Timeout { .. }) {
                    self.shared.discovery.poke();
                }
                Err(error)
            }
        }
    }

    fn upsert(&mut self, _: &[NewDocument]) -> Result<(), BucketError> {
        Err(BucketError::Misconfigured {
            reason: "importing into Couchbase is not built yet; use Couchbase's own cbimport".to_owned(),
        })
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    fn is_fresh(&self, idle_since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(idle_since) <= MAX_IDLE_AGE
    }
}
