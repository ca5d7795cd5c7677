//! `[couchbase]`
//!
//! Invariant: what the connection string says holds only where no file, variable or flag says otherwise, and only if
//! Couchbase is the database; `load` sees to that.

use super::login::LoginSettings;
use super::tls::TlsSettings;
use crate::config::connection_string::ConnectionString;
use crate::config::setting::{
    AnyText, BucketName, CollectionName, Findings, Kind, Raw, Text, Verification, choice, quoted, section,
};

choice! {
    /// `[couchbase] api`
    pub enum CouchbaseApi {
        /// The query service.
        Query = "query",
        /// The document endpoint of the cluster manager.
        Documents = "documents",
        /// The Data API.
        DataApi = "data-api",
    }
}

/// `[couchbase] network`: which of a node's addresses are dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// Whichever the seed that answered belongs to.
    #[default]
    Auto,
    /// The addresses by which the nodes know each other.
    Default,
    /// An alternate address by its name; `external` is the usual one.
    Alternate(String),
}

impl Kind for Network {
    type Value = Self;

    fn read(raw: &Raw) -> Result<Self, String> {
        Ok(match Text::read(raw)?.as_str() {
            "auto" => Self::Auto,
            "default" => Self::Default,
            name => Self::Alternate(name.to_owned()),
        })
    }

    fn to_toml(network: &Self) -> Option<String> {
        Some(quoted(match network {
            Self::Auto => "auto",
            Self::Default => "default",
            Self::Alternate(name) => name,
        }))
    }
}

section! {
    /// For [bucket] database = "couchbase".
    pub struct CouchbaseSettings in "couchbase" {
        /// couchbase://host1,host2, or couchbases:// for TLS. Bucket, user name, timeouts (in seconds) and network in it
        /// hold where no setting says otherwise, as in
        /// couchbase://couchbasehost:8091?operation_timeout=30&n1ql_timeout=300. A password in it is refused.
        pub(in crate::config) written as "connection_string": AnyText = "couchbase://127.0.0.1".to_owned(),
        /// The bucket. The tutorial's name; take your own.
        pub bucket: BucketName = "bucket_name".to_owned(),
        /// The scope in the bucket. Every bucket has "_default", also on servers that know no scopes.
        pub scope: CollectionName = "_default".to_owned(),
        /// The collection in the scope; likewise.
        pub collection: CollectionName = "_default".to_owned(),
        /// Who we are to the cluster.
        pub login: LoginSettings,
        /// How documents are read. "query": by the query service, which is the way to choose wherever a node runs it; no
        /// index is needed. "documents": by the cluster managers, for clusters without a query service; an address that
        /// Couchbase does not document, so a new version may change it. "data-api": by the Data API of Capella or of the
        /// cloud-native gateway, where only HTTPS on port 443 gets through; the connection string is then https:// and
        /// its host, and a username with a slash gets a 422.
        pub api: CouchbaseApi = CouchbaseApi::Query,
        /// Whom we trust, and who vouches for us.
        pub tls: TlsSettings,
        /// Which of a node's addresses are dialled: "default" (by which the nodes know each other), "external" or
        /// another name that the cluster has, or "auto": those among which the address is that was dialled first.
        pub network: Network,
    }
    derived {
        /// `connection_string`: holds no password.
        pub connection_string: ConnectionString = ConnectionString::localhost(),
    }
}

const WRITE_TLS: &str = "write couchbases:// in [couchbase] connection_string";

impl CouchbaseSettings {
    pub(super) fn check(&self, findings: &mut Findings) {
        if !self.connection_string.scheme.is_tls() {
            let hosts = self.connection_string.seeds.iter().map(|seed| seed.host.as_str());
            self.tls.check_unused(Self::NAME, WRITE_TLS, findings);
            self.login.check_exposure(Self::NAME, hosts, WRITE_TLS, findings);
        } else if self.tls.verification == Verification::Off {
            findings.warn(
                "the certificates of Couchbase are not checked: whoever can redirect a connection reads the password; \
                 name the cluster's own authority in [couchbase] ca_file instead",
            );
        }
    }
}
