//! What the cluster manager says of the login, the bucket and its collections.
//!
//! Invariant: pure but for the exchanges that it is given. A user who may not ask for something gets no failure for
//! that: the read tells.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::bucket::couchbase::keyspace::Keyspace;
use crate::bucket::couchbase::product::COUCHBASE;
use crate::bucket::couchbase::service::Service;
use crate::bucket::rest::path_segment::segment;
use crate::bucket::rest::{Completeness, Failure, Response};

/// Which cluster it is; it needs a login, unless the cluster is not set up yet.
pub const POOLS: &str = "/pools";

/// The name of a manager in a sentence.
pub fn peer(authority: &str) -> String {
    format!("{} at {authority}", Service::Manager.name())
}

/// The longest version that is shown, in bytes. (`7.6.3-4200-enterprise`)
const LONGEST_VERSION: usize = 64;

/// What is known of the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketSeen {
    /// It is there.
    Yes,
    /// The cluster has none of that name.
    No,
    /// The user may not ask, or the manager failed.
    Unknown,
}

/// What is known of the scopes and collections of the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// The collections by their scopes.
    Known(BTreeMap<String, BTreeSet<String>>),
    /// The user may not ask, or the manager failed, or nobody asked.
    Unknown,
}

/// Reads the answer to [`POOLS`]: who we are there, or what is wrong with that.
///
/// # Errors
/// A sentence that says what to do.
pub fn login(response: &Response, authority: &str, username: Option<&str>) -> Result<String, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Pools {
        pools: Vec<serde::de::IgnoredAny>,
        implementation_version: Option<String>,
    }
    let peer = peer(authority);
    match (response.status, username) {
        (200, _) => {}
        (401, None) => {
            return Err(format!("{peer} wants a login: set [couchbase] username and password_file"));
        }
        (401, Some(user)) => {
            return Err(format!(
                "{peer} rejects user {user:?} or the password: check [couchbase] username, and what is in the \
                 password_file (in the environment: USERPROFILES_COUCHBASE_PASSWORD)"
            ));
        }
        (403, Some(user)) if is_expired(response) => {
            return Err(format!(
                "the password of user {user:?} has expired; give the user a new one, and put it into the file that \
                 [couchbase] password_file names"
            ));
        }
        (status, _) => return Err(COUCHBASE.status_failure(status, &peer).error.reason()),
    }
    let Ok(pools) = serde_json::from_slice::<Pools>(&response.body) else {
        return Err(format!(
            "{authority} answers, but not as the cluster manager of Couchbase does; check the hosts and ports of \
             [couchbase] connection_string"
        ));
    };
    if pools.pools.is_empty() {
        return Err(format!(
            "the Couchbase Server at {authority} is not set up yet: open http://{authority}/ in a browser, or run \
             couchbase-cli cluster-init there"
        ));
    }
    let who = username.map_or_else(|| "without a login".to_owned(), |user| format!("as {user:?}"));
    let version = pools.implementation_version.filter(|version| is_version(version));
    Ok(version.map_or_else(|| who.clone(), |version| format!("{who}, Couchbase {version}")))
}

fn is_expired(response: &Response) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ManagerRefusal {
        password_expired: bool,
    }
    serde_json::from_slice::<ManagerRefusal>(&response.body).is_ok_and(|refusal| refusal.password_expired)
}

fn is_version(text: &str) -> bool {
    (1..=LONGEST_VERSION).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte))
}

/// Asks whether the bucket is there.
pub fn bucket(ask: impl FnOnce(&str) -> Result<Response, Failure>, keyspace: &Keyspace) -> BucketSeen {
    match ask(&format!("/pools/default/b/{}", segment(keyspace.bucket()))) {
        Ok(Response { status: 200, .. }) => BucketSeen::Yes,
        Ok(Response { status: 404, .. }) => BucketSeen::No,
        _ => BucketSeen::Unknown,
    }
}

/// Asks for the scopes and collections of the bucket.
pub fn manifest(ask: impl FnOnce(&str) -> Result<Response, Failure>, keyspace: &Keyspace) -> Manifest {
    #[derive(Deserialize)]
    struct Scopes {
        scopes: Vec<Scope>,
    }
    #[derive(Deserialize)]
    struct Scope {
        name: String,
        collections: Vec<Collection>,
    }
    #[derive(Deserialize)]
    struct Collection {
        name: String,
    }
    match ask(&format!("/pools/default/buckets/{}/scopes", segment(keyspace.bucket()))) {
        Ok(Response { status: 200, completeness: Completeness::Complete, body, .. }) => {
            let Ok(Scopes { scopes }) = serde_json::from_slice(&body) else { return Manifest::Unknown };
            let names =
                |scope: Scope| (scope.name, scope.collections.into_iter().map(|collection| collection.name).collect());
            Manifest::Known(scopes.into_iter().map(names).collect())
        }
        _ => Manifest::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response {
            status,
            etag: None,
            body: Zeroizing::new(body.as_bytes().to_vec()),
            completeness: Completeness::Complete,
        }
    }

    #[test]
    fn a_login_is_told_with_the_version_and_its_failures_with_what_to_do() {
        let good = r#"{"pools":[{"name":"default"}],"implementationVersion":"7.6.3-4200-enterprise"}"#;
        let bad_version = r#"{"pools":[{"name":"default"}],"implementationVersion":"7\u001b[2J"}"#;
        for (status, body, user, expected) in [
            (200, good, Some("u"), Ok("as \"u\", Couchbase 7.6.3-4200-enterprise")),
            (200, good, None, Ok("without a login, Couchbase 7.6.3-4200-enterprise")),
            (200, bad_version, Some("u"), Ok("as \"u\"")),
            (200, r#"{"pools":[]}"#, Some("u"), Err("cluster-init")),
            (200, "<html>", Some("u"), Err("not as the cluster manager")),
            (401, "", None, Err("set [couchbase] username")),
            (401, "", Some("u"), Err("rejects user \"u\"")),
            (403, r#"{"message":"x","passwordExpired":true}"#, Some("u"), Err("has expired")),
            (403, r#"{"message":"x","permissions":[]}"#, Some("u"), Err("403")),
            (503, "", Some("u"), Err("not ready")),
        ] {
            let said = login(&response(status, body), "h:8091", user);
            match (&said, expected) {
                (Ok(said), Ok(expected)) => assert_eq!(said, expected),
                (Err(said), Err(part)) => assert!(said.contains(part), "{said}"),
                _ => panic!("{status} {body}: {said:?}"),
            }
        }
    }

    #[test]
    fn what_may_not_be_asked_for_is_unknown_and_not_missing() {
        let keyspace = Keyspace::new("b%1", "s", "c");
        let body = r#"{"uid":"1","scopes":[{"name":"s","uid":"8","collections":[{"name":"c","uid":"8"}]}]}"#;
        for (status, seen) in [(200, BucketSeen::Yes), (404, BucketSeen::No), (403, BucketSeen::Unknown)] {
            let ask = |path: &str| {
                assert_eq!(path, "/pools/default/b/b%251");
                Ok(response(status, "{}"))
            };
            assert_eq!(bucket(ask, &keyspace), seen);
        }
        let Manifest::Known(scopes) = manifest(|_| Ok(response(200, body)), &keyspace) else { panic!("unknown") };
        assert!(scopes["s"].contains("c"));
        for (status, body) in [(200, "[]"), (403, body), (404, body)] {
            assert_eq!(manifest(|_| Ok(response(status, body)), &keyspace), Manifest::Unknown, "{status} {body}");
        }
        assert_eq!(bucket(|_| Err(Failure::cut_short("the peer")), &keyspace), BucketSeen::Unknown);
    }
}
