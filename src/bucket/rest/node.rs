//! A client of one node.
//!
//! Invariant: at most one connection is open, and at most one request is on it.

use super::client::{Client, SendOptions};
use super::message::{Call, Request, Response};
use super::protocol::Exchange;
use crate::bucket::remote::Endpoint;
use crate::bucket::remote::access::Access;
use crate::bucket::remote::auth::Credentials;
use crate::bucket::remote::failure::Failure;
use crate::bucket::{BucketTimeouts, Trace};
use crate::clock::{self, Deadline};

/// A client of one node. It connects at its first exchange.
pub struct NodeClient {
    node: Endpoint,
    client: Client,
    timeouts: BucketTimeouts,
    base_url: String,
    peer: String,
}

impl NodeClient {
    /// A client of `node`, which answers as `service` (in words for a reason).
    #[must_use]
    pub fn new(access: &Access, node: Endpoint, service: &str) -> Self {
        let timeouts = access.timeouts();
        Self {
            client: Client::new(&timeouts, &access.tls, &access.names),
            timeouts,
            base_url: node.base_url(),
            peer: format!("{service} at {}", node.authority()),
            node,
        }
    }

    /// The node that it asks.
    #[must_use]
    pub fn node(&self) -> &Endpoint {
        &self.node
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

    /// Closes the connection: the next exchange opens another one.
    pub fn reconnect(&mut self) {
        self.client = self.client.anew(&self.timeouts);
    }

    /// Exchanges with the node until `deadline`.
    #[must_use]
    pub fn exchange<'a>(
        &'a self,
        credentials: &'a Credentials,
        deadline: Deadline,
        trace: &'a Trace,
    ) -> NodeExchange<'a> {
        NodeExchange { client: self, credentials, deadline, trace }
    }
}

/// Exchanges with one node, as one user, until a deadline.
pub struct NodeExchange<'a> {
    client: &'a NodeClient,
    credentials: &'a Credentials,
    deadline: Deadline,
    trace: &'a Trace,
}

impl Exchange for NodeExchange<'_> {
    fn send(&mut self, request: &Request, max_bytes: usize) -> Result<Response, Failure> {
        let NodeClient { client, node, base_url, peer, .. } = self.client;
        let traceparent = self.trace.traceparent.as_deref();
        let (host, credentials, deadline) = (node.host.as_str(), self.credentials, self.deadline);
        let options = SendOptions { host, credentials, deadline, max_bytes, traceparent };
        client.send(base_url, request, peer, &options)
    }

    fn call(&self) -> Call<'_> {
        Call { left: self.deadline.remaining(clock::now()), trace: self.trace }
    }

    fn peer(&self) -> &str {
        &self.client.peer
    }
}
