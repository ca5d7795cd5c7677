//! From the text of a document to a [`UserInDb`], in one pass and strictly.
//!
//! Invariant: an [`InvalidDocument`] names fields and rules, never a value, so that it can be logged.

use std::borrow::Cow;
use std::fmt;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroize as _;

use super::{USERPROFILE_DOC_TYPE, UserInDb};

/// The largest document that any of the databases stores, in bytes: 20 MiB (Couchbase's limit).
pub const MAX_DOCUMENT_BYTES: usize = 20 * 1024 * 1024;

/// Why a stored document is not a [`UserInDb`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidDocument {
    /// The text is not JSON; where it stops being so.
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// It has bytes that are not UTF-8 where they matter.
    NotUtf8,
    /// The database holds it as something other than JSON, such as a binary value.
    NotStoredAsJson,
    /// JSON, but an array, a string, a number or `true`.
    NotAnObject,
    /// A required member is not there.
    MissingField(&'static str),
    /// A member is of another JSON type than it must be.
    WrongType {
        /// The member.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A member has half of a surrogate pair in it (`\ud83d`): JSON, and no text.
    LoneSurrogate(&'static str),
    /// A member occurs more than once, so that readers may disagree on what it says.
    DuplicateField(&'static str),
    /// Over [`MAX_DOCUMENT_BYTES`].
    TooLarge,
}

impl fmt::Display for InvalidDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { line, column } => write!(f, "it is not JSON (line {line}, column {column})"),
            Self::NotUtf8 => write!(f, "it has bytes that are not UTF-8"),
            Self::NotStoredAsJson => write!(f, "it is stored as a binary value, not as JSON"),
            Self::NotAnObject => write!(f, "it is not a JSON object"),
            Self::MissingField(field) => write!(f, "the field `{field}` is missing"),
            Self::WrongType { field, expected } => write!(f, "the field `{field}` must be {expected}"),
            Self::LoneSurrogate(field) => {
                write!(f, "the field `{field}` has half of a surrogate pair in it, which is no character")
            }
            Self::DuplicateField(field) => write!(f, "the field `{field}` occurs more than once"),
            Self::TooLarge => write!(f, "it is larger than {MAX_DOCUMENT_BYTES} bytes"),
        }
    }
}

impl std::error::Error for InvalidDocument {}

impl UserInDb {
    /// Reads the text of a stored document. `None` is an empty one (`{}`, `null`, `[]`, `""`, `0`, `false`): the
    /// tutorial's program took these for "no such user", and so does this one. Unknown members are passed over.
    ///
    /// # Errors
    /// [`InvalidDocument`] names the first rule that the document breaks.
    pub fn from_json(text: &[u8]) -> Result<Option<Self>, InvalidDocument> {
        Ok(members(text)?.map(Members::check).transpose()?.map(Profile::into_stored))
    }
}

/// What a check finds out about a document.
#[derive(Debug)]
pub struct CheckedProfile<'a> {
    /// See [`super::User::username`].
    pub username: Cow<'a, str>,
    /// True if the document has the member `type`.
    pub has_type: bool,
}

/// Checks the text of a document as [`UserInDb::from_json`] does, and copies nothing of it.
///
/// # Errors
/// As [`UserInDb::from_json`].
pub fn check(text: &[u8]) -> Result<Option<CheckedProfile<'_>>, InvalidDocument> {
    let Some(members) = members(text)? else { return Ok(None) };
    let Profile { username, doc_type, hashed_password, .. } = members.check()?;
    if let Cow::Owned(mut hash) = hashed_password {
        hash.zeroize();
    }
    Ok(Some(CheckedProfile { username, has_type: doc_type.is_some() }))
}

/// The members of a document; `None`: it is an empty one.
fn members(text: &[u8]) -> Result<Option<Members<'_>>, InvalidDocument> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(InvalidDocument::TooLarge);
    }
    let shape = match std::str::from_utf8(text) {
        // What is known to be UTF-8 is read in half of the time.
        Ok(text) => serde_json::from_str(text)
            .map_err(|error| InvalidDocument::NotJson { line: error.line(), column: error.column() }),
        Err(_) => serde_json::from_slice(text).map_err(|_| InvalidDocument::NotUtf8),
    };
    match shape? {
        Shape::Empty => Ok(None),
        Shape::NotAnObject => Err(InvalidDocument::NotAnObject),
        Shape::Object(members) => Ok(Some(members)),
    }
}

/// The outermost JSON value of a document.
enum Shape<'a> {
    Empty,
    NotAnObject,
    Object(Members<'a>),
}

/// The members that we know, as they stood there.
#[derive(Default)]
struct Members<'a> {
    username: Option<Member<'a>>,
    email: Option<Member<'a>>,
    full_name: Option<Member<'a>>,
    disabled: Option<Member<'a>>,
    doc_type: Option<Member<'a>>,
    hashed_password: Option<Member<'a>>,
    duplicate: Option<&'static str>,
}

/// A member's value, as far as any rule asks for it.
enum Member<'a> {
    Null,
    Bool(bool),
    Text(Cow<'a, str>),
    LoneSurrogate,
    Other,
}

impl<'a> Members<'a> {
    fn slot(&mut self, name: &str) -> Option<(&'static str, &mut Option<Member<'a>>)> {
        match name {
            "username" => Some(("username", &mut self.username)),
            "email" => Some(("email", &mut self.email)),
            "full_name" => Some(("full_name", &mut self.full_name)),
            "disabled" => Some(("disabled", &mut self.disabled)),
            "type" => Some(("type", &mut self.doc_type)),
            "hashed_password" => Some(("hashed_password", &mut self.hashed_password)),
            _ => None,
        }
    }

    fn check(self) -> Result<Profile<'a>, InvalidDocument> {
        if let Some(field) = self.duplicate {
            return Err(InvalidDocument::DuplicateField(field));
        }
        Ok(Profile {
            username: required_text("username", self.username)?,
            email: optional_text("email", self.email)?,
            full_name: optional_text("full_name", self.full_name)?,
            disabled: match self.disabled {
                None | Some(Member::Null) => None,
                Some(Member::Bool(disabled)) => Some(disabled),
                Some(_) => {
                    return Err(InvalidDocument::WrongType { field: "disabled", expected: "true, false or null" });
                }
            },
            doc_type: match self.doc_type {
                None => None,
                present => Some(required_text("type", present)?),
            },
            hashed_password: required_text("hashed_password", self.hashed_password)?,
        })
    }
}

/// Members that are what they must be.
struct Profile<'a> {
    username: Cow<'a, str>,
    email: Option<Cow<'a, str>>,
    full_name: Option<Cow<'a, str>>,
    disabled: Option<bool>,
    doc_type: Option<Cow<'a, str>>,
    hashed_password: Cow<'a, str>,
}

impl Profile<'_> {
    fn into_stored(self) -> UserInDb {
        UserInDb {
            username: self.username.into_owned(),
            email: self.email.map(Cow::into_owned),
            full_name: self.full_name.map(Cow::into_owned),
            disabled: self.disabled,
            doc_type: self.doc_type.map_or_else(|| USERPROFILE_DOC_TYPE.to_owned(), Cow::into_owned),
            hashed_password: SecretString::from(self.hashed_password.into_owned()),
        }
    }
}

fn required_text<'a>(field: &'static str, member: Option<Member<'a>>) -> Result<Cow<'a, str>, InvalidDocument> {
    match member {
        Some(Member::Text(text)) => Ok(text),
        Some(Member::LoneSurrogate) => Err(InvalidDocument::LoneSurrogate(field)),
        Some(_) => Err(InvalidDocument::WrongType { field, expected: "a string" }),
        None => Err(InvalidDocument::MissingField(field)),
    }
}

fn optional_text<'a>(field: &'static str, member: Option<Member<'a>>) -> Result<Option<Cow<'a, str>>, InvalidDocument> {
    match member {
        None | Some(Member::Null) => Ok(None),
        Some(Member::Text(text)) => Ok(Some(text)),
        Some(Member::LoneSurrogate) => Err(InvalidDocument::LoneSurrogate(field)),
        Some(_) => Err(InvalidDocument::WrongType { field, expected: "a string or null" }),
    }
}

impl<'de> Deserialize<'de> for Shape<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

/// The shape of anything but an object.
fn no_object<'a>(is_empty: bool) -> Shape<'a> {
    if is_empty { Shape::Empty } else { Shape::NotAnObject }
}

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(no_object(true))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(no_object(!value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(no_object(value == 0))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(no_object(value == 0))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(no_object(value == 0.0))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(no_object(value.is_empty()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut is_empty = true;
        while items.next_element::<IgnoredAny>()?.is_some() {
            is_empty = false;
        }
        Ok(no_object(is_empty))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::default();
        let mut is_empty = true;
        while let Some(name) = entries.next_key::<Name>()? {
            is_empty = false;
            match name.0.as_deref().and_then(|name| members.slot(name)) {
                None => {
                    entries.next_value::<IgnoredAny>()?;
                }
                Some((field, slot)) => {
                    let twice = slot.replace(entries.next_value()?).is_some();
                    if twice {
                        members.duplicate = Some(field);
                    }
                }
            }
        }
        Ok(if is_empty { Shape::Empty } else { Shape::Object(members) })
    }
}

/// A member's name, borrowed from the document where it has no escapes; `None`: one that is no text, and so none of ours.
struct Name<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(text(raw.get())))
    }
}

impl<'de> Deserialize<'de> for Member<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        Ok(match raw {
            "null" => Self::Null,
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            _ if raw.starts_with('"') => text(raw).map_or(Self::LoneSurrogate, Self::Text),
            _ => Self::Other,
        })
    }
}

/// The text of a JSON string; `None` if half of a surrogate pair is in it, the one thing that JSON lets pass and UTF-8 does
/// not.
fn text(string: &str) -> Option<Cow<'_, str>> {
    let inside = string.get(1..string.len().checked_sub(1)?)?;
    if !inside.contains('\\') {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str(string).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests;
