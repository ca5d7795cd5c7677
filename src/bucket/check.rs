//! Looks at the database that the settings name, step by step, for a person who sets it up.
//!
//! Invariant: nothing is created or changed, every wait is bounded by the timeouts of `[bucket]`, and the detail of a
//! step is fit for a terminal: no document, no secret, no full connection string.

use super::{BucketError, couchbase, embedded};
use crate::config::{DatabaseName, Settings};
use crate::observe::Observer;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// One word.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What was found; for a failure, what is wrong and exactly what to do.
    pub detail: String,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it must be.
    Passed,
    /// Not so.
    Failed,
    /// It was not looked at, or could not be.
    Skipped,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No step failed.
    Passed,
    /// A step failed.
    Failed,
    /// The settings can never work, whatever is where they point.
    WrongSettings,
}

/// Takes the steps of a check as they come.
pub struct Walk<'a> {
    report: &'a mut dyn FnMut(&Step),
    verdict: Verdict,
}

impl Walk<'_> {
    /// A step that went as it must.
    pub fn passed(&mut self, name: &'static str, detail: impl Into<String>) {
        self.step(name, Outcome::Passed, detail.into());
    }

    /// A step that did not. `detail` says what to do.
    pub fn failed(&mut self, name: &'static str, detail: impl Into<String>) {
        if self.verdict == Verdict::Passed {
            self.verdict = Verdict::Failed;
        }
        self.step(name, Outcome::Failed, detail.into());
    }

    /// A step that was not taken, and why.
    pub fn skipped(&mut self, name: &'static str, detail: impl Into<String>) {
        self.step(name, Outcome::Skipped, detail.into());
    }

    /// The settings can never work.
    pub fn wrong_settings(&mut self, error: &BucketError) {
        self.verdict = Verdict::WrongSettings;
        self.step("settings", Outcome::Failed, reason(error));
    }

    fn step(&mut self, name: &'static str, outcome: Outcome, detail: String) {
        (self.report)(&Step { name, outcome, detail });
    }
}

/// Checks the database that the settings name, and calls `report` for each step as soon as it is known.
pub fn run(settings: &Settings, observer: &Observer, report: &mut dyn FnMut(&Step)) -> Verdict {
    let mut walk = Walk { report, verdict: Verdict::Passed };
    match settings.bucket.database {
        DatabaseName::Embedded => embedded::check::run(&settings.embedded.path, &settings.bucket, &mut walk),
        DatabaseName::Couchbase => {
            couchbase::check::run(&settings.couchbase, &settings.bucket, observer, &mut walk);
        }
        name => walk.wrong_settings(&super::not_built(name)),
    }
    walk.verdict
}

/// The reason of an error, without the sentence that tells what kind it is.
#[must_use]
pub fn reason(error: &BucketError) -> String {
    match error {
        BucketError::Misconfigured { reason }
        | BucketError::Unavailable { reason }
        | BucketError::Timeout { reason } => reason.clone(),
        BucketError::Busy { .. } | BucketError::InvalidDocument(_) | BucketError::UnusableId { .. } => {
            error.to_string()
        }
    }
}
