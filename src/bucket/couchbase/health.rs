//! Which nodes can be asked: what is known of the health of each, and the choice among them.
//!
//! A node is *up* until an exchange with it fails; then it is *suspect*, and asked only where no node is up. A request
//! alone never gets a node further than that, because one document can be what a node stumbles over: it is a probe
//! (see [`super::prober`]) that finds a suspect node up again, or *silent* if it keeps the probe waiting in vain. A silent
//! node is not asked, since every request would wait for it; while all are silent, requests fail at once. Besides the
//! probes that come again and again, each silent node has one that waits as long as a request would, so that a node which
//! is only slow does not stay out.
//!
//! Invariant: pure. Every node that is not up is one that [`Board::to_probe`] names, so none is forgotten.

use std::time::{Duration, Instant};

use super::topology::Endpoint;
use crate::bucket::BucketError;

/// A probe waits this long at least: a pause of that length happens to healthy nodes.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(500);

/// A node that takes this long to fail keeps requests waiting; one that fails faster can be asked without harm.
const SILENCE: Duration = Duration::from_millis(100);

/// A node that fails for less than this may have been restarted, or lost a connection or a burst of them.
const MOMENT: Duration = Duration::from_millis(400);

/// The nodes that there are, each with its health.
#[derive(Debug, Default)]
pub struct Board {
    entries: Vec<Entry>,
    /// How long the last good answer to a request took.
    pace: Duration,
    /// And to a probe, which has to connect first.
    probe_pace: Duration,
}

#[derive(Debug)]
struct Entry {
    node: Endpoint,
    health: Health,
    /// Requests that it has not answered yet.
    outstanding: usize,
    /// Counts its answers.
    answers: u64,
    /// Whether the patient probe is on its way.
    patient_probe: PatientProbe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PatientProbe {
    None,
    OnItsWay,
}

/// A node to be probed, as it was when that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The node.
    pub node: Endpoint,
    answers: u64,
}

#[derive(Debug)]
enum Health {
    Up,
    Suspect { since: Instant },
    Silent(BucketError),
}

/// What [`Board::choose`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// This node.
    Node(Endpoint),
    /// All that may answer have been tried.
    NoneLeft,
    /// Every node is silent: the reason of one of them, as an error for a request that was not even tried.
    AllSilent(BucketError),
    /// No node is known yet.
    Unknown,
}

/// Whether there is another node to turn to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// There is none.
    None,
    /// There is one at least.
    Left,
}

/// How new a failure of a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It was up until now: a probe is due.
    First,
    /// It began to fail a moment ago: that may be over soon.
    Recent,
    /// It has been failing for a while.
    Old,
}

/// What a change of a node's health is to those who keep a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing to speak of.
    Nothing,
    /// It does not answer any more.
    FellSilent,
    /// It was silent, and answers again.
    CameBack,
}

impl Board {
    /// Takes over the nodes of a topology. What is known of the health of those that stay is kept.
    pub fn set_nodes(&mut self, nodes: &[Endpoint]) {
        let mut known = std::mem::take(&mut self.entries);
        for node in nodes {
            let place = known.iter().position(|entry| entry.node == *node);
            let entry = match place {
                Some(place) => known.swap_remove(place),
                None => Entry::new(node),
            };
            if !self.entries.iter().any(|entry| entry.node == *node) {
                self.entries.push(entry);
            }
        }
    }

    /// A node that was not `tried`: one that is up if there is any, else one that is suspect. Of these it is one that has
    /// the fewest requests outstanding, so that a node which stands still has kept few of them waiting by the time that
    /// is known. `chance` is from 0 to 1 and spreads the requests.
    #[must_use]
    pub fn choose(&self, tried: &[Endpoint], chance: f64) -> Choice {
        let burden = |entry: &Entry| (!entry.is_up(), entry.outstanding);
        if let Some(least) = self.untried(tried).map(burden).min() {
            let candidates: Vec<&Entry> = self.untried(tried).filter(|entry| burden(entry) == least).collect();
            if let Some(entry) = candidates.get(index(chance, candidates.len())) {
                return Choice::Node(entry.node.clone());
            }
        }
        if self.entries.is_empty() {
            return Choice::Unknown;
        }
        let silences: Option<Vec<&BucketError>> = self.entries.iter().map(Entry::silence).collect();
        match silences.as_deref() {
            Some([first, ..]) => Choice::AllSilent(not_even_tried(first)),
            _ => Choice::NoneLeft,
        }
    }

    /// Whether there is a node to turn to besides these. To one that is suspect only from one that is no better.
    #[must_use]
    pub fn others(&self, tried: &[Endpoint]) -> Others {
        let of = tried.last().and_then(|node| self.entries.iter().find(|entry| entry.node == *node));
        let is_good_enough = |entry: &Entry| entry.is_up() || !of.is_some_and(Entry::is_up);
        if self.untried(tried).any(is_good_enough) { Others::Left } else { Others::None }
    }

    fn untried(&self, tried: &[Endpoint]) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.silence().is_none() && !tried.contains(&entry.node))
    }

    /// True if a request that could choose would choose the node, or one that is no better.
    #[must_use]
    pub fn is_as_good_as_any(&self, node: &Endpoint) -> bool {
        let Some(entry) = self.entries.iter().find(|entry| entry.node == *node) else { return false };
        entry.is_up() || (entry.silence().is_none() && !self.entries.iter().any(Entry::is_up))
    }

    /// True if there is more than one node.
    #[must_use]
    pub fn has_several(&self) -> bool {
        self.entries.len() > 1
    }

    /// A request goes to the node.
    pub fn begin(&mut self, node: &Endpoint) {
        if let Some(entry) = self.entry(node) {
            entry.outstanding += 1;
        }
    }

    /// The request that [`Board::begin`] told of is over, however it ended.
    pub fn end(&mut self, node: &Endpoint) {
        if let Some(entry) = self.entry(node) {
            entry.outstanding = entry.outstanding.saturating_sub(1);
        }
    }

    /// An exchange with the node failed through a fault of the node.
    pub fn failed(&mut self, node: &Endpoint, now: Instant) -> News {
        match self.health(node) {
            Some(health @ Health::Up) => {
                *health = Health::Suspect { since: now };
                News::First
            }
            Some(Health::Suspect { since }) if now.saturating_duration_since(*since) < MOMENT => News::Recent,
            Some(Health::Suspect { .. } | Health::Silent(_)) | None => News::Old,
        }
    }

    /// The node answered a request within `took`.
    pub fn answered(&mut self, node: &Endpoint, took: Duration) -> Change {
        self.pace = took;
        self.is_up(node)
    }

    /// The node answered a probe within `took`.
    pub fn probe_answered(&mut self, node: &Endpoint, took: Duration) -> Change {
        self.probe_pace = took;
        self.is_up(node)
    }

    fn is_up(&mut self, node: &Endpoint) -> Change {
        let Some(entry) = self.entry(node) else { return Change::Nothing };
        entry.answers = entry.answers.wrapping_add(1);
        match std::mem::replace(&mut entry.health, Health::Up) {
            Health::Silent(_) => Change::CameBack,
            Health::Up | Health::Suspect { .. } => Change::Nothing,
        }
    }

    /// A probe failed after `took`, through a fault of the node. What the node has answered meanwhile says more.
    pub fn probe_failed(&mut self, doubt: &Doubt, took: Duration, error: BucketError, now: Instant) -> Change {
        let Some(entry) = self.entry(&doubt.node) else { return Change::Nothing };
        if entry.answers != doubt.answers {
            return Change::Nothing;
        }
        match (&entry.health, took >= SILENCE) {
            (Health::Up | Health::Suspect { .. }, true) => {
                entry.health = Health::Silent(error);
                Change::FellSilent
            }
            (Health::Silent(_), false) => {
                entry.health = Health::Suspect { since: now };
                Change::CameBack
            }
            (Health::Up | Health::Suspect { .. }, false) | (Health::Silent(_), true) => Change::Nothing,
        }
    }

    /// The nodes of which it is to be found out whether they answer.
    #[must_use]
    pub fn to_probe(&self) -> Vec<Doubt> {
        self.entries.iter().filter(|entry| !entry.is_up()).map(Entry::doubt).collect()
    }

    /// The silent nodes that have no patient probe on its way. They have one from now on: see
    /// [`Board::patient_probe_is_over`].
    pub fn begin_patient_probes(&mut self) -> Vec<Doubt> {
        let silent = self.entries.iter_mut().filter(|entry| entry.silence().is_some());
        let due = silent.filter(|entry| entry.patient_probe == PatientProbe::None);
        due.map(|entry| {
            entry.patient_probe = PatientProbe::OnItsWay;
            entry.doubt()
        })
        .collect()
    }

    /// The patient probe of the node has ended, however it did.
    pub fn patient_probe_is_over(&mut self, node: &Endpoint) {
        if let Some(entry) = self.entry(node) {
            entry.patient_probe = PatientProbe::None;
        }
    }

    /// How long a probe waits for its answer: `most` at the most, and longer where good answers took longer.
    #[must_use]
    pub fn patience(&self, most: Duration) -> Duration {
        self.pace.max(self.probe_pace).saturating_mul(2).max(SHORTEST_PATIENCE).min(most)
    }

    fn health(&mut self, node: &Endpoint) -> Option<&mut Health> {
        self.entry(node).map(|entry| &mut entry.health)
    }

    fn entry(&mut self, node: &Endpoint) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.node == *node)
    }
}

impl Entry {
    fn new(node: &Endpoint) -> Self {
        let patient_probe = PatientProbe::None;
        Self { node: node.clone(), health: Health::Up, outstanding: 0, answers: 0, patient_probe }
    }

    fn is_up(&self) -> bool {
        matches!(self.health, Health::Up)
    }

    fn doubt(&self) -> Doubt {
        Doubt { node: self.node.clone(), answers: self.answers }
    }

    fn silence(&self) -> Option<&BucketError> {
        match &self.health {
            Health::Silent(error) => Some(error),
            Health::Up | Health::Suspect { .. } => None,
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "few nodes")]
fn index(chance: f64, length: usize) -> usize {
    ((chance * length as f64) as usize).min(length.saturating_sub(1))
}

fn not_even_tried(error: &BucketError) -> BucketError {
    match error.clone().of_another_request() {
        BucketError::Unavailable { reason } => BucketError::Unavailable {
            reason: format!("no node of the cluster answers, and requests are not tried until one does: {reason}"),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests;
