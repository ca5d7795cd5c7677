//! Every database by its name. This is the one file that knows them all.
//!
//! Invariant: no database is asked anything here.

use std::sync::Arc;

use super::driver::{Driver, IfMissing, Opening};
use super::report::{Report, Step, Verdict};
use super::{BucketError, BucketTimeouts, Database, arangodb, couchbase, couchdb, elasticsearch, embedded};
use crate::config::{DatabaseName, Settings};
use crate::observe::Observer;

/// The driver of a database.
fn driver(name: DatabaseName) -> Result<&'static dyn Driver, BucketError> {
    Ok(match name {
        DatabaseName::Embedded => &embedded::DRIVER,
        DatabaseName::Couchbase => &couchbase::DRIVER,
        DatabaseName::Couchdb => &couchdb::DRIVER,
        DatabaseName::Arangodb => &arangodb::DRIVER,
        DatabaseName::Elasticsearch => &elasticsearch::DRIVER,
        #[cfg(feature = "mongodb")]
        DatabaseName::Mongodb => &super::mongodb::DRIVER,
        #[cfg(feature = "cassandra")]
        DatabaseName::Cassandra => &super::cassandra::DRIVER,
        #[allow(unreachable_patterns, reason = "a program may have all of them")]
        name => {
            return Err(BucketError::misconfigured(format!(
                "[bucket] database = \"{name}\" is not built into this program; take a package, which has every database, \
                 or build it in: cargo build --release --features {name}"
            )));
        }
    })
}

/// Opens the database that the settings name.
///
/// # Errors
/// As [`Driver::open`]; [`BucketError::Misconfigured`] too for a database that is not built in.
pub fn open(settings: &Settings, if_missing: IfMissing, observer: &Observer) -> Result<Arc<dyn Database>, BucketError> {
    driver(settings.bucket.database)?.open(&opening(settings, if_missing, observer))
}

/// Checks the database that the settings name step by step, and calls `print` for each step as soon as it is known.
pub fn check(settings: &Settings, observer: &Observer, print: &mut dyn FnMut(&Step)) -> Verdict {
    let mut report = Report::new(print);
    match driver(settings.bucket.database) {
        Ok(driver) => driver.check(&opening(settings, IfMissing::Refuse, observer), &mut report),
        Err(error) => report.wrong_settings(&error),
    }
    report.verdict()
}

/// Returns an error for a database that is not built in.
///
/// # Errors
/// [`BucketError::Misconfigured`]
pub fn ensure_built(name: DatabaseName) -> Result<(), BucketError> {
    driver(name).map(drop)
}

fn opening<'a>(settings: &'a Settings, if_missing: IfMissing, observer: &'a Observer) -> Opening<'a> {
    Opening { settings, timeouts: BucketTimeouts::from(&settings.bucket), observer, if_missing }
}
