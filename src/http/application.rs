//! What a listener serves: for each request a plan, made from its method and target.
//!
//! Invariant: a request is routed once. Its plan knows whether the handler may block, and travels with the request until
//! the handler is called.

use rouille::{Request, Response};

use super::context::RequestContext;
use crate::problem::{ALLOWED_METHODS, Problem, ProblemCode};

/// What a listener serves.
pub struct Application {
    /// The names of the fields that the handlers read, in lower case. They see no others.
    pub reads: &'static [&'static str],
    /// Routes a request by its method and its target, without blocking.
    pub plan: Box<Planner>,
}

/// Makes the plan of a request from its method and its target.
pub type Planner = dyn Fn(&str, &str) -> Plan + Send + Sync;

/// How one request is going to be answered.
pub struct Plan {
    /// Whether the handler may block.
    pub class: Class,
    /// The template of the route, for the access log.
    pub route: &'static str,
    /// Makes the answer.
    pub handler: Box<Handler>,
}

/// Whether a handler may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It answers from memory.
    Immediate,
    /// It may wait for a database.
    Blocking,
}

/// What answers one request.
pub type Handler = dyn FnOnce(&Request, &RequestContext) -> Response + Send;

impl Plan {
    /// Returns a plan. A handler that captures nothing costs no allocation.
    #[must_use]
    pub fn new(
        class: Class,
        route: &'static str,
        handler: impl FnOnce(&Request, &RequestContext) -> Response + Send + 'static,
    ) -> Self {
        Self { class, route, handler: Box::new(handler) }
    }

    /// Plans the answer to OPTIONS.
    #[must_use]
    pub fn options(route: &'static str) -> Self {
        Self::new(Class::Immediate, route, |_, _| {
            Response::empty_204().with_additional_header("Allow", ALLOWED_METHODS)
        })
    }

    /// Plans the answer to a method that the route does not allow.
    #[must_use]
    pub fn method_not_allowed(route: &'static str) -> Self {
        Self::new(Class::Immediate, route, |request, context| {
            let problem = Problem::new(ProblemCode::MethodNotAllowed, "Method Not Allowed");
            context.problem(request, &problem).with_additional_header("Allow", ALLOWED_METHODS)
        })
    }
}
