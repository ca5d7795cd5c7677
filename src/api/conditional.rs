//! Conditional requests (RFC 9110 §13), the same for everything that has an entity tag.
//!
//! Invariant: pure. An answer has its `ETag` and its `Cache-Control` whether it is sent whole or not at all.

use std::borrow::Cow;

use rouille::{Request, Response, ResponseBody};

use super::etag::{self, Comparison};
use crate::http::RequestContext;
use crate::problem::{Problem, ProblemCode};

/// How many fields an answer has.
const FIELDS: usize = 8;

/// Answers a conditional request about something with this tag: `whole` makes the answer if it has to be sent.
pub(super) fn answer(
    request: &Request,
    context: &RequestContext,
    tag: String,
    cache_control: Cow<'static, str>,
    whole: impl FnOnce() -> Response,
) -> Response {
    // RFC 9110 §13.2.2: first whether it is the expected state, and then whether it is a known one.
    if request.header("if-match").is_some_and(|expected| !etag::matches(expected, &tag, Comparison::Strong)) {
        let detail = "It is not in the state that If-Match names.";
        return context.problem(request, &Problem::new(ProblemCode::PreconditionFailed, detail));
    }
    let is_known = request.header("if-none-match").is_some_and(|known| etag::matches(known, &tag, Comparison::Weak));
    let mut response = if is_known { not_modified() } else { whole() };
    // One allocation, where there would be one for each doubling.
    response.headers.reserve_exact(FIELDS);
    response.with_additional_header("ETag", tag).with_additional_header("Cache-Control", cache_control)
}

fn not_modified() -> Response {
    Response { status_code: 304, headers: Vec::new(), data: ResponseBody::empty(), upgrade: None }
}
