//! The listener for operators: is the process alive, can it serve, what is it doing?
//!
//! Invariant: never reachable through the public listener, and on threads of its own. `/live`, `/metrics` and `/status`
//! never ask the database; `/ready` does, and waits for it no longer than [`READY_TIMEOUT`]. It authenticates nobody, and
//! may name addresses, as the log does, but no secret, no document and no value of one.

mod readiness;
mod settings;
mod status;

pub use readiness::READY_TIMEOUT;
pub use settings::EffectiveSettings;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rouille::{Request, Response};

use self::readiness::Readiness;
use crate::bucket::{BucketError, BucketPool, Trace};
use crate::clock::{self, Deadline};
use crate::config::Loaded;
use crate::http::{Application, Class, Fields, Monitor, NO_ROUTE, Plan, RequestContext, path_of};
use crate::model::DocumentId;
use crate::observe::metrics::{Gauges, MEDIA_TYPE};
use crate::observe::{Observation, Observer};
use crate::pages::negotiation;
use crate::problem::{Problem, ProblemCode};
use status::Status;

/// The body of `/ready` while the server is.
pub const READY_BODY: &[u8] = b"ready\n";

/// How much longer than a check those wait who wait for the check of another request.
const SHARING_TIME: Duration = Duration::from_millis(500);

const TEXT: &str = "text/plain; charset=utf-8";

/// What answers one address.
type Answer = fn(&Admin, &Request, &RequestContext) -> Response;

/// What the handlers need.
pub struct Admin {
    buckets: Arc<BucketPool>,
    public: Monitor,
    state: Arc<AdminState>,
    observer: Observer,
}

/// What stays when the settings change.
pub struct AdminState {
    /// The settings in force.
    pub settings: EffectiveSettings,
    readiness: Readiness,
    started_at: SystemTime,
    since: Instant,
}

impl AdminState {
    /// Returns the state of a program that is started now, with these settings.
    #[must_use]
    pub fn new(loaded: &Loaded) -> Self {
        Self {
            settings: EffectiveSettings::new(loaded),
            readiness: Readiness::default(),
            started_at: clock::wall(),
            since: clock::now(),
        }
    }
}

impl Admin {
    /// Returns the operators' view of these buckets and of the public listener.
    #[must_use]
    pub fn new(buckets: Arc<BucketPool>, public: Monitor, state: Arc<AdminState>, observer: &Observer) -> Self {
        Self { buckets, public, state, observer: observer.clone() }
    }

    /// Returns it as something that a listener can serve.
    #[must_use]
    pub fn into_application(self) -> Application {
        let admin = Arc::new(self);
        let application =
            Application::new(&["accept", "traceparent"], move |method, target| plan(&admin, method, target));
        Application { complete: Box::new(add_fields), ..application }
    }

    /// Reads a document that is not there: that needs the network, the login, the bucket and the right to read.
    fn ready(&self, request: &Request, context: &RequestContext) -> Response {
        let trace = Trace::of(context.request_id(), request.header("traceparent"));
        // Those who wait for the check of another request get its outcome, and not their own timeout.
        let patience = Deadline::after(clock::now(), READY_TIMEOUT + SHARING_TIME).earlier(context.deadline());
        let outcome = self.state.readiness.check(patience, || {
            let deadline = Deadline::after(clock::now(), READY_TIMEOUT).earlier(context.deadline());
            let outcome = self.buckets.probe(deadline, &trace, &DocumentId::sentinel());
            outcome.map(drop).inspect_err(|error| {
                let (request_id, kind) = (context.request_id(), error.kind().as_str());
                self.observer.emit(&Observation::BucketFailed { request_id, kind, reason: error });
            })
        });
        match outcome {
            Ok(()) => Response::from_data(TEXT, READY_BODY),
            Err(error) => context.problem(request, &not_ready(&error)),
        }
    }

    fn metrics(&self, _: &Request, _: &RequestContext) -> Response {
        Response::from_data(MEDIA_TYPE, self.observer.metrics().text(&self.gauges()))
    }

    fn status(&self, request: &Request, _: &RequestContext) -> Response {
        let status = Status::of(self);
        let response = if negotiation::prefers_json(request.header("accept")) { status.json() } else { status.page() };
        response.with_additional_header("Vary", "Accept")
    }

    fn gauges(&self) -> Gauges {
        let nodes = self.buckets.database().nodes();
        let nodes_up = nodes.iter().filter(|node| node.is_up).count();
        Gauges {
            http: self.public.gauges(),
            buckets: self.buckets.gauges(),
            nodes_up,
            nodes_down: nodes.len() - nodes_up,
        }
    }
}

fn plan(admin: &Arc<Admin>, method: &str, target: &str) -> Plan {
    let path = match path_of(target) {
        // `OPTIONS /` and `OPTIONS *` are what HAProxy asks unless it is told otherwise.
        "/" | "*" if method == "OPTIONS" => "/live",
        path => path,
    };
    let (route, class, answer): (_, _, Answer) = match path {
        "/live" => ("/live", Class::Immediate, |_, _, _| Response::from_data(TEXT, "live\n")),
        "/ready" => ("/ready", Class::Blocking, Admin::ready),
        "/metrics" => ("/metrics", Class::Immediate, Admin::metrics),
        "/status" => ("/status", Class::Immediate, Admin::status),
        _ => {
            let problem = Problem::new(ProblemCode::NotFound, "Here are /live, /ready, /metrics and /status.");
            return Plan::problem(NO_ROUTE, problem);
        }
    };
    match method {
        "OPTIONS" => Plan::options(route),
        "GET" | "HEAD" => {
            let admin = Arc::clone(admin);
            Plan::new(class, route, move |request, context| answer(&admin, request, context))
        }
        _ => Plan::method_not_allowed(route),
    }
}

/// Adds what every answer has: it is of now.
fn add_fields(_: &Request, fields: &mut Fields) {
    fields.add("Cache-Control", "no-store");
    fields.protect();
}

/// Whatever the reason, a server that cannot serve is a 503 to a prober.
fn not_ready(error: &BucketError) -> Problem {
    Problem::new(ProblemCode::Unavailable, format!("Not ready: {error}"))
}
