//! `GET /users/{username}`.

use rouille::{Request, Response};

use super::etag::{self, Comparison};
use super::{Api, problems};
use crate::bucket::{BucketError, Trace};
use crate::clock::{self, Deadline};
use crate::http::RequestContext;
use crate::model::{DocumentId, User, UserInDb, Username};
use crate::observe::Observation;
use crate::problem::{Problem, ProblemCode};
use crate::users::get_user;

/// Answers with the public part of one user's profile.
pub(super) fn read_user(api: &Api, username: &Username, request: &Request, context: &RequestContext) -> Response {
    let deadline = Deadline::after(clock::now(), api.buckets.operation_timeout()).earlier(context.deadline());
    let trace = Trace::of(context.request_id(), request.header("traceparent"));
    match api.buckets.with_bucket(deadline, &trace, |bucket| get_user(bucket, username)) {
        Ok(Some(stored)) => found(api, stored, username, request, context),
        // A 404 may be cached too (RFC 9110 §15.1), and would hide a user who exists by then.
        Ok(None) => context
            .problem(request, &Problem::new(ProblemCode::UserNotFound, "User not found"))
            .with_additional_header("Cache-Control", api.cache_control.clone()),
        Err(error) => {
            report_failure(api, &error, username, context);
            context.problem(request, &problems::of(&error))
        }
    }
}

fn found(api: &Api, stored: UserInDb, asked: &Username, request: &Request, context: &RequestContext) -> Response {
    if stored.username != asked.as_str() {
        let id = DocumentId::of(asked);
        let (request_id, document) = (context.request_id(), id.as_str());
        api.observer.emit(&Observation::UsernameDiffers { request_id, document });
    }
    // Strings, booleans and nulls: there is nothing in it that serde_json can fail on.
    let body = serde_json::to_vec(&User::from(stored)).unwrap_or_default();
    let tag = etag::of(&body);
    // RFC 9110 §13.2.2: first whether it is the expected state, and then whether it is a known one.
    if request.header("if-match").is_some_and(|expected| !etag::matches(expected, &tag, Comparison::Strong)) {
        let detail = "The profile is not in the state that If-Match names.";
        return context.problem(request, &Problem::new(ProblemCode::PreconditionFailed, detail));
    }
    let is_known = request.header("if-none-match").is_some_and(|known| etag::matches(known, &tag, Comparison::Weak));
    let response = if is_known {
        Response { status_code: 304, headers: Vec::new(), data: rouille::ResponseBody::empty(), upgrade: None }
    } else {
        Response::from_data("application/json", body)
    };
    response.with_additional_header("ETag", tag).with_additional_header("Cache-Control", api.cache_control.clone())
}

fn report_failure(api: &Api, error: &BucketError, username: &Username, context: &RequestContext) {
    let request_id = context.request_id();
    match error {
        BucketError::InvalidDocument(rule) => {
            let document = DocumentId::of(username);
            api.observer.emit(&Observation::DocumentInvalid { request_id, document: document.as_str(), rule });
        }
        error => {
            let kind = error.kind().as_str();
            api.observer.emit(&Observation::BucketFailed { request_id, kind, reason: error });
        }
    }
}
