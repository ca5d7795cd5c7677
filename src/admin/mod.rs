//! The listener for operators: is the process alive, can it serve?
//!
//! Invariant: never reachable through the public listener; `/live` never asks the database, and `/ready` waits for it no
//! longer than [`READY_TIMEOUT`]. A reason names the kind of trouble, never an address or a secret.

use std::sync::Arc;
use std::time::Duration;

use rouille::{Request, Response};

use crate::bucket::{BucketError, BucketPool, Trace};
use crate::clock::{self, Deadline};
use crate::http::{Application, Class, NO_ROUTE, Plan, RequestContext, path_of};
use crate::model::DocumentId;
use crate::observe::{Observation, Observer};
use crate::problem::{Problem, ProblemCode};

/// How long `/ready` waits for the database: short enough for every prober, and independent of what requests may take.
pub const READY_TIMEOUT: Duration = Duration::from_secs(2);

const LIVE: &str = "/live";
const READY: &str = "/ready";

/// What the handlers need.
pub struct Admin {
    buckets: Arc<BucketPool>,
    observer: Observer,
}

impl Admin {
    /// Returns the operators' view of these buckets.
    #[must_use]
    pub fn new(buckets: Arc<BucketPool>, observer: &Observer) -> Self {
        Self { buckets, observer: observer.clone() }
    }

    /// Returns it as something that a listener can serve.
    #[must_use]
    pub fn into_application(self) -> Application {
        let admin = Arc::new(self);
        Application { reads: &["traceparent"], plan: Box::new(move |method, target| plan(&admin, method, target)) }
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
                context.problem(request, &not_ready(&error))
            }
        }
    }
}

fn plan(admin: &Arc<Admin>, method: &str, target: &str) -> Plan {
    let route = match path_of(target) {
        // `OPTIONS /` and `OPTIONS *` are what HAProxy asks unless it is told otherwise.
        "/live" | "*" => LIVE,
        "/" if method == "OPTIONS" => LIVE,
        "/ready" => READY,
        _ => {
            return Plan::new(Class::Immediate, NO_ROUTE, |request, context| {
                context.problem(request, &Problem::new(ProblemCode::NotFound, "Here are /live and /ready."))
            });
        }
    };
    match (method, route) {
        ("OPTIONS", _) => Plan::options(route),
        ("GET" | "HEAD", LIVE) => {
            Plan::new(Class::Immediate, route, |_, _| Response::from_data("text/plain; charset=utf-8", "live\n"))
        }
        ("GET" | "HEAD", _) => {
            let admin = Arc::clone(admin);
            Plan::new(Class::Blocking, route, move |request, context| admin.ready(request, context))
        }
        _ => Plan::method_not_allowed(route),
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
