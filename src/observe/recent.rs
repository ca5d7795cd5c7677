//! The last failures, so that `/status` can show them without a search in the log.
//!
//! Invariant: bounded: one failure of the database, one reload, and one failure for each of at most 256 nodes. The texts are those of
//! the log, so no document, no value of one and no secret is in them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use parking_lot::Mutex;

use super::Observation;
use crate::clock;

/// More nodes than clusters of these databases have.
const MOST_NODES: usize = 256;

/// A failure that was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: SystemTime,
    /// What happened, as the log has it.
    pub reason: String,
}

/// The last failures.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Failures>);

#[derive(Debug, Default)]
struct Failures {
    database: Option<Failure>,
    /// The last reload, if it was refused.
    reload: Option<Failure>,
    nodes: BTreeMap<String, Failure>,
}

impl Recent {
    /// Records an observation if it is a failure.
    pub fn record(&self, observation: &Observation) {
        match observation {
            Observation::BucketFailed { reason, .. } => {
                self.0.lock().database = Some(Failure { at: clock::wall(), reason: reason.to_string() });
            }
            Observation::ReloadRefused { reason } => {
                self.0.lock().reload = Some(Failure { at: clock::wall(), reason: reason.to_string() });
            }
            Observation::SettingsReloaded => self.0.lock().reload = None,
            Observation::NodeDown { node, reason, .. }
            | Observation::NodeUnreachable { node, reason, .. }
            | Observation::NodeErring { node, reason, .. } => {
                let failure = Failure { at: clock::wall(), reason: reason.to_string() };
                let mut failures = self.0.lock();
                failures.nodes.insert((*node).to_owned(), failure);
                if failures.nodes.len() > MOST_NODES {
                    let oldest =
                        failures.nodes.iter().min_by_key(|(_, failure)| failure.at).map(|(node, _)| node.clone());
                    oldest.and_then(|node| failures.nodes.remove(&node));
                }
            }
            _ => {}
        }
    }

    /// The last failure of a read, if there was any.
    #[must_use]
    pub fn of_database(&self) -> Option<Failure> {
        self.0.lock().database.clone()
    }

    /// The last reload, if it was refused.
    #[must_use]
    pub fn of_reload(&self) -> Option<Failure> {
        self.0.lock().reload.clone()
    }

    /// The last failure of a node, if there was any.
    #[must_use]
    pub fn of_node(&self, node: &str) -> Option<Failure> {
        self.0.lock().nodes.get(node).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_failure_of_each_node_is_kept() {
        let recent = Recent::default();
        for (node, reason) in [("a:1", "first"), ("b:1", "other"), ("a:1", "second")] {
            recent.record(&Observation::NodeDown { product: "X", node, reason: &reason });
        }
        recent.record(&Observation::NodeUp { product: "X", node: "a:1" });
        assert_eq!(recent.of_node("a:1").unwrap().reason, "second");
        assert_eq!(recent.of_node("c:1"), None);
        assert_eq!(recent.of_database(), None);
    }

    #[test]
    fn no_number_of_nodes_fills_the_memory() {
        let recent = Recent::default();
        for number in 0..2 * MOST_NODES {
            recent.record(&Observation::NodeDown { product: "X", node: &number.to_string(), reason: &"down" });
        }
        assert_eq!(recent.0.lock().nodes.len(), MOST_NODES);
    }
}
