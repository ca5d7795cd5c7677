//! `[cassandra]`

use super::login::LoginSettings;
use super::tls::VerifiedTls;
use crate::config::setting::{CassandraName, CassandraNode, List, Text, choice, section};

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
        /// Nodes to begin with; the others are learnt from them.
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
        /// Who we are to the database.
        pub login: LoginSettings,
        /// Whom we trust, and who vouches for us.
        pub tls: VerifiedTls,
    }
}
