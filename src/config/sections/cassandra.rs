//! `[cassandra]`

use super::login::LoginSettings;
use super::tls::VerifiedTls;
use crate::config::setting::{CassandraName, CassandraNode, Findings, List, Text, choice, host_and_port, section};

choice! {
    /// `[cassandra] consistency`
    pub enum Consistency {
        /// One replica, wherever it is.
        One = "ONE",
        /// Two.
        Two = "TWO",
        /// Three.
        Three = "THREE",
        /// More than half of all.
        Quorum = "QUORUM",
        /// All.
        All = "ALL",
        /// More than half of those in the local data centre.
        LocalQuorum = "LOCAL_QUORUM",
        /// More than half in each data centre.
        EachQuorum = "EACH_QUORUM",
        /// One in the local data centre.
        LocalOne = "LOCAL_ONE",
    }
}

section! {
    /// For [bucket] database = "cassandra".
    pub struct CassandraSettings in "cassandra" {
        /// Nodes to begin with, as in ["host1", "host2:9042"]; the others are learnt from them.
        pub nodes: List<CassandraNode> = vec!["127.0.0.1:9042".to_owned()],
        /// The data centre whose nodes are asked: Cassandra's own name for its first one.
        pub local_datacenter: Text = "datacenter1".to_owned(),
        /// The keyspace: named as the program.
        pub keyspace: CassandraName = "userprofiles".to_owned(),
        /// The table: named likewise.
        pub table: CassandraName = "userprofiles".to_owned(),
        /// How many replicas must agree. LOCAL_QUORUM shows what was written with LOCAL_QUORUM, survives the loss of one
        /// replica of three, and waits for no other data centre.
        pub consistency: Consistency = Consistency::LocalQuorum,
        /// true: connections to the nodes are made over TLS.
        pub uses_tls as "tls": bool = false,
        /// Who we are to the database.
        pub login: LoginSettings,
        /// Whom we trust, and who vouches for us.
        pub tls: VerifiedTls,
    }
}

impl CassandraSettings {
    pub(super) fn check(&self, findings: &mut Findings) {
        if self.uses_tls {
            return;
        }
        let remedy = "set [cassandra] tls = true";
        self.tls.check_unused(Self::NAME, remedy, findings);
        self.login.check_exposure(Self::NAME, self.nodes.iter().map(|node| host_and_port(node).0), remedy, findings);
    }
}
