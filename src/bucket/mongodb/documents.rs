//! What is asked of a collection: to find, store and list documents, and to be made.
//!
//! Storing is by the command `update` with `upsert`, which every MongoDB since 2.6 has; the driver's `bulk_write`
//! needs 8.0.
//!
//! Invariant: a document is missing only if its collection was there at most [`KNOWN_FOR`] ago: MongoDB itself answers
//! alike for a missing document, collection and database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::{Bson, RawArrayBuf, RawDocument, RawDocumentBuf, cstr, doc, rawdoc, serialize_to_raw_document_buf};
use mongodb::error::Error;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::meaning::{Context, NO_RIGHT};
use super::product::Target;
use super::to_json;
use crate::bucket::remote::halves::{MAX_ANSWER_BYTES, Outcomes};
use crate::bucket::remote::tls::Tls;
use crate::bucket::remote::{Failure, Operation, Retry};
use crate::bucket::{BucketError, Cursor, Document, ErrorKind, Listed, Outcome, Page};
use crate::clock;
use crate::model::{DocumentId, InvalidDocument, MAX_DOCUMENT_BYTES};

/// For how long it is known that the collection is there, or that it is not, or that this cannot be known.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// The first id of a user, and the first behind them all: `:` and `;` follow each other in ASCII.
const IDS: [&str; 2] = ["userprofile::", "userprofile:;"];

/// One collection, through whichever client.
pub struct Documents {
    target: Target,
    tls: Arc<Tls>,
    existence: Mutex<Option<(Instant, Result<Existence, Failure>)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existence {
    There,
    Missing,
}

impl Documents {
    /// The documents of a target.
    #[must_use]
    pub fn new(target: Target, tls: &Arc<Tls>) -> Self {
        Self { target, tls: Arc::clone(tls), existence: Mutex::default() }
    }

    /// The failure that an error means.
    pub fn failure(&self, error: &Error, operation: Operation) -> Failure {
        Context { operation, target: &self.target, tls: &self.tls }.failure(error)
    }

    fn collection(&self, client: &Client) -> mongodb::Collection<RawDocumentBuf> {
        client.database(&self.target.database).collection(&self.target.collection)
    }

    /// Reads one document.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn get(&self, client: &Client, id: &str, left: Duration) -> Result<Option<Document>, Failure> {
        // The server is to stop too.
        let limit = left.max(Duration::from_millis(1));
        let found = self.collection(client).find_one(doc! { "_id": id }).max_time(limit).await;
        match found.map_err(|error| self.failure(&error, Operation::Read))? {
            Some(raw) => read(&raw, id).map(Some),
            None => self.ensure_it_exists(client, Operation::Read, left).await.map(|()| None),
        }
    }

    /// Reads several documents. The server sends 16 MiB of them at a time, and says nothing of those that it does not have.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn get_many(&self, client: &Client, ids: &[DocumentId], left: Duration) -> Result<Vec<Outcome>, Failure> {
        let failed = |error| self.failure(&error, Operation::Read);
        let asked: Vec<&str> = ids.iter().map(DocumentId::as_str).collect();
        // Room for one more than there can be, so that the first batch shows that it is the last.
        let size = u32::try_from(ids.len() + 1).unwrap_or(u32::MAX);
        let limit = left.max(Duration::from_millis(1));
        let collection = self.collection(client);
        let find = collection.find(doc! { "_id": { "$in": asked } }).batch_size(size).max_time(limit);
        let mut cursor = find.await.map_err(failed)?;
        let mut outcomes = Outcomes::of(ids);
        let mut bytes = 0;
        while cursor.advance().await.map_err(failed)? {
            let raw = cursor.current();
            bytes += to_json::room(raw);
            if bytes > MAX_ANSWER_BYTES {
                return Err(Failure::too_large());
            }
            let id = raw.get_str("_id").map_err(|_| not_what_was_asked())?;
            outcomes.put(id, read(raw, id), not_what_was_asked)?;
        }
        if outcomes.has_gaps() {
            self.ensure_it_exists(client, Operation::Read, left).await?;
        }
        Ok(outcomes.into_vec())
    }

    /// Fails if the collection is not there.
    async fn ensure_it_exists(&self, client: &Client, operation: Operation, left: Duration) -> Result<(), Failure> {
        // Locked while it is looked up: of many who miss a document, one looks.
        let late = |_| Failure::of_node(BucketError::timeout("MongoDB did not answer in time"));
        let mut known = timeout(left, self.existence.lock()).await.map_err(late)?;
        let fresh = known.as_ref().filter(|(at, _)| clock::now().saturating_duration_since(*at) < KNOWN_FOR);
        let existence = if let Some((_, existence)) = fresh {
            existence.clone()
        } else {
            let asked_at = clock::now();
            let existence = self.look_up(client, operation, left).await;
            match &existence {
                Ok(_) => *known = Some((asked_at, existence.clone())),
                // It may have taken longer than it is known for.
                Err(failure) if is_of_server(failure) => *known = Some((clock::now(), existence.clone())),
                Err(_) => {}
            }
            existence
        };
        match existence? {
            Existence::There => Ok(()),
            Existence::Missing => {
                let context = Context { operation, target: &self.target, tls: &self.tls };
                Err(context.no_collection())
            }
        }
    }

    async fn look_up(&self, client: &Client, operation: Operation, left: Duration) -> Result<Existence, Failure> {
        let command = doc! {
            "listCollections": 1, "filter": { "name": &self.target.collection }, "nameOnly": true,
            "authorizedCollections": true, "maxTimeMS": i64::try_from(left.as_millis()).unwrap_or(i64::MAX).max(1),
        };
        let database = client.database(&self.target.database);
        let mut asking = database.run_command(command);
        // Commands are for the primary, unless it is said again.
        if let Some(criteria) = database.selection_criteria() {
            asking = asking.selection_criteria(criteria.clone());
        }
        match asking.await {
            Ok(reply) => {
                let listed = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
                Ok(if listed.is_ok_and(|listed| !listed.is_empty()) { Existence::There } else { Existence::Missing })
            }
            Err(error) => {
                let failure = self.failure(&error, operation);
                // Who may read the collection, and not list it, has been answered by it already.
                let may_not_list = failure.details.code.as_deref() == Some(NO_RIGHT);
                if may_not_list { Ok(Existence::There) } else { Err(failure) }
            }
        }
    }

    /// Stores documents, each of which begins with its id as `_id`.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn store(
        &self,
        client: &Client,
        documents: Vec<(DocumentId, RawDocumentBuf)>,
        left: Duration,
    ) -> Result<(), Failure> {
        // An `upsert` would make it.
        self.ensure_it_exists(client, Operation::Store, left).await?;
        let mut ids = Vec::with_capacity(documents.len());
        let mut updates = RawArrayBuf::new();
        for (id, document) in documents {
            updates.push(rawdoc! { "q": { "_id": id.as_str() }, "u": document, "upsert": true });
            ids.push(id);
        }
        let mut command = rawdoc! { "update": self.target.collection.as_str() };
        command.append(cstr!("updates"), updates);
        command.append(cstr!("ordered"), false);
        let database = client.database(&self.target.database);
        if let Some(concern) = database.write_concern() {
            let unknown =
                |_| Failure::lasting(BucketError::misconfigured("the write concern of [mongodb] uri is none"));
            command.append(cstr!("writeConcern"), serialize_to_raw_document_buf(concern).map_err(unknown)?);
        }
        let reply = database.run_raw_command(command).await.map_err(|error| self.failure(&error, Operation::Store))?;
        self.ensure_all_stored(&reply, &ids)
    }

    /// A success of the whole hides no failure of one.
    fn ensure_all_stored(&self, reply: &mongodb::bson::Document, ids: &[DocumentId]) -> Result<(), Failure> {
        let of_items = reply.get_array("writeErrors").into_iter().flatten().filter_map(Bson::as_document);
        let of_concern = reply.get_document("writeConcernError").into_iter();
        let Some(error) = of_items.chain(of_concern).next() else { return Ok(()) };
        let code = error.get_i32("code").unwrap_or_default();
        let context = Context { operation: Operation::Store, target: &self.target, tls: &self.tls };
        let failure = context.of_code(code, error.get_str("codeName").unwrap_or_default());
        // Two who store the same new document at the same moment: one of them is asked to do it again.
        let is_about_id = error.get_document("keyPattern").is_ok_and(|keys| keys.contains_key("_id"));
        let failure = if code == 11000 && is_about_id { failure.with(Retry::AfterPause) } else { failure };
        let id = error.get_i32("index").ok().and_then(|index| ids.get(usize::try_from(index).ok()?));
        Err(match id {
            Some(id) => failure.about(id),
            None => failure,
        })
    }

    /// Lists a page in the order of ids, which is that of their bytes.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn list(
        &self,
        client: &Client,
        after: Option<Cursor>,
        most: usize,
        left: Duration,
    ) -> Result<Page, Failure> {
        let [first, end] = IDS;
        let range = match &after {
            Some(Cursor(id)) => doc! { "$gt": id, "$lt": end },
            None => doc! { "$gte": first, "$lt": end },
        };
        let failed = |error| self.failure(&error, Operation::List);
        // A negative limit: in one batch, which has 16 MiB at most, and nothing stays open on the server.
        let limit = -i64::try_from(most).unwrap_or(i64::MAX);
        let collection = self.collection(client);
        let find = collection.find(doc! { "_id": range }).sort(doc! { "_id": 1 }).limit(limit);
        let mut cursor = find.await.map_err(failed)?;
        let mut documents = Vec::new();
        while cursor.advance().await.map_err(failed)? {
            let raw = cursor.current();
            let id = raw.get_str("_id").map_err(|_| not_what_was_asked())?;
            let document = read(raw, id).map_err(|failure| failure.about(&DocumentId::stored(id.to_owned())))?;
            documents.push(Listed { id: DocumentId::stored(id.to_owned()), document });
        }
        if documents.is_empty() && after.is_none() {
            self.ensure_it_exists(client, Operation::List, left).await?;
        }
        let next = documents.last().map(|last| Cursor(last.id.as_str().to_owned()));
        Ok(Page { documents, next })
    }

    /// Makes the collection, and the database with it.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn create(&self, client: &Client) -> Result<Vec<String>, Failure> {
        let Target { database, collection, .. } = &self.target;
        let created = client.database(database).create_collection(collection).await;
        *self.existence.lock().await = None;
        match created.map_err(|error| self.failure(&error, Operation::Create)) {
            // Somebody else was quicker, or an answer was lost.
            Err(failure) if failure.details.code.as_deref() == Some("48") => return Ok(Vec::new()),
            outcome => outcome?,
        }
        Ok(vec![format!("the collection {collection:?} of the database {database:?}")])
    }
}

/// True for a failure that others would meet now too: not if our time was over, or our login is refused.
fn is_of_server(failure: &Failure) -> bool {
    failure.retry != Retry::NewCredentials && failure.error.kind() != ErrorKind::Timeout
}

/// What is stored, if it is the document that was asked for.
fn read(raw: &RawDocument, id: &str) -> Result<Document, Failure> {
    if raw.get_str("_id").ok() != Some(id) {
        return Err(not_what_was_asked());
    }
    let unreadable = |_| Failure::lasting(BucketError::InvalidDocument(InvalidDocument::NotStoredAsJson));
    let document = to_json::document(raw).map_err(unreadable)?;
    if document.text().len() > MAX_DOCUMENT_BYTES {
        return Err(Failure::too_large());
    }
    Ok(document)
}

fn not_what_was_asked() -> Failure {
    Failure::lasting(BucketError::misconfigured(
        "MongoDB found a document with another _id than the one that was asked for; make the collection of [mongodb] \
         collection without a collation",
    ))
}
