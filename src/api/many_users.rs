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
    let (usernames, places) = distinct(asked);
    let elements = match read_elements(api, &usernames, request, context) {
        Ok(elements) => elements,
        Err(problem) => return context.problem(request, &problem),
    };
    let Some(body) = array(&places, &elements) else {
        let detail = format!("The answer would be longer than {MAX_BODY_BYTES} bytes. Ask for fewer users at once.");
        return context.problem(request, &Problem::new(ProblemCode::InvalidQuery, detail));
    };
    let tag = etag::of(&body);
    conditional::answer(request, context, tag, api.cache_control.clone().into(), || {
        Response::from_data("application/json", body)
    })
}

/// The names, each once, and for each element of the answer the place of its name among them.
fn distinct(asked: &[Asked]) -> (Vec<&Username>, Vec<Result<usize, InvalidUsername>>) {
    let (mut usernames, mut known) = (Vec::with_capacity(asked.len()), HashMap::with_capacity(asked.len()));
    let mut places = Vec::with_capacity(asked.len());
    for name in asked {
        places.push(match name {
            Ok(username) => Ok(*known.entry(username).or_insert_with(|| {
                usernames.push(username);
                usernames.len() - 1
            })),
            Err(rule) => Err(*rule),
        });
    }
    (usernames, places)
}

/// Reads the users, and returns an element for each.
fn read_elements(
    api: &Api,
    usernames: &[&Username],
    request: &Request,
    context: &RequestContext,
) -> Result<Vec<Vec<u8>>, Problem> {
    let mut elements = Vec::with_capacity(usernames.len());
    if usernames.is_empty() {
        return Ok(elements);
    }
    let (deadline, trace) = bounds(api, request, context);
    let mut bytes = 0;
    let outcome = api.buckets.with_bucket(deadline, &trace, |bucket| {
        get_users(bucket, usernames, &mut |username, outcome| {
            let element = match outcome {
                // An answer that is too long already is not made longer: it is refused.
                _ if bytes > MAX_BODY_BYTES => Vec::new(),
                Ok(Some(stored)) => public_json(api, stored, username, context),
                Ok(None) => element(&not_found()),
                Err(error) => {
                    report_failure(api, &error, username, context);
                    element(&problems::of(&error))
                }
            };
            bytes += element.len();
            elements.push(element);
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
fn array(places: &[Result<usize, InvalidUsername>], elements: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut body = vec![b'['];
    for (number, place) in places.iter().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        match place {
            Ok(place) => body.extend_from_slice(elements.get(*place)?),
            Err(rule) => body.extend(element(&Problem::new(ProblemCode::InvalidUsername, rule.to_string()))),
        }
        if body.len() > MAX_BODY_BYTES {
            return None;
        }
    }
    body.push(b']');
    Some(body)
}
