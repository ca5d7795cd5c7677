//! Finds out which nodes there are, once for all connections.
//!
//! Only the refresher's thread (see [`super::refresher`]) asks; requests wait for its first result, each within its own
//! deadline. Once there is a topology nobody waits again: the last good one is kept, and newer ones take its place.
//!
//! Invariant: never more than one discovery at a time; what was found is on the board of [`Nodes`] before anybody is
//! told that there is a topology.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::login::{Credentials, Login};
use super::nodes::Nodes;
use super::refresher::{self, Refresher};
use super::srv::SeedSource;
use super::status;
use super::tls::Tls;
use super::topology::{self, Endpoint, Security, Topology};
use super::transport::{Ask, Client, Extent};
use super::way::{Method, Request, Service};
use crate::bucket::{BucketError, BucketTimeouts};
use crate::clock::{self, Deadline};
use crate::config::{Network, Seed, is_loopback};
use crate::observe::{Observation, Observer};

/// How long a node is waited for while others can be asked and there is a topology to go on with: the one that is to be
/// replaced is often the one that does not answer.
const IMPATIENCE: Duration = Duration::from_millis(500);

/// A discovery that fails after this long keeps those waiting who want to know; one that fails faster can be tried again
/// for each of them.
const SILENCE: Duration = Duration::from_millis(500);

/// Which nodes there are, and what is needed to find out.
pub struct Discovery {
    seeds: SeedSource,
    network: Network,
    service: Service,
    login: Arc<Login>,
    tls: Arc<Tls>,
    timeouts: BucketTimeouts,
    nodes: Arc<Nodes>,
    pub(super) observer: Observer,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    topology: Option<Topology>,
    /// How the last discovery ended, unless well, and how long it took.
    failure: Option<(BucketError, Duration)>,
    /// Counts the discoveries that came to an end.
    round: u64,
    /// Who gave the last topology.
    last_good: Option<Seed>,
    pub(super) refresher: Refresher,
}

impl Discovery {
    /// Asks nobody yet. What is found is written to `nodes`: those that run `service`.
    #[must_use]
    #[allow(clippy::too_many_arguments, reason = "each is one thing that it needs, and it is made in one place")]
    pub fn new(
        seeds: SeedSource,
        network: Network,
        service: Service,
        login: Arc<Login>,
        tls: Arc<Tls>,
        timeouts: BucketTimeouts,
        nodes: Arc<Nodes>,
        observer: Observer,
    ) -> Self {
        let state = Mutex::new(State::default());
        Self { seeds, network, service, login, tls, timeouts, nodes, observer, state, changed: Condvar::new() }
    }

    /// Returns at once if there is a topology; else waits for the end of the next discovery. While discoveries wait in
    /// vain for the cluster, nobody else does: the failure of the last one is told at once.
    ///
    /// # Errors
    /// What the discovery failed with; [`BucketError::Timeout`] if the deadline came first.
    pub fn wait_for_topology(self: &Arc<Self>, deadline: Deadline) -> Result<(), BucketError> {
        // Before the thread is started: it may be done before anybody looks again, and that was the next discovery.
        let round = self.lock().round;
        refresher::ensure(self);
        let mut state = self.lock();
        if let Some((error, _)) = state.failure.as_ref().filter(|(_, took)| *took >= SILENCE) {
            return Err(error.clone().of_another_request());
        }
        if state.refresher == Refresher::Waiting && state.round == round {
            state.refresher = Refresher::Wanted;
            self.changed.notify_all();
        }
        loop {
            if state.topology.is_some() {
                return Ok(());
            }
            if let Some((error, _)) = state.failure.as_ref().filter(|_| state.round != round) {
                return Err(error.clone());
            }
            if state.refresher == Refresher::NotStarted {
                let reason = "no thread could be started that asks the cluster for its nodes".to_owned();
                return Err(BucketError::Unavailable { reason });
            }
            let left = deadline.remaining(clock::now());
            if left.is_zero() {
                let reason = "the cluster was still being asked for its nodes".to_owned();
                return Err(BucketError::Timeout { reason });
            }
            state = self.wait(state, left);
        }
    }

    /// Asks for the nodes, and takes them over if they are news. Called by the refresher's thread only.
    ///
    /// # Errors
    /// What the last one that was asked failed with.
    pub(super) fn refresh(&self) -> Result<(), BucketError> {
        let start = clock::now();
        let outcome = self.ask_in_turn();
        let took = clock::now().saturating_duration_since(start);
        let mut state = self.lock();
        state.end_round();
        let became = match outcome {
            Ok((topology, seed)) => {
                state.failure = None;
                state.last_good = Some(seed);
                state.take(topology, &self.nodes)
            }
            Err(error) => {
                state.last_good = None;
                // While there is a topology, requests find out for themselves.
                if state.topology.is_none() {
                    state.failure = Some((error.clone(), took));
                }
                drop(state);
                self.changed.notify_all();
                return Err(error);
            }
        };
        drop(state);
        self.changed.notify_all();
        if let Some(nodes) = became {
            let names: Vec<String> = nodes.iter().map(Endpoint::authority).collect();
            self.observer.emit(&Observation::Note(format_args!("Couchbase is asked at {}", names.join(", "))));
            self.warn_of_exposure(&nodes);
        }
        Ok(())
    }

    /// Takes note that a discovery broke off: a defect of ours, which is not to keep anybody waiting.
    pub(super) fn broke_off(&self) {
        let mut state = self.lock();
        state.end_round();
        if state.topology.is_none() {
            let reason = "the discovery of the cluster broke off".to_owned();
            state.failure = Some((BucketError::Unavailable { reason }, Duration::ZERO));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Wakes those who wait for a change.
    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Tells the refresher that a node failed, so that the topology may have changed. Never blocks for long.
    pub fn poke(&self) {
        let mut state = self.lock();
        if state.refresher == Refresher::Waiting {
            state.refresher = Refresher::Poked;
            self.changed.notify_all();
        }
    }

    /// Ends the refresher.
    pub fn stop(&self) {
        self.lock().refresher = Refresher::Stopped;
        self.changed.notify_all();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left a state that is well in itself: its parts do not depend on each other.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change of the state, or for `limit`.
    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Of seeds that are elsewhere the settings have warned already; this is about nodes that only the cluster names.
    fn warn_of_exposure(&self, nodes: &[Endpoint]) {
        let is_elsewhere = |host: &str| !is_loopback(host);
        let exposed = nodes.iter().find(|node| is_elsewhere(&node.host));
        let is_news = self.tls.security() == Security::Plain
            && self.login.has_password()
            && !self.seeds.written().iter().any(|seed| is_elsewhere(&seed.host));
        if let Some(node) = exposed.filter(|_| is_news) {
            self.observer.emit(&Observation::Warning(format_args!(
                "the password for Couchbase goes over the network to {} as anybody on the way can read it: write \
                 couchbases:// in [couchbase] connection_string",
                node.host
            )));
        }
    }

    /// Asks the nodes that are known, the one that answered last first, then the hosts of the connection string, and then
    /// those that are known again, with more patience.
    fn ask_in_turn(&self) -> Result<(Topology, Seed), BucketError> {
        let client = Client::new(&self.timeouts, &self.tls);
        let attempt = self.timeouts.attempt;
        let known = self.known();
        if let Some(found) = self.ask_known(&client, &known, IMPATIENCE.min(attempt)) {
            return Ok(found);
        }
        let patience = Deadline::after(clock::now(), self.timeouts.connect.saturating_mul(2));
        let outcome = self.ask_seeds(&client, &self.seeds.seeds(patience), attempt);
        if outcome.is_err()
            && let Some(found) = self.ask_known(&client, &known, attempt)
        {
            return Ok(found);
        }
        outcome
    }

    /// Nodes that only the cluster has named may have left it, and belong to another one by now, with other logins: what
    /// they refuse says nothing, and a cluster that is not ours is not taken from them.
    fn ask_known(&self, client: &Client, nodes: &[Seed], patience: Duration) -> Option<(Topology, Seed)> {
        let credentials = self.login.credentials();
        let asked = nodes.iter().take_while(|_| self.lock().refresher != Refresher::Stopped);
        asked
            .filter_map(|node| {
                let deadline = Deadline::after(clock::now(), patience);
                Some((self.ask_as(&credentials, client, node, deadline).ok()?, node.clone()))
            })
            .find(|(found, _)| self.lock().topology.as_ref().is_none_or(|held| held.is_of_the_same_cluster_as(found)))
    }

    fn known(&self) -> Vec<Seed> {
        let state = self.lock();
        let mut known = state.topology.as_ref().map(|topology| topology.managers.clone()).unwrap_or_default();
        fastrand::shuffle(&mut known);
        // A stable sort: the others stay in their random order.
        known.sort_by_key(|node| state.last_good.as_ref() != Some(node));
        known
    }

    /// Asks each of them for `patience` at most, until one answers.
    fn ask_seeds(&self, client: &Client, seeds: &[Seed], patience: Duration) -> Result<(Topology, Seed), BucketError> {
        let mut outcome = Err(BucketError::Misconfigured {
            reason: "[couchbase] connection_string names no host; write couchbase://HOST".to_owned(),
        });
        for seed in seeds {
            outcome = match self.ask(client, seed, Deadline::after(clock::now(), patience)) {
                Ok(found) => return Ok((found, seed.clone())),
                Err(Refusal::OfAll(error) | Refusal::Login(error)) => return Err(error),
                Err(Refusal::OfThisOne(error)) => Err(error),
            };
            if self.lock().refresher == Refresher::Stopped {
                break;
            }
        }
        outcome
    }

    fn ask(&self, client: &Client, seed: &Seed, deadline: Deadline) -> Result<Topology, Refusal> {
        let is_refusal = |refusal: &Refusal| matches!(refusal, Refusal::Login(_));
        self.login.with(deadline, is_refusal, |credentials| self.ask_as(credentials, client, seed, deadline))
    }

    fn ask_as(
        &self,
        credentials: &Credentials,
        client: &Client,
        seed: &Seed,
        deadline: Deadline,
    ) -> Result<Topology, Refusal> {
        let security = self.tls.security();
        let authority = topology::authority(&seed.host, seed.management_port);
        let peer = topology::peer(&authority);
        let ask = Ask { credentials, deadline, max_body_bytes: topology::MAX_ANSWER_BYTES };
        let request = Request { method: Method::Get, path: topology::NODE_SERVICES.to_owned(), fields: Vec::new() };
        let reply = client
            .ask(&security.base_url(&authority), &request, &peer, &ask)
            .map_err(|failure| Refusal::OfThisOne(failure.error))?;
        match (reply.status, reply.extent) {
            (200, Extent::Whole) => {
                topology::parse(&reply.body, seed, &self.network, self.service, security).map_err(Refusal::OfThisOne)
            }
            // Logins are the cluster's, not the node's: no other seed would say anything else.
            (401, _) => Err(Refusal::Login(status::failure(reply.status, &peer).error)),
            (403, _) => Err(Refusal::OfAll(status::failure(reply.status, &peer).error)),
            (404, _) => Err(Refusal::OfThisOne(BucketError::Misconfigured {
                reason: format!(
                    "{peer} knows no cluster (HTTP status 404); set the cluster up, or check the hosts and ports of \
                     [couchbase] connection_string"
                ),
            })),
            (status @ (500 | 501 | 505..=599), _) => Err(Refusal::OfThisOne(BucketError::Unavailable {
                reason: format!("{peer} failed by itself (HTTP status {status})"),
            })),
            (status, _) => Err(Refusal::OfThisOne(status::failure(status, &peer).error)),
        }
    }
}

/// Why a seed gave no topology, and whether another may.
enum Refusal {
    OfThisOne(BucketError),
    OfAll(BucketError),
    /// As `OfAll`, until there is another login.
    Login(BucketError),
}

impl State {
    /// A discovery came to its end, whichever it was.
    fn end_round(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.refresher == Refresher::Looking {
            self.refresher = Refresher::Waiting;
        }
    }

    /// Keeps what was found, if it is news. Gives its nodes if they are others than before.
    fn take(&mut self, found: Topology, nodes: &Nodes) -> Option<Vec<Endpoint>> {
        let held = self.topology.as_ref();
        if held.is_some_and(|held| !found.supersedes(held)) {
            return None;
        }
        let names_others = held.is_none_or(|held| held.nodes != found.nodes);
        nodes.set(&found.nodes);
        let became = names_others.then(|| found.nodes.clone());
        self.topology = Some(found);
        became
    }
}
