//! The steps `bucket`, `scope`, `collection` and `role`: what the cluster manager says of them, and what the read of the
//! sentinel does where the manager does not.
//!
//! Invariant: pure. Of several steps one failure makes one fail: the others say that they need it.

use super::manager::{BucketSeen, Manifest};
use crate::bucket::couchbase::keyspace::{Keyspace, quoted};
use crate::bucket::couchbase::product::Target;
use crate::bucket::remote::check::SentinelRead;
use crate::bucket::report::Report;

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

/// Which step an error of the query service belongs to. The other protocols have no such codes.
fn cause_of(code: Option<&str>) -> Cause {
    match code {
        Some("12020") => Cause::Bucket,
        Some("12021") => Cause::Scope,
        Some("12003") => Cause::Keyspace,
        Some("10000" | "13014") => Cause::Role,
        _ => Cause::Read,
    }
}

/// Adds the steps `bucket`, `scope`, `collection`, `role` and `read`.
pub fn report(read: &SentinelRead, bucket: BucketSeen, manifest: &Manifest, target: &Target, report: &mut Report) {
    let evidence = Evidence { cause: read.failure().map(|failure| cause_of(failure.details.code.as_deref())) };
    let keyspace = &target.keyspace;
    let (name, scope, collection) = (keyspace.bucket(), keyspace.scope(), keyspace.collection());
    let mut steps = StepChain { report, broken: None };
    steps.add("bucket", evidence.bucket(bucket, keyspace), name, || {
        format!(
            "the cluster has no bucket {name:?}: set [couchbase] bucket to one that it has, or make it: couchbase-cli \
             bucket-create -c HOST -u ADMINISTRATOR -p --bucket {name} --bucket-type couchbase --bucket-ramsize 256"
        )
    });
    steps.add("scope", evidence.scope(manifest, keyspace), scope, || {
        let (bucket, quoted) = (quoted(name), quoted(scope));
        format!("the bucket has no scope {scope:?}: set [couchbase] scope, or run: CREATE SCOPE {bucket}.{quoted};")
    });
    steps.add("collection", evidence.collection(manifest, keyspace), collection, || {
        format!(
            "the scope has no collection {collection:?}: set [couchbase] collection, or run: CREATE COLLECTION \
             {keyspace};"
        )
    });
    let who = who(target);
    steps.add("role", evidence.role(), &format!("{who} may read {keyspace}"), || {
        format!("{who} may not read {keyspace}; an administrator can run: {}", target.grant("query_select"))
    });
    match steps.broken {
        Some(broken) => report.skipped("read", format!("needs {broken}")),
        None => read.report(report),
    }
}

/// What the read of the sentinel has shown.
struct Evidence {
    /// Which step it belongs to if it failed; `None`: it succeeded.
    cause: Option<Cause>,
}

impl Evidence {
    fn bucket(&self, seen: BucketSeen, keyspace: &Keyspace) -> Finding {
        match (self.cause, seen) {
            (None | Some(Cause::Scope), _) | (_, BucketSeen::Yes) => Finding::There,
            (Some(Cause::Bucket), _) | (_, BucketSeen::No) => Finding::Missing,
            (Some(Cause::Keyspace), BucketSeen::Unknown) if keyspace.is_default() => Finding::Missing,
            (Some(_), BucketSeen::Unknown) => Finding::Unknown,
        }
    }

    fn scope(&self, manifest: &Manifest, keyspace: &Keyspace) -> Finding {
        match (self.cause, manifest) {
            (_, Manifest::Known(scopes)) => Finding::of(scopes.contains_key(keyspace.scope())),
            (Some(Cause::Scope), Manifest::Unknown) => Finding::Missing,
            // The engine looks for the scope before it looks for the collection.
            (None | Some(Cause::Keyspace), Manifest::Unknown) => Finding::There,
            (Some(_), Manifest::Unknown) => Finding::always_there(keyspace),
        }
    }

    fn collection(&self, manifest: &Manifest, keyspace: &Keyspace) -> Finding {
        match (self.cause, manifest) {
            (_, Manifest::Known(scopes)) => {
                let collections = scopes.get(keyspace.scope());
                Finding::of(collections.is_some_and(|collections| collections.contains(keyspace.collection())))
            }
            (Some(Cause::Keyspace), Manifest::Unknown) => Finding::Missing,
            (None, Manifest::Unknown) => Finding::There,
            (Some(_), Manifest::Unknown) => Finding::always_there(keyspace),
        }
    }

    fn role(&self) -> Finding {
        match self.cause {
            None => Finding::There,
            Some(Cause::Role) => Finding::Missing,
            Some(_) => Finding::Unknown,
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
struct StepChain<'a, 'b> {
    report: &'a mut Report<'b>,
    broken: Option<&'static str>,
}

impl StepChain<'_, '_> {
    fn add(&mut self, name: &'static str, finding: Finding, there: &str, to_do: impl FnOnce() -> String) {
        match (self.broken, finding) {
            (Some(broken), _) => self.report.skipped(name, format!("needs {broken}")),
            (None, Finding::There) => self.report.passed(name, there),
            (None, Finding::Missing) => {
                self.broken = Some(name);
                self.report.failed(name, to_do());
            }
            (None, Finding::Unknown) => self.report.skipped(name, "this user cannot find out; see the steps after it"),
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

    /// The evidence about bucket, scope, collection and role, a letter each.
    fn evidence(cause: Option<Cause>, seen: BucketSeen, manifest: &Manifest, keyspace: &Keyspace) -> String {
        let sentinel = Evidence { cause };
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
        let default = Keyspace::new("b", "_default", "_default");
        let own = Keyspace::new("b", "s", "c");
        let scopes = |scope: &str, collection: &str| {
            Manifest::Known(BTreeMap::from([(scope.to_owned(), BTreeSet::from([collection.to_owned()]))]))
        };
        let unknown = Manifest::Unknown;
        for (cause, seen, manifest, keyspace, expected) in [
            (None, BucketSeen::Unknown, &unknown, &own, "tttt"),
            (None, BucketSeen::Yes, &unknown, &default, "tttt"),
            (Some(Cause::Keyspace), BucketSeen::No, &unknown, &default, "mtm?"),
            (Some(Cause::Keyspace), BucketSeen::Unknown, &unknown, &default, "mtm?"),
            (Some(Cause::Bucket), BucketSeen::Unknown, &unknown, &own, "m???"),
            (Some(Cause::Scope), BucketSeen::Unknown, &unknown, &own, "tm??"),
            (Some(Cause::Keyspace), BucketSeen::Yes, &unknown, &own, "ttm?"),
            (Some(Cause::Keyspace), BucketSeen::Yes, &scopes("x", "c"), &own, "tmm?"),
            (Some(Cause::Keyspace), BucketSeen::Yes, &scopes("s", "x"), &own, "ttm?"),
            (Some(Cause::Role), BucketSeen::Yes, &scopes("s", "c"), &own, "tttm"),
            (Some(Cause::Role), BucketSeen::Unknown, &unknown, &own, "???m"),
            (Some(Cause::Role), BucketSeen::Unknown, &unknown, &default, "?ttm"),
            (Some(Cause::Read), BucketSeen::Yes, &unknown, &default, "ttt?"),
        ] {
            assert_eq!(evidence(cause, seen, manifest, keyspace), expected, "{cause:?} {seen:?} {keyspace}");
        }
    }

    #[test]
    fn the_numbers_of_the_query_service_name_a_step() {
        for (code, cause) in [
            (Some("12003"), Cause::Keyspace),
            (Some("12020"), Cause::Bucket),
            (Some("12021"), Cause::Scope),
            (Some("13014"), Cause::Role),
            (Some("10000"), Cause::Role),
            (Some("1080"), Cause::Read),
            (None, Cause::Read),
        ] {
            assert_eq!(cause_of(code), cause, "{code:?}");
        }
    }
}
