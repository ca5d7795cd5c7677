//! The settings of a program that reads from Couchbase, by the same way that its own come about.

use std::net::SocketAddr;

use userprofiles::config::{Settings, Sources, load};

/// The defaults, with these nodes, this login, and what else is `set` (`SECTION.KEY=VALUE`).
pub fn settings(nodes: &[SocketAddr], username: &str, password: &str, set: &[&str]) -> Settings {
    let nodes: Vec<String> = nodes.iter().map(SocketAddr::to_string).collect();
    let ours = [
        "bucket.database=couchbase".to_owned(),
        format!("couchbase.connection_string=http://{}", nodes.join(",")),
        format!("couchbase.username={username}"),
    ];
    let sources = Sources {
        search: Vec::new(),
        environment: vec![("USERPROFILES_COUCHBASE_PASSWORD".into(), password.into())],
        set: ours.into_iter().chain(set.iter().map(|&setting| setting.to_owned())).collect(),
        ..Sources::default()
    };
    load(&sources).unwrap().settings
}
