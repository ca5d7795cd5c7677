//! The vocabulary of `check`: the steps that a database is checked in, and how each ended.
//!
//! Invariant: the detail of a step is fit for a terminal: no document, no secret, no full connection string.

use super::BucketError;

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// One word.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found; for a failure, what is wrong and exactly what to do.
    pub detail: String,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it must be.
    Passed,
    /// Not as it must be.
    Failed,
    /// It was not checked, or could not be.
    Skipped,
}

/// How a whole check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No step failed.
    Passed,
    /// A step failed.
    Failed,
    /// The settings can never work, whatever is at the address that they name.
    WrongSettings,
}

/// Passes the steps of a check on as they are done, and remembers the verdict.
pub struct Report<'a> {
    print: &'a mut dyn FnMut(&Step),
    verdict: Verdict,
}

impl<'a> Report<'a> {
    /// A report without steps; `print` is called with each one as soon as it is known.
    pub fn new(print: &'a mut dyn FnMut(&Step)) -> Self {
        Self { print, verdict: Verdict::Passed }
    }

    /// Adds a step that passed.
    pub fn passed(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(name, Outcome::Passed, detail.into());
    }

    /// Adds a step that failed. `detail` says what to do.
    pub fn failed(&mut self, name: &'static str, detail: impl Into<String>) {
        if self.verdict == Verdict::Passed {
            self.verdict = Verdict::Failed;
        }
        self.add(name, Outcome::Failed, detail.into());
    }

    /// Adds a step that was not checked, and why.
    pub fn skipped(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(name, Outcome::Skipped, detail.into());
    }

    /// Adds steps that were not checked because each needs `what`.
    pub fn skip_all(&mut self, names: &[&'static str], what: &str) {
        for name in names {
            self.skipped(name, format!("needs {what}"));
        }
    }

    /// Ends a check whose settings can never work.
    pub fn wrong_settings(&mut self, error: &BucketError) {
        self.verdict = Verdict::WrongSettings;
        self.add("settings", Outcome::Failed, error.reason());
    }

    /// How the check ended, as far as it came.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    fn add(&mut self, name: &'static str, outcome: Outcome, detail: String) {
        (self.print)(&Step { name, outcome, detail });
    }
}
