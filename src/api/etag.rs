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

/// How tags are compared (RFC 9110 §8.8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// A weak tag is equal to none: for `If-Match`.
    Strong,
    /// Only what is in quotes counts: for `If-None-Match`.
    Weak,
}

/// Returns true if an `If-Match` or `If-None-Match` names the tag, in a list or by `*` (RFC 9110 §13.1.1, §13.1.2).
#[must_use]
pub fn matches(condition: &str, tag: &str, comparison: Comparison) -> bool {
    let mut rest = condition.trim();
    if rest == "*" {
        return true;
    }
    // Tags may hold commas, so the list is read tag by tag.
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let opaque = rest.strip_prefix("W/").unwrap_or(rest);
        let Some(end) = opaque.strip_prefix('"').and_then(|inside| inside.find('"')) else { return false };
        let may_match = comparison == Comparison::Weak || opaque.len() == rest.len();
        if may_match && &opaque[..end + 2] == tag {
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
    fn conditions_match_a_tag_in_a_list_or_any() {
        let tag = "\"abc\"";
        for matching in
            ["\"abc\"", "*", " * ", "W/\"abc\"", "\"x\", \"abc\"", "\"x,y\",W/\"abc\"", "\"abc\",", ",\"abc\""]
        {
            assert!(matches(matching, tag, Comparison::Weak), "{matching}");
            assert_eq!(matches(matching, tag, Comparison::Strong), !matching.contains('W'), "{matching}");
        }
        for other in ["", "abc", "\"ABC\"", "\"x\"", "\"ab", "w/\"abc\"", "\"x\" abc", "\"x\"; \"abc\""] {
            assert!(!matches(other, tag, Comparison::Weak), "{other}");
            assert!(!matches(other, tag, Comparison::Strong), "{other}");
        }
    }
}
