//! `[couchdb]`, `[arangodb]` and `[elasticsearch]`: databases that are asked over HTTP, and what their sections share.

use secrecy::SecretString;

use super::login::LoginSettings;
use super::tls::{TlsSettings, VerifiedTls};
use crate::config::setting::{API_KEY, ApiKeyFile, Findings, List, SecretReader, Text, Url, is_loopback, section};

section! {
    /// How to reach a database that is asked over HTTP.
    pub struct RestSettings {
        /// The nodes, each with its port, as in ["https://host1:6984", "https://host2:6984"]: the next is asked when one
        /// fails.
        pub urls: List<Url>,
        /// Who we are to the database.
        pub login: LoginSettings,
        /// Whom we trust, and who vouches for us.
        pub tls: VerifiedTls,
    }
}

section! {
    /// For [bucket] database = "couchdb".
    pub struct CouchdbSettings in "couchdb" {
        /// The database: named as the program.
        pub database: Text = "userprofiles".to_owned(),
        /// How to reach it.
        pub rest: RestSettings = RestSettings::local(5984),
    }
}

section! {
    /// For [bucket] database = "arangodb". The nodes to name are its coordinators.
    pub struct ArangodbSettings in "arangodb" {
        /// The database: the one that every server has.
        pub database: Text = "_system".to_owned(),
        /// The collection: named as the program.
        pub collection: Text = "userprofiles".to_owned(),
        /// How to reach it.
        pub rest: RestSettings = RestSettings::local(8529),
    }
}

section! {
    /// For [bucket] database = "elasticsearch": Elasticsearch or OpenSearch.
    pub struct ElasticsearchSettings in "elasticsearch" {
        /// The index (or its alias): named as the program.
        pub index: Text = "userprofiles".to_owned(),
        /// How to reach it.
        pub rest: RestSettings = RestSettings::local(9200),
        /// A file that holds an API key, in place of user name and password; the environment
        /// (USERPROFILES_ELASTICSEARCH_API_KEY) serves as well.
        pub api_key_source as "api_key_file": ApiKeyFile; example "/run/secrets/elasticsearch-api-key",
    }
    derived {
        /// From where `api_key_source` says. `None` too where Elasticsearch is not the database.
        pub api_key: Option<SecretString>,
    }
}

impl RestSettings {
    fn local(port: u16) -> Self {
        Self { urls: vec![Url::local(port)], login: LoginSettings::default(), tls: TlsSettings::default() }
    }

    pub(super) fn login_and_tls(&mut self) -> (&mut LoginSettings, &TlsSettings) {
        (&mut self.login, &self.tls)
    }

    pub(super) fn check(&self, section: &str, findings: &mut Findings) {
        self.login.check_exposure(section, self.plain_hosts(), &write_https(section), findings);
        self.check_tls(section, findings);
    }

    fn check_tls(&self, section: &str, findings: &mut Findings) {
        if self.plain_hosts().count() == self.urls.len() {
            self.tls.check_unused(section, &write_https(section), findings);
        }
    }

    /// The hosts without TLS.
    fn plain_hosts(&self) -> impl Iterator<Item = &str> {
        self.urls.iter().filter(|url| !url.scheme.is_tls()).map(|url| url.host.as_str())
    }
}

fn write_https(section: &str) -> String {
    format!("write https:// in [{section}] urls")
}

impl ElasticsearchSettings {
    /// Warns of two logins at once, and of a key that goes over the network without TLS.
    pub(super) fn check(&self, findings: &mut Findings) {
        if self.api_key.is_none() {
            return self.rest.check(Self::NAME, findings);
        }
        if self.rest.login.username.is_some() {
            findings.warn("[elasticsearch] username is not used, because there is an API key: keep one of the two");
        }
        self.rest.check_tls(Self::NAME, findings);
        let exposed: Vec<&str> = self.rest.plain_hosts().filter(|host| !is_loopback(host)).collect();
        if !exposed.is_empty() {
            findings.warn(format!(
                "the API key for [elasticsearch] is sent to {} without TLS, where anyone on the network path can read it: \
                 write https:// in [elasticsearch] urls",
                exposed.join(", ")
            ));
        }
    }

    pub(super) fn read_api_key(&mut self, reader: &mut SecretReader<'_>) {
        reader.read(Self::NAME, API_KEY, &mut self.api_key_source, &mut self.api_key);
    }
}
