//! `[embedded]`: the file of `SQLite`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::config::error::Origin;
use crate::config::setting::{FilePath, Origins, section};
use crate::config::sources::Sources;

/// The one file whose folder is made.
pub const DEFAULT_PATH: &str = "data/userprofiles.db";

section! {
    /// For [bucket] database = "embedded": a file of this program's own (SQLite).
    pub struct EmbeddedSettings in "embedded" {
        /// The file. Unset: $STATE_DIRECTORY/userprofiles.db where systemd sets that (StateDirectory=), else
        /// data/userprofiles.db. Only that folder is made if it is missing.
        pub path: FilePath = PathBuf::from(DEFAULT_PATH); example "data/userprofiles.db",
    }
}

impl EmbeddedSettings {
    /// Puts the file where systemd keeps what a service writes: it sets `STATE_DIRECTORY` for one with
    /// `StateDirectory=`; several are separated by colons.
    pub(in crate::config) fn follow_state_directory(&mut self, sources: &Sources, origins: &mut Origins) {
        let state = sources.variable("STATE_DIRECTORY").and_then(OsStr::to_str).unwrap_or_default();
        let first = state.split(':').next().unwrap_or_default();
        if !first.is_empty() {
            self.path = Path::new(first).join("userprofiles.db");
            origins.insert(Self::NAME, "path", Origin::Environment("STATE_DIRECTORY".to_owned()));
        }
    }
}
