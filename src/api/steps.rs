//! What is done with every request, whatever its route: the steps before it and the steps after it.
//!
//! Invariant: a step before the route may answer the request, and the first one that does decides; a step after it may
//! only add fields to the answer.

use std::sync::Arc;

use rouille::Request;

use super::Api;
use super::route::{self, Route};
use crate::http::{Fields, Plan};
use crate::problem::{Problem, ProblemCode};

/// A request as far as it is known when it is routed.
pub(super) struct RequestLine<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub route: Route<'a>,
}

/// A step before the route.
type Before = fn(&Arc<Api>, &RequestLine) -> Option<Plan>;

/// A step after the route.
type After = fn(&Api, &Request, &mut Fields);

const BEFORE: [Before; 4] = [reject_malformed_path, reject_unknown_path, answer_options, reject_other_methods];

const AFTER: [After; 2] = [add_cors_fields, add_security_fields];

/// Returns the plan of the first step that answers the request.
pub(super) fn before(api: &Arc<Api>, line: &RequestLine) -> Option<Plan> {
    BEFORE.iter().find_map(|step| step(api, line))
}

/// Completes an answer.
pub(super) fn after(api: &Api, request: &Request, fields: &mut Fields) {
    for step in AFTER {
        step(api, request, fields);
    }
}

fn reject_malformed_path(_: &Arc<Api>, line: &RequestLine) -> Option<Plan> {
    let detail = "The path has a `%` that two hexadecimal digits do not follow.";
    let is_malformed = !route::has_valid_triplets(line.target);
    is_malformed.then(|| Plan::problem(line.route.template(), Problem::new(ProblemCode::BadRequest, detail)))
}

fn reject_unknown_path(api: &Arc<Api>, line: &RequestLine) -> Option<Plan> {
    let is_unknown = match line.route {
        Route::Unknown => true,
        // The documentation may be switched off.
        Route::File(name) => api.files.get(name).is_none(),
        _ => false,
    };
    is_unknown.then(|| Plan::problem(Route::Unknown.template(), unknown_path()))
}

/// The problem of a path at which there is nothing.
pub(super) fn unknown_path() -> Problem {
    Problem::new(ProblemCode::NotFound, "Not Found")
}

fn answer_options(api: &Arc<Api>, line: &RequestLine) -> Option<Plan> {
    (line.method == "OPTIONS").then(|| {
        let api = Arc::clone(api);
        let Plan { class, route, handler } = Plan::options(line.route.template());
        Plan::new(class, route, move |request, context| api.cors.answer_preflight(request, handler(request, context)))
    })
}

fn reject_other_methods(_: &Arc<Api>, line: &RequestLine) -> Option<Plan> {
    (!matches!(line.method, "GET" | "HEAD")).then(|| Plan::method_not_allowed(line.route.template()))
}

fn add_cors_fields(api: &Api, request: &Request, fields: &mut Fields) {
    api.cors.add_fields(request, fields);
}

fn add_security_fields(_: &Api, _: &Request, fields: &mut Fields) {
    fields.protect();
}
