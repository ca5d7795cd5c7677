//! Advice for operators of Couchbase: names, roles and statements as they have to be written.
//!
//! Invariant: pure.

use super::keyspace::{Keyspace, quoted};
use crate::bucket::rest::{Advice, LoginPolicy, Product};
use crate::config::CouchbaseSettings;

/// Couchbase, for the sentences that all products share.
pub const COUCHBASE: Product = Product {
    name: "Couchbase",
    section: "couchbase",
    hosts: "connection_string",
    login: LoginPolicy::FOLLOW_ROTATION,
    advice: Advice {
        wrong_login: "set [couchbase] username and password_file to a user that it knows",
        missing_right: "the user of [couchbase] username needs the role query_select on the bucket",
        use_tls: "write couchbases:// in [couchbase] connection_string",
        no_tls: "check the ports of [couchbase] connection_string (with TLS the cluster manager has 18091 unless somebody \
                 changed it), or write couchbase:// if the cluster has no TLS",
        not_listening: "see that Couchbase runs there, that the port is its cluster manager's (8091, with TLS 18091), and \
                        that no firewall blocks the port; the host and the port are those of [couchbase] \
                        connection_string",
        other_names: " (hosts that the cluster names itself: its hostnames, or its alternate addresses with [couchbase] \
                      network)",
        no_batches: "to import and export, set [couchbase] api = \"query\" (for the one command: --set \
                     couchbase.api=query)",
    },
};

/// What the sentences speak of: the keyspace that is read, and by whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// The bucket, scope and collection.
    pub keyspace: Keyspace,
    /// `[couchbase] username`
    pub username: Option<String>,
}

impl Target {
    /// What the settings name.
    #[must_use]
    pub fn new(settings: &CouchbaseSettings) -> Self {
        let keyspace = Keyspace::new(&settings.bucket, &settings.scope, &settings.collection);
        Self { keyspace, username: settings.login.username.clone() }
    }

    /// The statement by which an administrator gives us rights: `query_select` is all that reading needs.
    #[must_use]
    pub fn grant(&self, roles: &str) -> String {
        let user = self.username.as_deref().map_or_else(|| "USERNAME".to_owned(), quoted);
        format!("GRANT {roles} ON {} TO {user};", self.keyspace)
    }

    /// Who asks, in words.
    #[must_use]
    pub fn who(&self) -> &str {
        self.username
            .as_deref()
            .unwrap_or("the one of the client certificate; without one nobody, since [couchbase] username is not set")
    }
}

/// The sentence for a user without the right to read, by the protocols that need the role `data_reader`.
#[must_use]
pub fn may_not_read(target: &Target) -> String {
    let who = target.username.as_deref().unwrap_or("nobody, since [couchbase] username is not set");
    let (keyspace, bucket) = (&target.keyspace, target.keyspace.bucket());
    format!(
        "the user ({who}) may not read {keyspace}; an administrator has to add the role data_reader[{}] to it, in the \
         console under Security or with couchbase-cli user-manage (Community Edition: bucket_full_access[{bucket}]; \
         Capella: read access to the bucket)",
        keyspace.of_role()
    )
}

/// The sentence for a bucket, scope or collection that is not there.
#[must_use]
pub fn is_missing(what: &str, target: &Target) -> String {
    format!(
        "it has no such {what} as that of {}; set [couchbase] bucket, scope and collection to what is there, or create \
         it",
        target.keyspace
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_is_named_as_it_has_to_be_written() {
        for (scope, collection, role) in [
            ("_default", "_default", "data_reader[b]"),
            ("s", "c", "data_reader[b:s:c]"),
            ("_default", "c", "data_reader[b:_default:c]"),
        ] {
            let keyspace = Keyspace::new("b", scope, collection);
            let sentence = may_not_read(&Target { keyspace, username: Some("reader".to_owned()) });
            assert!(sentence.contains(role) && sentence.contains("(reader)"), "{sentence}");
        }
    }
}
