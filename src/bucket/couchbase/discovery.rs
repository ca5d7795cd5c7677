//! Finds out where the query service runs, once for all connections.
//!
//! Invariant: never more than one discovery at a time; those who need its result wait for it, each within their own
//! deadline. Once there is a topology nobody waits for a discovery again: the last good one is kept, and the
//! refresher (see [`super::refresher`]) brings newer ones.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::credentials::Credentials;
use super::meaning;
use super::refresher;
use super::topology::{self, Topology};
use super::transport::{Ask, Client, Extent};
use crate::bucket::{BucketError, BucketTimeouts};
use crate::clock::{self, Deadline};
use crate::config::{Network, Seed};
use crate::observe::{Observation, Observer};

/// The largest answer of a cluster manager that we read, in bytes. A node takes some hundreds of them.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// Where the cluster manager says which services run where.
const NODE_SERVICES: &str = "/pools/default/nodeServices";

/// Where the query service runs, and what is needed to find out.
pub struct Discovery {
    seeds: Vec<Seed>,
    network: Network,
    credentials: Arc<Credentials>,
    timeouts: BucketTimeouts,
    pub(super) observer: Observer,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    topology: Option<Arc<Topology>>,
    /// Somebody is asking the seeds.
    is_running: bool,
    /// Counts the discoveries that came to an end.
    round: u64,
    /// How the last of them ended, unless well.
    failure: Option<BucketError>,
    pub(super) refresher: Refresher,
}

/// What the refresher is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Refresher {
    /// There is none yet.
    #[default]
    NotStarted,
    /// It waits for its time.
    Waiting,
    /// Something failed: it is to look again.
    Poked,
    /// The database is not used any more.
    Stopped,
}

impl Discovery {
    /// Asks nobody yet.
    #[must_use]
    pub fn new(
        seeds: Vec<Seed>,
        network: Network,
        credentials: Arc<Credentials>,
        timeouts: BucketTimeouts,
        observer: Observer,
    ) -> Self {
        let state = Mutex::new(State::default());
        Self { seeds, network, credentials, timeouts, observer, state, changed: Condvar::new() }
    }

    /// The topology, at once if there is one. Else the caller finds it out, or waits for the one who does.
    ///
    /// # Errors
    /// What the discovery failed with; [`BucketError::Timeout`] if the deadline came first.
    pub fn topology(self: &Arc<Self>, deadline: Deadline) -> Result<Arc<Topology>, BucketError> {
        let mut state = self.lock();
        loop {
            if let Some(topology) = &state.topology {
                return Ok(Arc::clone(topology));
            }
            if !state.is_running {
                let found = self.take_turn(state).ask_seeds(deadline);
                if found.is_ok() {
                    refresher::ensure(self);
                }
                return found;
            }
            let round = state.round;
            state = self.wait(state, deadline)?;
            // Whoever was told that there is nothing to be had shares that. A deadline of theirs is not one of ours.
            if state.round != round
                && let Some(failure) = state.failure.as_ref().filter(|failure| !is_timeout(failure))
            {
                return Err(failure.clone());
            }
        }
    }

    /// Asks the seeds, or waits for the one who does so already.
    ///
    /// # Errors
    /// As [`Discovery::topology`].
    pub(super) fn refresh(&self) -> Result<Arc<Topology>, BucketError> {
        // No request waits for it: each seed may take its whole share.
        let seeds = u32::try_from(self.seeds.len()).unwrap_or(u32::MAX);
        let deadline = Deadline::after(clock::now(), self.timeouts.attempt.saturating_mul(seeds));
        let mut state = self.lock();
        while state.is_running {
            state = self.wait(state, deadline)?;
        }
        self.take_turn(state).ask_seeds(deadline)
    }

    /// Takes the right to ask the seeds, which nobody may have just now.
    fn take_turn(&self, mut state: MutexGuard<'_, State>) -> Turn<'_> {
        state.is_running = true;
        Turn { discovery: self, outcome: None }
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
        // A thread that panicked left a state that is well in itself: `Turn` sees to that.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change of the state.
    pub(super) fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        deadline: Deadline,
    ) -> Result<MutexGuard<'a, State>, BucketError> {
        let left = deadline.remaining(clock::now());
        if left.is_zero() {
            let reason = "the cluster was still being asked where its query service runs".to_owned();
            return Err(BucketError::Timeout { reason });
        }
        Ok(self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Asks the seeds in a random order until one answers. Each gets its share of the time, the last one all the rest.
    fn ask_seeds(&self, deadline: Deadline) -> Result<Topology, BucketError> {
        let mut seeds: Vec<&Seed> = self.seeds.iter().collect();
        fastrand::shuffle(&mut seeds);
        let client = Client::new(&self.timeouts);
        let mut outcome = Err(BucketError::Misconfigured {
            reason: "[couchbase] connection_string names no host; write couchbase://HOST".to_owned(),
        });
        for (position, seed) in seeds.iter().enumerate() {
            let now = clock::now();
            let is_last = position + 1 == seeds.len();
            let share = if is_last { deadline } else { deadline.earlier(Deadline::after(now, self.timeouts.attempt)) };
            outcome = match self.ask(&client, seed, share) {
                Ok(topology) => return Ok(topology),
                Err(Refusal::OfAll(error)) => return Err(error),
                Err(Refusal::OfThisOne(error)) => Err(error),
            };
            if deadline.is_over(clock::now()) {
                break;
            }
        }
        outcome
    }

    fn ask(&self, client: &Client, seed: &Seed, deadline: Deadline) -> Result<Topology, Refusal> {
        let authority = topology::authority(&seed.host, seed.management_port);
        let peer = format!("the cluster manager at {authority}");
        let ask = Ask { credentials: &self.credentials, deadline, max_body_bytes: MAX_ANSWER_BYTES };
        let reply = client
            .get(&format!("http://{authority}{NODE_SERVICES}"), &peer, &ask)
            .map_err(|failure| Refusal::OfThisOne(failure.into_error()))?;
        match (reply.status, reply.extent) {
            (200, Extent::Whole) => topology::parse(&reply.body, seed, &self.network).map_err(Refusal::OfThisOne),
            // Logins are the cluster's, not the node's: no other seed would say anything else.
            (401 | 403, _) => Err(Refusal::OfAll(meaning::of_status(reply.status, &peer))),
            (404, _) => Err(Refusal::OfThisOne(BucketError::Misconfigured {
                reason: format!(
                    "{peer} knows no cluster (HTTP status 404); set the cluster up, or check the hosts and ports of \
                     [couchbase] connection_string"
                ),
            })),
            (status @ (500 | 501 | 505..=599), _) => Err(Refusal::OfThisOne(BucketError::Unavailable {
                reason: format!("{peer} failed by itself (HTTP status {status})"),
            })),
            (status, _) => Err(Refusal::OfThisOne(meaning::of_status(status, &peer))),
        }
    }
}

/// Why a seed gave no topology, and whether another may.
enum Refusal {
    OfThisOne(BucketError),
    OfAll(BucketError),
}

/// The right to ask the seeds. Given back however the asking ends, even by a panic.
struct Turn<'a> {
    discovery: &'a Discovery,
    /// What was found, once that is known.
    outcome: Option<Result<Arc<Topology>, BucketError>>,
}

impl Turn<'_> {
    fn ask_seeds(mut self, deadline: Deadline) -> Result<Arc<Topology>, BucketError> {
        let outcome = self.discovery.ask_seeds(deadline).map(Arc::new);
        self.outcome = Some(outcome.clone());
        outcome
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| {
            Err(BucketError::Unavailable { reason: "the discovery of the cluster broke off".to_owned() })
        });
        let mut state = self.discovery.lock();
        state.is_running = false;
        state.round = state.round.wrapping_add(1);
        let became = state.take(outcome);
        drop(state);
        self.discovery.changed.notify_all();
        if let Some(topology) = became {
            let nodes: Vec<String> = topology.query_nodes.iter().map(topology::Endpoint::authority).collect();
            self.discovery
                .observer
                .emit(&Observation::Note(format_args!("Couchbase answers queries at {}", nodes.join(", "))));
        }
    }
}

impl State {
    /// Keeps what was found, if it is news. Gives it back if it names other nodes than before.
    fn take(&mut self, outcome: Result<Arc<Topology>, BucketError>) -> Option<Arc<Topology>> {
        let found = match outcome {
            Ok(found) => found,
            Err(error) => {
                self.failure = Some(error);
                return None;
            }
        };
        self.failure = None;
        let held = self.topology.as_ref();
        if held.is_some_and(|held| !found.supersedes(held)) {
            return None;
        }
        let names_others = held.is_none_or(|held| held.query_nodes != found.query_nodes);
        self.topology = Some(Arc::clone(&found));
        names_others.then_some(found)
    }
}

fn is_timeout(error: &BucketError) -> bool {
    matches!(error, BucketError::Timeout { .. })
}
