//! The product: `GET /{id}` reads, `POST /` stores lines, `GET /?after=…&most=…` lists lines, `GET /?ids=…` reads lines. A
//! line is `["id",{document}]`.
//!
//! Invariant: this is all that a product needs for reads, import and export.

use serde_json::value::RawValue;
use userprofiles::bucket::rest::path_segment::segment;
use userprofiles::bucket::rest::{
    Advice, Batches, Call, Completeness, Exchange, Failure, LoginPolicy, Many, ManyOutcome, Product, Protocol,
    ReadOutcome, Request, Response,
};
use userprofiles::bucket::{Cursor, Listed, NewDocument, Order, Page};
use userprofiles::model::InvalidDocument;
use userprofiles::{BucketError, Document, DocumentId};

/// The longest document, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// How many documents are stored at once.
pub const MOST_AT_ONCE: usize = 50;

pub static TOY: Product = Product {
    name: "Toybase",
    section: "toy",
    hosts: "urls",
    login: LoginPolicy::FOLLOW_ROTATION,
    advice: Advice {
        wrong_login: "set [toy] username and password_file to a user that it knows",
        missing_right: "let the user of [toy] username read",
        use_tls: "write https:// in [toy] urls",
        no_tls: "write http:// in [toy] urls",
        not_listening: "see that Toybase runs there",
        other_names: "",
        no_batches: "use another product",
    },
};

/// How several documents are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    OneByOne,
    Together,
}

#[derive(Clone, Copy, Debug)]
pub struct Toy {
    pub reading: Reading,
    /// `Own` is descending.
    pub order: Order,
}

impl Default for Toy {
    fn default() -> Self {
        Self { reading: Reading::OneByOne, order: Order::Ids }
    }
}

impl Protocol for Toy {
    fn product(&self) -> &'static Product {
        &TOY
    }

    fn service(&self) -> &'static str {
        "the toy"
    }

    fn get_request(&self, id: &DocumentId, _: &Call) -> Result<Request, BucketError> {
        Ok(Request::get(format!("/{}", segment(id.as_str()))))
    }

    fn read_document(&self, response: &Response, _: &DocumentId, peer: &str) -> Result<ReadOutcome, Failure> {
        match (response.status, response.completeness) {
            (404, _) => Ok(ReadOutcome::new(None)),
            (200, Completeness::Complete) => Ok(ReadOutcome::new(Some(Document::new(response.body.to_vec())))),
            (status, Completeness::Truncated) => Err(TOY.overlong(status, &response.body, peer)),
            (status, Completeness::Complete) => Err(TOY.status_failure(status, peer)),
        }
    }

    fn max_response_bytes(&self) -> usize {
        LONGEST
    }

    fn many(&self) -> Option<&dyn Many> {
        (self.reading == Reading::Together).then_some(self as &dyn Many)
    }

    fn batches(&self) -> Option<&dyn Batches> {
        Some(self)
    }
}

impl Batches for Toy {
    fn fitting(&self, _: &[NewDocument]) -> usize {
        MOST_AT_ONCE
    }

    fn store(&self, documents: &[NewDocument], exchange: &mut dyn Exchange) -> Result<(), Failure> {
        let line = |document: &NewDocument| format!("[{:?},{}]\n", document.id.as_str(), document.text.as_str());
        let body: String = documents.iter().map(line).collect();
        let response = exchange.send(&Request::post("/", body.into_bytes()), LONGEST)?;
        if response.status == 200 { Ok(()) } else { Err(TOY.status_failure(response.status, exchange.peer())) }
    }

    fn missing_codes(&self) -> &'static [&'static str] {
        &[]
    }

    fn create(&self, _: &mut dyn Exchange) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    fn list(&self, after: Option<&Cursor>, most: usize, exchange: &mut dyn Exchange) -> Result<Page, Failure> {
        let after = after.map(|cursor| format!("&after={}", segment(&cursor.0))).unwrap_or_default();
        let order = if self.order == Order::Own { "&order=descending" } else { "" };
        let response = exchange.send(&Request::get(format!("/?most={most}{after}{order}")), LONGEST)?;
        let documents = lines(&response, exchange.peer())?;
        let next = documents.last().map(|last| Cursor(last.id.as_str().to_owned()));
        Ok(Page { documents, next })
    }
}

impl Many for Toy {
    fn get_many_request(&self, ids: &[DocumentId], _: &Call) -> Result<Request, BucketError> {
        let ids: Vec<String> = ids.iter().map(|id| segment(id.as_str()).to_string()).collect();
        Ok(Request::get(format!("/?ids={}", ids.join(","))))
    }

    fn read_documents(&self, response: &Response, ids: &[DocumentId], peer: &str) -> Result<ManyOutcome, Failure> {
        let listed = lines(response, peer)?;
        let of = |id: &DocumentId| {
            let found = listed.iter().find(|listed| listed.id == *id)?;
            Some(Document::new(found.document.text().to_vec()))
        };
        Ok(ManyOutcome::new(ids.iter().map(of).map(Ok).collect()))
    }
}

/// The documents of a response of lines.
fn lines(response: &Response, peer: &str) -> Result<Vec<Listed>, Failure> {
    if response.completeness == Completeness::Truncated {
        return Err(Failure::lasting(BucketError::InvalidDocument(InvalidDocument::TooLarge)));
    }
    if response.status != 200 {
        return Err(TOY.status_failure(response.status, peer));
    }
    let pair = |line| {
        let (id, text): (String, Box<RawValue>) = serde_json::from_slice(line).map_err(|_| Failure::cut_short(peer))?;
        Ok(Listed { id: DocumentId::stored(id), document: Document::new(text.get().as_bytes().to_vec()) })
    };
    response.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(pair).collect()
}
