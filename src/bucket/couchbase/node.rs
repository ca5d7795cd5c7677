//! One connection to one node, and one exchange over it.
//!
//! Invariant: at most one connection is open, and at most one request is on it. An exchange is repeated by itself only
//! if the kept connection turned out to be closed: then the node has not been asked yet as far as we know.

use std::sync::Arc;

use super::Shared;
use super::failure::{Failure, Remedy};
use super::login::Credentials;
use super::topology::Endpoint;
use super::transport::{Ask, Client, Reply};
use super::way::{Reading, Remarks, Request};
use crate::bucket::{BucketTimeouts, Trace};
use crate::clock::{self, Deadline};
use crate::model::DocumentId;

/// A client of one node.
pub struct NodeClient {
    shared: Arc<Shared>,
    node: Endpoint,
    timeouts: BucketTimeouts,
    client: Client,
    authority: String,
    base: String,
    peer: String,
}

impl NodeClient {
    /// Dials nothing yet: the first exchange does.
    #[must_use]
    pub fn new(shared: Arc<Shared>, node: Endpoint, timeouts: &BucketTimeouts) -> Self {
        let authority = node.authority();
        Self {
            client: Client::new(timeouts, &shared.tls),
            base: shared.tls.security().base_url(&authority),
            peer: format!("{} at {authority}", shared.way.service_name()),
            timeouts: *timeouts,
            authority,
            shared,
            node,
        }
    }

    /// The node that it asks.
    #[must_use]
    pub fn node(&self) -> &Endpoint {
        &self.node
    }

    /// The node as it stands in a log.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Who is asked, in words for a reason.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// False once there are other certificates than those that this was made with.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.client.is_current()
    }

    /// Hangs up: the next exchange dials again.
    pub fn redial(&mut self) {
        self.client = Client::new(&self.timeouts, &self.shared.tls);
    }

    /// Reads one document. A failure has every remedy but `Redial`; what a new login could help against was tried with
    /// every login that there is reason to try (see `login`).
    pub fn read(&mut self, id: &DocumentId, deadline: Deadline, trace: &Trace) -> Reading {
        let shared = Arc::clone(&self.shared);
        let is_refusal = |failure: &Failure| failure.remedy == Remedy::NewLogin;
        let mut remarks = Remarks::default();
        let outcome = shared.login.with(deadline, is_refusal, |credentials| {
            let reading = self.read_as(credentials, id, deadline, trace);
            remarks = reading.remarks;
            reading.outcome
        });
        Reading { outcome, remarks }
    }

    fn read_as(&mut self, credentials: &Credentials, id: &DocumentId, deadline: Deadline, trace: &Trace) -> Reading {
        let left = deadline.remaining(clock::now());
        let mut request = match self.shared.way.read_request(id, left, trace) {
            Ok(request) => request,
            Err(error) => return Reading::plain(Err(Failure::unasked(error))),
        };
        request.fields.extend(trace.traceparent.clone().map(|parent| ("traceparent", parent)));
        let ask = Ask { credentials, deadline, max_body_bytes: self.shared.way.max_reply_bytes() };
        let reply = match self.client.ask(&self.base, &request, &self.peer, &ask) {
            Err(Failure { remedy: Remedy::Redial, .. }) => {
                self.redial();
                let again = self.client.ask(&self.base, &request, &self.peer, &ask);
                again.map_err(|failure| failure.with(Remedy::AnotherNode))
            }
            outcome => outcome,
        };
        match reply {
            Ok(reply) => self.shared.way.read_reply(&reply, id, &self.peer),
            Err(failure) => Reading::plain(Err(failure)),
        }
    }

    /// One exchange with the login of the moment, without a second try.
    ///
    /// # Errors
    /// [`Failure`] if no answer came, or not all of it.
    pub fn ask(&self, request: &Request, deadline: Deadline, max_body_bytes: usize) -> Result<Reply, Failure> {
        let credentials = self.shared.login.credentials();
        let ask = Ask { credentials: &credentials, deadline, max_body_bytes };
        self.client.ask(&self.base, request, &self.peer, &ask)
    }
}
