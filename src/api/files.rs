//! The files that this server has, by their names.
//!
//! Invariant: which of them there are is decided when the server starts.

use super::docs::Docs;
use super::file::File;
use super::home::{self, DocsLinks};
use super::route::FileName;
use crate::pages;

/// Robots find nothing here that belongs into a search engine.
const ROBOTS: &[u8] = b"User-agent: *\nDisallow: /\n";

/// The files.
pub(super) struct Files {
    home: File,
    favicon: File,
    robots: File,
    docs: Option<Docs>,
}

impl Files {
    /// Returns the files, with or without the documentation.
    pub fn new(docs: Option<Docs>) -> Self {
        Self {
            home: home::page(if docs.is_some() { DocsLinks::Shown } else { DocsLinks::Hidden }),
            favicon: File::new("image/svg+xml", pages::FAVICON.as_bytes()),
            robots: File::new("text/plain; charset=utf-8", ROBOTS),
            docs,
        }
    }

    /// Returns a file, if this server has it.
    pub fn get(&self, name: FileName) -> Option<&File> {
        match name {
            FileName::Home => Some(&self.home),
            FileName::Favicon => Some(&self.favicon),
            FileName::Robots => Some(&self.robots),
            name => self.docs.as_ref().and_then(|docs| docs.file(name)),
        }
    }
}
