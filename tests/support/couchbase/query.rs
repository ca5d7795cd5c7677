//! The query port: checks requests as the engine does, and answers in its shapes.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::behaviour::{Cut, ErrorAnswer, Hold, Login, Query, Raised, Script, Stored};
use super::bulk;
use super::http::{self, Framing, Request};
use super::manager;
use super::port::{Action, Then};
use super::{Asked, BUCKET, MESSAGE_MARKER, USERNAME};

/// The statement of a read, around the keyspace; that of several documents has one letter more.
const BEFORE_KEYSPACE: &str = "SELECT META(d).id AS id, META(d).cas AS cas, META(d).type AS kind, d AS doc FROM ";
const AFTER_KEYSPACE: &str = " AS d USE KEYS $id";

/// Every parameter of a request that it knows, and whether its JSON type is right.
fn is_of_its_type(name: &str, value: &Value) -> Option<bool> {
    Some(match name {
        "statement" | "timeout" | "client_context_id" | "scan_consistency" => value.is_string(),
        "readonly" | "pretty" | "metrics" | "signature" => value.is_boolean(),
        _ if name.starts_with('$') => true,
        _ => return None,
    })
}

/// True if the request says who the user is that it knows.
pub fn is_authorized(script: &Script, request: &Request) -> bool {
    match &script.lock().login {
        Login::Password(password) => {
            let pair = STANDARD.encode(format!("{USERNAME}:{password}"));
            request.field("authorization") == Some(&format!("Basic {pair}"))
        }
        Login::Certificate => request.field("authorization").is_none(),
    }
}

pub fn answer(script: &Script, request: &Request, turn: usize) -> Action {
    if request.method != "POST" || request.target != "/query/service" {
        script.violation(format!("{} {} to the query service", request.method, request.target));
        return Action { bytes: http::answer(404, &[], b"", Framing::BySize), then: Then::Keep };
    }
    let parameters = match check(script, request) {
        Ok(parameters) => parameters,
        Err(refusal) => {
            script.behaviour(Hold::Queries);
            return refusal.action(&Map::new());
        }
    };
    let text = |name: &str| parameters.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let asked = Asked {
        statement: text("statement"),
        id: asked_ids(&parameters).unwrap_or_default().join(","),
        timeout: text("timeout"),
        context_id: parameters.get("client_context_id").and_then(Value::as_str).map(str::to_owned),
        traceparent: request.field("traceparent").map(str::to_owned),
    };
    // What is neither a read nor a probe.
    let many = usize::from(asked_ids(&parameters).is_none());
    script.change(|state| {
        state.asked.push(asked.clone());
        state.many_in_work += many;
    });
    let behaviour = script.behaviour(Hold::Queries);
    script.delay(behaviour.delay);
    script.change(|state| state.many_in_work -= many);
    let mut action = scripted(script, &behaviour.query, &parameters, turn);
    if action.then == Then::Keep && behaviour.close_after.is_some_and(|answers| turn + 1 >= answers) {
        action.then = Then::Close;
    }
    action
}

/// An error that the engine itself finds in a request.
struct Refusal {
    code: i64,
    status: u16,
}

impl Refusal {
    fn action(&self, parameters: &Map<String, Value>) -> Action {
        errors(parameters, &ErrorAnswer::new(self.code, self.status, Raised::Before))
    }
}

/// What the engine checks before it executes, in its order; and what our client promises, which it does not check.
fn check(script: &Script, request: &Request) -> Result<Map<String, Value>, Refusal> {
    let refuse = |code, status| Err(Refusal { code, status });
    if !request.field("content-type").is_some_and(|value| value.starts_with("application/json")) {
        script.violation("a request that is not declared as JSON".to_owned());
        return refuse(1050, 400);
    }
    if !matches!(request.field("accept"), None | Some("*/*" | "application/json")) {
        return refuse(1120, 406);
    }
    let Ok(Value::Object(parameters)) = serde_json::from_slice(&request.body) else {
        script.violation("a request that is no JSON object".to_owned());
        return refuse(1040, 400);
    };
    for (name, value) in &parameters {
        match is_of_its_type(name, value) {
            Some(true) => {}
            Some(false) => return refuse(1070, 400),
            None => return refuse(1065, 400),
        }
    }
    if !is_authorized(script, request) {
        return refuse(2120, 401);
    }
    if parameters.get("client_context_id").and_then(Value::as_str).is_some_and(|id| id.contains(['"', '\\'])) {
        return refuse(1110, 500);
    }
    let statement = parameters.get("statement").and_then(Value::as_str);
    let by_key = |statement: &'_ str| {
        let rest = statement.strip_prefix(BEFORE_KEYSPACE)?;
        let keyspace = rest.strip_suffix("s").unwrap_or(rest).strip_suffix(AFTER_KEYSPACE)?;
        Some(keyspace.to_owned())
    };
    let bulk = statement.and_then(bulk::keyspace);
    let is_bulk = bulk.is_some();
    let Some(keyspace) = bulk.or_else(|| statement.and_then(by_key)) else {
        script.violation(format!("a statement that is none of ours: {statement:?}"));
        return refuse(3000, 400);
    };
    if let Err((code, status)) = find(script, &keyspace) {
        return refuse(code, status);
    }
    if is_bulk {
        bulk::check(script, &parameters);
        return Ok(parameters);
    }
    if parameters.get("readonly") != Some(&Value::Bool(true)) {
        script.violation("a read that does not say that it is one".to_owned());
    }
    check_timeout(script, &parameters);
    let is_of_many = statement.is_some_and(|statement| statement.ends_with("$ids"));
    if asked_ids(&parameters).is_none() || is_of_many != parameters.contains_key("$ids") {
        script.violation("a key that is no string".to_owned());
    }
    Ok(parameters)
}

/// The ids of a read: `$id`, or the array `$ids`; `None` if they are not what they should be.
fn asked_ids(parameters: &Map<String, Value>) -> Option<Vec<String>> {
    match (parameters.get("$id"), parameters.get("$ids")) {
        (Some(Value::String(id)), None) => Some(vec![id.clone()]),
        (None, Some(Value::Array(ids))) => ids.iter().map(|id| id.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

pub fn check_timeout(script: &Script, parameters: &Map<String, Value>) {
    let timeout = parameters.get("timeout").and_then(Value::as_str).and_then(|text| text.strip_suffix("ms"));
    if timeout.and_then(|number| number.parse::<u64>().ok()).is_none_or(|number| number == 0) {
        script.violation(format!("a timeout that is not above 0 ms: {:?}", parameters.get("timeout")));
    }
}

/// The keyspaces that there are; for another one, the code and the HTTP status.
fn find(script: &Script, keyspace: &str) -> Result<(), (i64, u16)> {
    if keyspace == format!("`{BUCKET}`") {
        return Ok(());
    }
    let Some((scope, collection)) = script.lock().behaviour.setup.collection else { return Err((12003, 424)) };
    if keyspace == format!("`{BUCKET}`.`{scope}`.`{collection}`") {
        return Ok(());
    }
    let has_scope = keyspace.starts_with(&format!("`{BUCKET}`.`{scope}`."));
    Err(if has_scope { (12003, 424) } else { (12021, 500) })
}

fn scripted(script: &Script, query: &Query, parameters: &Map<String, Value>, turn: usize) -> Action {
    let found = || {
        // In no order that anybody could rely on.
        let ids = asked_ids(parameters).unwrap_or_default();
        let rows: Vec<String> = ids.iter().rev().map(|id| found(script, id)).filter(|row| !row.is_empty()).collect();
        rows.join(",\n")
    };
    let good = |warnings: &[i64]| {
        let found = bulk::rows(script, parameters, usize::MAX).unwrap_or_else(found);
        rows(parameters, &found, warnings)
    };
    match query {
        Query::HangUpOnReused if turn > 0 => Action { bytes: Vec::new(), then: Then::Close },
        Query::ResetOnReused if turn > 0 => Action { bytes: Vec::new(), then: Then::Reset },
        Query::Answer | Query::HangUpOnReused | Query::ResetOnReused => whole(200, &good(&[])),
        Query::Warnings(codes) => whole(200, &good(codes)),
        Query::Error(error) => errors(parameters, error),
        Query::ErrorAfterRows(code) => {
            let error = ErrorAnswer::new(*code, 200, Raised::During);
            let body = envelope(parameters, Some(&found()), &error.errors, &[], "fatal");
            send(200, &body, Framing::Chunks)
        }
        Query::State(state) => whole(200, &envelope(parameters, Some(""), &[], &[], state)),
        Query::StoreSome(some) => {
            bulk::rows(script, parameters, *some);
            whole(200, &envelope(parameters, Some(""), &[(12009, None)], &[], "errors"))
        }
        Query::Raw(raw) => manager::raw(raw),
        Query::Cut(cut) => shortened(*cut, &good(&[])),
        Query::Freeze => Action { bytes: Vec::new(), then: Then::Freeze },
        Query::HangUp => Action { bytes: Vec::new(), then: Then::Close },
        Query::Reset => Action { bytes: Vec::new(), then: Then::Reset },
    }
}

/// The rows for a key: one, or none.
fn found(script: &Script, id: &str) -> String {
    let all = script.documents();
    let Some(Stored { text, cas, kind, id: other_id }) = all.get(id) else {
        return String::new();
    };
    // A projected field that is missing drops out of the row.
    let id = other_id.clone().unwrap_or_else(|| Value::from(id).to_string());
    let mut row = format!("{{\"id\":{id}");
    if let Some(cas) = cas {
        let _ = write!(row, ",\"cas\":{cas}");
    }
    if let Some(kind) = kind {
        let _ = write!(row, ",\"kind\":\"{kind}\"");
    }
    let _ = write!(row, ",\"doc\":{text}}}");
    row
}

fn rows(parameters: &Map<String, Value>, rows: &str, warnings: &[i64]) -> String {
    envelope(parameters, Some(rows), &[], warnings, "success")
}

fn errors(parameters: &Map<String, Value>, error: &ErrorAnswer) -> Action {
    let results = (error.raised == Raised::During).then_some("");
    whole(error.status, &envelope(parameters, results, &error.errors, &[], "fatal"))
}

/// The engine's answer: one member a line, in its order.
fn envelope(
    parameters: &Map<String, Value>,
    results: Option<&str>,
    errors: &[(i64, Option<bool>)],
    warnings: &[i64],
    status: &str,
) -> String {
    let is_asked_for = |name: &str| parameters.get(name) != Some(&Value::Bool(false));
    let mut members = vec!["\"requestID\": \"ed7304a3-ce4b-4687-8296-672e6b3effd6\"".to_owned()];
    if let Some(id) = parameters.get("client_context_id") {
        members.push(format!("\"clientContextID\": {id}"));
    }
    if let Some(rows) = results {
        if is_asked_for("signature") {
            members.push(
                "\"signature\": {\"id\":\"json\",\"cas\":\"json\",\"kind\":\"json\",\"doc\":\"json\"}".to_owned(),
            );
        }
        let end = if rows.is_empty() { "" } else { "\n" };
        members.push(format!("\"results\": [\n{rows}{end}]"));
    }
    if !errors.is_empty() {
        let items: Vec<String> = errors.iter().map(|(code, retry)| notice(*code, *retry)).collect();
        members.push(format!("\"errors\": [{}]", items.join(",")));
    }
    if !warnings.is_empty() {
        let items: Vec<String> = warnings.iter().map(|code| notice(*code, None)).collect();
        members.push(format!("\"warnings\": [{}]", items.join(",")));
    }
    members.push(format!("\"status\": \"{status}\""));
    if is_asked_for("metrics") {
        let mutations = if status == "success" { bulk::mutations(parameters) } else { String::new() };
        members.push(format!(
            "\"metrics\": {{\"elapsedTime\": \"1.109776ms\",\"executionTime\": \"1.015546ms\"{mutations}}}"
        ));
    }
    format!("{{\n{}\n}}\n", members.join(",\n"))
}

fn notice(code: i64, retry: Option<bool>) -> String {
    let retry = retry.map(|retry| format!(",\"retry\":{retry}")).unwrap_or_default();
    format!("{{\"code\":{code},\"msg\":\"{MESSAGE_MARKER} - cause: {MESSAGE_MARKER}\"{retry}}}")
}

fn whole(status: u16, body: &str) -> Action {
    send(status, body, Framing::BySize)
}

fn send(status: u16, body: &str, framing: Framing) -> Action {
    let fields = [("Content-Type", "application/json; version=8.0.0-N1QL")];
    Action { bytes: http::answer(status, &fields, body.as_bytes(), framing), then: Then::Keep }
}

fn shortened(cut: Cut, body: &str) -> Action {
    let half = |action: Action, then: Then| {
        // In the last third of it: behind the head, before the end of the body.
        let keep = action.bytes.len() * 4 / 5;
        Action { bytes: action.bytes[..keep].to_vec(), then }
    };
    match cut {
        Cut::ContentLength => half(send(200, body, Framing::BySize), Then::Close),
        Cut::Chunks => half(send(200, body, Framing::Chunks), Then::Close),
        Cut::ChunksAndFreeze => half(send(200, body, Framing::Chunks), Then::Freeze),
        Cut::Json => send(200, &body[..body.len() * 4 / 5], Framing::BySize),
        Cut::Head => Action { bytes: b"HTTP/1.1 200 OK\r\nContent-Le".to_vec(), then: Then::Close },
    }
}
