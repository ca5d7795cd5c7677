//! Which nodes can be asked: what is known of the health of each, and the selection among them.
//!
//! A node is *up* until an exchange with it fails; then it is *suspect*, and asked only where no node is up. A request
//! alone never gets a node further than that, because one document can be what a node stumbles over: it is a probe (see
//! [`prober`](crate::bucket::rest)) that finds a suspect node up again, or *down* if the probe had to wait in vain. A node
//! that is down is not asked, since every request would wait for it; while all are down, requests fail at once. Each probe
//! of a node that lets it wait has twice the time of the one before, up to that of a request, so that a node which is only
//! slow does not stay out.
//!
//! A node that answers a request with an error which another node does not have *errs*: it is asked only where no node is
//! up, until a probe or a request finds it well. Without that, a node that fails at once would always be the one with the
//! fewest requests outstanding, and get nearly all of them.
//!
//! Invariant: pure. Every node that is not up has a probe under way or due.

mod node_state;

use std::time::{Duration, Instant};

use crate::bucket::remote::Endpoint;
use crate::bucket::{BucketError, NodeStatus};
use node_state::{Health, NodeState, Probing, Rank};

/// A probe waits this long at least: a pause of that length happens to healthy nodes.
const SHORTEST_PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// A node that fails for less than this may have been restarted, or lost a connection or a burst of them.
const RECENT: Duration = Duration::from_millis(400);

/// From the beginning of one probe of a node to that of the next, before chance shortens it.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);

/// The same for a node that errs: it gets one request in this time while another node is well.
const ERRING_PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// From the end of a probe to the next one of the same node, at least.
const PROBE_REST: Duration = Duration::from_millis(50);

/// The nodes that there are, each with its health.
#[derive(Debug)]
pub struct HealthTable {
    entries: Vec<NodeState>,
    limits: ProbeLimits,
    /// How long the last good answer to a request took.
    last_latency: Duration,
    /// And to a probe, which has to connect first.
    last_probe_latency: Duration,
}

/// How long a probe may wait.
#[derive(Clone, Copy, Debug)]
pub struct ProbeLimits {
    /// The first probe of a node (`[bucket] attempt_timeout`).
    pub first: Duration,
    /// Any probe (`[bucket] operation_timeout`).
    pub longest: Duration,
}

/// A node to be probed, as it was when that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueProbe {
    /// The node.
    pub node: Endpoint,
    /// How long the probe may wait.
    pub timeout: Duration,
    started_at: Instant,
    answers: u64,
}

/// How a probe ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// The node answered, and with no error of its own.
    Answered,
    /// The node answered with an error that may be its own.
    Erred,
    /// Through a fault of the node, after it had kept the probe waiting for so long.
    Failed(BucketError, Duration),
    /// Nothing was learnt about the node.
    NotSent,
}

/// What [`HealthTable::select`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Selection {
    /// This node.
    Node(Endpoint),
    /// All that may answer have been tried.
    NoneLeft,
    /// Every node is down: the reason of one of them, as an error for a request that was not even tried.
    AllDown(BucketError),
    /// No node is known yet.
    Unknown,
}

/// Whether there is another node to turn to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alternatives {
    /// There is none.
    None,
    /// There is one at least.
    Some,
}

/// For how long a node that fails has been failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureAge {
    /// It was up until now.
    First,
    /// It began to fail just now: that may be over soon.
    Recent,
    /// It has been failing for a while.
    Lasting,
}

/// A change of a node's health that belongs into a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// None.
    None,
    /// It does not answer any more.
    WentDown,
    /// A probe found that it cannot be reached, as a request had.
    BecameUnreachable,
    /// It was down or unreachable, and answers again.
    CameUp,
    /// It answers with errors that another node does not have.
    BeganToErr,
    /// It did so, and answers as the others again.
    StoppedErring,
}

impl HealthTable {
    /// A table without nodes.
    #[must_use]
    pub fn new(limits: ProbeLimits) -> Self {
        Self { entries: Vec::new(), limits, last_latency: Duration::ZERO, last_probe_latency: Duration::ZERO }
    }

    /// Applies other limits to the probes that follow.
    pub fn set_limits(&mut self, limits: ProbeLimits) {
        self.limits = limits;
    }

    /// Replaces the nodes. What is known of the health of those that stay is kept.
    pub fn set_nodes(&mut self, nodes: &[Endpoint]) {
        let mut known = std::mem::take(&mut self.entries);
        for node in nodes {
            let place = known.iter().position(|entry| entry.node == *node);
            let entry = place.map_or_else(|| NodeState::new(node), |place| known.swap_remove(place));
            if !self.entries.iter().any(|entry| entry.node == *node) {
                self.entries.push(entry);
            }
        }
    }

    /// Returns each node, and whether it is up.
    #[must_use]
    pub fn statuses(&self) -> Vec<NodeStatus> {
        let status = |entry: &NodeState| NodeStatus { node: entry.node.authority(), is_up: entry.is_up() };
        self.entries.iter().map(status).collect()
    }

    /// Selects a node that was not `tried`: one that is up if there is any, else one that errs, else one that is suspect.
    /// Of these it is one with the fewest requests outstanding, so that a node which has stopped answering keeps few of
    /// them waiting by the time that is known. `chance` is from 0 to 1 and spreads the requests.
    #[must_use]
    pub fn select(&self, tried: &[Endpoint], chance: f64) -> Selection {
        let burden = |entry: &NodeState| (entry.rank(), entry.outstanding);
        if let Some(least) = self.untried(tried).map(burden).min() {
            let candidates: Vec<&NodeState> = self.untried(tried).filter(|entry| burden(entry) == least).collect();
            if let Some(entry) = candidates.get(index(chance, candidates.len())) {
                return Selection::Node(entry.node.clone());
            }
        }
        if self.entries.is_empty() {
            return Selection::Unknown;
        }
        let errors: Option<Vec<&BucketError>> = self.entries.iter().map(NodeState::down_error).collect();
        match errors.as_deref() {
            Some([first, ..]) => Selection::AllDown(not_attempted(first)),
            _ => Selection::NoneLeft,
        }
    }

    /// Whether another node can be asked: one that is not among these, and is no worse than the last of them.
    #[must_use]
    pub fn alternatives(&self, tried: &[Endpoint]) -> Alternatives {
        let from = tried.last().and_then(|node| self.entries.iter().find(|entry| entry.node == *node));
        let worst = from.and_then(NodeState::rank).unwrap_or(Rank::Suspect);
        let is_good_enough = |entry: &NodeState| entry.rank().is_some_and(|rank| rank <= worst);
        if self.untried(tried).any(is_good_enough) { Alternatives::Some } else { Alternatives::None }
    }

    fn untried(&self, tried: &[Endpoint]) -> impl Iterator<Item = &NodeState> {
        self.entries.iter().filter(move |entry| entry.down_error().is_none() && !tried.contains(&entry.node))
    }

    /// True if a request that could select would select the node, or one that is no better.
    #[must_use]
    pub fn is_as_good_as_any(&self, node: &Endpoint) -> bool {
        let Some(entry) = self.entries.iter().find(|entry| entry.node == *node) else { return false };
        entry.rank().is_some() && entry.rank() == self.entries.iter().filter_map(NodeState::rank).min()
    }

    /// True if there is more than one node.
    #[must_use]
    pub fn has_several(&self) -> bool {
        self.entries.len() > 1
    }

    /// Records that a request goes to the node.
    pub fn begin(&mut self, node: &Endpoint) {
        if let Some(entry) = self.entry(node) {
            entry.outstanding += 1;
        }
    }

    /// Records that a request that [`HealthTable::begin`] recorded is over, however it ended.
    pub fn end(&mut self, node: &Endpoint) {
        if let Some(entry) = self.entry(node) {
            entry.outstanding = entry.outstanding.saturating_sub(1);
        }
    }

    /// Records that an exchange with the node failed through a fault of the node.
    pub fn failed(&mut self, node: &Endpoint, now: Instant) -> FailureAge {
        let Some(entry) = self.entry(node) else { return FailureAge::Lasting };
        match entry.health {
            Health::Up | Health::Erring => {
                entry.health = Health::Suspect { since: now, is_reported: false };
                if entry.probing != Probing::UnderWay {
                    entry.probing = Probing::DueAt(now);
                }
                FailureAge::First
            }
            Health::Suspect { since, .. } if now.saturating_duration_since(since) < RECENT => FailureAge::Recent,
            Health::Suspect { .. } | Health::Down(_) => FailureAge::Lasting,
        }
    }

    /// Records that the node answered a request within `took`.
    pub fn answered(&mut self, node: &Endpoint, took: Duration) -> Transition {
        self.last_latency = took;
        self.entry(node).map_or(Transition::None, NodeState::answered)
    }

    /// Records that the node answered a request with an error that may be its own: that alone makes no node worse.
    pub fn answered_with_error(&mut self, node: &Endpoint) -> Transition {
        self.entry(node).map_or(Transition::None, NodeState::answered_with_error)
    }

    /// Records that another node answered what this one had answered with an error.
    pub fn erred(&mut self, node: &Endpoint, now: Instant) -> Transition {
        let Some(entry) = self.entry(node) else { return Transition::None };
        if !entry.is_up() {
            return Transition::None;
        }
        entry.health = Health::Erring;
        if entry.probing != Probing::UnderWay {
            entry.probing = Probing::DueAt(now + ERRING_PROBE_INTERVAL);
        }
        Transition::BeganToErr
    }

    /// Returns the nodes whose probes are due. They are under way from now on, until [`HealthTable::probe_ended`].
    #[must_use]
    pub fn start_due_probes(&mut self, now: Instant) -> Vec<DueProbe> {
        let (base, longest) = (self.first_probe_timeout(), self.limits.longest);
        let due = self.entries.iter_mut().filter(|entry| entry.probe_due_at().is_some_and(|at| at <= now));
        due.map(|entry| {
            entry.probing = Probing::UnderWay;
            let timeout = base.saturating_mul(2_u32.saturating_pow(entry.vain_probes)).min(longest);
            DueProbe { node: entry.node.clone(), timeout, started_at: now, answers: entry.answers }
        })
        .collect()
    }

    /// When the next probe is due, if any is.
    #[must_use]
    pub fn next_probe_at(&self) -> Option<Instant> {
        self.entries.iter().filter_map(NodeState::probe_due_at).min()
    }

    /// Records how a probe ended at `now`. Of a failure, what the node has answered meanwhile says more. `chance` is from
    /// 0 to 1.
    pub fn probe_ended(&mut self, probe: &DueProbe, outcome: ProbeOutcome, now: Instant, chance: f64) -> Transition {
        if outcome == ProbeOutcome::Answered {
            self.last_probe_latency = now.saturating_duration_since(probe.started_at);
        }
        let Some(entry) = self.entry(&probe.node) else { return Transition::None };
        let interval = if outcome == ProbeOutcome::Erred { ERRING_PROBE_INTERVAL } else { PROBE_INTERVAL };
        let next = probe.started_at + interval.mul_f64(0.8 + 0.2 * chance);
        entry.probing = Probing::DueAt(next.max(now + PROBE_REST));
        match outcome {
            ProbeOutcome::Answered => entry.answered(),
            ProbeOutcome::Erred => entry.answered_with_error(),
            ProbeOutcome::Failed(error, took) if entry.answers == probe.answers => entry.probe_failed(error, took, now),
            ProbeOutcome::Failed(..) | ProbeOutcome::NotSent => Transition::None,
        }
    }

    /// Longer where good answers took longer.
    fn first_probe_timeout(&self) -> Duration {
        let usual = self.last_latency.max(self.last_probe_latency).saturating_mul(2);
        usual.max(SHORTEST_PROBE_TIMEOUT).min(self.limits.first)
    }

    fn entry(&mut self, node: &Endpoint) -> Option<&mut NodeState> {
        self.entries.iter_mut().find(|entry| entry.node == *node)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "few nodes")]
fn index(chance: f64, length: usize) -> usize {
    ((chance * length as f64) as usize).min(length.saturating_sub(1))
}

fn not_attempted(error: &BucketError) -> BucketError {
    match error.clone().of_another_request() {
        BucketError::Unavailable { reason } => BucketError::Unavailable {
            reason: format!("no node of the cluster answers, and requests are not tried until one does: {reason}"),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests;
