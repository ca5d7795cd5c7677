//! The documents of a database that lists them in an order of its own, sorted by their ids.
//!
//! Invariant: the copy is readable by its owner only, and gone when it is dropped.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use parking_lot::Mutex;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::for_each_page;
use crate::bucket::embedded::Embedded;
use crate::bucket::{BucketTimeouts, Database, NewDocument, get_bucket};
use crate::clock::{self, Deadline};
use crate::model::DocumentId;

/// The folder of a copy, for whoever ends the process before the copy is dropped.
#[derive(Clone, Debug, Default)]
pub struct Scratch(Arc<Mutex<Option<PathBuf>>>);

impl Scratch {
    /// Removes the folder, if there is one, with what is in it.
    pub fn remove(&self) {
        if let Some(folder) = self.0.lock().take() {
            // If it is gone already, so much the better.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A copy that lists by id.
pub(super) struct SortedCopy {
    database: Embedded,
    // Dropped after the database that is in it.
    _folder: TempDir,
}

impl SortedCopy {
    pub(super) fn database(&self) -> &dyn Database {
        &self.database
    }
}

/// Copies all documents into a temporary file, in the folder that the system has for such files (`TMPDIR`).
pub(super) fn copy(
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    scratch: &Scratch,
    leave_out: &mut dyn FnMut(&DocumentId),
) -> anyhow::Result<SortedCopy> {
    let not_sorted = "the documents cannot be sorted in a temporary file (TMPDIR names another folder for it)";
    let mut builder = tempfile::Builder::new();
    builder.prefix("userprofiles-export-").permissions(Permissions::from_mode(0o700));
    let folder = {
        // A signal that comes now waits until it is known what is to be removed.
        let mut path = scratch.0.lock();
        let folder = builder.tempdir().context(not_sorted)?;
        *path = Some(folder.path().to_owned());
        folder
    };
    let sorted = Embedded::create(&folder.path().join("sorted.db")).context(not_sorted)?;
    for_each_page(database, timeouts, |documents| {
        let mut fit = Vec::with_capacity(documents.len());
        for listed in documents {
            match String::from_utf8(listed.document.text().to_vec()) {
                Ok(text) => fit.push(NewDocument { id: listed.id.clone(), text: Zeroizing::new(text) }),
                Err(_) => leave_out(&listed.id),
            }
        }
        let deadline = Deadline::after(clock::now(), timeouts.batch);
        get_bucket(&sorted, timeouts, deadline).and_then(|mut bucket| bucket.upsert(&fit)).context(not_sorted)
    })?;
    Ok(SortedCopy { database: sorted, _folder: folder })
}
