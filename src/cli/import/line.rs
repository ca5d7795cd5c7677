//! One line of an import file: what is stored for it, or why nothing is.
//!
//! Invariant: what is stored is the line, byte for byte, but for a `type` that it lacked; and a [`Rejection`] names
//! rules and fields, never a value, since the line may hold a password hash.

use std::fmt;

use zeroize::Zeroizing;

use crate::bucket::NewDocument;
use crate::model::{self, CheckedProfile, DocumentId, InvalidDocument, InvalidUsername, MAX_DOCUMENT_BYTES, Username};

/// The member that a document without a `type` gets: [`model::USERPROFILE_DOC_TYPE`].
const TYPE_MEMBER: &str = "\"type\":\"userprofile\",";

/// Why a line is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Its bytes are not UTF-8.
    NotUtf8,
    /// `{}` and the other values that stand for "no such user" when they are read.
    Empty,
    /// It is no user profile.
    Invalid(InvalidDocument),
    /// Its username cannot be part of a key.
    Username(InvalidUsername),
}

impl Rejection {
    /// True if not all of the line was kept.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        *self == Self::Invalid(InvalidDocument::TooLarge)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 | Self::Invalid(InvalidDocument::NotUtf8) => {
                write!(f, "the line is not UTF-8; if the file is Latin-1: iconv -f LATIN1 -t UTF-8 FILE")
            }
            Self::Empty => write!(f, "the document is empty"),
            // The line in it is always the first one, and would be taken for the line of the file.
            Self::Invalid(InvalidDocument::NotJson { column, .. }) => write!(f, "it is not JSON (column {column})"),
            Self::Invalid(rule) => write!(f, "{rule}"),
            Self::Username(rule) => write!(f, "{rule}"),
        }
    }
}

/// A line that can be stored.
pub struct ValidLine<'a> {
    text: &'a str,
    username: Username,
    has_type: bool,
}

/// Checks one line, without its line break. The id comes from the document's own username.
///
/// # Errors
/// [`Rejection`] names the first rule that the line breaks.
pub fn check_line(line: &[u8]) -> Result<ValidLine<'_>, Rejection> {
    let CheckedProfile { username, has_type } =
        model::check(line).map_err(Rejection::Invalid)?.ok_or(Rejection::Empty)?;
    // Of members that it does not know, the check reads no more than where they end.
    let text = std::str::from_utf8(line).map_err(|_| Rejection::NotUtf8)?;
    if !has_type && text.len() + TYPE_MEMBER.len() > MAX_DOCUMENT_BYTES {
        return Err(Rejection::Invalid(InvalidDocument::TooLarge));
    }
    let username = Username::parse(username).map_err(Rejection::Username)?;
    Ok(ValidLine { text, username, has_type })
}

impl ValidLine<'_> {
    /// The id under which it is stored.
    #[must_use]
    pub fn id(&self) -> DocumentId {
        DocumentId::of(&self.username)
    }

    /// What is stored: the line, with a `type` in it, its own or ours right after the first brace.
    #[must_use]
    pub fn into_document(self) -> NewDocument {
        let text = match self.text.split_once('{') {
            // A valid document has members, so that the comma always comes before one. In one go, so that no
            // half-filled string is left behind in memory.
            Some((before, after)) if !self.has_type => [before, "{", TYPE_MEMBER, after].concat(),
            _ => self.text.to_owned(),
        };
        NewDocument { id: self.id(), text: Zeroizing::new(text) }
    }
}

/// Reads one line, without its line break.
///
/// # Errors
/// As [`check_line`].
pub fn parse_line(line: &[u8]) -> Result<NewDocument, Rejection> {
    check_line(line).map(ValidLine::into_document)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{USERPROFILE_DOC_TYPE, UserInDb};

    #[test]
    fn the_member_that_is_added_is_the_type_of_profiles() {
        assert_eq!(TYPE_MEMBER, format!("\"type\":\"{USERPROFILE_DOC_TYPE}\","));
    }

    #[test]
    fn a_line_is_stored_as_it_is_but_for_its_type() {
        for (line, id, text) in [
            (
                r#"{"username":"a","hashed_password":"h"}"#,
                "userprofile::a",
                r#"{"type":"userprofile","username":"a","hashed_password":"h"}"#,
            ),
            (
                r#"{"username":"a","hashed_password":"h","type":"userprofile"}"#,
                "userprofile::a",
                r#"{"username":"a","hashed_password":"h","type":"userprofile"}"#,
            ),
            (
                r#"{"username":"a","hashed_password":"h","type":"other"}"#,
                "userprofile::a",
                r#"{"username":"a","hashed_password":"h","type":"other"}"#,
            ),
            (
                r#"{"username":"a","hashed_password":"h","t\u0079pe":"escaped"}"#,
                "userprofile::a",
                r#"{"username":"a","hashed_password":"h","t\u0079pe":"escaped"}"#,
            ),
            (
                "  {\t\"nested\": {\"type\": 1},  \"username\": \"{\", \"hashed_password\": \"h\" , \"n\": 1.50e2 } ",
                "userprofile::{",
                concat!(
                    "  {\"type\":\"userprofile\",\t\"nested\": {\"type\": 1},  \"username\": \"{\", ",
                    "\"hashed_password\": \"h\" , \"n\": 1.50e2 } "
                ),
            ),
            (
                r#"{"username":"caf\u00e9","hashed_password":"h","type":"t"}"#,
                "userprofile::café",
                r#"{"username":"caf\u00e9","hashed_password":"h","type":"t"}"#,
            ),
        ] {
            let document = parse_line(line.as_bytes()).unwrap();
            assert_eq!((document.id.as_str(), document.text.as_str()), (id, text), "{line}");
        }
    }

    #[test]
    fn a_line_that_is_no_profile_is_rejected_with_its_rule_and_without_its_values() {
        use InvalidDocument::{DuplicateField, MissingField, NotAnObject, WrongType};
        let hash = r#""hashed_password":"marker""#;
        let long = "é".repeat(117);
        for (line, expected) in [
            ("{}".to_owned(), Rejection::Empty),
            ("null".to_owned(), Rejection::Empty),
            ("[1]".to_owned(), Rejection::Invalid(NotAnObject)),
            (r#""marker""#.to_owned(), Rejection::Invalid(NotAnObject)),
            (r#"{"username":"marker"}"#.to_owned(), Rejection::Invalid(MissingField("hashed_password"))),
            (format!("{{{hash}}}"), Rejection::Invalid(MissingField("username"))),
            (
                format!(r#"{{"username":"a","type":null,{hash}}}"#),
                Rejection::Invalid(WrongType { field: "type", expected: "a string" }),
            ),
            (format!(r#"{{"username":"a","type":"x","type":"y",{hash}}}"#), Rejection::Invalid(DuplicateField("type"))),
            (
                format!(r#"{{"username":"a",{hash}}} {{"username":"marker"}}"#),
                Rejection::Invalid(InvalidDocument::NotJson { line: 1, column: 45 }),
            ),
            (format!(r#"{{"username":"",{hash}}}"#), Rejection::Username(InvalidUsername::Empty)),
            (format!(r#"{{"username":"marker\n",{hash}}}"#), Rejection::Username(InvalidUsername::ControlCharacter)),
            (
                format!(r#"{{"username":"{long}",{hash}}}"#),
                Rejection::Username(InvalidUsername::TooLong { bytes: 234 }),
            ),
        ] {
            let rejection = parse_line(line.as_bytes()).err().unwrap();
            assert!(!rejection.to_string().contains("marker"), "{rejection}");
            assert_eq!(rejection, expected, "{line}");
        }
        let latin = b"{\"x\":\"\xe9\",\"username\":\"a\",\"hashed_password\":\"h\"}";
        assert_eq!(parse_line(latin).err(), Some(Rejection::NotUtf8));
    }

    #[test]
    fn a_document_may_be_as_large_with_its_type_as_any() {
        let document = |bytes: usize, start: &str| {
            let end = r#""username":"a","hashed_password":"h"}"#;
            format!("{start}{}{end}", " ".repeat(bytes - start.len() - end.len()))
        };
        let typed = r#"{"type":"userprofile","#;
        assert!(parse_line(document(MAX_DOCUMENT_BYTES, typed).as_bytes()).is_ok());
        for (bytes, start) in [(MAX_DOCUMENT_BYTES + 1, typed), (MAX_DOCUMENT_BYTES, "{")] {
            let rejection = parse_line(document(bytes, start).as_bytes()).err();
            assert_eq!(rejection, Some(Rejection::Invalid(InvalidDocument::TooLarge)));
        }
    }

    /// Any JSON value, a few levels deep.
    fn value() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// White space as JSON has it, but for the line break.
    fn space() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec![' ', '\t', '\r']), 0..4).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn the_text_is_kept_byte_for_byte(
            username in "[^\\p{Cc}]{1,50}",
            own_type in prop::option::of(any::<String>()),
            extra in prop::collection::vec(("x[^\\p{Cc}]{0,9}", value()), 0..4),
            spaces in prop::collection::vec(space(), 4),
            place in any::<prop::sample::Index>(),
        ) {
            let json = |text: &str| serde_json::Value::from(text).to_string();
            let mut members = vec![
                format!("\"username\"{}:{}", spaces[0], json(&username)),
                "\"hashed_password\":\"h\"".to_owned(),
            ];
            members.extend(extra.iter().map(|(name, value)| format!("{}{}: {value}", json(name), spaces[1])));
            if let Some(own) = &own_type {
                members.push(format!("\"type\":{}", json(own)));
            }
            let turn = place.index(members.len());
            members.rotate_left(turn);
            let line = format!("{}{{{}{}}}{}", spaces[2], spaces[3], members.join(","), spaces[0]);
            let document = parse_line(line.as_bytes()).unwrap();
            let expected = match own_type {
                Some(_) => line.clone(),
                None => format!("{}{{\"type\":\"userprofile\",{}", spaces[2], &line[spaces[2].len() + 1..]),
            };
            prop_assert_eq!(document.text.as_str(), expected);
            prop_assert_eq!(document.id.as_str(), format!("userprofile::{username}"));
            prop_assert_eq!(UserInDb::from_json(document.text.as_bytes()).unwrap().unwrap().username, username);
        }

        #[test]
        fn no_line_makes_it_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_line(&line);
        }
    }
}
