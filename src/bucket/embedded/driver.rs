//! How the embedded file is opened and checked.
//!
//! Invariant: no file is made for a command that only reads.

use std::sync::Arc;

use super::{Embedded, check};
use crate::bucket::driver::{Driver, IfMissing, Opening};
use crate::bucket::report::Report;
use crate::bucket::{BucketError, Database};
use crate::observe::Observation;

/// See [`Driver`].
pub struct EmbeddedDriver;

impl Driver for EmbeddedDriver {
    fn open(&self, opening: &Opening) -> Result<Arc<dyn Database>, BucketError> {
        let path = &opening.settings.embedded.path;
        let database = match opening.if_missing {
            IfMissing::Create => Embedded::create(path)?,
            IfMissing::Refuse => Embedded::open_existing(path)?,
        };
        if !database.is_writable() {
            opening.observer.emit(&Observation::DatabaseReadOnly { description: &database.describe() });
        }
        if let Some(warning) = database.exposure() {
            opening.observer.emit(&Observation::SettingsWarning(&format!("[embedded] path: {warning}")));
        }
        Ok(Arc::new(database))
    }

    fn check(&self, opening: &Opening, report: &mut Report) {
        check::run(&opening.settings.embedded.path, &opening.timeouts, report);
    }
}
