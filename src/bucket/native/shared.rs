//! What all connections to one database share.
//!
//! Invariant: shared by all threads; its runtime ends when it is dropped.

use std::sync::Arc;

use super::shared_client::SharedClient;
use super::{ClientIdentity, Native};
use crate::bucket::remote::{Access, Failure};
use crate::bucket::runtime::{Runtime, within};
use crate::clock::Deadline;

/// What all connections share.
pub struct Shared<N: Native> {
    pub access: Access,
    pub native: N,
    pub client: Arc<SharedClient<N::Client>>,
    pub runtime: Runtime,
}

impl<N: Native> Shared<N> {
    /// The client of an identity, opened if there is none.
    ///
    /// # Errors
    /// As [`SharedClient::get`].
    pub fn client(&self, identity: &ClientIdentity, deadline: Deadline) -> Result<Arc<N::Client>, Failure> {
        self.client.get(identity, deadline, || {
            let (client, identity) = (Arc::clone(&self.client), identity.clone());
            let opening = self.native.open(&identity);
            // Its own limit: who asked for it may have less time than others who will need it.
            let (limit, what) = (self.access.timeouts().operation, self.access.product.name);
            self.runtime.start_task(async move {
                let outcome = within(limit, what, opening).await;
                client.opened(identity, outcome.unwrap_or_else(|error| Err(Failure::of_node(error))));
            });
        })
    }
}
