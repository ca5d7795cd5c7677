//! Many documents: `_bulk` stores; a scroll lists ids, in an order of its own, and `_mget` (of `many`) reads the documents.
//!
//! A scroll goes on with each answer, so that one which was lost takes its ids with it and cannot be asked for again. That is why
//! it brings ids only: an answer is small, and the documents are read by requests that can be repeated.
//!
//! Invariant: no list ends early without an error, and no document is counted as stored that the server has not named as such.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::meaning::{self, TypedError};
use super::{Elasticsearch, Hit};
use crate::bucket::remote::batch::{self, MOST_DOCUMENTS};
use crate::bucket::rest::bulk::{self, MAX_SUMMARY_BYTES};
use crate::bucket::rest::json_text::JsonText;
use crate::bucket::rest::{Batches, Exchange, Failure, Operation, Request, Response, Retry};
use crate::bucket::{BucketError, Cursor, ErrorKind, IsReserved, Listed, NewDocument, Order, Page, write_line};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};

/// The type of the error of an index that is not there.
const NO_INDEX: &str = "index_not_found_exception";

/// The longest response with documents, in bytes: one of the largest, or many small ones.
const MAX_PAGE_BYTES: usize = 3 * MAX_DOCUMENT_BYTES;

/// How many ids a scroll brings at once.
const IDS_AT_ONCE: usize = 1_000;

/// How long a scroll is kept between two requests: each reads the documents of the ids before.
const KEEP_ALIVE: &str = "10m";

/// The names of metadata fields (Elasticsearch 7-9, OpenSearch 1-3), which no document may have as members.
const METADATA: [&str; 19] = [
    "_data_stream_timestamp",
    "_doc_count",
    "_feature",
    "_field_names",
    "_id",
    "_ignored",
    "_ignored_source",
    "_index",
    "_index_mode",
    "_inference_fields",
    "_nested_path",
    "_primary_term",
    "_routing",
    "_seq_no",
    "_source",
    "_tier",
    "_tsid",
    "_type",
    "_version",
];

/// Where a list goes on: ids whose documents come next, and the scroll that has those behind them.
#[derive(Deserialize, Serialize)]
struct Position<'a> {
    #[serde(borrow)]
    scroll: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ids: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ScrollAnswer<'a> {
    #[serde(borrow, rename = "_scroll_id")]
    scroll: Option<Cow<'a, str>>,
    timed_out: bool,
    #[serde(rename = "_shards")]
    shards: Shards,
    #[serde(borrow)]
    hits: Hits<'a>,
}

#[derive(Deserialize)]
struct Shards {
    failed: u64,
}

#[derive(Deserialize)]
struct Hits<'a> {
    #[serde(borrow)]
    hits: Vec<Hit<'a>>,
}

#[derive(Deserialize)]
struct BulkAnswer {
    items: Vec<BulkItem>,
}

#[derive(Deserialize)]
struct BulkItem {
    index: ItemOutcome,
}

#[derive(Deserialize)]
struct ItemOutcome {
    #[serde(rename = "_id")]
    id: Option<String>,
    status: u16,
    error: Option<TypedError>,
}

impl Batches for Elasticsearch {
    fn order(&self) -> Order {
        Order::Own
    }

    fn reserved_members(&self) -> Option<IsReserved> {
        Some(|name| METADATA.contains(&name))
    }

    fn fitting(&self, documents: &[NewDocument]) -> usize {
        batch::fitting(documents, MOST_DOCUMENTS)
    }

    fn store(&self, documents: &[NewDocument], exchange: &mut dyn Exchange) -> Result<(), Failure> {
        // A bulk request to an index that is not there makes one, with a mapping that nobody has asked for.
        self.ensure_index(exchange)?;
        let request = Request::post(format!("{}/_bulk", self.path), lines(documents));
        let response = exchange.send(&request, MAX_SUMMARY_BYTES)?;
        let peer = exchange.peer();
        let BulkAnswer { items } = self.read(&response, &JsonText::of(&response.body), Operation::Store, peer)?;
        let mut outcomes = documents.iter().zip(items.iter().map(|item| &item.index));
        let is_stored = |document: &NewDocument, outcome: &ItemOutcome| {
            matches!(outcome.status, 200 | 201) && outcome.id.as_deref() == Some(document.id.as_str())
        };
        match outcomes.find(|(document, outcome)| !is_stored(document, outcome)) {
            Some((_, ItemOutcome { status: 200 | 201, .. })) => {
                Err(Failure::not_what_was_asked(peer, "it names another document as stored"))
            }
            Some((document, ItemOutcome { status, error, .. })) => {
                let kind = error.as_ref().map_or("", TypedError::decisive_kind);
                Err(meaning::of_type(*status, kind, Operation::Store, peer, &self.index).about(&document.id))
            }
            None => bulk::ensure_all_named(items.len(), documents, peer),
        }
    }

    fn missing_codes(&self) -> &'static [&'static str] {
        &[NO_INDEX]
    }

    fn create(&self, exchange: &mut dyn Exchange) -> Result<Vec<String>, Failure> {
        // Documents are kept and not interpreted: no name, type or depth of a member is refused.
        let index = json!({"mappings": {"enabled": false}});
        let response =
            exchange.send(&Request::put(self.path.clone(), index.to_string().into_bytes()), MAX_SUMMARY_BYTES)?;
        if response.status == 200 {
            return Ok(vec![format!("the index {:?}", self.index)]);
        }
        let failure = self.failure(&response, Operation::Create, exchange.peer());
        match failure.details.code.as_deref() {
            Some("resource_already_exists_exception") => Ok(Vec::new()),
            _ => Err(failure),
        }
    }

    fn list(&self, after: Option<&Cursor>, most: usize, exchange: &mut dyn Exchange) -> Result<Page, Failure> {
        let Some(cursor) = after else { return self.begin_scroll(exchange) };
        let position: Position = serde_json::from_str(&cursor.0)
            .map_err(|_| Failure::lasting(BucketError::misconfigured("a position in a list was damaged")))?;
        if position.ids.is_empty() { self.go_on(&position, exchange) } else { self.documents(position, most, exchange) }
    }
}

impl Elasticsearch {
    fn ensure_index(&self, exchange: &mut dyn Exchange) -> Result<(), Failure> {
        let response = exchange.send(&self.request(&DocumentId::sentinel()), MAX_SUMMARY_BYTES)?;
        match meaning::failure(&response, Operation::Read, exchange.peer(), &self.index) {
            missing if missing.details.code.as_deref() == Some(NO_INDEX) => Err(missing),
            // Whatever else there is to say, the request that stores will say it better.
            _ => Ok(()),
        }
    }

    /// Makes what was stored visible to a list, and begins one.
    fn begin_scroll(&self, exchange: &mut dyn Exchange) -> Result<Page, Failure> {
        let refresh = Request::post(format!("{}/_refresh", self.path), Vec::new());
        let response = exchange.send(&refresh, MAX_SUMMARY_BYTES)?;
        if response.status != 200 {
            return Err(self.failure(&response, Operation::List, exchange.peer()));
        }
        let search = json!({"size": IDS_AT_ONCE, "sort": ["_doc"], "_source": false, "query": {"match_all": {}}});
        let path = format!("{}/_search?scroll={KEEP_ALIVE}", self.path);
        let response = exchange.send(&Request::post(path, search.to_string().into_bytes()), MAX_SUMMARY_BYTES)?;
        self.page_of_ids(&response, exchange)
    }

    fn go_on(&self, position: &Position, exchange: &mut dyn Exchange) -> Result<Page, Failure> {
        let body = json!({"scroll": KEEP_ALIVE, "scroll_id": position.scroll});
        let request = Request::post("/_search/scroll", body.to_string().into_bytes());
        let outcome = exchange.send(&request, MAX_SUMMARY_BYTES);
        outcome.and_then(|response| self.page_of_ids(&response, exchange)).map_err(|failure| {
            // Nothing was read from the scroll.
            if matches!(failure.retry, Retry::NewCredentials | Retry::NotSent) {
                return failure;
            }
            // Asking again would go on behind what was lost, whatever it was that came.
            let lost = format!("{}; the position in the list is lost with it: begin again", failure.error.reason());
            Failure::lasting(match failure.error.kind() {
                ErrorKind::InvalidDocument => BucketError::misconfigured(lost),
                _ => failure.error.map_reason(|_| lost),
            })
        })
    }

    /// A page without documents, and the position that has their ids.
    fn page_of_ids(&self, response: &Response, exchange: &mut dyn Exchange) -> Result<Page, Failure> {
        let text = JsonText::of(&response.body);
        let answer: ScrollAnswer = self.read(response, &text, Operation::List, exchange.peer())?;
        if answer.timed_out || answer.shards.failed > 0 {
            let reason = format!("{} could not list all of the index {:?}", exchange.peer(), self.index);
            return Err(Failure::lasting(BucketError::unavailable(reason)));
        }
        if answer.hits.hits.is_empty() {
            if let Some(scroll) = answer.scroll {
                let body = json!({"scroll_id": [scroll]}).to_string().into_bytes();
                // If it is not ended, the server ends it by itself when its time is over.
                let _ = exchange.send(&Request::delete("/_search/scroll", body), MAX_SUMMARY_BYTES);
            }
            return Ok(Page { documents: Vec::new(), next: None });
        }
        let mut ids = Vec::with_capacity(answer.hits.hits.len());
        for Hit { id, routing, .. } in answer.hits.hits {
            let id = id.ok_or_else(|| Failure::not_what_was_asked(exchange.peer(), "a document without an id"))?;
            let id = DocumentId::stored(id.into_owned());
            if id.username().is_none() {
                continue;
            }
            if routing.is_some() {
                // A read by id does not find it.
                let kind = "routing_missing_exception";
                return Err(meaning::of_type(400, kind, Operation::List, exchange.peer(), &self.index).about(&id));
            }
            ids.push(Cow::Owned(id.as_str().to_owned()));
        }
        Ok(page(Vec::new(), &Position { scroll: answer.scroll, ids }))
    }

    /// The documents of the next ids.
    fn documents(&self, mut position: Position, most: usize, exchange: &mut dyn Exchange) -> Result<Page, Failure> {
        let left = position.ids.split_off(most.min(position.ids.len()));
        let response = exchange.send(&self.mget(position.ids.iter().map(|id| &**id)), MAX_PAGE_BYTES)?;
        let peer = exchange.peer();
        let text = JsonText::of(&response.body);
        let found = self.found(&response, &text, Operation::List, position.ids.len(), peer)?;
        let mut documents = Vec::with_capacity(found.len());
        for (id, hit) in position.ids.iter().zip(&found) {
            // One that was deleted since it was listed is left out.
            if let Some(document) = self.of_hit(id, hit, &text, peer, |error| self.item_failure(error, peer))? {
                documents.push(Listed { id: DocumentId::stored(id.to_string()), document });
            }
        }
        Ok(page(documents, &Position { ids: left, ..position }))
    }

    /// The failure of one document of a page.
    fn item_failure(&self, error: &TypedError, peer: &str) -> Failure {
        match error.decisive_kind() {
            kind @ "illegal_argument_exception" => meaning::of_type(400, kind, Operation::List, peer, &self.index),
            _ => {
                let reason = format!("{peer} could not read some documents of the index {:?}", self.index);
                Failure::new(BucketError::unavailable(reason), Retry::AfterPause)
            }
        }
    }
}

fn page(documents: Vec<Listed>, position: &Position) -> Page {
    Page { documents, next: Some(Cursor(json!(position).to_string())) }
}

/// Two lines for each document: its id, and what is stored under it.
fn lines(documents: &[NewDocument]) -> Vec<u8> {
    let actions: Vec<String> =
        documents.iter().map(|document| json!({"index": {"_id": document.id.as_str()}}).to_string()).collect();
    let room = documents.iter().zip(&actions).map(|(document, action)| action.len() + document.text.len() + 2);
    let mut body = Vec::with_capacity(room.sum());
    for (document, action) in documents.iter().zip(&actions) {
        for line in [action.as_bytes(), document.text.as_bytes()] {
            // Into a vector: it cannot fail.
            let _ = write_line(&mut body, line);
        }
    }
    body
}
