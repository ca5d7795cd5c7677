//! `GET /users?username=a&username=b…`: several users by one request, in one round trip where the database can.
//!
//! Invariant: one element for each name that was asked, in the order of the names, and no element is ever another user's.
//! An element holds nothing of the request, so that equal answers have equal tags.

use std::collections::HashMap;

use rouille::{Request, Response};

use super::users::{bounds, not_found, public_json, report_database_failure, report_failure};
use super::{Api, conditional, etag, problems};
use crate::http::RequestContext;
use crate::model::{InvalidUsername, Username};
use crate::problem::{Problem, ProblemCode};
use crate::users::get_users;

/// The longest answer, in bytes: 100 profiles of 40 KiB. It is in memory until its client has read it, and one that names a
/// large profile 100 times costs the client nothing.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// A name as it was asked for.
type Asked = Result<Username, InvalidUsername>;

/// Answers with the public parts of several profiles, or with what is wrong with each.
pub(super) fn read_users(api: &Api, asked: &[Asked], request: &Request, context: &RequestContext) -> Response {
    let elements = match read_elements(api, asked, request, context) {
        Ok(elements) => elements,
        Err(problem) => return context.problem(request, &problem),
    };
    let Some(body) = array(asked, &elements) else {
        let detail = format!("The answer would be longer than {MAX_BODY_BYTES} bytes. Ask for fewer users at once.");
        return context.problem(request, &Problem::new(ProblemCode::InvalidQuery, detail));
    };
    let tag = etag::of(&body);
    conditional::answer(request, context, tag, api.cache_control.clone().into(), || {
        Response::from_data("application/json", body)
    })
}

/// Reads each user once, however often it was asked for.
fn read_elements<'a>(
    api: &Api,
    asked: &'a [Asked],
    request: &Request,
    context: &RequestContext,
) -> Result<HashMap<&'a Username, Vec<u8>>, Problem> {
    let mut elements: HashMap<&Username, Vec<u8>> = HashMap::new();
    let mut usernames: Vec<&Username> = Vec::new();
    for username in asked.iter().flatten() {
        if elements.insert(username, Vec::new()).is_none() {
            usernames.push(username);
        }
    }
    if usernames.is_empty() {
        return Ok(elements);
    }
    let (deadline, trace) = bounds(api, request, context);
    let mut bytes = 0;
    let outcome = api.buckets.with_bucket(deadline, &trace, |bucket| {
        get_users(bucket, &usernames, &mut |username, outcome| {
            let element = match outcome {
                // An answer that is too long already is not made longer.
                _ if bytes > MAX_BODY_BYTES => return,
                Ok(Some(stored)) => public_json(api, stored, username, context),
                Ok(None) => element(&not_found()),
                Err(error) => {
                    report_failure(api, &error, username, context);
                    element(&problems::of(&error))
                }
            };
            bytes += element.len();
            elements.insert(username, element);
        })
    });
    outcome.map(|()| elements).map_err(|error| {
        report_database_failure(api, &error, context);
        problems::of(&error)
    })
}

fn element(problem: &Problem) -> Vec<u8> {
    // Strings and a number: there is nothing in it that serde_json can fail on.
    serde_json::to_vec(&problem.as_element()).unwrap_or_default()
}

/// Puts the elements together; `None` if that would be too long.
fn array(asked: &[Asked], elements: &HashMap<&Username, Vec<u8>>) -> Option<Vec<u8>> {
    let mut body = vec![b'['];
    for (number, name) in asked.iter().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        match name {
            Ok(username) => body.extend_from_slice(elements.get(username).map_or(&[][..], Vec::as_slice)),
            Err(rule) => body.extend(element(&Problem::new(ProblemCode::InvalidUsername, rule.to_string()))),
        }
        if body.len() > MAX_BODY_BYTES {
            return None;
        }
    }
    body.push(b']');
    Some(body)
}
