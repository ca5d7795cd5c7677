//! The documents of a keyspace, page by page: each page begins behind the last id of the one before, so that none has
//! to count from the beginning.
//!
//! Invariant: pure; the text of the statement comes from the settings alone. The ids of a page ascend and come after the
//! cursor, or else the page is an error: nobody lists the same page for ever.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::envelope::{self, Notice, Success};
use super::meaning;
use super::parameters::{self, StatementKind};
use crate::bucket::couchbase::keyspace::Keyspace;
use crate::bucket::couchbase::product::{COUCHBASE, Target};
use crate::bucket::rest::json_text::JsonText;
use crate::bucket::rest::{Call, Completeness, Failure, Response};
use crate::bucket::{BucketError, Cursor, Document, Listed, Page};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES, USERPROFILE_DOC_TYPE};

/// The right that lists without an index (7.6 and later); without it the error is about the right and not "no index".
const SCAN_ROLE: &str = "query_use_sequential_scans";

/// The largest page that is read, in bytes: there is room for one document of any size.
pub const MAX_RESPONSE_BYTES: usize = MAX_DOCUMENT_BYTES + 64 * 1024;

/// The statement that lists a page.
fn select(keyspace: &Keyspace) -> String {
    format!(
        "SELECT META(d).id AS id, d AS doc FROM {keyspace} AS d WHERE d.type = $type AND META(d).id > $after ORDER BY \
         META(d).id LIMIT $most"
    )
}

/// The statement that makes the index which fits [`select`]: its entries come in the order of the pages, and each page
/// reads as many as it lists.
fn create_index(keyspace: &Keyspace) -> String {
    format!("CREATE INDEX userprofiles_by_type ON {keyspace}(`type`, META().id);")
}

#[derive(Serialize)]
struct Arguments<'a> {
    #[serde(rename = "$type")]
    kind: &'a str,
    #[serde(rename = "$after")]
    after: &'a str,
    #[serde(rename = "$most")]
    most: usize,
    /// What was stored a moment ago is listed too: an export that silently lacks users would be taken for a whole one.
    scan_consistency: &'static str,
}

/// The body of the request that lists a page.
#[must_use]
pub fn request(keyspace: &Keyspace, after: Option<&Cursor>, most: usize, call: &Call) -> Vec<u8> {
    let arguments = Arguments {
        kind: USERPROFILE_DOC_TYPE,
        after: after.map_or("", |cursor| cursor.0.as_str()),
        most,
        scan_consistency: "request_plus",
    };
    let mut body = Vec::new();
    parameters::write(&mut body, &select(keyspace), &arguments, StatementKind::Read, call);
    body
}

#[derive(Deserialize)]
struct Row<'a> {
    id: String,
    /// Not an `Option`: a document may be `null`.
    #[serde(borrow)]
    doc: &'a RawValue,
}

/// Reads the response to it.
///
/// # Errors
/// [`Failure`] with each variant of [`BucketError`] but `Busy` and `UnusableId`; `InvalidDocument` for a page that is
/// longer than what was read of it.
pub fn read(
    response: &Response,
    after: Option<&Cursor>,
    most: usize,
    peer: &str,
    target: &Target,
) -> Result<Page, Failure> {
    if response.completeness == Completeness::Truncated {
        return Err(COUCHBASE.overlong(response.status, &response.body, peer));
    }
    let body = JsonText::of(&response.body);
    let of_error = |code, error: &Notice| of_error(code, error, peer, target);
    let Success { rows, .. } = envelope::open(response.status, &body, peer, &of_error)?;
    if rows.len() > most {
        return Err(Failure::not_what_was_asked(peer, "it listed more documents than it was asked for"));
    }
    let mut documents: Vec<Listed> = Vec::with_capacity(rows.len());
    for row in rows {
        let Ok(Row { id, doc }) = serde_json::from_str(row.get()) else {
            return Err(Failure::not_what_was_asked(peer, "a row of its list has no id or no document in it"));
        };
        let before = documents.last().map(|listed| listed.id.as_str()).or(after.map(|cursor| cursor.0.as_str()));
        if before.is_some_and(|before| before >= id.as_str()) {
            return Err(Failure::not_what_was_asked(peer, "the ids of its list do not ascend"));
        }
        let document = Document::new(body.original(doc.get()).to_vec());
        documents.push(Listed { id: DocumentId::stored(id), document });
    }
    let next = documents.last().map(|listed| Cursor(listed.id.as_str().to_owned()));
    Ok(Page { documents, next })
}

/// What an error means that a list can meet, where that is something else than for a read.
fn of_error(code: i64, error: &Notice, peer: &str, target: &Target) -> Failure {
    let general = meaning::of_code(code, error.retry(), peer, target);
    let reason = |sentence: &str| format!("{peer} answered with error {code}: {sentence}");
    let index = create_index(&target.keyspace);
    let no_index = || {
        let keyspace = &target.keyspace;
        reason(&format!("it cannot list {keyspace} for want of an index; an administrator can run: {index}"))
    };
    let error = match code {
        1080 => BucketError::Timeout {
            reason: reason(&format!(
                "it stopped at the time limit of the request; raise [bucket] n1ql_timeout, or see that there is the \
                 index: {index}"
            )),
        },
        4000 | 12_004 => BucketError::Misconfigured { reason: no_index() },
        13_014 if error.misses_role(SCAN_ROLE) => BucketError::Misconfigured { reason: no_index() },
        10_000..=10_999 | 13_000..=13_999 => BucketError::Misconfigured {
            reason: reason(&format!(
                "the user ({}) may not list {}; an administrator can run: {} (on servers before 7.6 a wrong password \
                 looks the same, on later ones a missing index may: {index})",
                target.who(),
                target.keyspace,
                target.grant("query_select")
            )),
        },
        _ => return general,
    };
    Failure { error, ..general }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::*;
    use crate::bucket::Trace;
    use crate::bucket::rest::Retry;
    use crate::model::{InvalidDocument, Username};

    fn target() -> Target {
        Target { keyspace: Keyspace::new("b", "s", "c"), username: Some("reader".to_owned()) }
    }

    fn cursor(name: &str) -> Cursor {
        Cursor(DocumentId::of(&Username::parse(name).unwrap()).as_str().to_owned())
    }

    fn read_body(status: u16, body: &str, completeness: Completeness) -> Result<Vec<Listed>, Failure> {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        let response = Response { status, etag: None, body, completeness };
        read(&response, Some(&cursor("b")), 2, "the peer", &target()).map(|page| page.documents)
    }

    fn call(trace: &Trace) -> Call<'_> {
        Call { left: Duration::from_secs(300), trace }
    }

    fn rows(rows: &str) -> Result<Vec<Listed>, Failure> {
        read_body(200, &format!(r#"{{"results":[{rows}],"status":"success"}}"#), Completeness::Complete)
    }

    #[test]
    fn the_place_in_the_list_is_an_argument() {
        let trace = Trace::default();
        let body = request(&target().keyspace, Some(&cursor("a\"`")), 2, &call(&trace));
        assert_eq!(
            String::from_utf8(body).unwrap(),
            concat!(
                r#"{"statement":"SELECT META(d).id AS id, d AS doc FROM `b`.`s`.`c` AS d WHERE d.type = $type AND "#,
                r#"META(d).id > $after ORDER BY META(d).id LIMIT $most","$type":"userprofile","#,
                r#""$after":"userprofile::a\"`","$most":2,"scan_consistency":"request_plus","readonly":true,"#,
                r#""timeout":"299900ms","pretty":false,"metrics":true,"signature":false}"#,
            )
        );
        let first = request(&target().keyspace, None, 2, &call(&trace));
        assert!(String::from_utf8(first).unwrap().contains(r#""$after":"","#));
    }

    #[test]
    fn documents_are_listed_as_they_stand_there() {
        let listed =
            rows(r#"{"id":"userprofile::c","doc":{"b":1.50 ,"a":"\u00e9"}},{"id":"userprofile::é","doc":null}"#);
        let listed: Vec<(String, Vec<u8>)> =
            listed.unwrap().iter().map(|row| (row.id.to_string(), row.document.text().to_vec())).collect();
        assert_eq!(listed[0], ("userprofile::c".to_owned(), br#"{"b":1.50 ,"a":"\u00e9"}"#.to_vec()));
        assert_eq!(listed[1], ("userprofile::é".to_owned(), b"null".to_vec()));
        assert!(rows("").unwrap().is_empty());
    }

    #[test]
    fn a_list_that_would_not_end_or_is_somebody_elses_is_an_error() {
        for broken in [
            r#"{"id":"userprofile::b","doc":{}}"#,
            r#"{"id":"userprofile::a","doc":{}}"#,
            r#"{"id":"userprofile::d","doc":{}},{"id":"userprofile::c","doc":{}}"#,
            r#"{"id":"userprofile::c","doc":{}},{"id":"userprofile::c","doc":{}}"#,
            r#"{"id":"userprofile::c","doc":{}},{"id":"userprofile::d","doc":{}},{"id":"userprofile::e","doc":{}}"#,
            r#"{"id":"userprofile::c"}"#,
            r#"{"id":7,"doc":{}}"#,
            "7",
        ] {
            let failure = rows(broken).err().unwrap();
            assert!(matches!(failure.error, BucketError::Misconfigured { .. }), "{broken}: {failure:?}");
        }
    }

    #[test]
    fn what_is_missing_is_told_with_the_statement_that_makes_it() {
        let index = "CREATE INDEX userprofiles_by_type ON `b`.`s`.`c`(`type`, META().id);";
        let scan = r#""reason":{"path":"default:b.s.c","missing_role":"query_use_sequential_scans","#;
        for (status, error, parts) in [
            (404, r#"{"code":4000}"#.to_owned(), [index, "for want of an index"]),
            (401, format!(r#"{{"code":13014,{scan}"recommended_action":"x"}}}}"#), [index, "for want of an index"]),
            (
                401,
                format!(r#"{{"code":13014,{}"x":1}}}}"#, scan.replace("_scans", "_scans on default:b")),
                [index, "for want"],
            ),
            (401, r#"{"code":13014}"#.to_owned(), [index, "GRANT query_select ON `b`.`s`.`c` TO `reader`;"]),
            (401, r#"{"code":13014,"reason":7}"#.to_owned(), [index, "GRANT query_select ON `b`.`s`.`c` TO `reader`;"]),
            (200, r#"{"code":1080,"retry":true}"#.to_owned(), [index, "n1ql_timeout"]),
            (401, r#"{"code":2120}"#.to_owned(), ["2120", "password_file"]),
        ] {
            let body = format!(r#"{{"errors":[{error}],"status":"fatal"}}"#);
            let failure = read_body(status, &body, Completeness::Complete).err().unwrap();
            for part in parts {
                assert!(failure.error.to_string().contains(part), "{error}: {failure:?}");
            }
        }
    }

    #[test]
    fn a_page_that_is_too_long_is_told_from_other_failures() {
        let failure = read_body(200, "{\"requestID\"", Completeness::Truncated).err().unwrap();
        assert_eq!(failure.error, BucketError::InvalidDocument(InvalidDocument::TooLarge));
        let failure = read_body(503, "", Completeness::Complete).err().unwrap();
        assert_eq!(failure.retry, Retry::NextNode);
    }
}
