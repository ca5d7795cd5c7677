//! From the id of a profile to its `_key`, and back.
//!
//! A key has 254 bytes at most, of a few ASCII characters (the documentation of ArangoDB, "Document keys"). The prefix
//! `userprofile::` stands as it is; of the username, `A-Z a-z 0-9 . _ @ -` stand as they are and every other byte becomes `=` and
//! two upper-case hexadecimal digits. Where that is too long, the key is the prefix, `==`, and the SHA-256 of the id.
//!
//! Invariant: pure, and injective: no two ids have one key. (`==` is no escape, and SHA-256 has no known collisions.)

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::bucket::Members;
use crate::hex;
use crate::model::{DocumentId, Username};

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 254;

/// What all keys of profiles begin with.
const PREFIX: &str = "userprofile::";

/// The key of a document.
#[must_use]
pub fn key(id: &DocumentId) -> String {
    let (prefix, name) = id.username().map_or(("", id.as_str()), |username| (PREFIX, username));
    let mut key = prefix.to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"._@-".contains(&byte) {
            key.push(char::from(byte));
        } else {
            // Into a string: it cannot fail.
            let _ = write!(key, "={byte:02X}");
        }
    }
    if key.len() <= MAX_KEY_BYTES {
        return key;
    }
    let mut hashed = [prefix, "=="].concat();
    hex::push(&mut hashed, &Sha256::digest(id.as_str()));
    hashed
}

/// The id of a profile that is stored under a key; `None`: it is no key of a profile. That of a hash is found by the
/// document's own username.
#[must_use]
pub fn id(key: &str, document: &Members) -> Option<DocumentId> {
    let escaped = key.strip_prefix(PREFIX)?;
    if escaped.starts_with("==") {
        let own = document.string("username").and_then(|username| Username::parse(username).ok());
        let id = own.map(|username| DocumentId::of(&username)).filter(|id| self::key(id) == key);
        // One that holds the profile of somebody else is listed all the same, by its key.
        return Some(id.unwrap_or_else(|| DocumentId::stored(key.to_owned())));
    }
    let username = unescaped(escaped)?;
    let id = DocumentId::of(&Username::parse(username).ok()?);
    (self::key(&id) == key).then_some(id)
}

fn unescaped(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'=' {
            let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id_of(username: &str) -> DocumentId {
        DocumentId::of(&Username::parse(username).unwrap())
    }

    #[test]
    fn keys_are_as_the_guide_shows_them() {
        for (username, expected) in [
            ("johndoe", "userprofile::johndoe"),
            ("john.doe+tag@example.com", "userprofile::john.doe=2Btag@example.com"),
            ("zoé", "userprofile::zo=C3=A9"),
            ("john doe", "userprofile::john=20doe"),
            ("a/b", "userprofile::a=2Fb"),
            ("a%b", "userprofile::a=25b"),
            ("a=20b", "userprofile::a=3D20b"),
            ("a:b", "userprofile::a=3Ab"),
        ] {
            assert_eq!(key(&id_of(username)), expected);
            assert!(include_str!("../../../docs/how-to/arangodb.md").contains(expected), "the guide has no {expected}");
        }
        let long = key(&id_of(&"é".repeat(116)));
        assert_eq!(long.len(), PREFIX.len() + 2 + 64);
        assert!(long.starts_with("userprofile::=="), "{long}");
        assert_ne!(long, key(&id_of(&"è".repeat(116))));
        assert_eq!(key(&id_of(&"a".repeat(233))).len(), 246);
        assert_eq!(key(&DocumentId::sentinel()), "userprofiles=3A=3Ais-anybody-there");
    }

    #[test]
    fn keys_that_we_do_not_make_are_nobodys() {
        let document = Members::parse(r#"{"username":"a"}"#).unwrap();
        for key in [
            "userprofile:a",
            "a",
            "userprofile::",
            "userprofile::a=2",
            "userprofile::a=2f",
            "userprofile::=41",
            "userprofile::a:b",
            "userprofile::=FF",
        ] {
            assert_eq!(id(key, &document), None, "{key}");
        }
        let other = Some(DocumentId::stored("userprofile::==00".to_owned()));
        assert_eq!(id("userprofile::==00", &document), other, "nothing is left out");
    }

    proptest! {
        #[test]
        fn a_key_is_valid_and_leads_back(username in "\\PC{1,80}") {
            prop_assume!(Username::parse(username.clone()).is_ok());
            let (id, text) = (id_of(&username), serde_json::json!({"username": username}).to_string());
            let key = key(&id);
            prop_assert!(key.len() <= MAX_KEY_BYTES);
            prop_assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.@()+,=;$!*':%".contains(&byte)));
            prop_assert_eq!(super::id(&key, &Members::parse(&text).unwrap()), Some(id));
        }
    }
}
