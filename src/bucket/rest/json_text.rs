//! A response that should be JSON, and may hold a document that is not UTF-8: databases store what a writer gave them.
//!
//! Invariant: pure. One document with broken bytes never takes the others of its response with it.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// The bytes of a response, and a text of the same length to be parsed in their place.
pub struct JsonText<'a> {
    bytes: &'a [u8],
    text: Text<'a>,
}

enum Text<'a> {
    Received(&'a str),
    Mended(Zeroizing<String>),
}

impl<'a> JsonText<'a> {
    /// The text is the bytes, with a question mark in the place of each that belongs to no character.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Text::Received(text),
            Err(_) => Text::Mended(with_question_marks(bytes)),
        };
        Self { bytes, text }
    }

    /// The text to parse.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.text {
            Text::Received(text) => text,
            Text::Mended(text) => text,
        }
    }

    /// The bytes that were received in the place of `part`, which is a slice of the text.
    #[must_use]
    pub fn original(&self, part: &str) -> &'a [u8] {
        let start = (part.as_ptr() as usize).wrapping_sub(self.as_str().as_ptr() as usize);
        self.bytes.get(start..start.wrapping_add(part.len())).unwrap_or_default()
    }
}

fn with_question_marks(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len()));
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

/// A member that is there, be it `null`: for `deserialize_with`, since an `Option` alone takes the one for the other.
///
/// # Errors
/// As the deserializer says.
pub fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_text_leads_back_to_its_bytes() {
        for bytes in [&b"[\"a\",\"caf\xc3\xa9\"]"[..], b"[\"Ren\xe9\",\"\xff\xfe\xe2\x82\",\"x\"]", b"", b"\xf0\x9f"] {
            let text = JsonText::of(bytes);
            assert_eq!(text.as_str().len(), bytes.len());
            assert_eq!(text.original(text.as_str()), bytes);
            for (start, _) in text.as_str().char_indices() {
                assert_eq!(text.original(&text.as_str()[start..]), &bytes[start..]);
            }
        }
        let text = JsonText::of(b"\"Ren\xe9\"");
        assert_eq!(text.as_str(), "\"Ren?\"");
        assert_eq!(text.original("elsewhere"), b"");
    }
}
