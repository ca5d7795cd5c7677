//! Documents to which a product adds members of its own, with names that begin with an underscore.
//!
//! Invariant: pure. What was stored comes out without those members and otherwise as it is; a document is believed only by
//! the member that names it.

use super::json_text::JsonText;
use crate::bucket::remote::failure::Failure;
use crate::bucket::remote::product::Product;
use crate::bucket::{Document, Members};
use crate::model::MAX_DOCUMENT_BYTES;

/// True for the members that are the product's own: it refuses to store others that begin like them.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.starts_with('_')
}

/// What was stored.
#[must_use]
pub fn stored(members: &Members) -> Document {
    Document::new(std::mem::take(&mut *members.without(is_reserved, "")).into_bytes())
}

/// The document of a body, if its member `name` is the `expected` one.
///
/// # Errors
/// [`Failure`] for a body that is no document, or another one, and for one that is too large.
pub fn read(product: &Product, body: &[u8], (name, expected): (&str, &str), peer: &str) -> Result<Document, Failure> {
    let text = JsonText::of(body);
    let members = Members::parse(text.as_str()).map_err(|error| product.unreadable(200, &error, body, peer))?;
    document(&members, (name, expected), peer)
}

/// The document with these members, if its member `name` is the `expected` one.
///
/// # Errors
/// [`Failure`] for another document, and for one that is too large.
pub fn document(members: &Members, (name, expected): (&str, &str), peer: &str) -> Result<Document, Failure> {
    if members.string(name).as_deref() != Some(expected) {
        return Err(Failure::not_what_was_asked(peer, "its document does not have the id that was asked for"));
    }
    let document = stored(members);
    if document.text().len() > MAX_DOCUMENT_BYTES {
        return Err(Failure::too_large());
    }
    Ok(document)
}
