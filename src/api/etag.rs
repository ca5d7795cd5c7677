//! Entity tags: made from the body of the answer, so that every database gives the same.
//!
//! Invariant: pure. Equal bytes have equal tags; different ones have different tags, short of a collision in 128 bits
//! of SHA-256.

use sha2::{Digest, Sha256};

use crate::hex;

/// Returns the strong entity tag of a body, with its quotes (RFC 9110 §8.8.3).
#[must_use]
pub fn of(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let mut tag = String::with_capacity(34);
    tag.push('"');
    hex::push(&mut tag, &digest[..16]);
    tag.push('"');
    tag
}

/// Returns true if an `If-None-Match` matches the tag: by the weak comparison, in a list, or by `*` (RFC 9110 §13.1.2).
#[must_use]
pub fn matches(if_none_match: &str, tag: &str) -> bool {
    let mut rest = if_none_match.trim();
    if rest == "*" {
        return true;
    }
    // Tags may hold commas, so the list is read tag by tag.
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let opaque = rest.strip_prefix("W/").unwrap_or(rest);
        let Some(end) = opaque.strip_prefix('"').and_then(|inside| inside.find('"')) else { return false };
        if &opaque[..end + 2] == tag {
            return true;
        }
        rest = &opaque[end + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_128_bits_of_sha_256_in_quotes() {
        assert_eq!(of(b""), "\"e3b0c44298fc1c149afbf4c8996fb924\"");
    }

    #[test]
    fn if_none_match() {
        let tag = "\"abc\"";
        for matching in
            ["\"abc\"", "*", " * ", "W/\"abc\"", "\"x\", \"abc\"", "\"x,y\",W/\"abc\"", "\"abc\",", ",\"abc\""]
        {
            assert!(matches(matching, tag), "{matching}");
        }
        for other in ["", "abc", "\"ABC\"", "\"x\"", "\"ab", "w/\"abc\"", "\"x\" abc", "\"x\"; \"abc\""] {
            assert!(!matches(other, tag), "{other}");
        }
    }
}
