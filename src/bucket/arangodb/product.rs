//! The names of ArangoDB, and advice for its operators.
//!
//! Invariant: pure.

use crate::bucket::rest::{Advice, LoginPolicy, Product};
use crate::config::ArangodbSettings;

/// ArangoDB, for the sentences that all products share.
pub static ARANGODB: Product = Product {
    name: "ArangoDB",
    section: "arangodb",
    hosts: "urls",
    login: LoginPolicy::FOLLOW_ROTATION,
    advice: Advice {
        wrong_login: "set [arangodb] username and password_file to a user that it knows",
        missing_right: "give the user of [arangodb] username the access ro to the database and the collection",
        use_tls: "write https:// in [arangodb] urls",
        no_tls: "check the ports of [arangodb] urls, or write http:// if ArangoDB has no TLS",
        not_listening: "see that ArangoDB runs there, that the port is its own (8529; in a cluster that of a coordinator), and \
                        that no firewall blocks the port; the host and the port are those of [arangodb] urls",
        other_names: "",
        no_batches: "",
    },
};

/// What the sentences speak of: the collection that is read, and by whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// `[arangodb] database`
    pub database: String,
    /// `[arangodb] collection`
    pub collection: String,
    /// `[arangodb] username`
    pub username: Option<String>,
}

impl Target {
    /// What the settings name.
    #[must_use]
    pub fn new(settings: &ArangodbSettings) -> Self {
        Self {
            database: settings.database.clone(),
            collection: settings.collection.clone(),
            username: settings.rest.login.username.clone(),
        }
    }

    /// The statement by which an administrator gives us `right`, in `arangosh`.
    #[must_use]
    pub fn grant(&self, right: &str) -> String {
        let user = self.username.as_deref().unwrap_or("USERNAME");
        format!(
            "require(\"@arangodb/users\").grantCollection({user:?}, {:?}, {:?}, {right:?})",
            self.database, self.collection
        )
    }
}
