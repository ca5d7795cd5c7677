//! What every response of the query service has in common, whatever was asked: its state, errors, warnings, metrics, and
//! rows that nobody has looked at yet.
//!
//! Invariant: pure, and strict about success: only HTTP 200, `"status": "success"`, no errors and complete JSON make
//! one. The engine sends 200 before it knows how a request ends, so the body decides before the HTTP status does.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::go_duration;
use crate::bucket::couchbase::product::COUCHBASE;
use crate::bucket::rest::json_text::JsonText;
use crate::bucket::rest::{ErrorScope, Failure};
use crate::bucket::{BucketError, Details};

/// The members that we read. All others may come and go with versions and parameters.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    results: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    errors: Option<Vec<Notice<'a>>>,
    #[serde(borrow)]
    warnings: Option<Vec<Notice<'a>>>,
    status: Option<String>,
    /// Read on its own, so that nothing in it can spoil an answer.
    #[serde(borrow)]
    metrics: Option<&'a RawValue>,
}

/// What the service says about its own work.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metrics<'a> {
    elapsed_time: Option<&'a str>,
    execution_time: Option<&'a str>,
    mutation_count: Option<u64>,
}

/// An error or a warning. Its message is not read: it may hold values of documents.
#[derive(Deserialize)]
pub struct Notice<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    retry: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
}

impl Notice<'_> {
    fn code(&self) -> Option<i64> {
        self.code?.get().parse().ok()
    }

    /// Its member `retry`, where it has one.
    #[must_use]
    pub fn retry(&self) -> Option<bool> {
        self.retry?.get().parse().ok()
    }

    /// True if it is for want of this role, as servers of 7.6 and later say.
    #[must_use]
    pub fn misses_role(&self, role: &str) -> bool {
        self.missing_role().is_some_and(|missing| missing.split(' ').next() == Some(role))
    }

    /// True if it is for want of a role, whichever it is.
    #[must_use]
    pub fn misses_a_role(&self) -> bool {
        self.missing_role().is_some()
    }

    fn missing_role(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Reason {
            missing_role: String,
        }
        let reason: Reason = serde_json::from_str(self.reason?.get()).ok()?;
        Some(reason.missing_role)
    }
}

/// What a success brings, whatever was asked.
pub struct Success<'a> {
    /// In their order in the response.
    pub rows: Vec<&'a RawValue>,
    /// The codes of the warnings, those that could be read.
    pub warnings: Vec<i64>,
    /// How many documents were written, where it says so.
    pub mutations: Option<u64>,
    /// What the service said about its work.
    pub details: Details,
}

/// Reads a complete response. `of_error` is what an error means, by its number and what else is known of it.
///
/// # Errors
/// [`Failure`] with each variant of [`BucketError`] but `Busy` and `UnusableId`.
pub fn open<'a>(
    status: u16,
    body: &'a JsonText,
    peer: &str,
    of_error: &dyn Fn(i64, &Notice) -> Failure,
) -> Result<Success<'a>, Failure> {
    let text = body.as_str();
    let envelope: Envelope =
        serde_json::from_str(text).map_err(|error| COUCHBASE.unreadable(status, &error, text.as_bytes(), peer))?;
    let metrics: Metrics =
        envelope.metrics.and_then(|metrics| serde_json::from_str(metrics.get()).ok()).unwrap_or_default();
    let code = envelope.errors.as_deref().and_then(telling).and_then(Notice::code);
    let details = Details {
        code: code.map(|code| code.to_string()),
        elapsed: metrics.elapsed_time.and_then(go_duration::parse),
        execution: metrics.execution_time.and_then(go_duration::parse),
    };
    match success(envelope, status, peer, of_error) {
        Ok((rows, warnings)) => Ok(Success { rows, warnings, mutations: metrics.mutation_count, details }),
        Err(failure) => Err(failure.with_details(details)),
    }
}

/// The rows and the codes of the warnings.
fn success<'a>(
    envelope: Envelope<'a>,
    status: u16,
    peer: &str,
    of_error: &dyn Fn(i64, &Notice) -> Failure,
) -> Result<(Vec<&'a RawValue>, Vec<i64>), Failure> {
    if let Some(errors) = envelope.errors.filter(|errors| !errors.is_empty()) {
        return Err(of_errors(status, &errors, peer, of_error));
    }
    if status != 200 {
        return Err(COUCHBASE.status_failure(status, peer));
    }
    match envelope.status.as_deref() {
        Some("success") => {}
        Some("timeout") => {
            let reason = format!("{peer} stopped our request at its time limit");
            return Err(Failure::of_node(BucketError::Timeout { reason }));
        }
        // The engine's other final states, and those that should not outlive a request.
        Some(
            state @ ("stopped" | "errors" | "fatal" | "aborted" | "closed" | "completed" | "running" | "submitted"
            | "pre-processing"),
        ) => {
            let reason = format!("{peer} ended our request in the state \"{state}\" and named no error");
            return Err(Failure::lasting(BucketError::Unavailable { reason }).in_scope(ErrorScope::Node));
        }
        _ => return Err(COUCHBASE.status_failure(status, peer)),
    }
    let Some(rows) = envelope.results else {
        return Err(COUCHBASE.status_failure(status, peer));
    };
    let warnings = envelope.warnings.unwrap_or_default().iter().filter_map(Notice::code).collect();
    Ok((rows, warnings))
}

/// Of several errors the first that a retry would not resolve decides, as in the official SDKs.
fn telling<'a, 'b>(errors: &'a [Notice<'b>]) -> Option<&'a Notice<'b>> {
    errors.iter().find(|error| error.retry() != Some(true)).or(errors.first())
}

fn of_errors(status: u16, errors: &[Notice], peer: &str, of_error: &dyn Fn(i64, &Notice) -> Failure) -> Failure {
    match telling(errors).and_then(|error| Some((error.code()?, error))) {
        Some((code, error)) => of_error(code, error),
        None if status == 200 => Failure::lasting(BucketError::Unavailable {
            reason: format!("{peer} answered with an error that has no number"),
        })
        .in_scope(ErrorScope::Node),
        None => COUCHBASE.status_failure(status, peer),
    }
}
