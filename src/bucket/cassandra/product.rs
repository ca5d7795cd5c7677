//! The names of Cassandra and `ScyllaDB`, and advice for their operators.
//!
//! Invariant: pure.

use std::time::Duration;

use crate::bucket::remote::{Advice, LoginPolicy, Product};
use crate::config::{CassandraSettings, Consistency};

/// Cassandra, for the sentences that all products share. `ScyllaDB` is asked in the same way.
pub static CASSANDRA: Product = Product {
    name: "Cassandra",
    section: "cassandra",
    hosts: "nodes",
    // A refused login costs a session, and one is opened once a second.
    login: LoginPolicy { probe_interval: Duration::from_secs(1), ..LoginPolicy::FOLLOW_ROTATION },
    advice: Advice {
        wrong_login: "set [cassandra] username and password_file to a role that it knows and that has LOGIN",
        missing_right: "GRANT SELECT on the table to the role of [cassandra] username",
        use_tls: "set [cassandra] tls = true",
        no_tls: "check the ports of [cassandra] nodes, or set [cassandra] tls = false if it has no TLS",
        not_listening: "see that Cassandra runs there, that the port is its native_transport_port (9042), that its \
                        rpc_address is not 127.0.0.1 only, and that no firewall blocks the port; the host and the port are those of \
                        [cassandra] nodes",
        other_names: " (the address of the node is looked for in it, not its name: an IP address in subjectAltName)",
        no_batches: "",
    },
};

/// What the statements and the sentences speak of: the table that is read, and by whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// `[cassandra] keyspace`, in small letters, as the database has it.
    pub keyspace: String,
    /// `[cassandra] table`, likewise.
    pub table: String,
    /// `[cassandra] local_datacenter`
    pub datacenter: String,
    /// `[cassandra] consistency`
    pub consistency: Consistency,
    /// `[cassandra] username`
    pub username: Option<String>,
}

impl Target {
    /// What the settings name.
    #[must_use]
    pub fn new(settings: &CassandraSettings) -> Self {
        Self {
            keyspace: settings.keyspace.to_ascii_lowercase(),
            table: settings.table.to_ascii_lowercase(),
            datacenter: settings.local_datacenter.clone(),
            consistency: settings.consistency,
            username: settings.login.username.clone(),
        }
    }

    /// The table in a statement: in quotes, so that a name may be a word of CQL.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\".\"{}\"", self.keyspace, self.table)
    }

    /// The table in a sentence.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.keyspace, self.table)
    }

    /// Makes the keyspace; `factor` is the number of replicas in the local data centre.
    #[must_use]
    pub fn create_keyspace(&self, factor: u8) -> String {
        format!(
            "CREATE KEYSPACE IF NOT EXISTS \"{}\" WITH replication = {{'class': 'NetworkTopologyStrategy', '{}': {factor}}}",
            self.keyspace,
            self.datacenter.replace('\'', "''")
        )
    }

    /// Makes the table.
    #[must_use]
    pub fn create_table(&self) -> String {
        format!("CREATE TABLE IF NOT EXISTS {} (id text PRIMARY KEY, doc text)", self.quoted())
    }

    /// For a role that lacks this permission, in order to do `what` with the table.
    #[must_use]
    pub fn missing_permission(&self, permission: &str, what: &str) -> String {
        let table = self.name();
        match &self.username {
            Some(role) => format!(
                "the role {role:?} ([cassandra] username) may not {what} the table {table}; as a superuser: \
                 GRANT {permission} ON TABLE {table} TO \"{role}\";"
            ),
            None => format!("it wants a login to {what} the table {table}; set [cassandra] username and password_file"),
        }
    }

    /// For a keyspace or a table that is not there.
    #[must_use]
    pub fn no_table(&self) -> String {
        format!(
            "it has no table {table}; correct [cassandra] keyspace and table, or create it: userprofiles import --create \
             FILE (or CREATE TABLE {table} (id text PRIMARY KEY, doc text); in a keyspace that is there)",
            table = self.name()
        )
    }
}
