//! `GET /users/{username}`.

use rouille::{Request, Response};

use super::{Api, conditional, etag, problems};
use crate::bucket::{BucketError, Trace};
use crate::clock::{self, Deadline};
use crate::http::RequestContext;
use crate::model::{DocumentId, User, UserInDb, Username};
use crate::observe::Observation;
use crate::problem::{Problem, ProblemCode};
use crate::users::get_user;

/// Answers with the public part of one user's profile.
pub(super) fn read_user(api: &Api, username: &Username, request: &Request, context: &RequestContext) -> Response {
    let (deadline, trace) = bounds(api, request, context);
    match api.buckets.with_bucket(deadline, &trace, |bucket| get_user(bucket, username)) {
        Ok(Some(stored)) => {
            let body = public_json(api, stored, username, context);
            let tag = etag::of(&body);
            conditional::answer(request, context, tag, api.cache_control.clone().into(), || {
                Response::from_data("application/json", body)
            })
        }
        // A 404 may be cached too (RFC 9110 §15.1), and would hide a user who exists by then.
        Ok(None) => {
            context.problem(request, &not_found()).with_additional_header("Cache-Control", api.cache_control.clone())
        }
        Err(error) => {
            report_failure(api, &error, username, context);
            context.problem(request, &problems::of(&error))
        }
    }
}

/// The deadline of a request that asks the database, and its names.
pub(super) fn bounds(api: &Api, request: &Request, context: &RequestContext) -> (Deadline, Trace) {
    let deadline = Deadline::after(clock::now(), api.buckets.options().timeouts.operation).earlier(context.deadline());
    (deadline, Trace::of(context.request_id(), request.header("traceparent")))
}

/// The public part of a profile as JSON.
pub(super) fn public_json(api: &Api, stored: UserInDb, asked: &Username, context: &RequestContext) -> Vec<u8> {
    if stored.username != asked.as_str() {
        let id = DocumentId::of(asked);
        let (request_id, document) = (context.request_id(), id.as_str());
        api.observer.emit(&Observation::UsernameDiffers { request_id, document });
    }
    // Strings, booleans and nulls: there is nothing in it that serde_json can fail on.
    serde_json::to_vec(&User::from(stored)).unwrap_or_default()
}

/// The problem of a user who is not there.
pub(super) fn not_found() -> Problem {
    Problem::new(ProblemCode::UserNotFound, "User not found")
}

/// Logs a failure of one read.
pub(super) fn report_failure(api: &Api, error: &BucketError, username: &Username, context: &RequestContext) {
    match error {
        BucketError::InvalidDocument(rule) => {
            let (request_id, document) = (context.request_id(), DocumentId::of(username));
            api.observer.emit(&Observation::DocumentInvalid { request_id, document: document.as_str(), rule });
        }
        error => report_database_failure(api, error, context),
    }
}

/// Logs a failure of the database.
pub(super) fn report_database_failure(api: &Api, error: &BucketError, context: &RequestContext) {
    let (request_id, kind) = (context.request_id(), error.kind().as_str());
    api.observer.emit(&Observation::BucketFailed { request_id, kind, reason: error });
}
