//! The settings: one struct a section, filled from defaults < file < environment < flags.
//!
//! A setting is declared in one place, the struct of its section (`sections`), and everything else about it follows from
//! there (`setting`): its names, its check, its default, its comment in the example file. `load` puts the layers on top
//! of each other, `print` and `json` show what holds, and `changes` compares two loads.
//!
//! Invariant: a `Settings` that was loaded is valid in itself; whether a file or a server is there is found out by those
//! who use it. No secret is printed by anything here.

mod changes;
mod connection_string;
mod error;
mod json;
mod load;
mod print;
#[cfg(test)]
mod reference;
mod sections;
mod setting;
mod sources;

pub use changes::{for_a_restart, in_force};
pub use connection_string::{ConnectionString, Gateway, InvalidConnectionString, Scheme, Seed};
pub use error::{ConfigError, ConfigErrors, Origin, unreadable};
pub use json::{SettingsDocument, effective_json};
pub use load::{Loaded, load};
pub use print::{SectionsShown, effective, example};
pub use sections::{
    AccessLog, AdminSettings, ArangodbSettings, BucketSettings, CassandraSettings, Connections, Consistency,
    CouchbaseApi, CouchbaseSettings, CouchdbSettings, DEFAULT_PATH as DEFAULT_DATABASE_PATH, DatabaseName,
    ElasticsearchSettings, EmbeddedSettings, HttpSettings, LogFormat, LogSettings, LoginSettings, MongodbSettings,
    Network, RestSettings, Settings, TlsSettings,
};
pub use setting::{
    ListenAddress, SecretSource, TrustedProxy, Url, UrlScheme, Verification, bracketed, host_and_port, is_loopback,
    mongodb_uri_has_tls,
};
pub use sources::Sources;
