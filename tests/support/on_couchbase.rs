//! The real binary on the Couchbase double. The test program has the modules `support` and `couchbase` beside this one.
#![allow(dead_code, reason = "each test program uses a part of what is here")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::couchbase::{BUCKET, Double, MESSAGE_MARKER, PASSWORD, USERNAME};
use crate::support::server::Server;

/// Both values of `[bucket] connections`, as settings.
pub const MODES: [&str; 2] = ["bucket.connections=per-request", "bucket.connections=pooled"];

/// Stands in every `hashed_password` of these tests, and must stand nowhere else.
pub const HASH: &str = "hash-marker-0815";

/// A profile of a user without anything optional.
pub fn profile(username: &str) -> String {
    format!(r#"{{"username":"{username}","hashed_password":"{HASH}"}}"#)
}

/// A server of this cluster. Of two settings of one name the later one holds.
pub fn serve(double: &Double, settings: &[&str]) -> Server {
    serve_at(&double.connection_string(), PASSWORD, settings)
}

/// A server of whatever is at this address.
pub fn serve_at(connection_string: &str, password: &str, settings: &[&str]) -> Server {
    let connection_string = format!("couchbase.connection_string={connection_string}");
    let (bucket, username) = (format!("couchbase.bucket={BUCKET}"), format!("couchbase.username={USERNAME}"));
    let mut all = vec!["bucket.database=couchbase", &connection_string, &bucket, &username];
    all.extend(settings);
    Server::start_with(&all, &[], |command| {
        command.env("USERPROFILES_COUCHBASE_PASSWORD", password);
    })
}

/// Asserts that a text holds nothing that must stay inside: no login, no hash, no message of the database.
pub fn assert_holds_no_secret(text: &str) {
    let login = STANDARD.encode(format!("{USERNAME}:{PASSWORD}"));
    for secret in [PASSWORD, &login, HASH, MESSAGE_MARKER] {
        assert!(!text.contains(secret), "{secret:?} stands in:\n{text}");
    }
}
