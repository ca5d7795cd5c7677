//! The settings: one struct a section, filled from defaults < file < environment < flags.
//!
//! Every setting stands in one table (`table.rs`), from which come the names, the checks, the defaults, the example
//! file and what `config` prints; the structs here are what the rest of the program reads.
//!
//! Invariant: a `Settings` that exists is valid in itself; whether a file or a server is there is found out by those
//! who use it. No secret is printed by anything here.

mod bucket;
mod changes;
mod checks;
mod connection_string;
mod couchbase;
mod error;
mod file;
mod http;
mod listen;
mod load;
mod log;
mod names;
mod print;
mod secrets;
mod table;
mod value;
mod values;

pub use bucket::{BucketSettings, Connections, DatabaseName, EmbeddedSettings};
pub use changes::for_a_restart;
pub use connection_string::{ConnectionString, Gateway, InvalidConnectionString, Scheme, Seed, Verification};
pub use couchbase::{CouchbaseApi, CouchbaseSettings, LoginSettings, Network, TlsSettings, is_loopback, unreadable};
pub use error::{ConfigError, ConfigErrors, Origin};
pub use http::{AdminSettings, HttpSettings};
pub use listen::ListenAddress;
pub use load::{Loaded, Sources, load};
pub use log::{LogFormat, LogSettings};
pub use print::{effective, example};
pub use secrets::SecretSource;

use secrets::Found;
use values::Values;

/// Every setting of the program.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[http]`
    pub http: HttpSettings,
    /// `[admin]`
    pub admin: AdminSettings,
    /// `[bucket]`
    pub bucket: BucketSettings,
    /// `[embedded]`
    pub embedded: EmbeddedSettings,
    /// `[couchbase]`
    pub couchbase: CouchbaseSettings,
    /// `[log]`
    pub log: LogSettings,
}

impl Settings {
    fn read(values: &Values, connection_string: ConnectionString, secrets: &[Found]) -> Result<Self, ConfigError> {
        Ok(Self {
            http: HttpSettings::read(values)?,
            admin: AdminSettings::read(values)?,
            bucket: BucketSettings::read(values)?,
            embedded: EmbeddedSettings::read(values)?,
            couchbase: CouchbaseSettings::read(values, connection_string, secrets)?,
            log: LogSettings::read(values)?,
        })
    }

    /// Checks what concerns more than one setting.
    fn check(&self, values: &Values, errors: &mut Vec<ConfigError>, warnings: &mut Vec<String>) {
        self.http.check(values, errors);
        self.admin.check(&self.http, values, errors);
        self.bucket.check(self.http.workers, warnings);
        if self.bucket.database == DatabaseName::Couchbase {
            self.couchbase.check(values, errors, warnings);
        }
    }
}
