//! The one read, and what it says of bucket, scope, collection and role where the cluster manager did not.
//!
//! Invariant: pure but for the exchange that it is given. Of several steps one failure makes one fail: the others say
//! that they need it.

use std::time::Duration;

use super::manager::{BucketSeen, Manifest};
use crate::bucket::BucketError;
use crate::bucket::Trace;
use crate::bucket::check::{Walk, reason};
use crate::bucket::couchbase::Shared;
use crate::bucket::couchbase::failure::Failure;
use crate::bucket::couchbase::keyspace::{Keyspace, quoted};
use crate::bucket::couchbase::query::envelope;
use crate::bucket::couchbase::query::meaning::Target;
use crate::bucket::couchbase::transport::Reply;
use crate::bucket::couchbase::way::{Request, Way};
use crate::clock;
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};

/// How the read of the sentinel ended.
pub struct Sentinel {
    /// How long it took, or why it failed.
    outcome: Result<Duration, Cause>,
    /// The failure in words.
    sentence: String,
}

/// Which step a failed read belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Bucket,
    Scope,
    /// The keyspace: what is missing of it is not said.
    Keyspace,
    Role,
    /// The read itself.
    Read,
}

/// Reads an id that no user has.
pub fn sentinel(
    way: &dyn Way,
    peer: &str,
    left: Duration,
    ask: impl FnOnce(&Request, usize) -> Result<Reply, Failure>,
) -> Sentinel {
    let id = DocumentId::sentinel();
    let start = clock::now();
    let mut cause = Cause::Read;
    let read = || {
        let request = way.read_request(&id, left, &Trace::default()).map_err(Failure::lasting)?;
        let reply = ask(&request, MAX_DOCUMENT_BYTES)?;
        cause = cause_of(&envelope::codes(&reply.body));
        way.read_reply(&reply, &id, peer).outcome
    };
    match read() {
        // A document under that name would be somebody's joke; it was read all the same.
        Ok(_) | Err(Failure { error: BucketError::InvalidDocument(_), .. }) => {
            let took = clock::now().saturating_duration_since(start);
            Sentinel { outcome: Ok(took), sentence: String::new() }
        }
        Err(failure) => Sentinel { outcome: Err(cause), sentence: reason(&failure.error) },
    }
}

/// What the numbers of the query service speak of. The other ways have none.
fn cause_of(codes: &[i64]) -> Cause {
    let cause = codes.iter().find_map(|code| match code {
        12_020 => Some(Cause::Bucket),
        12_021 => Some(Cause::Scope),
        12_003 => Some(Cause::Keyspace),
        10_000 | 13_014 => Some(Cause::Role),
        _ => None,
    });
    cause.unwrap_or(Cause::Read)
}

impl Sentinel {
    /// Where nothing else was asked.
    pub fn report_alone(&self, walk: &mut Walk) {
        walk.skipped("role", "the read tells");
        self.report_read(walk);
    }

    /// The steps `bucket`, `scope`, `collection`, `role` and `read`.
    pub fn report(&self, bucket: BucketSeen, manifest: &Manifest, shared: &Shared, walk: &mut Walk) {
        let keyspace = &shared.keyspace;
        let username = shared.login.username().map(str::to_owned);
        let target = Target { keyspace: keyspace.clone(), username };
        let (name, scope, collection) = (keyspace.bucket(), keyspace.scope(), keyspace.collection());
        let mut steps = Steps { walk, broken: None };
        steps.take("bucket", self.bucket(bucket, keyspace), name, || {
            format!(
                "the cluster has no bucket {name:?}: set [couchbase] bucket to one that it has, or make it: couchbase-cli \
                 bucket-create -c HOST -u ADMINISTRATOR -p --bucket {name} --bucket-type couchbase --bucket-ramsize 256"
            )
        });
        steps.take("scope", self.scope(manifest, keyspace), scope, || {
            let (bucket, quoted) = (quoted(name), quoted(scope));
            format!("the bucket has no scope {scope:?}: set [couchbase] scope, or run: CREATE SCOPE {bucket}.{quoted};")
        });
        steps.take("collection", self.collection(manifest, keyspace), collection, || {
            format!(
                "the scope has no collection {collection:?}: set [couchbase] collection, or run: CREATE COLLECTION \
                 {keyspace};"
            )
        });
        let who = who(&target);
        steps.take("role", self.role(), &format!("{who} may read {keyspace}"), || {
            format!("{who} may not read {keyspace}; an administrator can run: {}", target.grant("query_select"))
        });
        match steps.broken {
            Some(broken) => walk.skipped("read", format!("needs {broken}")),
            None => self.report_read(walk),
        }
    }

    fn bucket(&self, seen: BucketSeen, keyspace: &Keyspace) -> Finding {
        match (self.outcome, seen) {
            (Ok(_) | Err(Cause::Scope), _) | (_, BucketSeen::Yes) => Finding::There,
            (Err(Cause::Bucket), _) | (_, BucketSeen::No) => Finding::Missing,
            (Err(Cause::Keyspace), BucketSeen::Unknown) if keyspace.is_default() => Finding::Missing,
            (Err(_), BucketSeen::Unknown) => Finding::Unknown,
        }
    }

    fn scope(&self, manifest: &Manifest, keyspace: &Keyspace) -> Finding {
        match (self.outcome, manifest) {
            (_, Manifest::Known(scopes)) => Finding::of(scopes.contains_key(keyspace.scope())),
            (Err(Cause::Scope), Manifest::Unknown) => Finding::Missing,
            // The engine looks for the scope before it looks for the collection.
            (Ok(_) | Err(Cause::Keyspace), Manifest::Unknown) => Finding::There,
            (Err(_), Manifest::Unknown) => Finding::always_there(keyspace),
        }
    }

    fn collection(&self, manifest: &Manifest, keyspace: &Keyspace) -> Finding {
        match (self.outcome, manifest) {
            (_, Manifest::Known(scopes)) => {
                let collections = scopes.get(keyspace.scope());
                Finding::of(collections.is_some_and(|collections| collections.contains(keyspace.collection())))
            }
            (Err(Cause::Keyspace), Manifest::Unknown) => Finding::Missing,
            (Ok(_), Manifest::Unknown) => Finding::There,
            (Err(_), Manifest::Unknown) => Finding::always_there(keyspace),
        }
    }

    fn role(&self) -> Finding {
        match self.outcome {
            Ok(_) => Finding::There,
            Err(Cause::Role) => Finding::Missing,
            Err(_) => Finding::Unknown,
        }
    }

    fn report_read(&self, walk: &mut Walk) {
        match self.outcome {
            Ok(took) => walk.passed("read", format!("a document was looked for, in {} ms", took.as_millis())),
            Err(_) => walk.failed("read", self.sentence.clone()),
        }
    }
}

fn who(target: &Target) -> String {
    match &target.username {
        Some(user) => format!("user {user:?}"),
        None => "nobody (there is no [couchbase] username)".to_owned(),
    }
}

/// Steps of which each needs the one before.
struct Steps<'a, 'b> {
    walk: &'a mut Walk<'b>,
    broken: Option<&'static str>,
}

impl Steps<'_, '_> {
    fn take(&mut self, name: &'static str, finding: Finding, there: &str, to_do: impl FnOnce() -> String) {
        match (self.broken, finding) {
            (Some(broken), _) => self.walk.skipped(name, format!("needs {broken}")),
            (None, Finding::There) => self.walk.passed(name, there),
            (None, Finding::Missing) => {
                self.broken = Some(name);
                self.walk.failed(name, to_do());
            }
            (None, Finding::Unknown) => self.walk.skipped(name, "this user cannot find out; see the steps after it"),
        }
    }
}

/// What is known of something that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    There,
    Missing,
    /// Nobody could say.
    Unknown,
}

impl Finding {
    fn of(is_there: bool) -> Self {
        if is_there { Self::There } else { Self::Missing }
    }

    /// Every bucket has the default collection.
    fn always_there(keyspace: &Keyspace) -> Self {
        if keyspace.is_default() { Self::There } else { Self::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The findings about bucket, scope, collection and role, a letter each.
    fn findings(
        outcome: Result<Duration, Cause>,
        seen: BucketSeen,
        manifest: &Manifest,
        keyspace: &Keyspace,
    ) -> String {
        let sentinel = Sentinel { outcome, sentence: String::new() };
        let found = [
            sentinel.bucket(seen, keyspace),
            sentinel.scope(manifest, keyspace),
            sentinel.collection(manifest, keyspace),
            sentinel.role(),
        ];
        found
            .map(|finding| match finding {
                Finding::There => 't',
                Finding::Missing => 'm',
                Finding::Unknown => '?',
            })
            .iter()
            .collect()
    }

    #[test]
    fn the_manager_and_the_read_together_tell_what_is_missing() {
        let default = Keyspace::new("b", "_default", "_default").unwrap();
        let own = Keyspace::new("b", "s", "c").unwrap();
        let scopes = |scope: &str, collection: &str| {
            Manifest::Known(BTreeMap::from([(scope.to_owned(), BTreeSet::from([collection.to_owned()]))]))
        };
        let took = Duration::ZERO;
        let unknown = Manifest::Unknown;
        for (outcome, seen, manifest, keyspace, expected) in [
            (Ok(took), BucketSeen::Unknown, &unknown, &own, "tttt"),
            (Ok(took), BucketSeen::Yes, &unknown, &default, "tttt"),
            (Err(Cause::Keyspace), BucketSeen::No, &unknown, &default, "mtm?"),
            (Err(Cause::Keyspace), BucketSeen::Unknown, &unknown, &default, "mtm?"),
            (Err(Cause::Bucket), BucketSeen::Unknown, &unknown, &own, "m???"),
            (Err(Cause::Scope), BucketSeen::Unknown, &unknown, &own, "tm??"),
            (Err(Cause::Keyspace), BucketSeen::Yes, &unknown, &own, "ttm?"),
            (Err(Cause::Keyspace), BucketSeen::Yes, &scopes("x", "c"), &own, "tmm?"),
            (Err(Cause::Keyspace), BucketSeen::Yes, &scopes("s", "x"), &own, "ttm?"),
            (Err(Cause::Role), BucketSeen::Yes, &scopes("s", "c"), &own, "tttm"),
            (Err(Cause::Role), BucketSeen::Unknown, &unknown, &own, "???m"),
            (Err(Cause::Role), BucketSeen::Unknown, &unknown, &default, "?ttm"),
            (Err(Cause::Read), BucketSeen::Yes, &unknown, &default, "ttt?"),
        ] {
            assert_eq!(findings(outcome, seen, manifest, keyspace), expected, "{outcome:?} {seen:?} {keyspace}");
        }
    }

    #[test]
    fn the_numbers_of_the_query_service_name_a_step() {
        for (codes, cause) in [
            (&[12_003][..], Cause::Keyspace),
            (&[12_020], Cause::Bucket),
            (&[12_021], Cause::Scope),
            (&[13_014], Cause::Role),
            (&[5000, 10_000], Cause::Role),
            (&[1080], Cause::Read),
            (&[], Cause::Read),
        ] {
            assert_eq!(cause_of(codes), cause, "{codes:?}");
        }
    }
}
