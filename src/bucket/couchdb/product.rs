//! The names of CouchDB, and advice for its operators.
//!
//! Invariant: pure.

use std::time::Duration;

use crate::bucket::rest::{Advice, LoginPolicy, Product};
use crate::config::CouchdbSettings;

/// CouchDB, for the sentences that all products share. From 3.4 on it locks an account for an address after five wrong
/// passwords in 300 s (`[chttpd_auth_lockout]`), and says 403 to the right one then.
pub static COUCHDB: Product = Product {
    name: "CouchDB",
    section: "couchdb",
    hosts: "urls",
    login: LoginPolicy::avoid_lockout(5, Duration::from_secs(300)),
    advice: Advice {
        wrong_login: "set [couchdb] username and password_file to a user that it knows",
        missing_right: "make the user of [couchdb] username a member of the database of [couchdb] database",
        use_tls: "write https:// in [couchdb] urls",
        no_tls: "check the ports of [couchdb] urls (with TLS CouchDB has 6984 unless somebody changed it), or write http:// \
                 if it has no TLS",
        not_listening: "see that CouchDB runs there, that the port is its own (5984, with TLS 6984), and that no firewall \
                        blocks the port; the host and the port are those of [couchdb] urls",
        other_names: "",
        no_batches: "",
    },
};

/// What the sentences speak of: the database that is read, and by whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// `[couchdb] database`
    pub database: String,
    /// `[couchdb] username`
    pub username: Option<String>,
}

impl Target {
    /// What the settings name.
    #[must_use]
    pub fn new(settings: &CouchdbSettings) -> Self {
        Self { database: settings.database.clone(), username: settings.rest.login.username.clone() }
    }

    /// For a user who may not read the database.
    #[must_use]
    pub fn not_a_member(&self) -> String {
        let Some(username) = &self.username else {
            return format!(
                "the database {:?} is not for everybody, and [couchdb] username is not set; set it, and password_file",
                self.database
            );
        };
        format!(
            "the user {username:?} ([couchdb] username) is not a member of the database {:?}; as an administrator, GET \
             /{}/_security, add the user to members.names, and PUT it back",
            self.database, self.database
        )
    }

    /// For a database that is not there.
    #[must_use]
    pub fn no_database(&self) -> String {
        format!(
            "it has no database {:?}; correct [couchdb] database, or create it: userprofiles import --create FILE as an \
             administrator (or PUT /{})",
            self.database, self.database
        )
    }
}
