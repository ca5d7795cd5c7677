//! The members of a JSON object as they are written, for those that a database adds or reserves.
//!
//! Invariant: pure; what is kept of an object is kept byte for byte, but for white space between its members.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// The members of an object, in their order; one that occurs twice is there twice.
pub struct Members<'a>(Vec<Member<'a>>);

struct Member<'a> {
    /// The name as it is written, with its quotes.
    written: &'a str,
    name: Cow<'a, str>,
    value: &'a RawValue,
}

impl<'a> Members<'a> {
    /// Takes an object apart.
    ///
    /// # Errors
    /// For a text that is not one JSON object.
    pub fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// The value of the first member of this name, as it is written.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|member| member.name == name).map(|member| member.value.get())
    }

    /// The value of the first member of this name, if it is a string.
    #[must_use]
    pub fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        serde_json::from_str::<Text>(self.get(name)?).ok().map(|text| text.0)
    }

    /// The names, without their escapes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|member| &*member.name)
    }

    /// The object without the members whose names are reserved. `first` comes first, as it is: members, or nothing.
    #[must_use]
    pub fn without(&self, is_reserved: impl Fn(&str) -> bool, first: &str) -> Zeroizing<String> {
        let kept = || self.0.iter().filter(|member| !is_reserved(&member.name));
        // All of it at once: a string that grows would leave pieces of a document behind in memory.
        let room = kept().map(|member| member.written.len() + member.value.get().len() + ",:".len()).sum::<usize>();
        let mut text = Zeroizing::new(String::with_capacity(room + first.len() + "{},".len()));
        text.push('{');
        text.push_str(first);
        for member in kept() {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(member.written);
            text.push(':');
            text.push_str(member.value.get());
        }
        text.push('}');
        text
    }
}

/// A string that is borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Self)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((written, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            // A name with half of a surrogate pair in it is no text: it goes by what is written.
            let as_written = || Cow::Borrowed(written.get().trim_matches('"'));
            let name = serde_json::from_str::<Text>(written.get()).map_or_else(|_| as_written(), |text| text.0);
            members.push(Member { written: written.get(), name, value });
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_kept_as_it_is_written() {
        let text =
            r#" {"_id":"a\u0041","n" : 1.50e2,"_re\u0076":"1","o":{"_id":1,"x":[ 1 ]},"\ud800":"\ud800","n":2} "#;
        let members = Members::parse(text).unwrap();
        let is_reserved = |name: &str| name.starts_with('_');
        assert_eq!(members.string("_id").as_deref(), Some("aA"));
        assert_eq!(members.string("_rev").as_deref(), Some("1"));
        assert_eq!((members.string("n"), members.get("n")), (None, Some("1.50e2")));
        assert!(members.names().eq(["_id", "n", "_rev", "o", "\\ud800", "n"]));
        let kept = r#""n":1.50e2,"o":{"_id":1,"x":[ 1 ]},"\ud800":"\ud800","n":2}"#;
        assert_eq!(*members.without(is_reserved, ""), format!("{{{kept}"));
        assert_eq!(*members.without(is_reserved, "\"_id\":\"b\""), format!("{{\"_id\":\"b\",{kept}"));
    }

    #[test]
    fn an_object_may_end_empty_and_nothing_else_is_one() {
        let members = Members::parse(r#"{"_id":"a"}"#).unwrap();
        assert_eq!(*members.without(|name| name == "_id", ""), "{}");
        assert_eq!(*members.without(|name| name == "_id", "\"_key\":1"), "{\"_key\":1}");
        for text in ["", "[]", "null", "\"_id\"", "{", "{\"a\":1} {}"] {
            assert!(Members::parse(text).is_err(), "{text}");
        }
    }
}
