//! From the text of a document to a [`UserInDb`], in one pass and strictly.
//!
//! Invariant: an [`InvalidDocument`] names fields and rules, never a value, so that it can be logged.

use std::borrow::Cow;
use std::fmt;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

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
        if text.len() > MAX_DOCUMENT_BYTES {
            return Err(InvalidDocument::TooLarge);
        }
        let not_json = |error: serde_json::Error| match std::str::from_utf8(text) {
            Ok(_) => InvalidDocument::NotJson { line: error.line(), column: error.column() },
            Err(_) => InvalidDocument::NotUtf8,
        };
        match serde_json::from_slice(text).map_err(not_json)? {
            Shape::Empty => Ok(None),
            Shape::NotAnObject => Err(InvalidDocument::NotAnObject),
            Shape::Object(members) => members.check().map(Some),
        }
    }
}

/// True if a document has the member `type`, whatever is in it.
#[must_use]
pub fn has_type(document: &str) -> bool {
    matches!(serde_json::from_str(document), Ok(Shape::Object(Members { doc_type: Some(_), .. })))
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

    fn check(self) -> Result<UserInDb, InvalidDocument> {
        if let Some(field) = self.duplicate {
            return Err(InvalidDocument::DuplicateField(field));
        }
        Ok(UserInDb {
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
                None => USERPROFILE_DOC_TYPE.to_owned(),
                present => required_text("type", present)?,
            },
            hashed_password: SecretString::from(required_text("hashed_password", self.hashed_password)?),
        })
    }
}

fn required_text(field: &'static str, member: Option<Member>) -> Result<String, InvalidDocument> {
    match member {
        Some(Member::Text(text)) => Ok(text.into_owned()),
        Some(Member::LoneSurrogate) => Err(InvalidDocument::LoneSurrogate(field)),
        Some(_) => Err(InvalidDocument::WrongType { field, expected: "a string" }),
        None => Err(InvalidDocument::MissingField(field)),
    }
}

fn optional_text(field: &'static str, member: Option<Member>) -> Result<Option<String>, InvalidDocument> {
    match member {
        None | Some(Member::Null) => Ok(None),
        Some(Member::Text(text)) => Ok(Some(text.into_owned())),
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
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<UserInDb>, InvalidDocument> {
        UserInDb::from_json(text.as_bytes())
    }

    #[test]
    fn empty_documents_are_no_user() {
        for text in ["{}", " { } ", "null", "[]", "[ ]", "\"\"", "0", "-0", "0.0", "false"] {
            assert!(matches!(read(text), Ok(None)), "{text}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_spoils_only_what_is_read() {
        for unread in [r#""\ud83d":1"#, r#""note":"\ud83d""#, r#""note":{"\udc00":["\ud83d"]}"#] {
            let document = format!(r#"{{"username":"k",{unread},"hashed_password":"h"}}"#);
            assert_eq!(read(&document).unwrap().unwrap().username, "k", "{document}");
        }
        let document = r#"{"username":"k","full_name":"\ud83d","hashed_password":"h"}"#;
        assert_eq!(read(document).unwrap_err(), InvalidDocument::LoneSurrogate("full_name"));
        let document = r#"{"userna\u006de":"\ud83d\ude00","hashed_password":"h"}"#;
        assert_eq!(read(document).unwrap().unwrap().username, "😀");
    }

    #[test]
    fn other_shapes_are_not_objects() {
        for text in ["[1]", "\"x\"", "1", "-7", "1.5", "true", "[null]"] {
            assert_eq!(read(text).unwrap_err(), InvalidDocument::NotAnObject, "{text}");
        }
    }

    #[test]
    fn each_rule_is_named_without_a_value() {
        use InvalidDocument::{DuplicateField, MissingField, WrongType};
        let text = |field| WrongType { field, expected: "a string" };
        let text_or_null = |field| WrongType { field, expected: "a string or null" };
        for (document, expected) in [
            (r#"{"hashed_password":"h"}"#, MissingField("username")),
            (r#"{"username":"a"}"#, MissingField("hashed_password")),
            (r#"{"username":null,"hashed_password":"h"}"#, text("username")),
            (r#"{"username":"a","hashed_password":null}"#, text("hashed_password")),
            (r#"{"username":"a","hashed_password":{"x":[1]}}"#, text("hashed_password")),
            (r#"{"username":"a","hashed_password":"h","type":null}"#, text("type")),
            (r#"{"username":"a","hashed_password":"h","email":5}"#, text_or_null("email")),
            (r#"{"username":"a","hashed_password":"h","full_name":[]}"#, text_or_null("full_name")),
            (
                r#"{"username":"a","hashed_password":"h","disabled":"yes"}"#,
                WrongType { field: "disabled", expected: "true, false or null" },
            ),
            (r#"{"username":"a","username":"b","hashed_password":"h"}"#, DuplicateField("username")),
        ] {
            assert_eq!(read(document).unwrap_err(), expected, "{document}");
        }
        assert!(matches!(read("{\"username\":"), Err(InvalidDocument::NotJson { .. })));
        assert!(matches!(read("{} x"), Err(InvalidDocument::NotJson { .. })));
        assert!(matches!(UserInDb::from_json(b"{\"username\":\"\xff\"}"), Err(InvalidDocument::NotUtf8)));
    }

    #[test]
    fn unknown_members_are_passed_over_however_deep_or_long_they_are() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let digits = "9".repeat(400);
        let document = format!(r#"{{"a":{deep},"b":{digits},"username":"x","c":1e999,"hashed_password":"h"}}"#);
        assert_eq!(read(&document).unwrap().unwrap().username, "x");
    }

    #[test]
    fn escapes_are_decoded_in_names_and_values() {
        let stored = read("{\"user\\u006eame\":\"caf\\u00e9\",\"hashed_password\":\"h\"}").unwrap().unwrap();
        assert_eq!(stored.username, "café");
        assert_eq!(stored.doc_type, USERPROFILE_DOC_TYPE);
    }

    #[test]
    fn over_twenty_mebibytes_is_too_large() {
        let text = vec![b' '; MAX_DOCUMENT_BYTES + 1];
        assert_eq!(UserInDb::from_json(&text).unwrap_err(), InvalidDocument::TooLarge);
    }
}
