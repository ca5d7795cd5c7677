//! Which program this is: its version, the commit it was built from, and the databases that are built in.
//!
//! Invariant: known without settings, files or a database.

use crate::bucket::drivers;
use crate::config::DatabaseName;

/// The version and the commit, which `build.rs` finds out.
pub const SHORT: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILD_COMMIT"), ")");

/// With a second line that names the databases.
#[must_use]
pub fn long() -> String {
    let built = DatabaseName::ALL.iter().filter(|name| drivers::ensure_built(**name).is_ok());
    let names: Vec<&str> = built.map(|name| name.as_str()).collect();
    format!("{SHORT}\ndatabases: {}", names.join(", "))
}
