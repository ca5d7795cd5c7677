//! The step `read`: one read of an id that no user has.
//!
//! Invariant: pure.

use std::time::Duration;

use crate::bucket::BucketError;
use crate::bucket::remote::failure::Failure;
use crate::bucket::report::Report;

/// How the read of the sentinel ended.
pub struct SentinelRead {
    outcome: Result<Duration, Failure>,
}

impl SentinelRead {
    /// Wraps an outcome. Whatever is stored under the sentinel's id, it was read within `took`.
    #[must_use]
    pub fn from_outcome(outcome: Result<Duration, Failure>, took: Duration) -> Self {
        match outcome {
            Err(Failure { error: BucketError::InvalidDocument(_), .. }) => Self { outcome: Ok(took) },
            outcome => Self { outcome },
        }
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.outcome.as_ref().err()
    }

    /// Adds the step.
    pub fn report(&self, report: &mut Report) {
        match &self.outcome {
            Ok(took) => report.passed("read", format!("a document was looked for, in {} ms", took.as_millis())),
            Err(failure) => report.failed("read", failure.error.reason()),
        }
    }
}
