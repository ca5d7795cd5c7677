//! What goes into a bucket and what comes out of it.
//!
//! Invariant: the text of a document may hold a password hash, so it is wiped on drop and never printed.

use zeroize::Zeroizing;

use crate::model::DocumentId;

/// One document as the database holds it.
pub struct Document {
    text: Zeroizing<Vec<u8>>,
}

impl Document {
    /// Wraps the text of a document.
    #[must_use]
    pub fn new(text: Vec<u8>) -> Self {
        Self { text: Zeroizing::new(text) }
    }

    /// The JSON text, as it is stored.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

/// One document to be stored: its text goes in as it is.
pub struct NewDocument {
    /// Its id.
    pub id: DocumentId,
    /// One JSON object.
    pub text: Zeroizing<String>,
}

/// How large a batch of documents to be stored is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSize {
    /// So many documents are stored together even if the database has nothing else to do.
    pub worthwhile_documents: usize,
    /// So many may be, while it has.
    pub most_documents: usize,
    /// The same, in bytes of their texts.
    pub most_bytes: usize,
}

/// One document of a page.
pub struct Listed {
    /// Its id.
    pub id: DocumentId,
    /// What is stored under it.
    pub document: Document,
}

/// How what documents are stored in is made, where a database has a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// On how many nodes each document is kept; `None`: what suits the number of nodes.
    pub replication_factor: Option<u8>,
}

/// A position in a list of documents, in whatever form the database has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// Part of a list of documents.
pub struct Page {
    /// The documents; there may be none although more follow.
    pub documents: Vec<Listed>,
    /// Where the next page begins; `None` at the end of the list.
    pub next: Option<Cursor>,
}

/// The order in which a database lists its documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ascending by the bytes of their ids.
    Ids,
    /// An order of its own, each document once.
    Own,
}
