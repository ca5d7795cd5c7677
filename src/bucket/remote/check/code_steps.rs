//! Steps between login and read that follow from the code of the error that the read met: no further request is needed.
//!
//! Invariant: pure.

use super::{ProductSteps, SentinelRead};
use crate::bucket::report::Report;

/// One step.
pub struct CodeStep {
    /// Its name.
    pub name: &'static str,
    /// The codes ([`crate::bucket::Details::code`]) that say that it failed.
    pub codes: &'static [&'static str],
    /// What it says if none of them came.
    pub passed: String,
}

/// Steps by codes, in their order.
pub struct CodeSteps {
    names: Vec<&'static str>,
    steps: Vec<CodeStep>,
}

impl CodeSteps {
    /// These steps.
    #[must_use]
    pub fn new(steps: Vec<CodeStep>) -> Self {
        Self { names: steps.iter().map(|step| step.name).collect(), steps }
    }
}

impl ProductSteps for CodeSteps {
    fn names(&self) -> &[&'static str] {
        &self.names
    }

    fn report(&self, read: &SentinelRead, report: &mut Report) -> Option<&'static str> {
        let failure = read.failure();
        if failure.is_some_and(|failure| !failure.is_an_answer()) {
            self.names.iter().for_each(|name| report.skipped(name, "there was no answer; see the read"));
            return None;
        }
        let code = failure.and_then(|failure| failure.details.code.as_deref());
        for (place, step) in self.steps.iter().enumerate() {
            match (failure, code) {
                (Some(failure), Some(code)) if step.codes.contains(&code) => {
                    report.failed(step.name, failure.error.reason());
                    report.skip_all(&self.names[place + 1..], step.name);
                    return Some(step.name);
                }
                (None, _) => report.passed(step.name, step.passed.clone()),
                // Another error came first: whether this is well is not known.
                (Some(_), _) => report.skipped(step.name, "the read failed before that was known"),
            }
        }
        None
    }
}
