//! Where the documents live: a bucket, a scope and a collection.
//!
//! Invariant: pure; a [`Keyspace`] holds names that Couchbase allows, whichever way it is asked.

use std::fmt;

use crate::bucket::BucketError;

/// The scope and the collection that every bucket has.
const DEFAULT: &str = "_default";

/// Longest bucket name, in bytes.
const MAX_BUCKET_NAME_BYTES: usize = 100;

/// Longest name of a scope or a collection, in bytes.
const MAX_PART_NAME_BYTES: usize = 251;

/// Where the documents live: a bucket, a scope and a collection, each a name that Couchbase allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyspace {
    bucket: String,
    scope: String,
    collection: String,
}

impl Keyspace {
    /// Takes three names.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for a name that no bucket, scope or collection can have.
    pub fn new(bucket: &str, scope: &str, collection: &str) -> Result<Self, BucketError> {
        let misconfigured = |setting: &str, name: &str, rule: &str| BucketError::Misconfigured {
            reason: format!("[couchbase] {setting} = {name:?} cannot be the name of a {setting}: {rule}"),
        };
        if !is_bucket_name(bucket) {
            let rule = "it must be 1 to 100 of A-Z a-z 0-9 _ - . % and not begin with a dot";
            return Err(misconfigured("bucket", bucket, rule));
        }
        for (setting, name) in [("scope", scope), ("collection", collection)] {
            if !is_part_name(name) {
                let rule = "it must be 1 to 251 of A-Z a-z 0-9 _ - % and not begin with _ or % (but for _default)";
                return Err(misconfigured(setting, name, rule));
            }
        }
        Ok(Self { bucket: bucket.to_owned(), scope: scope.to_owned(), collection: collection.to_owned() })
    }

    /// The name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The name of the scope.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The name of the collection.
    #[must_use]
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// True for the collection that every bucket has, also on servers that know no collections.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.scope == DEFAULT && self.collection == DEFAULT
    }

    /// As it stands in the brackets of a role: `bucket`, or `bucket:scope:collection`.
    #[must_use]
    pub fn of_role(&self) -> String {
        if self.is_default() {
            return self.bucket.clone();
        }
        format!("{}:{}:{}", self.bucket, self.scope, self.collection)
    }
}

impl fmt::Display for Keyspace {
    /// As it stands in a statement. The default collection is written as the bucket alone, which servers older than
    /// 7.0 understand too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(&self.bucket))?;
        if self.is_default() {
            return Ok(());
        }
        write!(f, ".{}.{}", quoted(&self.scope), quoted(&self.collection))
    }
}

/// An identifier in backticks. Names that passed the rules hold nothing to escape; it is done all the same, so that no
/// change of the rules can ever let a name out of its quotes.
pub fn quoted(identifier: &str) -> String {
    format!("`{}`", identifier.replace('\\', "\\\\").replace('`', "``"))
}

fn is_bucket_name(name: &str) -> bool {
    (1..=MAX_BUCKET_NAME_BYTES).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.%".contains(&byte))
}

fn is_part_name(name: &str) -> bool {
    name == DEFAULT
        || (1..=MAX_PART_NAME_BYTES).contains(&name.len())
            && !name.starts_with(['_', '%'])
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-%".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_couchbase_does_not_allow_are_refused_with_their_setting() {
        let long = "x".repeat(252);
        for (bucket, scope, collection, setting) in [
            ("", "_default", "_default", "bucket"),
            (".b", "_default", "_default", "bucket"),
            ("b`; DROP", "_default", "_default", "bucket"),
            (&long[..101], "_default", "_default", "bucket"),
            ("é", "_default", "_default", "bucket"),
            ("b", "", "_default", "scope"),
            ("b", "_system", "_default", "scope"),
            ("b", "_default", "%x", "collection"),
            ("b", "_default", "a.b", "collection"),
            ("b", "_default", long.as_str(), "collection"),
        ] {
            let Err(BucketError::Misconfigured { reason }) = Keyspace::new(bucket, scope, collection) else {
                panic!("{bucket:?} {scope:?} {collection:?} was taken");
            };
            assert!(reason.contains(&format!("[couchbase] {setting} =")), "{reason}");
        }
    }

    #[test]
    fn a_backtick_or_backslash_cannot_end_an_identifier() {
        assert_eq!(quoted("a`b\\c"), "`a``b\\\\c`");
    }
}
