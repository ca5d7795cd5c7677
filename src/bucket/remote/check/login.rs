//! The step `login`: whether the read of the sentinel was refused for who we are.
//!
//! Invariant: pure.

use crate::bucket::remote::access::Access;
use crate::bucket::remote::failure::{Failure, Retry};
use crate::bucket::report::Report;

/// Adds the step, from what the read failed with. False if it failed.
pub fn report(access: &Access, failure: Option<&Failure>, report: &mut Report) -> bool {
    match failure {
        Some(failure) if failure.retry == Retry::NewCredentials => {
            report.failed("login", failure.error.reason());
            return false;
        }
        Some(failure) if !failure.is_an_answer() => report.skipped("login", "there was no answer; see the read"),
        _ => {
            report.passed("login", access.identity());
        }
    }
    true
}
