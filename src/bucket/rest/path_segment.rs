//! Names and ids as segments of a path.
//!
//! Invariant: pure, and strict: only what RFC 3986 calls unreserved stands for itself. Then no server can take a byte
//! of an id for something else: `+` for a space, `/` for the next segment, `?` for the end of the path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// Everything but the unreserved characters (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one segment of a path.
#[must_use]
pub fn segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stand_for_themselves() {
        for (text, expected) in [
            ("aZ09-._~", "aZ09-._~"),
            ("userprofile::..", "userprofile%3A%3A.."),
            ("a+b c/d%e", "a%2Bb%20c%2Fd%25e"),
            ("?#&=;@!$'()*,\"\\", "%3F%23%26%3D%3B%40%21%24%27%28%29%2A%2C%22%5C"),
            ("é😀", "%C3%A9%F0%9F%98%80"),
        ] {
            assert_eq!(segment(text).to_string(), expected);
        }
    }
}
