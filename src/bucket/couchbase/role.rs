//! What to say where a user may not read: for the ways that need the role `data_reader`.
//!
//! Invariant: pure; names the role exactly as an administrator has to write it.

use super::query::meaning::Target;

/// The sentence for a user without the right to read.
#[must_use]
pub fn may_not_read(target: &Target) -> String {
    let who = target.username.as_deref().unwrap_or("nobody, since [couchbase] username is not set");
    let (keyspace, bucket) = (&target.keyspace, target.keyspace.bucket());
    format!(
        "the user ({who}) may not read {keyspace}; an administrator has to add the role data_reader[{}] to it, in the \
         console under Security or with couchbase-cli user-manage (Community Edition: bucket_full_access[{bucket}]; \
         Capella: read access to the bucket)",
        keyspace.of_role()
    )
}

/// The sentence for a bucket, scope or collection that is not there.
#[must_use]
pub fn is_missing(what: &str, target: &Target) -> String {
    format!(
        "it has no such {what} as that of {}; set [couchbase] bucket, scope and collection to what is there, or create \
         it",
        target.keyspace
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::couchbase::keyspace::Keyspace;

    #[test]
    fn the_role_is_named_as_it_has_to_be_written() {
        for (scope, collection, role) in [
            ("_default", "_default", "data_reader[b]"),
            ("s", "c", "data_reader[b:s:c]"),
            ("_default", "c", "data_reader[b:_default:c]"),
        ] {
            let keyspace = Keyspace::new("b", scope, collection).unwrap();
            let sentence = may_not_read(&Target { keyspace, username: Some("reader".to_owned()) });
            assert!(sentence.contains(role) && sentence.contains("(reader)"), "{sentence}");
        }
    }
}
