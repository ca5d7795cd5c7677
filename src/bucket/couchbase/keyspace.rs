//! Where the documents live: a bucket, a scope and a collection.
//!
//! Invariant: pure; no name can get out of its quotes in a statement.

use std::fmt;

/// The scope and the collection that every bucket has.
const DEFAULT: &str = "_default";

/// A bucket, a scope and a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyspace {
    bucket: String,
    scope: String,
    collection: String,
}

impl Keyspace {
    /// A keyspace by its three names, which the settings have checked.
    #[must_use]
    pub fn new(bucket: &str, scope: &str, collection: &str) -> Self {
        Self { bucket: bucket.to_owned(), scope: scope.to_owned(), collection: collection.to_owned() }
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

    /// As it is written in the brackets of a role: `bucket`, or `bucket:scope:collection`.
    #[must_use]
    pub fn of_role(&self) -> String {
        if self.is_default() {
            return self.bucket.clone();
        }
        format!("{}:{}:{}", self.bucket, self.scope, self.collection)
    }
}

impl fmt::Display for Keyspace {
    /// As it is written in a statement. The default collection is written as the bucket alone, which servers older than
    /// 7.0 understand too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(&self.bucket))?;
        if self.is_default() {
            return Ok(());
        }
        write!(f, ".{}.{}", quoted(&self.scope), quoted(&self.collection))
    }
}

/// An identifier in backticks. Names that passed the checks of the settings hold nothing to escape; it is done all the
/// same, so that no change of these checks can ever let a name out of its quotes.
pub fn quoted(identifier: &str) -> String {
    format!("`{}`", identifier.replace('\\', "\\\\").replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtick_or_backslash_cannot_end_an_identifier() {
        assert_eq!(quoted("a`b\\c"), "`a``b\\\\c`");
    }
}
