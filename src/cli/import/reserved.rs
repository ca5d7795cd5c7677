//! Members whose names a database reserves: they cannot be stored, and no answer needs them.
//!
//! Invariant: a document without such members is stored as it is, byte for byte. Names may be told, values never.

use std::fmt;

use crate::bucket::{IsReserved, Members, NewDocument};

/// Members that were left out of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DroppedMembers {
    /// How many.
    pub count: u64,
    /// The name of the first.
    pub first: Option<String>,
}

impl DroppedMembers {
    /// Leaves out of a document what the database reserves for itself, if it does.
    pub(super) fn drop_from(&mut self, document: NewDocument, is_reserved: Option<IsReserved>) -> NewDocument {
        let Some(is_reserved) = is_reserved else { return document };
        // It was checked to be JSON; if it were none, the database would say so.
        let Ok(members) = Members::parse(&document.text) else { return document };
        let Some(first) = members.names().find(|name| is_reserved(name)) else { return document };
        self.count += members.names().filter(|name| is_reserved(name)).count() as u64;
        self.first.get_or_insert_with(|| first.to_owned());
        let text = members.without(is_reserved, "");
        NewDocument { text, ..document }
    }
}

impl fmt::Display for DroppedMembers {
    /// The end of a summary, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = &self.first else { return Ok(()) };
        let members = if self.count == 1 { "member was" } else { "members were" };
        write!(
            f,
            "; {} {members} left out, because the database reserves the names for itself (the first is {first:?})",
            self.count
        )
    }
}
