//! Where observations go.
//!
//! Invariant: each observation is counted, kept if it is a failure, and logged, by the three who decide for themselves what
//! to make of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::metrics::Metrics;
use super::recent::Recent;
use super::{Observation, lines};
use crate::config::AccessLog;

/// Where observations go: the log, the metrics, and the memory of recent failures. Cheap to clone; one for the whole
/// program.
#[derive(Clone, Default)]
pub struct Observer(Arc<Consumers>);

#[derive(Default)]
struct Consumers {
    /// Which answers have an access line, as a number of [`AccessLog`].
    access: AtomicU8,
    metrics: Metrics,
    recent: Recent,
}

impl Observer {
    /// Records an observation. Never blocks for longer than writing one log line takes, and never fails.
    pub fn emit(&self, observation: &Observation<'_>) {
        self.0.metrics.count(observation);
        self.0.recent.remember(observation);
        if self.is_logged(observation) {
            lines::log(observation);
        }
    }

    /// Sets which answers have an access line from now on.
    pub fn set_access_log(&self, access: AccessLog) {
        self.0.access.store(access as u8, Ordering::Relaxed);
    }

    /// What was counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// What failed recently.
    #[must_use]
    pub fn recent(&self) -> &Recent {
        &self.0.recent
    }

    fn is_logged(&self, observation: &Observation<'_>) -> bool {
        let Observation::Answered(answered) = observation else { return true };
        let access = self.0.access.load(Ordering::Relaxed);
        access == AccessLog::All as u8 || (access == AccessLog::Errors as u8 && answered.status >= 400)
    }
}
