//! The gateway's port: the Data API.
//!
//! The gateway routes on the decoded path and decodes each of its pieces once more; so a key with a slash finds no
//! route, and one with a percent sign that was encoded once becomes another key.

use percent_encoding::percent_decode_str;
use serde_json::json;

use super::behaviour::Script;
use super::documents::{self, BINARY};
use super::http::{self, Framing, Request};
use super::port::{Action, Then};
use super::query;
use super::{BUCKET, MESSAGE_MARKER};

pub fn answer(script: &Script, request: &Request, turn: usize) -> Action {
    let once = decoded(&request.target).unwrap_or_default();
    let pieces: Vec<&str> = once.split('/').collect();
    let ["", "v1", "buckets", bucket, "scopes", scope, "collections", collection, "documents", key] = pieces[..] else {
        script.violation(format!("{} to the gateway", request.target));
        let fields = [("Content-Type", "text/plain; charset=utf-8")];
        let bytes = http::answer(404, &fields, b"404 page not found\n", Framing::Counted);
        return Action { bytes, then: Then::Keep };
    };
    let (Some(bucket), Some(scope), Some(collection), Some(key)) =
        (decoded(bucket), decoded(scope), decoded(collection), decoded(key))
    else {
        script.violation(format!("{}: a broken escape", request.target));
        return error(400, "InvalidArgument", None);
    };
    documents::note(script, request, &key);
    let behaviour = documents::wait(script);
    if request.field("authorization").is_none() {
        return error(401, "Unauthorized", None);
    }
    if !query::is_authorized(script, request) {
        return error(403, "InvalidAuth", None);
    }
    if bucket != BUCKET {
        return error(404, "BucketNotFound", Some(&format!("/buckets/{bucket}")));
    }
    if scope != "_default" {
        return error(404, "ScopeNotFound", Some(&format!("/buckets/{bucket}/scopes/{scope}")));
    }
    let folder = format!("/buckets/{bucket}/scopes/{scope}/collections/{collection}");
    if collection != "_default" {
        return error(404, "CollectionNotFound", Some(&folder));
    }
    if key.is_empty() || key.len() > 250 {
        return error(400, "InvalidArgument", None);
    }
    documents::scripted(&behaviour, turn, |framing| {
        document(script, &key, framing)
            .unwrap_or_else(|| error(404, "DocumentNotFound", Some(&format!("{folder}/documents/{key}"))))
    })
}

/// Decodes once. A broken escape, which the crate would leave as it is, is refused.
fn decoded(text: &str) -> Option<String> {
    let is_whole = |part: &str| part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(is_whole) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

fn document(script: &Script, key: &str, framing: Framing) -> Option<Action> {
    let all = script.documents();
    let stored = all.get(key)?;
    let tag = format!("{:08x}", documents::cas(stored));
    let is_binary = documents::is_binary(stored);
    let content_type = if is_binary { "application/octet-stream" } else { "application/json" };
    let body = if is_binary { &BINARY[..] } else { stored.text.as_bytes() };
    let fields = [
        ("Content-Type", content_type),
        ("ETag", tag.as_str()),
        ("X-CB-Flags", "33554438"),
        ("Expires", ""),
        ("Content-Encoding", ""),
    ];
    Some(Action { bytes: http::answer(200, &fields, body, framing), then: Then::Keep })
}

/// An error: JSON that nobody declares as such.
fn error(status: u16, code: &str, resource: Option<&str>) -> Action {
    let mut body = json!({ "code": code, "message": format!("{MESSAGE_MARKER} was not as it should be.") });
    if let Some(resource) = resource {
        body["resource"] = resource.into();
    }
    let fields = [("Content-Type", "text/plain; charset=utf-8")];
    Action { bytes: http::answer(status, &fields, body.to_string().as_bytes(), Framing::Counted), then: Then::Keep }
}
