//! The listener for operators: is the process alive, can it serve?
//!
//! Invariant: never reachable through the public listener; `/live` never asks the database, and `/ready` waits for it no
//! longer than [`READY_TIMEOUT`]. A reason names the kind of trouble, never an address or a secret.

use std::sync::Arc;
use std::time::Duration;

use rouille::{Request, Response};

use crate::bucket::{BucketError, BucketPool, Trace};
use crate::clock::{self, Deadline};
use crate::http::{Class, RequestContext, Service, path_of};
use crate::model::DocumentId;
use crate::observe::{Observation, Observer};
use crate::problem::{ALLOWED_METHODS, Problem, ProblemCode};

/// How long `/ready` waits for the database: short enough for every prober, and independent of what requests may take.
pub const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// What the handlers need.
pub struct Admin {
    buckets: Arc<BucketPool>,
    observer: Observer,
}

impl Admin {
    /// The operators' view of these buckets.
    #[must_use]
    pub fn new(buckets: Arc<BucketPool>, observer: &Observer) -> Self {
        Self { buckets, observer: observer.clone() }
    }

    /// It as something that a listener can serve.
    #[must_use]
    pub fn into_service(self) -> Service {
        Service {
            reads: &["traceparent"],
            class: |_, target| if path_of(target) == "/ready" { Class::Blocking } else { Class::Immediate },
            handle: Box::new(move |request, context| self.handle(request, context)),
        }
    }

    fn handle(&self, request: &Request, context: &RequestContext) -> Response {
        let route = match path_of(request.raw_url()) {
            "/live" | "*" => "/live",
            "/ready" => "/ready",
            _ => {
                let problem = Problem::new(ProblemCode::NotFound, "Here are /live and /ready.");
                return answer(&problem, request, context);
            }
        };
        context.set_route(route);
        match (request.method(), route) {
            ("OPTIONS", _) => Response::empty_204().with_additional_header("Allow", ALLOWED_METHODS),
            ("GET" | "HEAD", "/live") => Response::from_data("text/plain; charset=utf-8", "live\n"),
            ("GET" | "HEAD", _) => self.ready(request, context),
            _ => answer(&Problem::new(ProblemCode::MethodNotAllowed, "Method Not Allowed"), request, context)
                .with_additional_header("Allow", ALLOWED_METHODS),
        }
    }

    /// Reads a document that is not there: that needs the network, the login, the bucket and the right to read.
    fn ready(&self, request: &Request, context: &RequestContext) -> Response {
        let deadline = Deadline::after(clock::now(), READY_TIMEOUT).earlier(context.deadline());
        let trace = Trace::of(context.request_id(), request.header("traceparent"));
        match self.buckets.with_bucket(deadline, &trace, |bucket| bucket.get(&DocumentId::sentinel())) {
            Ok(_) => Response::from_data("text/plain; charset=utf-8", "ready\n"),
            Err(error) => {
                let (request_id, kind) = (context.request_id(), error.kind().as_str());
                self.observer.emit(&Observation::BucketFailed { request_id, kind, reason: &error });
                answer(&not_ready(&error), request, context)
            }
        }
    }
}

/// Whatever the reason, a server that cannot serve is a 503 to a prober.
fn not_ready(error: &BucketError) -> Problem {
    let reason = match error {
        BucketError::Misconfigured { .. } => "the database or the settings for it must be changed",
        BucketError::Unavailable { .. } => "the database is unavailable",
        BucketError::Busy { .. } => "all bucket connections are in use",
        BucketError::Timeout { .. } => "the database does not answer in time",
        BucketError::InvalidDocument(_) | BucketError::UnusableId { .. } => {
            "the database answers with something that is not a document"
        }
    };
    Problem::new(ProblemCode::Unavailable, format!("Not ready: {reason}. The log says more."))
}

fn answer(problem: &Problem, request: &Request, context: &RequestContext) -> Response {
    context.set_problem(problem.code);
    problem.response(Some(path_of(request.raw_url())), context.request_id())
}
