//! The public API: rouille handlers behind one router.
//!
//! Invariant: a `Request` in, a `Response` out; nothing here knows a socket. What a client is told of an error is written
//! here or in `problem`, and never comes from a database.

mod etag;
mod home;
pub mod path;
mod problems;
mod users;

use std::sync::Arc;

use rouille::{Request, Response};

use crate::bucket::BucketPool;
use crate::config::HttpSettings;
use crate::http::{Class, RequestContext, Service, path_of};
use crate::observe::Observer;
use crate::problem::{ALLOWED_METHODS, Problem, ProblemCode};
use path::Route;

/// What the handlers need.
pub struct Api {
    buckets: Arc<BucketPool>,
    cache_control: String,
    observer: Observer,
}

impl Api {
    /// The API over these buckets.
    #[must_use]
    pub fn new(buckets: Arc<BucketPool>, settings: &HttpSettings, observer: &Observer) -> Self {
        Self { buckets, cache_control: settings.cache_control.clone(), observer: observer.clone() }
    }

    /// It as something that a listener can serve.
    #[must_use]
    pub fn into_service(self) -> Service {
        Service {
            reads: &["if-none-match", "traceparent"],
            class: class_of,
            handle: Box::new(move |request, context| self.handle(request, context)),
        }
    }

    /// Answers one request: the path decides first, then the method.
    #[must_use]
    pub fn handle(&self, request: &Request, context: &RequestContext) -> Response {
        let route = path::route(request.raw_url());
        context.set_route(route.template());
        if !path::has_valid_triplets(request.raw_url()) {
            return problem(
                &Problem::new(ProblemCode::BadRequest, "The path has a `%` that two hexadecimal digits do not follow."),
                request,
                context,
            );
        }
        if route == Route::Unknown {
            return problem(&Problem::new(ProblemCode::NotFound, "Not Found"), request, context);
        }
        match (request.method(), route) {
            ("OPTIONS", _) => Response::empty_204().with_additional_header("Allow", ALLOWED_METHODS),
            ("GET" | "HEAD", Route::Home) => home::page(),
            ("GET" | "HEAD", Route::User(segment)) => users::read_user(self, segment, request, context),
            ("GET" | "HEAD", Route::UserAndSlash(_)) => redirect_without_slash(request.raw_url()),
            _ => problem(&Problem::new(ProblemCode::MethodNotAllowed, "Method Not Allowed"), request, context)
                .with_additional_header("Allow", ALLOWED_METHODS),
        }
    }
}

/// Whether the handler may wait for the database: only for a user does it ask.
fn class_of(method: &str, target: &str) -> Class {
    match (method, path::route(target)) {
        ("GET" | "HEAD", Route::User(_)) => Class::Blocking,
        _ => Class::Immediate,
    }
}

/// Answers with a problem, and takes note of its code.
fn problem(problem: &Problem, request: &Request, context: &RequestContext) -> Response {
    context.set_problem(problem.code);
    problem.response(Some(path_of(request.raw_url())), context.request_id())
}

/// The same address without the slash, as FastAPI does it, but relative: so it holds behind any proxy.
fn redirect_without_slash(raw_url: &str) -> Response {
    let (path, query) = raw_url.split_once('?').map_or((raw_url, None), |(path, query)| (path, Some(query)));
    let path = path.strip_suffix('/').unwrap_or(path);
    let location = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    Response {
        status_code: 307,
        headers: vec![("Location".into(), location.into())],
        data: rouille::ResponseBody::empty(),
        upgrade: None,
    }
}
