//! The names of Elasticsearch and OpenSearch, and advice for their operators.
//!
//! Invariant: pure.

use crate::bucket::rest::{Advice, LoginPolicy, Product};

/// Elasticsearch, or OpenSearch, for the sentences that all products share.
pub static ELASTICSEARCH: Product = Product {
    name: "Elasticsearch or OpenSearch",
    section: "elasticsearch",
    hosts: "urls",
    login: LoginPolicy::FOLLOW_ROTATION,
    advice: Advice {
        wrong_login: "set [elasticsearch] username and password_file, or api_key_file, to a login that it knows",
        missing_right: "give the login of [elasticsearch] the privilege read on the index of [elasticsearch] index",
        use_tls: "write https:// in [elasticsearch] urls",
        no_tls: "check the ports of [elasticsearch] urls, or write http:// if it has no TLS",
        not_listening: "see that Elasticsearch or OpenSearch runs there, that the port is that of its HTTP interface (9200), \
                        and that no firewall blocks the port; the host and the port are those of [elasticsearch] urls",
        other_names: "",
        no_batches: "",
    },
};
