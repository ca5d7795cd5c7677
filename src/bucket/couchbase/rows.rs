//! Tables of answers and what they mean, shared by the tests of the ways in.
//!
//! The files lie in `tests/data`: the same rows go through the real program in `tests/couchbase_ways.rs`.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::failure::{Failure, Remedy};
use super::transport::{Extent, Reply};
use super::way::Answer;
use crate::bucket::BucketError;
use crate::model::UserInDb;

/// An answer of a service, and what it means.
#[derive(Deserialize)]
pub struct Row {
    case: String,
    status: u16,
    etag: Option<String>,
    body: String,
    meaning: String,
    remedy: Option<String>,
    #[serde(default)]
    says: Vec<String>,
}

/// The name that the tables have for an outcome.
pub fn meaning(outcome: &Result<Answer, Failure>) -> &'static str {
    match outcome {
        Ok(Answer { document: Some(_), .. }) => "document",
        Ok(_) => "not-found",
        Err(failure) => match failure.error {
            BucketError::Misconfigured { .. } => "misconfigured",
            BucketError::Unavailable { .. } => "unavailable",
            BucketError::Timeout { .. } => "timeout",
            BucketError::InvalidDocument(_) => "invalid-document",
            BucketError::Busy { .. } | BucketError::UnusableId { .. } => "neither",
        },
    }
}

/// The name that the tables have for a remedy.
pub fn remedy(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Unasked => "unasked",
        Remedy::None => "none",
        Remedy::Redial => "redial",
        Remedy::AnotherNode => "another-node",
        Remedy::Later => "later",
        Remedy::NewLogin => "new-login",
    }
}

/// A reply that came whole.
pub fn reply(status: u16, etag: Option<&str>, body: &str) -> Reply {
    let body = Zeroizing::new(body.as_bytes().to_vec());
    Reply { status, etag: etag.map(str::to_owned), body, extent: Extent::Whole }
}

/// The same for a reader of profiles, who judges the document too.
fn meaning_as_profile(outcome: &Result<Answer, Failure>) -> &'static str {
    let Ok(Answer { document: Some(document), .. }) = outcome else { return meaning(outcome) };
    match UserInDb::from_json(document.text()) {
        Ok(Some(_)) => "found",
        Ok(None) => "not-found",
        Err(_) => "invalid-document",
    }
}

/// Reads each answer of a table and compares what it means. All rows that differ are told at once.
pub fn check(table: &str, read: impl Fn(&Reply) -> Result<Answer, Failure>) {
    let rows: Vec<Row> = serde_json::from_str(table).unwrap();
    assert!(rows.len() > 10);
    let mut differing = Vec::new();
    for row in &rows {
        let outcome = read(&reply(row.status, row.etag.as_deref(), &row.body));
        let found = (meaning_as_profile(&outcome), outcome.as_ref().err().map(|failure| remedy(failure.remedy)));
        let reason = outcome.err().map(|failure| failure.error.to_string()).unwrap_or_default();
        let says_it = row.says.iter().all(|part| reason.contains(part.as_str()));
        if found != (&row.meaning, row.remedy.as_deref()) || !says_it {
            differing.push(format!("{}: {found:?} {reason}", row.case));
        }
    }
    assert_eq!(differing, Vec::<String>::new());
}
