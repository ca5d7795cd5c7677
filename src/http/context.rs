//! What a handler gets besides the request, and what it leaves for the access log.
//!
//! Invariant: nothing in it comes from the client but the request id, which was checked.

use std::cell::Cell;

use rouille::{Request, Response};

use super::message::grammar::path_of;
use crate::clock::Deadline;
use crate::problem::{Problem, ProblemCode};

/// The route of a request that no handler answers.
pub const NO_ROUTE: &str = "-";

/// Makes the answer that shows a problem. `instance` is the path as it came; `None` where none could be read. The last
/// argument is the id of the request.
pub type ProblemView = fn(&Request, &Problem, Option<&str>, &str) -> Response;

/// The context of one request.
#[derive(Debug)]
pub struct RequestContext {
    request_id: String,
    deadline: Deadline,
    show_problem: ProblemView,
    problem_code: Cell<Option<ProblemCode>>,
}

impl RequestContext {
    /// Returns the context of a request that was not answered yet.
    #[must_use]
    pub fn new(request_id: String, deadline: Deadline, show_problem: ProblemView) -> Self {
        Self { request_id, deadline, show_problem, problem_code: Cell::new(None) }
    }

    /// Returns the client's own request id if it is safe in a log line, else ours.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Returns the moment after which an answer is of no use.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Returns the response that reports a problem, with `Retry-After` where its code has one, and records the code for the
    /// access log.
    #[must_use]
    pub fn problem(&self, request: &Request, problem: &Problem) -> Response {
        self.problem_code.set(Some(problem.code));
        // The target of a refused head may be no path.
        let instance = Some(path_of(request.raw_url())).filter(|path| path.starts_with('/'));
        let response = (self.show_problem)(request, problem, instance, &self.request_id);
        match problem.code.retry_after_s() {
            Some(seconds) => response.with_additional_header("Retry-After", seconds.to_string()),
            None => response,
        }
    }

    /// Returns the code of the problem that was reported.
    #[must_use]
    pub fn problem_code(&self) -> Option<ProblemCode> {
        self.problem_code.get()
    }
}
