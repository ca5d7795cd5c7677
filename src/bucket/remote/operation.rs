//! What is asked of a database: the same error can mean another right that is missing.
//!
//! Invariant: pure.

/// What is asked of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To read a document.
    Read,
    /// To store documents.
    Store,
    /// To list documents.
    List,
    /// To make what documents are stored in.
    Create,
}
