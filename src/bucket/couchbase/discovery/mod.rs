//! Finds out which nodes a cluster has, once for all connections: [`Discovery`] by the cluster managers.
//!
//! `srv` has the hosts to begin with, `topology` reads what a manager answers, and `refresher` is the thread that asks.
//! Requests wait for the first result, each within its own deadline. Once there is a topology nobody waits again: the last
//! good one is kept, and newer ones take its place.
//!
//! Invariant: never more than one discovery at a time; what was found is in [`Nodes`] before anybody learns that there is a
//! topology.

mod refresher;
pub mod srv;
pub mod topology;

pub use srv::SeedSource;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::product::COUCHBASE;
use super::service::Service;
use crate::bucket::remote::auth::Credentials;
use crate::bucket::rest::node::NodeClient;
use crate::bucket::rest::{
    Access, Completeness, Discovery, Endpoint, Exchange, Failure, Nodes, Request, Retry, Security,
};
use crate::bucket::{BucketError, Trace};
use crate::clock::{self, Deadline};
use crate::config::{Network, Seed, is_loopback};
use crate::observe::Observation;
use topology::Topology;

/// How long a node is waited for while others can be asked and there is a topology to go on with: the one that is to be
/// replaced is often the one that does not answer.
const SHORT_TIMEOUT: Duration = Duration::from_millis(500);

/// After a discovery that failed after this long, requests that want to know fail at once; one that fails faster can be
/// repeated for each of them.
const SLOW_FAILURE: Duration = Duration::from_millis(500);

/// The discovery of one cluster.
pub struct ClusterDiscovery {
    seeds: SeedSource,
    network: Network,
    service: Service,
    access: Access,
    nodes: Arc<Nodes>,
    state: Mutex<DiscoveryState>,
    changed: Condvar,
}

#[derive(Default)]
struct DiscoveryState {
    topology: Option<Topology>,
    /// How the last discovery failed, if it did, and how long it took.
    failure: Option<(BucketError, Duration)>,
    /// Counts the discoveries that came to an end.
    round: u64,
    is_under_way: bool,
    /// Who gave the last topology.
    last_good: Option<Seed>,
    wanted: Wanted,
}

/// What the refresher is to do next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    /// To discover again at its usual time.
    #[default]
    Nothing,
    /// A node failed: to discover again after a short rest.
    Soon,
    /// A request waits for nodes: to discover now.
    Now,
    /// To end: the database is not used any more.
    Stop,
}

impl ClusterDiscovery {
    /// Starts the refresher, which asks nobody before a request waits for nodes. What is found is written to `nodes`: those
    /// that run `service`.
    ///
    /// # Errors
    /// [`BucketError::Unavailable`] if the operating system has no thread left.
    pub fn start(
        seeds: SeedSource,
        network: Network,
        service: Service,
        access: Access,
        nodes: Arc<Nodes>,
    ) -> Result<Arc<Self>, BucketError> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        let discovery = Arc::new(Self { seeds, network, service, access, nodes, state, changed });
        refresher::start(&discovery).map_err(|error| {
            BucketError::unavailable(format!("no thread could be started that asks the cluster for its nodes: {error}"))
        })?;
        Ok(discovery)
    }

    /// Asks for the nodes, and replaces them if they are news. Called by the refresher only.
    ///
    /// # Errors
    /// What the last one that was asked failed with.
    fn refresh(&self) -> Result<(), BucketError> {
        let start = clock::now();
        let outcome = self.ask_in_turn();
        let took = clock::now().saturating_duration_since(start);
        let (seed, changed_nodes, failure) = {
            let mut state = self.state.lock();
            match outcome {
                Ok((topology, seed)) => (Some(seed), state.replace(topology, &self.nodes), None),
                // While there is a topology, requests find out for themselves.
                Err(error) => (None, None, Some((error, took))),
            }
        };
        let error = failure.as_ref().map(|(error, _)| error.clone());
        self.end_round(seed, failure);
        if let Some(nodes) = changed_nodes {
            let names: Vec<String> = nodes.iter().map(Endpoint::authority).collect();
            let (product, nodes_found) = (COUCHBASE.name, names.join(", "));
            self.access.observer.emit(&Observation::NodesFound { product, nodes: &nodes_found });
            self.warn_of_exposure(&nodes);
        }
        error.map_or(Ok(()), Err)
    }

    /// Records the end of a discovery, and wakes those who wait for it.
    fn end_round(&self, seed: Option<Seed>, failure: Option<(BucketError, Duration)>) {
        let mut state = self.state.lock();
        state.round = state.round.wrapping_add(1);
        state.is_under_way = false;
        state.last_good = seed;
        state.failure = failure.filter(|_| state.topology.is_none());
        drop(state);
        self.changed.notify_all();
    }

    /// The settings have warned of seeds that are elsewhere; this is about nodes that only the cluster names.
    fn warn_of_exposure(&self, nodes: &[Endpoint]) {
        let is_elsewhere = |host: &str| !is_loopback(host);
        let exposed = nodes.iter().find(|node| is_elsewhere(&node.host));
        let is_news = self.access.tls.security() == Security::Plain
            && self.access.login.has_password()
            && !self.seeds.written().iter().any(|seed| is_elsewhere(&seed.host));
        if let Some(node) = exposed.filter(|_| is_news) {
            let (product, remedy) = (COUCHBASE.name, COUCHBASE.advice.use_tls);
            self.access.observer.emit(&Observation::PasswordExposed { product, host: &node.host, remedy });
        }
    }

    /// Asks the nodes that are known, the one that answered last first, then the hosts of the connection string, and then
    /// those that are known again, with more time.
    fn ask_in_turn(&self) -> Result<(Topology, Seed), BucketError> {
        let attempt = self.access.timeouts().attempt;
        let known = self.known();
        if let Some(found) = self.ask_known(&known, SHORT_TIMEOUT.min(attempt)) {
            return Ok(found);
        }
        let outcome = self.ask_seeds(&self.seeds.seeds(self.access.timeouts().connect), attempt);
        if outcome.is_err()
            && let Some(found) = self.ask_known(&known, attempt)
        {
            return Ok(found);
        }
        outcome
    }

    /// Nodes that only the cluster has named may have left it, and belong to another one by now, with other logins: what
    /// they refuse says nothing, and a cluster that is not ours is not taken from them.
    fn ask_known(&self, nodes: &[Seed], timeout: Duration) -> Option<(Topology, Seed)> {
        let session = self.access.login.session();
        nodes.iter().take_while(|_| !self.is_stopped()).find_map(|node| {
            let deadline = Deadline::after(clock::now(), timeout);
            let client = self.client_of(node);
            let trace = Trace::default();
            let found = self.ask(node, &mut client.exchange(session.credentials(), deadline, &trace)).ok()?;
            let is_ours = {
                let state = self.state.lock();
                state.topology.as_ref().is_none_or(|held| held.is_of_the_same_cluster_as(&found))
            };
            is_ours.then(|| (found, node.clone()))
        })
    }

    fn known(&self) -> Vec<Seed> {
        let state = self.state.lock();
        let mut known = state.topology.as_ref().map(|topology| topology.managers.clone()).unwrap_or_default();
        fastrand::shuffle(&mut known);
        // A stable sort: the others stay in their random order.
        known.sort_by_key(|node| state.last_good.as_ref() != Some(node));
        known
    }

    /// Asks each of them for `timeout` at most, until one answers. One that refuses the login may belong to another cluster
    /// by now, so only when all have been asked the refusal counts, and other credentials are tried.
    fn ask_seeds(&self, seeds: &[Seed], timeout: Duration) -> Result<(Topology, Seed), BucketError> {
        let mut session = self.access.login.session();
        loop {
            let failure = match self.ask_each(seeds, session.credentials(), timeout) {
                Ok(found) => {
                    session.accepted();
                    return Ok(found);
                }
                Err(failure) => failure,
            };
            let deadline = Deadline::after(clock::now(), timeout);
            if self.is_stopped() || failure.retry != Retry::NewCredentials || !session.refused(&failure.error, deadline)
            {
                return Err(failure.error);
            }
        }
    }

    /// A refused login is told before anything else: it is what somebody has to change.
    fn ask_each(
        &self,
        seeds: &[Seed],
        credentials: &Credentials,
        timeout: Duration,
    ) -> Result<(Topology, Seed), Failure> {
        let no_host = "[couchbase] connection_string names no host; write couchbase://HOST";
        let mut outcome = Failure::of_node(BucketError::misconfigured(no_host));
        for seed in seeds.iter().take_while(|_| !self.is_stopped()) {
            let deadline = Deadline::after(clock::now(), timeout);
            let (client, trace) = (self.client_of(seed), Trace::default());
            match self.ask(seed, &mut client.exchange(credentials, deadline, &trace)) {
                Ok(found) => return Ok((found, seed.clone())),
                Err(failure) if outcome.retry == Retry::NextNode => outcome = failure,
                Err(_) => {}
            }
        }
        Err(outcome)
    }

    fn client_of(&self, seed: &Seed) -> NodeClient {
        let node = manager(seed, self.access.tls.security());
        NodeClient::new(&self.access, node, Service::Manager.name())
    }

    /// Asks one manager. A failure has `NextNode` where another manager may know more, and else what the login asks for.
    fn ask(&self, seed: &Seed, exchange: &mut dyn Exchange) -> Result<Topology, Failure> {
        let response = exchange
            .send(&Request::get(topology::NODE_SERVICES), topology::MAX_RESPONSE_BYTES)
            .map_err(|failure| failure.with(Retry::NextNode))?;
        let peer = exchange.peer();
        match (response.status, response.completeness) {
            (200, Completeness::Complete) => {
                topology::parse(&response.body, seed, &self.network, self.service, self.access.tls.security())
                    .map_err(Failure::of_node)
            }
            (401 | 403, _) => Err(COUCHBASE.status_failure(response.status, peer)),
            (404, _) => Err(Failure::of_node(BucketError::misconfigured(format!(
                "{peer} knows no cluster (HTTP status 404); set the cluster up, or check the hosts and ports of \
                 [couchbase] connection_string"
            )))),
            (status @ (500 | 501 | 505..=599), _) => Err(Failure::of_node(BucketError::unavailable(format!(
                "{peer} failed by itself (HTTP status {status})"
            )))),
            (status, _) => Err(COUCHBASE.status_failure(status, peer).with(Retry::NextNode)),
        }
    }

    fn is_stopped(&self) -> bool {
        self.state.lock().wanted == Wanted::Stop
    }

    fn want(&self, wanted: Wanted) {
        let mut state = self.state.lock();
        state.wanted = state.wanted.max(wanted);
        drop(state);
        self.changed.notify_all();
    }
}

impl Discovery for ClusterDiscovery {
    /// While discoveries wait in vain for the cluster, nobody else does: the failure of the last one is returned at once.
    fn wait_for_nodes(&self, deadline: Deadline) -> Result<(), BucketError> {
        let mut state = self.state.lock();
        let round = state.round;
        if let Some((error, _)) = state.failure.as_ref().filter(|(_, took)| *took >= SLOW_FAILURE) {
            return Err(error.clone().of_another_request());
        }
        if state.topology.is_none() && !state.is_under_way {
            state.wanted = state.wanted.max(Wanted::Now);
            self.changed.notify_all();
        }
        loop {
            if state.topology.is_some() {
                return Ok(());
            }
            if let Some((error, _)) = state.failure.as_ref().filter(|_| state.round != round) {
                return Err(error.clone());
            }
            if self.changed.wait_until(&mut state, deadline.instant()).timed_out() && state.topology.is_none() {
                return Err(BucketError::timeout("the cluster was still being asked for its nodes"));
            }
        }
    }

    fn node_failed(&self) {
        self.want(Wanted::Soon);
    }

    fn stop(&self) {
        self.want(Wanted::Stop);
    }
}

/// Where the manager of a seed can be asked.
#[must_use]
pub fn manager(seed: &Seed, security: Security) -> Endpoint {
    Endpoint::new(security, &seed.host, seed.management_port)
}

impl DiscoveryState {
    /// Keeps what was found, if it is news. Returns its nodes if they are others than before.
    fn replace(&mut self, found: Topology, nodes: &Nodes) -> Option<Vec<Endpoint>> {
        let held = self.topology.as_ref();
        if held.is_some_and(|held| !found.supersedes(held)) {
            return None;
        }
        let names_others = held.is_none_or(|held| held.nodes != found.nodes);
        nodes.set(&found.nodes);
        let changed = names_others.then(|| found.nodes.clone());
        self.topology = Some(found);
        changed
    }
}
