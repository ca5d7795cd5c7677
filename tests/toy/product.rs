//! The toy product itself: all that a database over HTTP has to supply.

use serde::{Deserialize, Serialize};
use userprofiles::DocumentId;
use userprofiles::bucket::rest::path_segment::segment;
use userprofiles::bucket::rest::{
    Advice, Batches, Call, Exchange, Failure, LoginPolicy, Product, Protocol, ReadOutcome, Request, Response,
};
use userprofiles::bucket::{BucketError, Cursor, Document, Listed, NewDocument, Page};

pub static TOY: Product = Product {
    name: "Toy",
    section: "toy",
    hosts: "urls",
    login: LoginPolicy::FOLLOW_ROTATION,
    advice: Advice {
        missing_right: "give the user of [toy] username the right to read",
        use_tls: "write https:// in [toy] urls",
        no_tls: "write http:// in [toy] urls",
        not_listening: "start Toy, or correct [toy] urls",
        other_names: "",
        no_batches: "",
    },
};

/// One document on the wire.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    pub id: String,
    pub text: String,
}

pub struct Toy;

impl Protocol for Toy {
    fn product(&self) -> &'static Product {
        &TOY
    }

    fn service(&self) -> &'static str {
        "Toy"
    }

    fn get_request(&self, id: &DocumentId, _: &Call) -> Result<Request, BucketError> {
        Ok(Request::get(format!("/{}", segment(id.as_str()))))
    }

    fn read_document(&self, response: &Response, _: &DocumentId, peer: &str) -> Result<ReadOutcome, Failure> {
        match response.status {
            200 => Ok(ReadOutcome::new(Some(Document::new(response.body.to_vec())))),
            404 => Ok(ReadOutcome::new(None)),
            status => Err(TOY.status_failure(status, peer)),
        }
    }

    fn max_response_bytes(&self) -> usize {
        1 << 20
    }

    fn batches(&self) -> Option<&dyn Batches> {
        Some(self)
    }
}

impl Batches for Toy {
    fn fitting(&self, documents: &[NewDocument]) -> usize {
        documents.len().min(10)
    }

    fn store(&self, documents: &[NewDocument], exchange: &mut dyn Exchange) -> Result<(), Failure> {
        let entry =
            |document: &NewDocument| Entry { id: document.id.as_str().to_owned(), text: document.text.to_string() };
        let entries: Vec<Entry> = documents.iter().map(entry).collect();
        let response = exchange.send(&Request::post("/", serde_json::to_vec(&entries).unwrap()), 1 << 20)?;
        if response.status == 204 { Ok(()) } else { Err(TOY.status_failure(response.status, exchange.peer())) }
    }

    fn list(&self, after: Option<&Cursor>, most: usize, exchange: &mut dyn Exchange) -> Result<Page, Failure> {
        let after = segment(after.map_or("", |cursor| &cursor.0)).to_string();
        let response = exchange.send(&Request::get(format!("/?after={after}&most={most}")), 1 << 20)?;
        if response.status != 200 {
            return Err(TOY.status_failure(response.status, exchange.peer()));
        }
        let entries: Vec<Entry> = serde_json::from_slice(&response.body)
            .map_err(|error| TOY.unreadable(response.status, &error, &response.body, exchange.peer()))?;
        let next = if entries.len() < most { None } else { entries.last().map(|entry| Cursor(entry.id.clone())) };
        let listed =
            |Entry { id, text }| Listed { id: DocumentId::stored(id), document: Document::new(text.into_bytes()) };
        Ok(Page { documents: entries.into_iter().map(listed).collect(), next })
    }
}
