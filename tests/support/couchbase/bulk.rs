//! Many documents in one statement: `UPSERT … VALUES`, and a page of a list.
//!
//! As the engine does, it stores what it has parsed: members sorted, numbers as it holds them.

use serde_json::{Map, Value};

use super::behaviour::{Script, Stored};
use super::query::check_timeout;

const BEFORE_VALUES: &str = " (KEY, VALUE) VALUES ";
const BEFORE_LIST: &str = "SELECT META(d).id AS id, d AS doc FROM ";
const AFTER_LIST: &str = " AS d WHERE d.type = $type AND META(d).id > $after ORDER BY META(d).id LIMIT $most";

/// The keyspace of a statement that is one of the two, exactly.
pub fn keyspace(statement: &str) -> Option<String> {
    if let Some(rest) = statement.strip_prefix("UPSERT INTO ") {
        let (keyspace, values) = rest.split_once(BEFORE_VALUES)?;
        let pairs = values.split(", (").count();
        let expected: Vec<String> = (0..pairs).map(|place| format!("($k{place}, $v{place})")).collect();
        return (values == expected.join(", ")).then(|| keyspace.to_owned());
    }
    Some(statement.strip_prefix(BEFORE_LIST)?.strip_suffix(AFTER_LIST)?.to_owned())
}

fn is_upsert(parameters: &Map<String, Value>) -> bool {
    parameters.get("statement").and_then(Value::as_str).is_some_and(|statement| statement.starts_with("UPSERT"))
}

fn pairs(parameters: &Map<String, Value>) -> Vec<(String, Value)> {
    let pair = |place: usize| {
        let id = parameters.get(&format!("$k{place}"))?.as_str()?.to_owned();
        Some((id, parameters.get(&format!("$v{place}"))?.clone()))
    };
    (0..).map_while(pair).collect()
}

/// What our client promises, and the engine does not check.
pub fn check(script: &Script, parameters: &Map<String, Value>) {
    check_timeout(script, parameters);
    let expect = |what: &str, is_so: bool| {
        if !is_so {
            script.violation(what.to_owned());
        }
    };
    let flag = |name: &str| parameters.get(name).and_then(Value::as_bool);
    if is_upsert(parameters) {
        let pairs = pairs(parameters);
        let arguments = parameters.keys().filter(|name| name.starts_with('$')).count();
        expect("a write that says it is a read", flag("readonly") == Some(false));
        expect("not as many arguments as the statement has", arguments == 2 * pairs.len());
        expect("a document that is no object", pairs.iter().all(|(_, document)| document.is_object()));
    } else {
        expect("a list that does not say that it only reads", flag("readonly") == Some(true));
        expect("a list of other documents", parameters.get("$type") == Some(&Value::from("userprofile")));
        expect("a list without its place", parameters.get("$after").is_some_and(Value::is_string));
        expect("a list without its length", parameters.get("$most").is_some_and(Value::is_u64));
        let consistency = parameters.get("scan_consistency").and_then(Value::as_str);
        expect("a list of what was stored some time ago", consistency == Some("request_plus"));
    }
}

/// Stores `most` of the documents, or gives the rows of a page; `None`: it is neither.
pub fn rows(script: &Script, parameters: &Map<String, Value>, most: usize) -> Option<String> {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str).unwrap_or_default();
    keyspace(text("statement"))?;
    if is_upsert(parameters) {
        let pairs = pairs(parameters);
        script.change(|state| state.batches.push(pairs.len()));
        let stored = pairs.into_iter().take(most).map(|(id, document)| (id, Stored::json(&document.to_string())));
        script.documents().extend(stored);
        return Some(String::new());
    }
    let limit = parameters.get("$most").and_then(Value::as_u64).unwrap_or_default();
    script.change(|state| state.pages.push(limit));
    let all = script.documents();
    let mut after: Vec<(&String, &Stored)> = all.iter().filter(|(id, _)| id.as_str() > text("$after")).collect();
    after.sort_by_key(|(id, _)| *id);
    // No more of them are parsed than a page takes: there may be many, and pages of them.
    let listed = after.into_iter().filter(|(_, stored)| kind(stored).as_deref() == Some(text("$type")));
    let rows = listed
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .map(|(id, stored)| format!("{{\"id\":{},\"doc\":{}}}", Value::from(id.as_str()), stored.text));
    Some(rows.collect::<Vec<_>>().join(",\n"))
}

fn kind(stored: &Stored) -> Option<String> {
    let document: Value = serde_json::from_str(&stored.text).ok()?;
    Some(document.get("type")?.as_str()?.to_owned())
}

/// The member of the metrics that counts what was stored.
pub fn mutations(parameters: &Map<String, Value>) -> String {
    if is_upsert(parameters) { format!(",\"mutationCount\": {}", pairs(parameters).len()) } else { String::new() }
}
