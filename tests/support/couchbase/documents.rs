//! Reads of documents by GET: the cluster manager's own endpoint, and what it shares with the gateway.
//!
//! The manager splits the path first and decodes each piece then, takes a `+` for a space, and lets slashes in a row
//! count as one; so a client that encodes too little reads another document than it meant.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Cut, Documents, Hold, Script, Stored};
use super::http::{self, Framing, Request};
use super::manager;
use super::port::{Action, Then};
use super::query;
use super::{Asked, BUCKET, MESSAGE_MARKER};

/// How the paths of all its documents begin.
pub const FOLDER: &str = "/pools/default/buckets/";

/// What a binary value is made of.
pub const BINARY: [u8; 5] = [0, 1, 2, 3, 0xff];

/// Whether a stored value has the bytes of [`BINARY`].
pub fn is_binary(stored: &Stored) -> bool {
    stored.kind == Some("base64")
}

/// The CAS as a number; it is stored as the text that the query service prints.
pub fn cas(stored: &Stored) -> u64 {
    let text = stored.cas.as_deref().unwrap_or_default();
    text.parse().or_else(|_| text.parse().map(i64::cast_unsigned)).unwrap_or_default()
}

/// Which document a path asks for.
struct Place {
    bucket: String,
    scope: String,
    collection: String,
    id: String,
}

pub fn answer(script: &Script, request: &Request, turn: usize) -> Action {
    let Some(Place { bucket, scope, collection, id }) = place(&request.target) else {
        script.violation(format!("{} to the cluster manager", request.target));
        return text(404, "Object Not Found");
    };
    note(script, request, &id);
    let behaviour = wait(script);
    if !query::is_authorized(script, request) {
        return manager::unauthorized();
    }
    if bucket != BUCKET {
        return text(404, "Requested resource not found.\r\n");
    }
    if (scope.as_str(), collection.as_str()) != ("_default", "_default") {
        let error = format!("Scope with name \"{scope}\" is not found {MESSAGE_MARKER}");
        return http_json(404, &json!({ "error": error }).to_string(), Framing::Counted);
    }
    scripted(&behaviour, turn, |framing| {
        let is_nested = matches!(behaviour.documents, Documents::Nested);
        match found(script, &id, is_nested) {
            Some(body) => http_json(200, &body, framing),
            None => Action { bytes: http::answer(404, &[], b"", Framing::Counted), then: Then::Keep },
        }
    })
}

/// Notes what was asked, and whether it was asked as a strict client does.
pub fn note(script: &Script, request: &Request, id: &str) {
    let is_strict = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/".contains(&byte);
    if request.method != "GET" || !request.body.is_empty() || !request.target.bytes().all(is_strict) {
        script.violation(format!("{} {} for a document", request.method, request.target));
    }
    let asked = Asked {
        statement: request.target.clone(),
        id: id.to_owned(),
        timeout: String::new(),
        context_id: None,
        traceparent: request.field("traceparent").map(str::to_owned),
    };
    script.change(|state| state.asked.push(asked));
}

/// Waits as long as the test wants, and gives the behaviour of that moment.
pub fn wait(script: &Script) -> Behaviour {
    let behaviour = script.behaviour(Hold::Queries);
    script.delay(behaviour.delay);
    behaviour
}

/// Does what the test wants; `good` makes the answer that a well server gives.
pub fn scripted(behaviour: &Behaviour, turn: usize, good: impl Fn(Framing) -> Action) -> Action {
    let nothing = |then| Action { bytes: Vec::new(), then };
    let mut action = match &behaviour.documents {
        Documents::HangUpOnReused if turn > 0 => nothing(Then::Close),
        Documents::Answer | Documents::Nested | Documents::HangUpOnReused => good(Framing::Counted),
        Documents::Raw(raw) => manager::raw(raw),
        Documents::Tagged(tag, raw) => {
            let mut fields = vec![("ETag", tag.as_str())];
            fields.extend(raw.content_type.map(|value| ("Content-Type", value)));
            Action { bytes: http::answer(raw.status, &fields, &raw.body, Framing::Counted), then: Then::Keep }
        }
        Documents::Cut(cut) => shortened(*cut, good),
        Documents::Freeze => nothing(Then::Freeze),
        Documents::HangUp => nothing(Then::Close),
        Documents::Reset => nothing(Then::Reset),
    };
    if action.then == Then::Keep && behaviour.close_after.is_some_and(|answers| turn + 1 >= answers) {
        action.then = Then::Close;
    }
    action
}

fn shortened(cut: Cut, good: impl Fn(Framing) -> Action) -> Action {
    let (framing, then) = match cut {
        Cut::ContentLength => (Framing::Counted, Then::Close),
        Cut::Chunks => (Framing::Chunks, Then::Close),
        Cut::ChunksAndFreeze => (Framing::Chunks, Then::Freeze),
        Cut::Json => panic!("not every document is JSON: use Documents::Raw"),
        Cut::Head => return Action { bytes: b"HTTP/1.1 200 OK\r\nContent-Le".to_vec(), then: Then::Close },
    };
    let mut bytes = good(framing).bytes;
    // Behind the head, before the end of the body.
    bytes.truncate(bytes.len() - 8);
    Action { bytes, then }
}

fn place(target: &str) -> Option<Place> {
    let pieces: Option<Vec<String>> = target.split('/').filter(|piece| !piece.is_empty()).map(decoded).collect();
    let pieces = pieces?;
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let (bucket, scope, collection, id) = match pieces.as_slice() {
        ["pools", "default", "buckets", bucket, "docs", id] => (bucket, &"_default", &"_default", id),
        ["pools", "default", "buckets", bucket, "scopes", scope, "collections", collection, "docs", id] => {
            (bucket, scope, collection, id)
        }
        _ => return None,
    };
    let owned = |text: &&str| (*text).to_owned();
    Some(Place { bucket: owned(bucket), scope: owned(scope), collection: owned(collection), id: owned(id) })
}

fn decoded(piece: &str) -> Option<String> {
    let spaced = piece.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// The body of a document.
fn found(script: &Script, id: &str, is_nested: bool) -> Option<String> {
    let all = script.documents();
    let stored = all.get(id)?;
    let shown_id = stored.id.clone().unwrap_or_else(|| Value::from(id).to_string());
    let reason = if is_binary(stored) { ",\"att_reason\":\"invalid_json\"" } else { "" };
    let value = if is_binary(stored) {
        format!("\"base64\":\"{}\"", STANDARD.encode(BINARY))
    } else if is_nested {
        format!("\"json\":{}", stored.text)
    } else {
        format!("\"json\":{}", Value::from(stored.text.as_str()))
    };
    let cas = cas(stored);
    Some(format!(
        "{{\"meta\":{{\"id\":{shown_id},\"rev\":\"3-{cas:016x}0000000002000006\",\"expiration\":0,\"flags\":33554438\
         {reason}}},{value},\"xattrs\":{{}}}}"
    ))
}

fn http_json(status: u16, body: &str, framing: Framing) -> Action {
    let fields =
        [("Content-Type", "application/json"), ("Cache-Control", "no-cache,no-store"), ("Server", "Couchbase Server")];
    Action { bytes: http::answer(status, &fields, body.as_bytes(), framing), then: Then::Keep }
}

fn text(status: u16, body: &str) -> Action {
    let fields = [("Content-Type", "text/plain")];
    Action { bytes: http::answer(status, &fields, body.as_bytes(), Framing::Counted), then: Then::Keep }
}
