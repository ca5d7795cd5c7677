//! The sections of the settings: one struct each, in which each setting is declared once (`section!`).
//!
//! Invariant: a section knows of another one only what it has to agree with.

mod admin;
mod bucket;
mod cassandra;
mod couchbase;
mod embedded;
mod http;
mod log;
mod login;
mod mongodb;
mod rest;
mod tls;

pub use admin::AdminSettings;
pub use bucket::{BucketSettings, Connections, DatabaseName};
pub use cassandra::{CassandraSettings, Consistency};
pub use couchbase::{CouchbaseApi, CouchbaseSettings, Network};
pub use embedded::{DEFAULT_PATH, EmbeddedSettings};
pub use http::HttpSettings;
pub use log::{AccessLog, LogFormat, LogSettings};
pub use login::LoginSettings;
pub use mongodb::MongodbSettings;
pub use rest::{ArangodbSettings, CouchdbSettings, ElasticsearchSettings, RestSettings};
pub use tls::TlsSettings;

use crate::config::setting::{About, Field, Findings, Origins, Raw, SecretReader, Section, SettingName};

macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident: $section:ident,)*) => {
        /// Every setting of the program.
        #[derive(Clone, Debug, Default)]
        pub struct Settings { $($(#[$doc])* pub $field: $section,)* }

        impl Settings {
            /// Sets one setting; `None` if there is none of this name.
            pub(super) fn set(&mut self, section: &str, key: &str, raw: &Raw) -> Option<Result<(), String>> {
                match section {
                    $($section::NAME => $section::set(&mut self.$field, "", key, raw),)*
                    _ => None,
                }
            }

            /// Returns every setting and what holds for it, in the order of the example file.
            pub(super) fn sections(&self) -> Vec<Section> {
                vec![$(Section {
                    name: $section::NAME,
                    help: $section::HELP,
                    settings: described(&self.$field, $section::NAME),
                },)*]
            }
        }
    };
}

settings! {
    /// `[http]`
    http: HttpSettings,
    /// `[admin]`
    admin: AdminSettings,
    /// `[bucket]`
    bucket: BucketSettings,
    /// `[embedded]`
    embedded: EmbeddedSettings,
    /// `[couchbase]`
    couchbase: CouchbaseSettings,
    /// `[mongodb]`
    mongodb: MongodbSettings,
    /// `[cassandra]`
    cassandra: CassandraSettings,
    /// `[couchdb]`
    couchdb: CouchdbSettings,
    /// `[arangodb]`
    arangodb: ArangodbSettings,
    /// `[elasticsearch]`
    elasticsearch: ElasticsearchSettings,
    /// `[log]`
    log: LogSettings,
}

fn described<S: Field<Value = S>>(section: &S, name: &'static str) -> Vec<crate::config::setting::Setting> {
    let mut settings = Vec::new();
    S::describe(section, &About { name: SettingName::new(name, ""), help: "", example: None }, &mut settings);
    settings
}

impl Settings {
    /// Returns the section of the database that is in use, if that is one over a network.
    fn in_use(&mut self) -> Option<(&'static str, &mut LoginSettings, &TlsSettings)> {
        let (section, (login, tls)) = match self.bucket.database {
            DatabaseName::Embedded => return None,
            DatabaseName::Couchbase => (CouchbaseSettings::NAME, (&mut self.couchbase.login, &self.couchbase.tls)),
            DatabaseName::Mongodb => (MongodbSettings::NAME, (&mut self.mongodb.login, &self.mongodb.tls)),
            DatabaseName::Cassandra => (CassandraSettings::NAME, (&mut self.cassandra.login, &self.cassandra.tls)),
            DatabaseName::Couchdb => (CouchdbSettings::NAME, self.couchdb.rest.login_and_tls()),
            DatabaseName::Arangodb => (ArangodbSettings::NAME, self.arangodb.rest.login_and_tls()),
            DatabaseName::Elasticsearch => (ElasticsearchSettings::NAME, self.elasticsearch.rest.login_and_tls()),
        };
        Some((section, login, tls))
    }

    /// Reads the secrets of the database that is in use.
    pub(super) fn read_secrets(&mut self, reader: &mut SecretReader<'_>) {
        if let Some((section, login, _)) = self.in_use() {
            login.read_password(section, reader);
        }
        if self.bucket.database == DatabaseName::Elasticsearch {
            self.elasticsearch.read_api_key(reader);
        }
    }

    /// Checks what concerns more than one setting.
    pub(super) fn check(&mut self, origins: &Origins, findings: &mut Findings) {
        self.admin.check(&self.http, origins, findings);
        self.bucket.check(self.http.workers, findings);
        if let Some((section, login, tls)) = self.in_use() {
            tls.check(section, origins, findings);
            login.check(section, findings);
        }
        match self.bucket.database {
            DatabaseName::Couchbase => self.couchbase.check(findings),
            DatabaseName::Couchdb => self.couchdb.rest.check(CouchdbSettings::NAME, findings),
            DatabaseName::Arangodb => self.arangodb.rest.check(ArangodbSettings::NAME, findings),
            DatabaseName::Elasticsearch => self.elasticsearch.check(findings),
            DatabaseName::Mongodb => self.mongodb.check(findings),
            DatabaseName::Cassandra => self.cassandra.check(findings),
            DatabaseName::Embedded => {}
        }
    }
}
