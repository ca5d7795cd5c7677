//! Many documents: an array of documents stores, a cursor of an AQL query lists.
//!
//! The list has no order: the servers of a cluster and its coordinators compare keys by different rules. Each batch of the cursor
//! has a number, by which one whose answer was lost can be asked for again (`allowRetry`, 3.11.1 and later).
//!
//! Invariant: no document is counted as stored that ArangoDB has not named as such.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::key;
use super::meaning::{self, ErrorBody};
use super::product::ARANGODB;
use super::{Arangodb, segment};
use crate::bucket::remote::batch::{self, MOST_DOCUMENTS};
use crate::bucket::rest::bulk::{self, MAX_SUMMARY_BYTES};
use crate::bucket::rest::own_members::{is_reserved, stored};
use crate::bucket::rest::{Batches, Completeness, Exchange, Failure, Operation, Request, Response, Retry};
use crate::bucket::{BucketError, Cursor, IsReserved, Listed, Members, NewDocument, Order, Page};

/// The longest page of a list, in bytes.
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// `ERROR_ARANGO_DUPLICATE_NAME`
const IS_THERE: i64 = 1207;

/// The query of a list.
const LIST: &str = "FOR d IN @@collection RETURN d";

/// How long a cursor is kept between two requests, in seconds.
const CURSOR_TTL_S: u32 = 600;

#[derive(Deserialize)]
struct QueryAnswer<'a> {
    #[serde(borrow)]
    result: Vec<&'a RawValue>,
    #[serde(rename = "hasMore")]
    has_more: bool,
    /// The cursor, where there is more.
    id: Option<String>,
    /// The number of the next batch.
    #[serde(rename = "nextBatchId")]
    next_batch: Option<String>,
}

/// What is said of one stored document.
#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "_key")]
    key: Option<String>,
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
        batch::fitting(documents, MOST_DOCUMENTS)
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
            if stored.key.as_deref() != Some(&*key::key(&document.id)) {
                return Err(Failure::not_what_was_asked(peer, "it does not name a document as stored"));
            }
        }
        bulk::ensure_all_named(stored.len(), documents, peer)
    }

    fn missing_codes(&self) -> &'static [&'static str] {
        &["1203", "1228"]
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
        let request = match after {
            Some(Cursor(position)) => Request::post(format!("{}/cursor/{position}", self.path), Vec::new()),
            None => {
                let query = json!({
                    "query": LIST,
                    "bindVars": {"@collection": self.target.collection},
                    "batchSize": most,
                    "ttl": CURSOR_TTL_S,
                    "options": {"stream": true, "allowRetry": true},
                });
                Request::post(format!("{}/cursor", self.path), query.to_string().into_bytes())
            }
        };
        let page = exchange.send(&request, MAX_PAGE_BYTES).and_then(|response| self.page(&response, exchange.peer()));
        match after {
            None => page,
            Some(Cursor(position)) => page.map_err(|failure| not_repeated(failure, position)),
        }
    }
}

impl Arangodb {
    fn page(&self, response: &Response, peer: &str) -> Result<Page, Failure> {
        match (response.status, response.completeness) {
            (200 | 201, Completeness::Complete) => {}
            (200 | 201, Completeness::Truncated) => {
                return Err(Failure::too_large());
            }
            _ => return Err(self.failure(response, Operation::Read, peer)),
        }
        let QueryAnswer { result, has_more, id, next_batch } = read(response, peer)?;
        let mut documents = Vec::with_capacity(result.len());
        for text in result {
            let members = Members::parse(text.get()).map_err(|_| ARANGODB.status_failure(response.status, peer))?;
            let key = members.string("_key").ok_or_else(|| ARANGODB.status_failure(response.status, peer))?;
            // Others are no profiles.
            if let Some(id) = key::id(&key, &members) {
                documents.push(Listed { id, document: stored(&members) });
            }
        }
        let next = match (has_more, id, next_batch) {
            (false, _, _) => None,
            (true, Some(id), Some(batch)) => Some(Cursor(format!("{}/{}", segment(&id), segment(&batch)))),
            (true, Some(id), None) => Some(Cursor(segment(&id).to_string())),
            (true, None, _) => return Err(Failure::not_what_was_asked(peer, "its list goes on and has no cursor")),
        };
        Ok(Page { documents, next })
    }

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

/// What a failure to go on with a list means: a batch with a number can be asked for again, but it stays as long as it is.
fn not_repeated(failure: Failure, position: &str) -> Failure {
    match failure {
        Failure { error: BucketError::InvalidDocument(_), .. } => Failure::lasting(BucketError::misconfigured(
            "the documents of one page are too long together; export them with the tools of ArangoDB",
        )),
        Failure { retry: Retry::NewCredentials | Retry::NotSent, .. } => failure,
        failure if position.contains('/') => failure,
        failure => {
            let lost = |reason| format!("{reason}; the position in the list is lost with it: begin again");
            Failure::lasting(failure.error.map_reason(lost))
        }
    }
}

fn read<'a, T: Deserialize<'a>>(response: &'a Response, peer: &str) -> Result<T, Failure> {
    serde_json::from_slice(&response.body)
        .map_err(|error| ARANGODB.unreadable(response.status, &error, &response.body, peer))
}
