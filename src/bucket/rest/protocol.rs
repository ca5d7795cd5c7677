//! The seam between a product and everything that is the same for all products: what is asked, and what a response means.
//!
//! Invariant: pure. A [`Protocol`] makes requests and reads responses; whom to ask, over which connection and how often is
//! decided by `attempts`.

use super::message::{Call, Request, Response};
use crate::bucket::remote::failure::Failure;
use crate::bucket::remote::halves::MAX_ANSWER_BYTES;
use crate::bucket::remote::product::Product;
use crate::bucket::{BucketError, Cursor, Details, Document, IsReserved, NewDocument, Order, Outcome, Page};
use crate::model::DocumentId;

/// What is asked and what a response means. No socket, no clock, no second attempt.
pub trait Protocol: Send + Sync {
    /// Its names, sentences and login policy.
    fn product(&self) -> &'static Product;

    /// What is asked, in a sentence: `the query service`.
    fn service(&self) -> &'static str;

    /// The request that reads one document.
    ///
    /// # Errors
    /// [`BucketError::UnusableId`] for an id that this protocol cannot carry.
    fn get_request(&self, id: &DocumentId, call: &Call) -> Result<Request, BucketError>;

    /// Reads the response to it. `peer` is who answered, in words for a reason.
    ///
    /// # Errors
    /// [`Failure`] with each variant of [`BucketError`] but `Busy` and `UnusableId`.
    fn read_document(&self, response: &Response, id: &DocumentId, peer: &str) -> Result<ReadOutcome, Failure>;

    /// How much of a response is read, in bytes: room for the largest document in what it comes in. More than that is a
    /// document that is too large, or no response of this service.
    fn max_response_bytes(&self) -> usize;

    /// Several documents in one exchange; `None`: one exchange each.
    fn many(&self) -> Option<&dyn Many> {
        None
    }

    /// Storing and listing many documents; `None`: this protocol reads single documents only.
    fn batches(&self) -> Option<&dyn Batches> {
        None
    }
}

/// A success of a read: of one document (`None`: there is none under this id), or of several.
pub struct ReadOutcome<T = Option<Document>> {
    /// What was found.
    pub found: T,
    /// What the node warned of.
    pub warnings: Vec<Warning>,
    /// What the node said about its work.
    pub details: Details,
}

/// A success of a read of several documents: one outcome for each id, in their order.
pub type ManyOutcome = ReadOutcome<Vec<Outcome>>;

impl<T> ReadOutcome<T> {
    /// What was found, without warnings and details.
    #[must_use]
    pub fn new(found: T) -> Self {
        Self { found, warnings: Vec::new(), details: Details::default() }
    }
}

/// A warning that came with a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The product's own number for it.
    pub code: i64,
    /// What that means for us.
    pub meaning: &'static str,
}

/// Reading several documents in one exchange.
pub trait Many {
    /// The request that reads documents, which may be sent more than once. No id occurs twice.
    ///
    /// # Errors
    /// As [`Protocol::get_request`].
    fn get_many_request(&self, ids: &[DocumentId], call: &Call) -> Result<Request, BucketError>;

    /// Reads the response to it. A document is the outcome of the id that came with it, and what concerns one document is the
    /// outcome of its id.
    ///
    /// # Errors
    /// As [`Protocol::read_document`]. A failure that concerns one document, such as [`Failure::too_large`] for a response
    /// that is too long, has the ids asked for in two halves.
    fn read_documents(&self, response: &Response, ids: &[DocumentId], peer: &str) -> Result<ManyOutcome, Failure>;
}

/// Storing and listing many documents. Each method may make several exchanges, and each may be called again after a failure
/// whose [`super::Retry`] asks for it.
pub trait Batches {
    /// The order in which [`Batches::list`] lists.
    fn order(&self) -> Order {
        Order::Ids
    }

    /// See [`crate::bucket::Database::reserved_members`].
    fn reserved_members(&self) -> Option<IsReserved> {
        None
    }

    /// The codes ([`crate::bucket::Details::code`]) of a read that say that what the documents are stored in is not there.
    fn missing_codes(&self) -> &'static [&'static str];

    /// Makes what the documents are stored in, as far as it is not there, and returns what was made, each in words such as
    /// `the index "users"`.
    ///
    /// # Errors
    /// [`Failure`], after which any of it may be made.
    fn create(&self, exchange: &mut dyn Exchange) -> Result<Vec<String>, Failure>;

    /// How many of these documents, from the first one on, belong in one call of [`Batches::store`]: one at least.
    fn fitting(&self, documents: &[NewDocument]) -> usize;

    /// Stores documents, replacing those that have the same ids.
    ///
    /// # Errors
    /// [`Failure`], after which any of the documents may be stored and any may not.
    fn store(&self, documents: &[NewDocument], exchange: &mut dyn Exchange) -> Result<(), Failure>;

    /// Lists a page: see [`crate::bucket::Bucket::list`].
    ///
    /// # Errors
    /// [`Failure`]; [`crate::model::InvalidDocument::TooLarge`] in it for a page that is too long to be read.
    fn list(&self, after: Option<&Cursor>, most: usize, exchange: &mut dyn Exchange) -> Result<Page, Failure>;
}

/// Exchanges with one node, within the bounds of one attempt.
pub trait Exchange {
    /// Sends a request and returns the response, of whose body at most `max_bytes` are read.
    ///
    /// # Errors
    /// [`Failure`] if there was no response, or not all of its head or body.
    fn send(&mut self, request: &Request, max_bytes: usize) -> Result<Response, Failure>;

    /// The circumstances as they are now.
    fn call(&self) -> Call<'_>;

    /// Who is asked, in words for a reason.
    fn peer(&self) -> &str;
}

/// Reads one document by one exchange.
///
/// # Errors
/// [`Failure`]
pub fn get(protocol: &dyn Protocol, id: &DocumentId, exchange: &mut dyn Exchange) -> Result<ReadOutcome, Failure> {
    let request = protocol.get_request(id, &exchange.call()).map_err(Failure::not_sent)?;
    let response = exchange.send(&request, protocol.max_response_bytes())?;
    protocol.read_document(&response, id, exchange.peer())
}

/// Reads several documents by one exchange.
///
/// # Errors
/// [`Failure`]
pub fn get_many(many: &dyn Many, ids: &[DocumentId], exchange: &mut dyn Exchange) -> Result<ManyOutcome, Failure> {
    let request = many.get_many_request(ids, &exchange.call()).map_err(Failure::not_sent)?;
    let response = exchange.send(&request, MAX_ANSWER_BYTES)?;
    // One that is not UTF-8 is copied to be parsed, so that there are three of each document for a while.
    if response.body.len() > MAX_ANSWER_BYTES / 3 * 2 && std::str::from_utf8(&response.body).is_err() {
        return Err(Failure::too_large());
    }
    many.read_documents(&response, ids, exchange.peer())
}
