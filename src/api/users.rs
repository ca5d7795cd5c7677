//! `GET /users/{username}`.

use rouille::{Request, Response};

use super::{Api, etag, problems};
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
        Ok(None) => context.problem(request, &Problem::new(ProblemCode::UserNotFound, "User not found")),
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
    let is_known = request.header("if-none-match").is_some_and(|known| etag::matches(known, &tag));
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
