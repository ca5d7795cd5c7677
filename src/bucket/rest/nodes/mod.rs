//! The nodes that can be asked, shared by all connections to a database.
//!
//! Invariant: the lock is never held over I/O.

mod fixed;
pub mod health;

pub use fixed::Fixed;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::bucket::remote::Endpoint;
use crate::bucket::remote::product::Product;
use crate::bucket::{BucketError, BucketTimeouts, NodeStatus};
use crate::clock::{self, Deadline};
use crate::observe::{Observation, Observer};
use health::{Alternatives, DueProbe, FailureAge, HealthTable, ProbeLimits, ProbeOutcome, Selection, Transition};

/// Finds out which nodes there are, and keeps [`Nodes`] up to date.
pub trait Discovery: Send + Sync {
    /// Returns once there are nodes to choose from; at once if there are.
    ///
    /// # Errors
    /// Why there are none; [`BucketError::Timeout`] if the deadline came first.
    fn wait_for_nodes(&self, deadline: Deadline) -> Result<(), BucketError>;

    /// Records that a node failed, so that the nodes may be others by now. Never blocks for long.
    fn node_failed(&self);

    /// Ends its threads, if it has any.
    fn stop(&self);
}

/// What is known of the nodes.
pub struct Nodes {
    /// The standard library's, as the lock of the listener's work queue: each request takes it four times.
    state: Mutex<NodesState>,
    changed: Condvar,
    product: &'static Product,
    observer: Observer,
}

struct NodesState {
    table: HealthTable,
    is_stopped: bool,
}

/// Which nodes are alternatives to the one that is asked.
#[derive(Clone, Copy, Debug)]
pub enum Candidates<'a> {
    /// Those that can be turned to, but for these, which were tried: the last of them is the one that is asked.
    Untried(&'a [Endpoint]),
    /// All: whatever happens to one of them, each is asked again in its turn.
    All,
}

/// A request that a node has not answered yet. It is over when this is dropped.
pub struct Outstanding<'a> {
    nodes: &'a Nodes,
    node: &'a Endpoint,
}

impl Drop for Outstanding<'_> {
    fn drop(&mut self) {
        self.nodes.lock().table.end(self.node);
    }
}

fn probe_limits(timeouts: &BucketTimeouts) -> ProbeLimits {
    ProbeLimits { first: timeouts.attempt, longest: timeouts.operation }
}

impl Nodes {
    /// No node is known yet.
    #[must_use]
    pub fn new(product: &'static Product, timeouts: &BucketTimeouts, observer: &Observer) -> Self {
        let state = NodesState { table: HealthTable::new(probe_limits(timeouts)), is_stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), product, observer: observer.clone() }
    }

    /// Applies other timeouts to the probes that follow.
    pub fn set_timeouts(&self, timeouts: &BucketTimeouts) {
        self.lock().table.set_limits(probe_limits(timeouts));
    }

    /// See [`HealthTable::set_nodes`].
    pub fn set(&self, nodes: &[Endpoint]) {
        self.lock().table.set_nodes(nodes);
    }

    /// See [`HealthTable::statuses`].
    #[must_use]
    pub fn statuses(&self) -> Vec<NodeStatus> {
        self.lock().table.statuses()
    }

    /// See [`HealthTable::select`].
    #[must_use]
    pub fn select(&self, tried: &[Endpoint]) -> Selection {
        self.lock().table.select(tried, fastrand::f64())
    }

    /// Records that a request goes to `node`, and returns whether there is an alternative to it.
    #[must_use]
    pub fn begin<'a>(&'a self, node: &'a Endpoint, candidates: Candidates) -> (Outstanding<'a>, Alternatives) {
        let mut state = self.lock();
        state.table.begin(node);
        let alternatives = match candidates {
            Candidates::Untried(tried) => state.table.alternatives(tried),
            Candidates::All if state.table.has_several() => Alternatives::Some,
            Candidates::All => Alternatives::None,
        };
        (Outstanding { nodes: self, node }, alternatives)
    }

    /// See [`HealthTable::is_as_good_as_any`].
    #[must_use]
    pub fn is_as_good_as_any(&self, node: &Endpoint) -> bool {
        self.lock().table.is_as_good_as_any(node)
    }

    /// See [`HealthTable::has_several`].
    #[must_use]
    pub fn has_several(&self) -> bool {
        self.lock().table.has_several()
    }

    /// Records a failure of a node, which is probed at once if it was up until now.
    pub fn failed(&self, node: &Endpoint) -> FailureAge {
        let age = self.lock().table.failed(node, clock::now());
        if age == FailureAge::First {
            self.changed.notify_all();
        }
        age
    }

    /// Records an answer of a node to a request.
    pub fn answered(&self, node: &Endpoint, took: Duration) {
        let transition = self.lock().table.answered(node, took);
        self.report(transition, node, None);
    }

    /// See [`HealthTable::answered_with_error`].
    pub fn answered_with_error(&self, node: &Endpoint) {
        let transition = self.lock().table.answered_with_error(node);
        self.report(transition, node, None);
    }

    /// Records that another node answered what this one had answered with an error.
    pub fn erred(&self, node: &Endpoint, error: &BucketError) {
        let transition = self.lock().table.erred(node, clock::now());
        self.changed.notify_all();
        self.report(transition, node, Some(error));
    }

    /// Waits until probes are due, and returns them. `None`: the database is not used any more.
    #[must_use]
    pub fn wait_for_due_probes(&self) -> Option<Vec<DueProbe>> {
        let mut state = self.lock();
        loop {
            if state.is_stopped {
                return None;
            }
            let due = state.table.start_due_probes(clock::now());
            if !due.is_empty() {
                return Some(due);
            }
            match state.table.next_probe_at() {
                Some(at) => {
                    let wait = at.saturating_duration_since(clock::now());
                    state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
                }
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Records how a probe ended.
    pub fn probe_ended(&self, probe: &DueProbe, outcome: ProbeOutcome) {
        let error = match &outcome {
            ProbeOutcome::Failed(error, _) => Some(error.clone()),
            ProbeOutcome::Answered | ProbeOutcome::Erred | ProbeOutcome::NotSent => None,
        };
        let transition = self.lock().table.probe_ended(probe, outcome, clock::now(), fastrand::f64());
        self.changed.notify_all();
        self.report(transition, &probe.node, error.as_ref());
    }

    /// Ends the threads that wait for probes.
    pub fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }

    /// Nothing under this lock can panic.
    fn lock(&self) -> MutexGuard<'_, NodesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, transition: Transition, node: &Endpoint, error: Option<&BucketError>) {
        let product = self.product.name;
        match (transition, error) {
            (Transition::WentDown, Some(reason)) => {
                self.observer.emit(&Observation::NodeDown { product, node: &node.authority(), reason });
            }
            (Transition::BecameUnreachable, Some(reason)) => {
                self.observer.emit(&Observation::NodeUnreachable { product, node: &node.authority(), reason });
            }
            (Transition::BeganToErr, Some(reason)) => {
                self.observer.emit(&Observation::NodeErring { product, node: &node.authority(), reason });
            }
            (Transition::CameUp | Transition::StoppedErring, _) => {
                self.observer.emit(&Observation::NodeUp { product, node: &node.authority() });
            }
            (Transition::None | Transition::WentDown | Transition::BecameUnreachable | Transition::BeganToErr, _) => {}
        }
    }
}
