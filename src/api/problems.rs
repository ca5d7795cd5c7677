//! From the error of a bucket to the problem that is sent to the client: one exhaustive match.
//!
//! Invariant: pure, and nothing of the error's own text gets out.

use crate::bucket::BucketError;
use crate::problem::{Problem, ProblemCode};

/// Returns the problem that is sent to the client.
#[must_use]
pub fn of(error: &BucketError) -> Problem {
    match error {
        BucketError::Misconfigured { .. } => Problem::new(
            ProblemCode::Misconfigured,
            "The server cannot use its database as it is set up. Its log says what to change.",
        ),
        BucketError::Unavailable { .. } => {
            Problem::new(ProblemCode::Unavailable, "The database is unavailable at the moment. Try again later.")
        }
        BucketError::Busy { .. } => {
            Problem::new(ProblemCode::Busy, "All connections to the database are in use. Try again later.")
        }
        BucketError::Timeout { .. } => Problem::new(ProblemCode::Timeout, "The database did not answer in time."),
        BucketError::UnusableId { rule } => Problem::new(ProblemCode::InvalidUsername, *rule),
        BucketError::InvalidDocument(_) => Problem::new(
            ProblemCode::InvalidDocument,
            "The stored document is not a valid user profile. The server's log names the rule.",
        ),
    }
}
