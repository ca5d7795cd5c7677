//! Many documents: `_bulk_docs` stores, `_all_docs` lists from id to id.
//!
//! A document is replaced by sending its current revision with it, so storing begins with reading revisions; where somebody else
//! has changed a document in between (a conflict), its revision is read again.
//!
//! Invariant: no document is counted as stored that CouchDB has not named as such.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::Couchdb;
use super::meaning::{self, ErrorBody};
use super::product::COUCHDB;
use crate::bucket::remote::batch::{self, MOST_DOCUMENTS};
use crate::bucket::rest::bulk::{self, MAX_SUMMARY_BYTES};
use crate::bucket::rest::json_text::present;
use crate::bucket::rest::own_members::{is_reserved, stored};
use crate::bucket::rest::path_segment::segment;
use crate::bucket::rest::{Batches, Completeness, Exchange, Failure, Request, Response};
use crate::bucket::{BucketError, Cursor, IsReserved, Listed, Members, NewDocument, Page};
use crate::model::DocumentId;

/// How often the documents of one call that met a conflict are sent again.
const MOST_CONFLICTS: usize = 5;

/// The longest page of a list, in bytes.
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// The ids of profiles: `_all_docs` compares ids by their bytes.
const FIRST_ID: &str = "userprofile::";
/// The first id behind them.
const END_ID: &str = "userprofile:;";

#[derive(Deserialize)]
struct Rows<'a> {
    #[serde(borrow)]
    rows: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    id: Option<String>,
    key: String,
    value: Option<Revision>,
    /// `null` for one that was deleted since the row was made.
    #[serde(borrow, default, deserialize_with = "present")]
    doc: Option<&'a RawValue>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Revision {
    rev: String,
    #[serde(default)]
    deleted: bool,
}

/// What `_bulk_docs` says of one document.
#[derive(Deserialize)]
struct Stored {
    id: Option<String>,
    error: Option<String>,
}

impl Batches for Couchdb {
    fn reserved_members(&self) -> Option<IsReserved> {
        Some(is_reserved)
    }

    fn fitting(&self, documents: &[NewDocument]) -> usize {
        batch::fitting(documents, MOST_DOCUMENTS)
    }

    fn store(&self, documents: &[NewDocument], exchange: &mut dyn Exchange) -> Result<(), Failure> {
        let mut left: Vec<&NewDocument> = documents.iter().collect();
        for _ in 0..MOST_CONFLICTS {
            let revisions = self.revisions(&left, exchange)?;
            let conflicts = self.send(&left, &revisions, exchange)?;
            if conflicts.is_empty() {
                return Ok(());
            }
            left.retain(|document| conflicts.contains(document.id.as_str()));
        }
        Err(meaning::item_failure("conflict", exchange.peer()))
    }

    fn missing_codes(&self) -> &'static [&'static str] {
        &["not_found"]
    }

    fn create(&self, exchange: &mut dyn Exchange) -> Result<Vec<String>, Failure> {
        let database = &self.target.database;
        let response = exchange.send(&Request::put(self.path.clone(), Vec::new()), MAX_SUMMARY_BYTES)?;
        let error = ErrorBody::of(&response);
        match (response.status, error.as_ref().map(|body| body.error.as_str())) {
            // It may be there because the answer to an earlier attempt was lost.
            (201 | 202, _) | (412, Some("file_exists")) => {}
            (400, Some("illegal_database_name")) => {
                return Err(Failure::lasting(BucketError::misconfigured(format!(
                    "{database:?} ([couchdb] database) is no name for a database of CouchDB: a lower-case letter, and then \
                     a-z, 0-9 and _$()+/-"
                ))));
            }
            (401 | 403, _) if error.as_ref().is_some_and(|body| body.reason.contains("not a server admin")) => {
                return Err(Failure::lasting(BucketError::misconfigured(format!(
                    "{} lets only an administrator create the database {database:?}: import with the login of one (--set \
                     couchdb.username=NAME and USERPROFILES_COUCHDB_PASSWORD)",
                    exchange.peer()
                ))));
            }
            _ => return Err(self.failure(&response, exchange.peer())),
        }
        // Members are our own user, and whoever has the role that is named as the database.
        let names: Vec<&str> = self.target.username.as_deref().into_iter().collect();
        let security = json!({
            "admins": {"names": [], "roles": ["_admin"]},
            "members": {"names": names, "roles": [database]},
        });
        let request = Request::put(format!("{}/_security", self.path), security.to_string().into_bytes());
        let response = exchange.send(&request, MAX_SUMMARY_BYTES)?;
        if response.status != 200 {
            return Err(self.failure(&response, exchange.peer()));
        }
        Ok(vec![format!("the database {database:?} for members with the role {database:?}")])
    }

    fn list(&self, after: Option<&Cursor>, most: usize, exchange: &mut dyn Exchange) -> Result<Page, Failure> {
        // Ids are compared by their bytes, so that nothing is between an id and the same id with a null behind it.
        let start = after.map_or_else(|| FIRST_ID.to_owned(), |cursor| format!("{}\0", cursor.0));
        let query = format!(
            "include_docs=true&inclusive_end=false&limit={most}&startkey={}&endkey={}",
            segment(&json!(start).to_string()),
            segment(&json!(END_ID).to_string()),
        );
        let response = exchange.send(&Request::get(format!("{}/_all_docs?{query}", self.path)), MAX_PAGE_BYTES)?;
        let rows = self.rows(&response, exchange.peer())?;
        let next = rows.last().filter(|_| rows.len() >= most).map(|row| Cursor(row.key.clone()));
        let documents = rows.iter().filter_map(|row| listed(row, exchange.peer()).transpose());
        Ok(Page { documents: documents.collect::<Result<_, _>>()?, next })
    }
}

impl Couchdb {
    /// The current revisions of those documents that are there.
    fn revisions(
        &self,
        documents: &[&NewDocument],
        exchange: &mut dyn Exchange,
    ) -> Result<HashMap<String, String>, Failure> {
        let keys: Vec<&str> = documents.iter().map(|document| document.id.as_str()).collect();
        let request = Request::post(format!("{}/_all_docs", self.path), json!({"keys": keys}).to_string().into_bytes());
        let response = exchange.send(&request, MAX_SUMMARY_BYTES)?;
        let rows = self.rows(&response, exchange.peer())?;
        let mut revisions = HashMap::with_capacity(rows.len());
        for row in rows {
            match (row.value, row.error.as_deref()) {
                // One that was deleted is made anew.
                (Some(Revision { deleted: true, .. }), _) | (None, Some("not_found")) => {}
                (Some(revision), _) => {
                    revisions.insert(row.key, revision.rev);
                }
                (None, error) => return Err(meaning::item_failure(error.unwrap_or_default(), exchange.peer())),
            }
        }
        Ok(revisions)
    }

    /// Sends documents, and returns those whose revision has changed meanwhile.
    fn send(
        &self,
        documents: &[&NewDocument],
        revisions: &HashMap<String, String>,
        exchange: &mut dyn Exchange,
    ) -> Result<HashSet<String>, Failure> {
        let own_members = |document: &NewDocument| match revisions.get(document.id.as_str()) {
            Some(revision) => format!("\"_id\":{},\"_rev\":{}", json!(document.id.as_str()), json!(revision)),
            None => format!("\"_id\":{}", json!(document.id.as_str())),
        };
        let body = bulk::array("{\"docs\":[", documents.iter().copied(), own_members, "]}");
        let response = exchange.send(&Request::post(format!("{}/_bulk_docs", self.path), body), MAX_SUMMARY_BYTES)?;
        if !matches!(response.status, 201 | 202) {
            return Err(self.failure(&response, exchange.peer()));
        }
        let stored: Vec<Stored> = serde_json::from_slice(&response.body)
            .map_err(|error| COUCHDB.unreadable(response.status, &error, &response.body, exchange.peer()))?;
        let mut left: HashSet<String> = documents.iter().map(|document| document.id.as_str().to_owned()).collect();
        for Stored { id, error } in stored {
            match (id, error.as_deref()) {
                (Some(id), None) => {
                    left.remove(&id);
                }
                (_, Some("conflict")) => {}
                (id, error) => {
                    let failure = meaning::item_failure(error.unwrap_or_default(), exchange.peer());
                    return Err(id.map(DocumentId::stored).into_iter().fold(failure, |failure, id| failure.about(&id)));
                }
            }
        }
        Ok(left)
    }

    fn rows<'a>(&self, response: &'a Response, peer: &str) -> Result<Vec<Row<'a>>, Failure> {
        match (response.status, response.completeness) {
            (200, Completeness::Complete) => serde_json::from_slice::<Rows>(&response.body)
                .map(|rows| rows.rows)
                .map_err(|error| COUCHDB.unreadable(200, &error, &response.body, peer)),
            (200, Completeness::Truncated) => Err(Failure::too_large()),
            _ => Err(self.failure(response, peer)),
        }
    }
}

/// The document of a row; none for one that was deleted since the row was made.
fn listed(row: &Row, peer: &str) -> Result<Option<Listed>, Failure> {
    match (&row.id, row.doc.map(RawValue::get), &row.error) {
        (Some(_), Some("null"), None) => Ok(None),
        (Some(id), Some(text), None) => {
            let members = Members::parse(text).map_err(|_| Failure::cut_short(peer))?;
            Ok(Some(Listed { id: DocumentId::stored(id.clone()), document: stored(&members) }))
        }
        // A list with a hole is none.
        (_, _, Some(error)) => Err(meaning::item_failure(error, peer).about(&DocumentId::stored(row.key.clone()))),
        (_, _, None) => Err(Failure::not_what_was_asked(peer, "a row of its list has no document")),
    }
}
