//! One node of a [`HealthTable`](super::HealthTable): its health, and how answers and probes change it.
//!
//! Invariant: pure; a node that is not up has a probe under way or due.

use std::time::{Duration, Instant};

use super::Transition;
use crate::bucket::BucketError;
use crate::bucket::remote::Endpoint;

/// A node that takes this long to fail keeps requests waiting; one that fails faster can be asked without harm.
pub(super) const SLOW_FAILURE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct NodeState {
    pub(super) node: Endpoint,
    pub(super) health: Health,
    /// Requests that it has not answered yet.
    pub(super) outstanding: usize,
    /// Counts its answers.
    pub(super) answers: u64,
    pub(super) probing: Probing,
    /// How many probes in a row had to wait in vain.
    pub(super) vain_probes: u32,
}

/// The state of a node's probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probing {
    /// Nobody has asked for one yet.
    None,
    /// Once the node is not up.
    DueAt(Instant),
    UnderWay,
}

#[derive(Debug)]
pub(super) enum Health {
    Up,
    /// It answers, with errors that another node did not have.
    Erring,
    Suspect {
        since: Instant,
        /// That it cannot be reached: a probe has confirmed what a request met.
        is_reported: bool,
    },
    Down(BucketError),
}

/// How good a node is to ask, the best one first. One that is down has no rank: it is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Up,
    Erring,
    Suspect,
}

impl NodeState {
    pub(super) fn new(node: &Endpoint) -> Self {
        Self {
            node: node.clone(),
            health: Health::Up,
            outstanding: 0,
            answers: 0,
            probing: Probing::None,
            vain_probes: 0,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.health, Health::Up)
    }

    pub(super) fn answered(&mut self) -> Transition {
        self.answers = self.answers.wrapping_add(1);
        self.vain_probes = 0;
        match std::mem::replace(&mut self.health, Health::Up) {
            Health::Down(_) | Health::Suspect { is_reported: true, .. } => Transition::CameUp,
            Health::Erring => Transition::StoppedErring,
            Health::Up | Health::Suspect { is_reported: false, .. } => Transition::None,
        }
    }

    pub(super) fn answered_with_error(&mut self) -> Transition {
        self.answers = self.answers.wrapping_add(1);
        self.vain_probes = 0;
        if matches!(self.health, Health::Up | Health::Erring) {
            return Transition::None;
        }
        match std::mem::replace(&mut self.health, Health::Erring) {
            Health::Down(_) | Health::Suspect { is_reported: true, .. } => Transition::CameUp,
            Health::Up | Health::Erring | Health::Suspect { is_reported: false, .. } => Transition::None,
        }
    }

    pub(super) fn probe_failed(&mut self, error: BucketError, took: Duration, now: Instant) -> Transition {
        let is_slow = took >= SLOW_FAILURE;
        self.vain_probes = if is_slow { self.vain_probes.saturating_add(1) } else { 0 };
        match (&self.health, is_slow) {
            (Health::Up | Health::Erring | Health::Suspect { .. }, true) => {
                self.health = Health::Down(error);
                Transition::WentDown
            }
            // It keeps nobody waiting any more, so it may be asked where no other node is well.
            (Health::Down(_), false) => {
                self.health = Health::Suspect { since: now, is_reported: true };
                Transition::None
            }
            (Health::Erring, false) => {
                self.health = Health::Suspect { since: now, is_reported: true };
                Transition::BecameUnreachable
            }
            (Health::Suspect { since, is_reported: false }, false) => {
                self.health = Health::Suspect { since: *since, is_reported: true };
                Transition::BecameUnreachable
            }
            (Health::Up | Health::Suspect { is_reported: true, .. }, false) | (Health::Down(_), true) => {
                Transition::None
            }
        }
    }

    pub(super) fn probe_due_at(&self) -> Option<Instant> {
        match (&self.health, self.probing) {
            (Health::Up, _) | (_, Probing::None | Probing::UnderWay) => None,
            (Health::Erring | Health::Suspect { .. } | Health::Down(_), Probing::DueAt(at)) => Some(at),
        }
    }

    pub(super) fn down_error(&self) -> Option<&BucketError> {
        match &self.health {
            Health::Down(error) => Some(error),
            Health::Up | Health::Erring | Health::Suspect { .. } => None,
        }
    }

    pub(super) fn rank(&self) -> Option<Rank> {
        match self.health {
            Health::Up => Some(Rank::Up),
            Health::Erring => Some(Rank::Erring),
            Health::Suspect { .. } => Some(Rank::Suspect),
            Health::Down(_) => None,
        }
    }
}
