//! The names of MongoDB, and advice for its operators.
//!
//! Invariant: pure.

use std::time::Duration;

use crate::bucket::remote::{Advice, LoginPolicy, Product};
use crate::config::MongodbSettings;

/// MongoDB, for the sentences that all products share.
pub static MONGODB: Product = Product {
    name: "MongoDB",
    section: "mongodb",
    hosts: "uri",
    // A refused login costs a client, and one is opened once a second.
    login: LoginPolicy { probe_interval: Duration::from_secs(1), ..LoginPolicy::FOLLOW_ROTATION },
    advice: Advice {
        wrong_login: "set [mongodb] username and password_file to a user that it knows, and authSource=DATABASE in \
                      [mongodb] uri if the user was created in another database than admin",
        missing_right: "give the user of [mongodb] username the role read on the database of [mongodb] database",
        use_tls: "write tls=true in [mongodb] uri",
        no_tls: "check the ports of [mongodb] uri, or take tls=true out of it if it has no TLS",
        not_listening: "see that MongoDB runs there, that the port is its own (27017), that its net.bindIp is \
                        not 127.0.0.1 only, and that no firewall blocks the port; the host and the port are those of [mongodb] uri",
        other_names: "",
        no_batches: "",
    },
};

/// What the sentences speak of: the collection that is read, and by whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// `[mongodb] database`
    pub database: String,
    /// `[mongodb] collection`
    pub collection: String,
    /// `[mongodb] username`
    pub username: Option<String>,
}

impl Target {
    /// What the settings name.
    #[must_use]
    pub fn new(settings: &MongodbSettings) -> Self {
        Self {
            database: settings.database.clone(),
            collection: settings.collection.clone(),
            username: settings.login.username.clone(),
        }
    }

    /// For a user who lacks this role, in order to do `what` with the collection.
    #[must_use]
    pub fn missing_role(&self, role: &str, what: &str) -> String {
        let Self { database, collection, username } = self;
        match username {
            Some(user) => format!(
                "the user {user:?} ([mongodb] username) may not {what} the collection {collection:?} of the database \
                 {database:?}; as an administrator, in the database where the user was created: \
                 db.grantRolesToUser({user:?}, [{{role: {role:?}, db: {database:?}}}])"
            ),
            None => format!(
                "it wants a login to {what} the collection {collection:?} of the database {database:?}; set [mongodb] \
                 username and password_file, or client_certificate_file"
            ),
        }
    }

    /// For a collection, or a database, that is not there.
    #[must_use]
    pub fn no_collection(&self) -> String {
        let Self { database, collection, .. } = self;
        format!(
            "MongoDB has no collection {collection:?} in a database {database:?}; correct [mongodb] database and \
             collection, or create it: userprofiles import --create FILE"
        )
    }
}
