//! Usernames and the ids of their documents.
//!
//! Invariant: a [`Username`] can be part of a key in every database we serve.

use std::fmt;

use super::USERPROFILE_DOC_TYPE;

/// The longest username, in bytes of UTF-8: with `userprofile::` before it an id has 246 bytes, which is where the
/// collections of Couchbase end.
pub const MAX_USERNAME_BYTES: usize = 233;

/// A username that can be part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username(String);

/// Why a text cannot be a username.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidUsername {
    /// It has no characters.
    Empty,
    /// It is longer than [`MAX_USERNAME_BYTES`].
    TooLong {
        /// How long it is, in bytes of UTF-8.
        bytes: usize,
    },
    /// It holds a control character (Unicode category Cc).
    ControlCharacter,
    /// Its bytes are not UTF-8.
    NotUtf8,
}

impl Username {
    /// Takes a text as a username.
    ///
    /// # Errors
    /// [`InvalidUsername`] names the rule that the text breaks.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidUsername> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidUsername::Empty);
        }
        if text.len() > MAX_USERNAME_BYTES {
            return Err(InvalidUsername::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidUsername::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// Takes the bytes of a decoded path segment as a username.
    ///
    /// # Errors
    /// As [`Username::parse`], and [`InvalidUsername::NotUtf8`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, InvalidUsername> {
        Self::parse(String::from_utf8(bytes).map_err(|_| InvalidUsername::NotUtf8)?)
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InvalidUsername {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "A username cannot be empty."),
            Self::TooLong { bytes } => {
                write!(f, "A username has at most {MAX_USERNAME_BYTES} bytes of UTF-8; this one has {bytes}.")
            }
            Self::ControlCharacter => write!(f, "A username cannot hold a control character."),
            Self::NotUtf8 => write!(f, "A username must be UTF-8 once its percent triplets are decoded."),
        }
    }
}

impl std::error::Error for InvalidUsername {}

/// The id of a document: `userprofile::{username}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DocumentId(String);

impl DocumentId {
    /// The id of a user's profile.
    #[must_use]
    pub fn of(username: &Username) -> Self {
        Self([USERPROFILE_DOC_TYPE, "::", username.as_str()].concat())
    }

    /// The user whose profile it is the id of; `None`: it is that of something else.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.0.strip_prefix(USERPROFILE_DOC_TYPE).and_then(|rest| rest.strip_prefix("::"))
    }

    /// An id that a database has told us. It may be that of a document which is no profile.
    #[must_use]
    pub fn stored(id: String) -> Self {
        Self(id)
    }

    /// An id that no profile has, for asking a database whether it answers at all.
    #[must_use]
    pub fn sentinel() -> Self {
        Self("userprofiles::is-anybody-there".to_owned())
    }

    /// As [`DocumentId::sentinel`], another one for each number.
    #[must_use]
    pub fn of_probe(number: u64) -> Self {
        Self(format!("userprofiles::is-anybody-there-{number:016x}"))
    }

    /// The id as the database knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_bytes_and_not_characters() {
        assert!(Username::parse("x".repeat(233)).is_ok());
        assert_eq!(Username::parse("x".repeat(234)), Err(InvalidUsername::TooLong { bytes: 234 }));
        assert_eq!(Username::parse("é".repeat(117)), Err(InvalidUsername::TooLong { bytes: 234 }));
    }

    #[test]
    fn control_characters_of_both_halves_are_refused() {
        for text in ["\0", "a\nb", "\u{7f}", "a\u{85}b"] {
            assert_eq!(Username::parse(text), Err(InvalidUsername::ControlCharacter), "{text:?}");
        }
        assert_eq!(Username::parse(""), Err(InvalidUsername::Empty));
        assert_eq!(Username::from_bytes(vec![0xff]), Err(InvalidUsername::NotUtf8));
    }

    #[test]
    fn the_id_is_the_type_and_the_name() {
        let id = DocumentId::of(&Username::parse("a/b+c é").unwrap());
        assert_eq!(id.as_str(), "userprofile::a/b+c é");
    }
}
