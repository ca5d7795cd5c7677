//! Many documents: an array of documents stores, an AQL query lists from key to key.
//!
//! Each page is a query of its own that ends with its answer, so that a lost one can be asked for again.
//!
//! Invariant: no document is counted as stored that ArangoDB has not named as such.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::key;
use super::meaning::{self, ErrorBody, Operation};
use super::product::ARANGODB;
use super::{Arangodb, is_reserved, stored};
use crate::bucket::rest::{Batches, Completeness, Exchange, Failure, Request, Response, Retry, bulk};
use crate::bucket::{BucketError, Cursor, IsReserved, Listed, Members, NewDocument, Order, Page};
use crate::model::InvalidDocument;

/// How many documents are sent at once.
const MOST_DOCUMENTS: usize = 500;

/// The longest response that holds no documents, in bytes.
const MAX_SUMMARY_BYTES: usize = 4 * 1024 * 1024;

/// The longest page of a list, in bytes.
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// `ERROR_ARANGO_DUPLICATE_NAME`
const IS_THERE: i64 = 1207;

/// The query of a page. Keys are compared and sorted by the same rule, whichever that is: the primary index serves both.
const LIST: &str = "FOR d IN @@collection FILTER d._key > @after SORT d._key LIMIT @most RETURN d";

#[derive(Deserialize)]
struct QueryAnswer<'a> {
    #[serde(borrow)]
    result: Vec<&'a RawValue>,
    #[serde(rename = "hasMore")]
    has_more: bool,
}

/// What is said of one stored document.
#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "errorNum")]
    number: Option<i64>,
}

impl Batches for Arangodb {
    fn order(&self) -> Order {
        Order::Own
    }

    fn reserved_members(&self) -> Option<IsReserved> {
        Some(is_reserved)
    }

    fn fitting(&self, documents: &[NewDocument]) -> usize {
        bulk::fitting(documents, MOST_DOCUMENTS)
    }

    fn store(&self, documents: &[NewDocument], exchange: &mut dyn Exchange) -> Result<(), Failure> {
        let key = |document: &NewDocument| format!("\"_key\":{}", json!(key::key(&document.id)));
        let body = bulk::array("[", documents.iter(), key, "]");
        let request = Request::post(format!("{}?overwriteMode=replace", self.documents), body);
        let response = exchange.send(&request, MAX_SUMMARY_BYTES)?;
        let peer = exchange.peer();
        if !matches!(response.status, 200..=202) {
            return Err(self.failure(&response, Operation::Store, peer));
        }
        let stored: Vec<Stored> = read(&response, peer)?;
        // It says success of the whole, whatever became of each.
        for (document, stored) in documents.iter().zip(&stored) {
            if let Some(number) = stored.number {
                let failure = meaning::of_number(response.status, number, Operation::Store, peer, &self.target);
                return Err(failure.about(&document.id));
            }
        }
        if stored.len() != documents.len() {
            let reason = format!("{peer} named {} of {} documents as stored", stored.len(), documents.len());
            return Err(Failure::new(BucketError::unavailable(reason), Retry::AfterPause));
        }
        Ok(())
    }

    fn create(&self, exchange: &mut dyn Exchange) -> Result<Vec<String>, Failure> {
        let (database, collection) = (&self.target.database, &self.target.collection);
        let mut made = Vec::new();
        let current = exchange.send(&Request::get(format!("{}/database/current", self.path)), MAX_SUMMARY_BYTES)?;
        if current.status != 200 {
            let request =
                Request::post("/_db/_system/_api/database", json!({"name": database}).to_string().into_bytes());
            if self.make(&request, exchange)? {
                made.push(format!("the database {database:?}"));
            }
        }
        let body = json!({"name": collection}).to_string().into_bytes();
        if self.make(&Request::post(format!("{}/collection", self.path), body), exchange)? {
            made.push(format!("the collection {collection:?}"));
        }
        Ok(made)
    }

    fn list(&self, after: Option<&Cursor>, most: usize, exchange: &mut dyn Exchange) -> Result<Page, Failure> {
        let query = json!({
            "query": LIST,
            "bindVars": {
                "@collection": self.target.collection,
                "after": after.map_or("", |cursor| &cursor.0),
                "most": most,
            },
            "batchSize": most,
        });
        let request = Request::post(format!("{}/cursor", self.path), query.to_string().into_bytes());
        let response = exchange.send(&request, MAX_PAGE_BYTES)?;
        let peer = exchange.peer();
        match (response.status, response.completeness) {
            (201, Completeness::Complete) => {}
            (201, Completeness::Truncated) => {
                return Err(Failure::lasting(BucketError::InvalidDocument(InvalidDocument::TooLarge)));
            }
            _ => return Err(self.failure(&response, Operation::Read, peer)),
        }
        let QueryAnswer { result, has_more } = read(&response, peer)?;
        if has_more {
            return Err(Failure::not_what_was_asked(peer, "it keeps back a part of a page"));
        }
        let is_last = result.len() < most;
        let (mut documents, mut last) = (Vec::with_capacity(result.len()), None);
        for text in result {
            let members = Members::parse(text.get()).map_err(|_| ARANGODB.status_failure(response.status, peer))?;
            let key = members.string("_key").ok_or_else(|| ARANGODB.status_failure(response.status, peer))?;
            // Others are no profiles.
            if let Some(id) = key::id(&key, &members) {
                documents.push(Listed { id, document: stored(&members) });
            }
            last = Some(Cursor(key.into_owned()));
        }
        Ok(Page { documents, next: last.filter(|_| !is_last) })
    }
}

impl Arangodb {
    /// Makes something. False if it is there already.
    fn make(&self, request: &Request, exchange: &mut dyn Exchange) -> Result<bool, Failure> {
        let response = exchange.send(request, MAX_SUMMARY_BYTES)?;
        match (response.status, ErrorBody::of(&response)) {
            (200 | 201, _) => Ok(true),
            (409, Some(ErrorBody { number: IS_THERE })) => Ok(false),
            _ => Err(self.failure(&response, Operation::Create, exchange.peer())),
        }
    }
}

fn read<'a, T: Deserialize<'a>>(response: &'a Response, peer: &str) -> Result<T, Failure> {
    serde_json::from_slice(&response.body)
        .map_err(|error| ARANGODB.unreadable(response.status, &error, &response.body, peer))
}
