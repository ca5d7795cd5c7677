//! The nodes that can be asked, shared by all connections, and the thread that probes those in doubt.
//!
//! Invariant: the lock is never held over I/O, and there is a probe under way, or due, whenever a node is not up.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::health::{Board, Change, Choice, Doubt, News, Others};
use super::topology::Endpoint;
use crate::bucket::BucketError;
use crate::clock;
use crate::observe::{Observation, Observer};

/// What is known of the nodes.
pub struct Nodes {
    state: Mutex<State>,
    changed: Condvar,
    observer: Observer,
}

#[derive(Default)]
struct State {
    board: Board,
    prober: Prober,
    /// A node has come into doubt since the last round of probes.
    is_due: bool,
}

/// Whether there is a thread that probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Prober {
    #[default]
    NotStarted,
    Running,
    Stopped,
}

/// A request that is on its way. It is over when this is dropped.
pub struct Outstanding<'a> {
    nodes: &'a Nodes,
    node: &'a Endpoint,
}

impl Drop for Outstanding<'_> {
    fn drop(&mut self) {
        self.nodes.lock().board.end(self.node);
    }
}

impl Nodes {
    /// No node is known yet.
    #[must_use]
    pub fn new(observer: Observer) -> Self {
        Self { state: Mutex::new(State::default()), changed: Condvar::new(), observer }
    }

    /// See [`Board::set_nodes`].
    pub fn set(&self, nodes: &[Endpoint]) {
        self.lock().board.set_nodes(nodes);
    }

    /// See [`Board::choose`].
    #[must_use]
    pub fn choose(&self, tried: &[Endpoint]) -> Choice {
        self.lock().board.choose(tried, fastrand::f64())
    }

    /// Takes note of a request that goes to `node`, and tells whether there is a node to turn to besides those `tried`.
    #[must_use]
    pub fn begin<'a>(&'a self, node: &'a Endpoint, tried: &[Endpoint]) -> (Outstanding<'a>, Others) {
        let mut state = self.lock();
        state.board.begin(node);
        (Outstanding { nodes: self, node }, state.board.others(tried))
    }

    /// See [`Board::others`].
    #[must_use]
    pub fn others(&self, tried: &[Endpoint]) -> Others {
        self.lock().board.others(tried)
    }

    /// See [`Board::is_as_good_as_any`].
    #[must_use]
    pub fn is_as_good_as_any(&self, node: &Endpoint) -> bool {
        self.lock().board.is_as_good_as_any(node)
    }

    /// See [`Board::has_several`].
    #[must_use]
    pub fn has_several(&self) -> bool {
        self.lock().board.has_several()
    }

    /// Takes note of a node's failure, and has the node probed at once if that is news. `start_prober` starts the thread
    /// that calls [`Nodes::wait_for_doubt`], which is asked for once.
    pub fn failed(&self, node: &Endpoint, start_prober: impl FnOnce() -> std::io::Result<()>) -> News {
        let mut state = self.lock();
        let news = state.board.failed(node, clock::now());
        state.is_due |= news == News::First;
        let must_start = state.prober == Prober::NotStarted;
        if must_start {
            state.prober = Prober::Running;
        }
        drop(state);
        if news == News::First {
            self.changed.notify_all();
        }
        if must_start && let Err(error) = start_prober() {
            let mut state = self.lock();
            if state.prober == Prober::Running {
                state.prober = Prober::NotStarted;
            }
            drop(state);
            self.observer.emit(&Observation::Warning(format_args!(
                "no thread could be started that looks after Couchbase nodes which failed: {error}"
            )));
        }
        news
    }

    /// Takes note of an answer of a node to a request.
    pub fn answered(&self, node: &Endpoint, took: Duration) {
        let change = self.lock().board.answered(node, took);
        self.tell(&change, node, None);
    }

    /// Takes note of an answer of a node to a probe.
    pub fn probe_answered(&self, node: &Endpoint, took: Duration) {
        let change = self.lock().board.probe_answered(node, took);
        self.tell(&change, node, None);
    }

    /// Takes note of a probe that was in vain, after `took`.
    pub fn probe_failed(&self, doubt: &Doubt, took: Duration, error: &BucketError) {
        let change = self.lock().board.probe_failed(doubt, took, error.clone(), clock::now());
        self.tell(&change, &doubt.node, Some(error));
    }

    /// See [`Board::begin_patient_probes`].
    #[must_use]
    pub fn begin_patient_probes(&self) -> Vec<Doubt> {
        self.lock().board.begin_patient_probes()
    }

    /// See [`Board::patient_probe_is_over`].
    pub fn patient_probe_is_over(&self, node: &Endpoint) {
        self.lock().board.patient_probe_is_over(node);
    }

    /// Waits until nodes are in doubt: those of which that is news at once, all others at `next_round`. `None`: the
    /// database is not used any more. The second is how long a probe is to wait, `most` at the most.
    #[must_use]
    pub fn wait_for_doubt(&self, next_round: Instant, most: Duration) -> Option<(Vec<Doubt>, Duration)> {
        let mut state = self.lock();
        loop {
            if state.prober == Prober::Stopped {
                return None;
            }
            let in_doubt = state.board.to_probe();
            let now = clock::now();
            if !in_doubt.is_empty() && (state.is_due || now >= next_round) {
                state.is_due = false;
                return Some((in_doubt, state.board.patience(most)));
            }
            state = if in_doubt.is_empty() {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                let wait = next_round.saturating_duration_since(now);
                self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Ends the thread that probes.
    pub fn stop(&self) {
        self.lock().prober = Prober::Stopped;
        self.changed.notify_all();
    }

    fn tell(&self, change: &Change, node: &Endpoint, error: Option<&BucketError>) {
        let authority = node.authority();
        match (change, error) {
            (Change::FellSilent, Some(error)) => self.observer.emit(&Observation::Warning(format_args!(
                "the Couchbase node {authority} is left out until it answers again: {error}"
            ))),
            (Change::CameBack, _) => {
                self.observer.emit(&Observation::Note(format_args!("the Couchbase node {authority} answers again")));
            }
            (Change::Nothing | Change::FellSilent, _) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left a state that is well in itself: every change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
