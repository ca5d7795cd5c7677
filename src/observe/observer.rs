//! Where observations go.
//!
//! Invariant: each observation goes to three consumers, each of which decides what to do with it: the metrics, the last
//! failures, and the log.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use super::metrics::Metrics;
use super::recent::Recent;
use super::{Observation, lines};
use crate::config::AccessLog;

/// Where observations go: the log, the metrics, and the memory of recent failures. Cheap to clone; one for the whole
/// program.
#[derive(Clone, Default)]
pub struct Observer {
    consumers: Arc<Consumers>,
    audience: Audience,
}

/// Whose requests a listener answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Audience {
    /// Everybody's.
    #[default]
    Public,
    /// Those of operators and their tools. They are logged, and not counted: alerts are about the public ones.
    Operators,
}

#[derive(Default)]
struct Consumers {
    /// Which answers have an access line, as a number of [`AccessLog`].
    access: AtomicU8,
    /// The id of the requests that the program sends to itself.
    own_request_id: OnceLock<String>,
    metrics: Metrics,
    recent: Recent,
}

impl Observer {
    /// Records an observation. Never blocks for longer than writing one log line takes, and never fails.
    pub fn emit(&self, observation: &Observation<'_>) {
        if self.is_own(observation) {
            return;
        }
        let is_of_listener = matches!(observation, Observation::Answered(_) | Observation::Rejected { .. });
        if self.audience == Audience::Public || !is_of_listener {
            self.consumers.metrics.count(observation);
        }
        self.consumers.recent.record(observation);
        if self.is_logged(observation) {
            lines::log(observation);
        }
    }

    /// Returns an observer for the listener of operators: the same consumers, but its requests are not counted.
    #[must_use]
    pub fn for_operators(&self) -> Self {
        Self { consumers: Arc::clone(&self.consumers), audience: Audience::Operators }
    }

    /// Sets which answers have an access line from now on.
    pub fn set_access_log(&self, access: AccessLog) {
        self.consumers.access.store(access as u8, Ordering::Relaxed);
    }

    /// Returns an id for requests that the program sends to itself. Their answers are neither logged nor counted: they say
    /// nothing about users, and one every few seconds would bury what does.
    #[must_use]
    pub fn hide_own_requests(&self) -> &str {
        self.consumers.own_request_id.get_or_init(|| format!("{:032x}", fastrand::u128(..)))
    }

    fn is_own(&self, observation: &Observation<'_>) -> bool {
        let Observation::Answered(answered) = observation else { return false };
        self.consumers.own_request_id.get().is_some_and(|own| own == answered.request_id)
    }

    /// What was counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.consumers.metrics
    }

    /// What failed recently.
    #[must_use]
    pub fn recent(&self) -> &Recent {
        &self.consumers.recent
    }

    fn is_logged(&self, observation: &Observation<'_>) -> bool {
        let Observation::Answered(answered) = observation else { return true };
        let access = self.consumers.access.load(Ordering::Relaxed);
        access == AccessLog::All as u8 || (access == AccessLog::Errors as u8 && answered.status >= 400)
    }
}
