//! Every database by its name. This is the one file that knows them all.
//!
//! Invariant: opening a database asks nothing over a network, so that the server starts while its database is down; and
//! checking one creates and changes nothing.

use std::sync::Arc;

use super::report::{Report, Step, Verdict};
use super::{BucketError, BucketTimeouts, Database, couchbase, embedded};
use crate::config::{DatabaseName, Settings};
use crate::observe::{Observation, Observer};
use embedded::Embedded;

/// What a database that is not there yet is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Made, where it is a file.
    Create,
    /// An error: who reads from it has mistyped something.
    Refuse,
}

/// Opens the database that the settings name.
///
/// # Errors
/// [`BucketError::Misconfigured`] for settings that can never work, such as a file that is no database;
/// [`BucketError::Unavailable`] if a thread cannot be started.
pub fn open(settings: &Settings, if_missing: IfMissing, observer: &Observer) -> Result<Arc<dyn Database>, BucketError> {
    let timeouts = BucketTimeouts::from(&settings.bucket);
    match settings.bucket.database {
        DatabaseName::Embedded => {
            let path = &settings.embedded.path;
            let database = match if_missing {
                IfMissing::Create => Embedded::create(path)?,
                IfMissing::Refuse => Embedded::open_existing(path)?,
            };
            if !database.is_writable() {
                observer.emit(&Observation::DatabaseReadOnly { description: &database.describe() });
            }
            if let Some(warning) = database.exposure() {
                observer.emit(&Observation::SettingsWarning(&format!("[embedded] path: {warning}")));
            }
            Ok(Arc::new(database))
        }
        DatabaseName::Couchbase => Ok(Arc::new(couchbase::open(&settings.couchbase, timeouts, observer)?)),
        name => Err(not_built(name)),
    }
}

/// Checks the database that the settings name step by step, and calls `print` for each step as soon as it is known.
/// Every wait is bounded by the timeouts of `[bucket]`.
pub fn check(settings: &Settings, observer: &Observer, print: &mut dyn FnMut(&Step)) -> Verdict {
    let mut report = Report::new(print);
    let timeouts = BucketTimeouts::from(&settings.bucket);
    match settings.bucket.database {
        DatabaseName::Embedded => embedded::check::run(&settings.embedded.path, &timeouts, &mut report),
        DatabaseName::Couchbase => couchbase::check::run(&settings.couchbase, timeouts, observer, &mut report),
        name => report.wrong_settings(&not_built(name)),
    }
    report.verdict()
}

/// Returns an error for a database that this program does not know how to ask.
///
/// # Errors
/// [`BucketError::Misconfigured`]
pub fn ensure_built(name: DatabaseName) -> Result<(), BucketError> {
    match name {
        DatabaseName::Embedded | DatabaseName::Couchbase => Ok(()),
        name => Err(not_built(name)),
    }
}

fn not_built(name: DatabaseName) -> BucketError {
    BucketError::misconfigured(format!("[bucket] database = \"{name}\" is not built into this program yet"))
}
