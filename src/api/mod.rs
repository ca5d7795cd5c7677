//! The public API: rouille handlers behind one router.
//!
//! Invariant: a `Request` in, a `Response` out; nothing here knows a socket. The text of an answer to an error is written
//! here or in `problem`, and never comes from a database.

mod etag;
mod home;
mod problems;
pub mod route;
mod users;

use std::sync::Arc;

use rouille::Response;

use crate::bucket::BucketPool;
use crate::config::HttpSettings;
use crate::http::{Application, Class, Plan};
use crate::model::Username;
use crate::observe::Observer;
use crate::problem::{Problem, ProblemCode};
use route::Route;

/// What the handlers need.
pub struct Api {
    buckets: Arc<BucketPool>,
    cache_control: String,
    observer: Observer,
}

impl Api {
    /// Returns the API over these buckets.
    #[must_use]
    pub fn new(buckets: Arc<BucketPool>, settings: &HttpSettings, observer: &Observer) -> Self {
        Self { buckets, cache_control: settings.cache_control.clone(), observer: observer.clone() }
    }

    /// Returns it as something that a listener can serve.
    #[must_use]
    pub fn into_application(self) -> Application {
        let api = Arc::new(self);
        Application {
            reads: &["if-match", "if-none-match", "traceparent"],
            plan: Box::new(move |method, target| plan(&api, method, target)),
        }
    }
}

/// Routes a request: the path decides first, then the method. Only a request that will ask the database may block.
fn plan(api: &Arc<Api>, method: &str, target: &str) -> Plan {
    let route = route::route(target);
    let template = route.template();
    if !route::has_valid_triplets(target) {
        return Plan::new(Class::Immediate, template, |request, context| {
            let detail = "The path has a `%` that two hexadecimal digits do not follow.";
            context.problem(request, &Problem::new(ProblemCode::BadRequest, detail))
        });
    }
    match (method, route) {
        (_, Route::Unknown) => Plan::new(Class::Immediate, template, |request, context| {
            context.problem(request, &Problem::new(ProblemCode::NotFound, "Not Found"))
        }),
        ("OPTIONS", _) => Plan::options(template),
        ("GET" | "HEAD", Route::Home) => Plan::new(Class::Immediate, template, |_, _| home::page()),
        ("GET" | "HEAD", Route::User(segment)) => match Username::from_bytes(route::decode(segment)) {
            Ok(username) => {
                let api = Arc::clone(api);
                Plan::new(Class::Blocking, template, move |request, context| {
                    users::read_user(&api, &username, request, context)
                })
            }
            Err(rule) => Plan::new(Class::Immediate, template, move |request, context| {
                context.problem(request, &Problem::new(ProblemCode::InvalidUsername, rule.to_string()))
            }),
        },
        ("GET" | "HEAD", Route::UserAndSlash(_)) => {
            Plan::new(Class::Immediate, template, |request, _| redirect_without_slash(request.raw_url()))
        }
        _ => Plan::method_not_allowed(template),
    }
}

/// Redirects to the same address without the slash, as FastAPI does, but relative, so that it holds behind any proxy.
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
