//! What a listener serves: for each request a plan, made from its method and target.
//!
//! Invariant: a request is routed once. Its plan knows whether the handler may block, and travels with the request until
//! the handler is called. Every answer, a refusal too, is completed by the application before it is encoded.

use std::borrow::Cow;

use rouille::{Request, Response};

use super::context::{ProblemView, RequestContext};
use crate::problem::{ALLOWED_METHODS, Problem, ProblemCode};

/// What a listener serves.
pub struct Application {
    /// The names of the fields that the handlers read, in lower case. They see no others.
    pub reads: &'static [&'static str],
    /// Routes a request by its method and its target, without blocking.
    pub plan: Box<Planner>,
    /// How a problem is shown to whoever sent the request.
    pub show_problem: ProblemView,
    /// Adds fields to an answer.
    pub complete: Box<Completer>,
}

impl Application {
    /// Returns an application that shows problems as JSON and adds no fields.
    #[must_use]
    pub fn new(reads: &'static [&'static str], plan: impl Fn(&str, &str) -> Plan + Send + Sync + 'static) -> Self {
        let show_problem: ProblemView = |_, problem, instance, request_id| problem.response(instance, request_id);
        Self { reads, plan: Box::new(plan), show_problem, complete: Box::new(|_, _| {}) }
    }
}

/// Makes the plan of a request from its method and its target.
pub type Planner = dyn Fn(&str, &str) -> Plan + Send + Sync;

/// Adds fields to an answer.
pub type Completer = dyn Fn(&Request, &mut Fields) + Send + Sync;

/// The fields of an answer, to which more can be added.
pub struct Fields<'a>(&'a mut Vec<(Cow<'static, str>, Cow<'static, str>)>);

impl<'a> Fields<'a> {
    /// Returns the fields of a response.
    #[must_use]
    pub fn of(response: &'a mut Response) -> Self {
        Self(&mut response.headers)
    }

    /// Adds a field on a line of its own.
    pub fn add(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        self.0.push((Cow::Borrowed(name), value.into()));
    }

    /// Adds the fields that keep browsers from making more of an answer than it is (OWASP, "REST Security Cheat Sheet"). A page
    /// has a policy of its own, which stays.
    pub fn protect(&mut self) {
        self.add("X-Content-Type-Options", "nosniff");
        self.add_default("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    }

    /// Adds a field unless the handler has set one of this name.
    fn add_default(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        if !self.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            self.add(name, value);
        }
    }
}

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

    /// Plans an answer that is a problem.
    #[must_use]
    pub fn problem(route: &'static str, problem: Problem) -> Self {
        Self::new(Class::Immediate, route, move |request, context| context.problem(request, &problem))
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
