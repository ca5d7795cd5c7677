//! The public API: rouille handlers behind one router.
//!
//! The path of a request: `route` (which address is it?) → `steps` (what holds for every address) → `users`,
//! `many_users`, or a `file` (`home`, `docs`) → `steps` again (fields that every answer has).
//!
//! Invariant: a `Request` in, a `Response` out; nothing here knows a socket. The text of an answer to an error is written
//! here or in `problem`, and never comes from a database.

mod conditional;
mod cors;
pub mod docs;
mod etag;
mod file;
mod files;
mod home;
mod many_users;
mod problems;
pub mod query;
pub mod route;
mod steps;
mod users;

use std::sync::Arc;

use rouille::{Request, Response};

use self::cors::Cors;
use self::docs::Docs;
use self::file::File;
use self::files::Files;
use self::route::Route;
use self::steps::RequestLine;
use crate::bucket::BucketPool;
use crate::config::HttpSettings;
use crate::http::{Application, Class, Plan, RequestContext};
use crate::model::Username;
use crate::observe::Observer;
use crate::pages;
use crate::problem::{Problem, ProblemCode};

/// What the handlers need.
pub struct Api {
    buckets: Arc<BucketPool>,
    cache_control: String,
    cors: Cors,
    files: Files,
    observer: Observer,
}

impl Api {
    /// Returns the API over these buckets.
    #[must_use]
    pub fn new(buckets: Arc<BucketPool>, settings: &HttpSettings, observer: &Observer) -> Self {
        Self {
            buckets,
            cache_control: settings.cache_control.clone(),
            cors: Cors::new(&settings.cors_allow_origins),
            files: Files::new(settings.docs.then(Docs::new)),
            observer: observer.clone(),
        }
    }

    /// Returns it as something that a listener can serve.
    #[must_use]
    pub fn into_application(self) -> Application {
        let planner = Arc::new(self);
        let completer = Arc::clone(&planner);
        Application {
            reads: &[
                "accept",
                "accept-encoding",
                "access-control-request-method",
                "if-match",
                "if-none-match",
                "origin",
                "traceparent",
            ],
            plan: Box::new(move |method, target| plan(&planner, method, target)),
            show_problem: pages::problem_or_json,
            complete: Box::new(move |request, fields| steps::after(&completer, request, fields)),
        }
    }
}

/// Routes a request. Only one that will ask the database may block.
fn plan(api: &Arc<Api>, method: &str, target: &str) -> Plan {
    let route = route::route(target);
    if let Some(plan) = steps::before(api, &RequestLine { method, target, route }) {
        return plan;
    }
    let template = route.template();
    match route {
        Route::User(segment) => match Username::from_bytes(route::decode(segment)) {
            Ok(username) => Plan::new(
                Class::Blocking,
                template,
                with_api(api, move |api, request, context| users::read_user(api, &username, request, context)),
            ),
            Err(rule) => Plan::problem(template, Problem::new(ProblemCode::InvalidUsername, rule.to_string())),
        },
        Route::Users(query) => match query::usernames(query) {
            Ok(asked) => Plan::new(
                Class::Blocking,
                template,
                with_api(api, move |api, request, context| many_users::read_users(api, &asked, request, context)),
            ),
            Err(problem) => Plan::problem(template, problem),
        },
        Route::UserAndSlash(_) => {
            Plan::new(Class::Immediate, template, |request, _| redirect_without_slash(request.raw_url()))
        }
        Route::Problem(code) => Plan::new(Class::Immediate, template, move |request, context| {
            File::of_page(&pages::explanation(code)).answer(request, context)
        }),
        Route::File(name) => Plan::new(
            Class::Immediate,
            template,
            with_api(api, move |api, request, context| match api.files.get(name) {
                Some(file) => file.answer(request, context),
                None => context.problem(request, &steps::unknown_path()),
            }),
        ),
        Route::Unknown => Plan::problem(template, steps::unknown_path()),
    }
}

/// Gives a handler the API to work with.
fn with_api(
    api: &Arc<Api>,
    handler: impl FnOnce(&Api, &Request, &RequestContext) -> Response + Send + 'static,
) -> impl FnOnce(&Request, &RequestContext) -> Response + Send + 'static {
    let api = Arc::clone(api);
    move |request, context| handler(&api, request, context)
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
