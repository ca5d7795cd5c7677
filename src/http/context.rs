//! What travels with a request beside the request itself.
//!
//! Invariant: nothing in it comes from the client but the request id, which was checked.

use std::cell::Cell;

use crate::clock::Deadline;
use crate::problem::ProblemCode;

/// The context of one request: what its handler must know, and what it leaves for the access line.
#[derive(Debug)]
pub struct RequestContext {
    request_id: String,
    deadline: Deadline,
    route: Cell<&'static str>,
    problem: Cell<Option<ProblemCode>>,
}

/// The route of a request that no handler looked at.
pub const NO_ROUTE: &str = "-";

impl RequestContext {
    /// A context without a route.
    #[must_use]
    pub fn new(request_id: String, deadline: Deadline) -> Self {
        Self { request_id, deadline, route: Cell::new(NO_ROUTE), problem: Cell::new(None) }
    }

    /// The client's own request id if it sent a fitting one, else ours.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The moment after which no answer is of use.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Takes note of the route's template, from a fixed set.
    pub fn set_route(&self, route: &'static str) {
        self.route.set(route);
    }

    /// Takes note of the problem that is answered.
    pub fn set_problem(&self, code: ProblemCode) {
        self.problem.set(Some(code));
    }

    /// The route's template.
    #[must_use]
    pub fn route(&self) -> &'static str {
        self.route.get()
    }

    /// The problem that is answered.
    #[must_use]
    pub fn problem(&self) -> Option<ProblemCode> {
        self.problem.get()
    }
}
