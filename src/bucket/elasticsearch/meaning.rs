//! What the errors of Elasticsearch and OpenSearch mean for us: one table by status and type.
//!
//! Types are those of Elasticsearch 7-9 and OpenSearch 1-3, which share them but for the names of cluster managers.
//!
//! Invariant: pure. The reason of an error is never repeated: it may hold values of documents.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::product::ELASTICSEARCH;
use crate::bucket::Details;
use crate::bucket::rest::{Completeness, ErrorScope, Failure, Meaning, Operation, Response, Retry};

#[derive(Deserialize)]
struct ErrorBody<'a> {
    #[serde(borrow)]
    error: &'a RawValue,
}

/// The part of an error that we read.
#[derive(Deserialize)]
pub struct TypedError {
    /// Its type, which decides.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it was caused by, where that decides.
    #[serde(default)]
    pub caused_by: Option<Box<TypedError>>,
}

impl TypedError {
    /// The type that decides.
    #[must_use]
    pub fn decisive_kind(&self) -> &str {
        match &self.caused_by {
            Some(cause) if self.kind == "search_phase_execution_exception" => cause.decisive_kind(),
            _ => &self.kind,
        }
    }
}

/// The failure that a response means which is no success. `peer` is who answered, in words.
#[must_use]
pub fn failure(response: &Response, operation: Operation, peer: &str, index: &str) -> Failure {
    let status = response.status;
    if response.completeness == Completeness::Truncated {
        return ELASTICSEARCH.overlong(status, &response.body, peer);
    }
    match serde_json::from_slice::<ErrorBody>(&response.body) {
        // A plain string is an error of the address or of a proxy, as far as we can know.
        Ok(ErrorBody { error }) => match serde_json::from_str::<TypedError>(error.get()) {
            Ok(error) => of_type(status, error.decisive_kind(), operation, peer, index),
            Err(_) => ELASTICSEARCH.status_failure(status, peer),
        },
        Err(error) if error.is_eof() && status != 413 => ELASTICSEARCH.unreadable(status, &error, &response.body, peer),
        Err(_) if status == 413 => of_type(status, "request_too_large", operation, peer, index),
        Err(_) => ELASTICSEARCH.status_failure(status, peer),
    }
}

/// The failure that an error of this type means.
#[must_use]
pub fn of_type(status: u16, kind: &str, operation: Operation, peer: &str, index: &str) -> Failure {
    let (meaning, retry, sentence) = row(status, kind, operation, index);
    let kind = name(kind);
    let reason = format!("{peer} answered with HTTP status {status} ({kind}): {sentence}");
    let scope = if status == 500 { ErrorScope::Node } else { ErrorScope::Cluster };
    let details = Details { code: Some(kind.to_owned()), ..Details::default() };
    Failure::new(meaning.error(reason), retry).in_scope(scope).with_details(details)
}

/// The table.
fn row(status: u16, kind: &str, operation: Operation, index: &str) -> (Meaning, Retry, String) {
    use Meaning::{Misconfigured, Timeout, Unavailable};
    let (meaning, retry, sentence) = match (status, kind) {
        (401, _) => {
            let sentence = format!("it rejects our login; {}", ELASTICSEARCH.advice.wrong_login);
            return (Misconfigured, Retry::NewCredentials, sentence);
        }
        (403, "cluster_block_exception") => {
            (Misconfigured, Retry::Never, format!("the index {index:?} is blocked; remove its block (index.blocks.*)"))
        }
        (403, _) => (Misconfigured, Retry::Never, missing_privilege(operation, index)),
        (404, "index_not_found_exception") => (
            Misconfigured,
            Retry::Never,
            format!(
                "it has no index {index:?}; correct [elasticsearch] index, or create it: userprofiles import --create FILE"
            ),
        ),
        (404, "search_context_missing_exception") => (
            Unavailable,
            Retry::Never,
            "it has lost the position in the list, as after a restart; begin again".to_owned(),
        ),
        (400, "illegal_argument_exception") if operation == Operation::Store => (
            Misconfigured,
            Retry::Never,
            format!(
                "{index:?} is an alias of several indices, or the mapping of the index refuses a document (one with \
                 \"enabled\": false, as import --create makes it, refuses none); see [elasticsearch] index"
            ),
        ),
        (400, "illegal_argument_exception") if operation != Operation::Create => (
            Misconfigured,
            Retry::Never,
            format!(
                "it reads documents from one index only; if {index:?} is an alias of several, set [elasticsearch] index to \
                 the index that has the profiles"
            ),
        ),
        (400, "index_closed_exception") => {
            (Misconfigured, Retry::Never, format!("the index {index:?} is closed; open it: POST /{index}/_open"))
        }
        (400, "routing_missing_exception") => (
            Misconfigured,
            Retry::Never,
            format!(
                "the mapping of the index {index:?} requires a routing value, and profiles have none; set [elasticsearch] \
                 index to one that does not"
            ),
        ),
        (400, "invalid_index_name_exception") => (
            Misconfigured,
            Retry::Never,
            format!("{index:?} ([elasticsearch] index) is no name for an index: lower-case letters, digits, - and _"),
        ),
        (400, "mapper_parsing_exception" | "document_parsing_exception" | "strict_dynamic_mapping_exception") => (
            Misconfigured,
            Retry::Never,
            format!(
                "it does not take a document: a member occurs twice in it, or the mapping of the index {index:?} refuses a \
                 member (one with \"enabled\": false, as import --create makes it, refuses none)"
            ),
        ),
        (408 | 504, _) => (Timeout, Retry::NextNode, "it stopped at a time limit of its own".to_owned()),
        (413, _) => (
            Misconfigured,
            Retry::Never,
            "a document is larger than it takes; raise http.max_content_length in its settings".to_owned(),
        ),
        // A write that is refused because the disk is nearly full: waiting does not make it emptier.
        (429, "cluster_block_exception") => (
            Misconfigured,
            Retry::Never,
            format!("its disk is too full to write to the index {index:?} (flood-stage watermark); make room on it"),
        ),
        (429, _) => (Unavailable, Retry::AfterPause, "it is overloaded".to_owned()),
        (
            503,
            "master_not_discovered_exception" | "cluster_manager_not_discovered_exception" | "cluster_block_exception",
        ) => (Unavailable, Retry::NextNode, "the node has no cluster, or no elected master, yet".to_owned()),
        (502 | 503, _) => (Unavailable, Retry::AfterPause, format!("no node has a usable copy of the index {index:?}")),
        (500, _) => (Unavailable, Retry::Never, "it failed by itself; its own log says more".to_owned()),
        _ => (Misconfigured, Retry::Never, "it does not take our request; its own log says more".to_owned()),
    };
    (meaning, retry, sentence)
}

fn missing_privilege(operation: Operation, index: &str) -> String {
    let (privilege, what) = match operation {
        Operation::Read => ("read", "read"),
        Operation::Store => ("write", "write to"),
        Operation::List => ("read, and maintenance (OpenSearch: indices:admin/refresh)", "refresh and list"),
        Operation::Create => {
            return format!(
                "the login of [elasticsearch] may not create the index {index:?}; give it the privilege create_index \
                 (OpenSearch: indices:admin/create), or import as an administrator"
            );
        }
    };
    format!(
        "the login of [elasticsearch] may not {what} the index {index:?}; give it the privilege {privilege} on that index \
         (or, if it has it, check that the index is there)"
    )
}

/// The HTTP status that a single read would get with an error of this type. Among several documents, errors have none.
#[must_use]
pub fn status_of(kind: &str) -> u16 {
    match kind {
        "illegal_argument_exception" | "index_closed_exception" | "routing_missing_exception" => 400,
        "cluster_block_exception" | "security_exception" => 403,
        "index_not_found_exception" => 404,
        "circuit_breaking_exception" | "es_rejected_execution_exception" | "rejected_execution_exception" => 429,
        "no_shard_available_action_exception" | "unavailable_shards_exception" => 503,
        _ => 500,
    }
}

/// What a failure means that came to a request for several documents, for which `OpenSearch` has a right of its own.
#[must_use]
pub fn of_several(failure: Failure, status: u16) -> Failure {
    if status != 403 || failure.details.code.as_deref() == Some("cluster_block_exception") {
        return failure;
    }
    let advice =
        "to read several documents at once, OpenSearch wants the cluster permission indices:data/read/mget too";
    Failure { error: failure.error.map_reason(|reason| format!("{reason}; {advice}")), ..failure }
}

/// The type of an error, if it is one: letters and underscores.
fn name(kind: &str) -> &str {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if kind.len() <= 80 && kind.bytes().all(is_name) { kind } else { "an error without a type" }
}
