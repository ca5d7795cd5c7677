//! JSON as BSON: what is stored for a document.
//!
//! A whole number is stored in 32 bits if it fits, else in 64, and every other number as a double, as `mongoimport`
//! does. Nothing is interpreted: `{"$date": …}` is stored as the object that it is, and so comes back the same.
//!
//! Invariant: pure; members keep their order, and no error holds a value.

use std::fmt;

use mongodb::bson::raw::CString;
use mongodb::bson::{RawArrayBuf, RawBson, RawDocumentBuf};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// What is stored for a document.
pub struct Stored {
    /// Its members, behind `_id`.
    pub raw: RawDocumentBuf,
    /// A whole number in it does not fit 64 bits with a sign, and is stored as the nearest double.
    pub is_rounded: bool,
}

/// What is stored for a document under this id.
///
/// # Errors
/// Why MongoDB cannot hold it, in words; no value is in them.
pub fn document(id: &str, text: &str) -> Result<Stored, String> {
    let mut raw = RawDocumentBuf::new();
    raw.append(ID, id);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let raw = deserializer.deserialize_map(Members { raw }).map_err(|error| why_not(&error))?;
    Ok(Stored { raw, is_rounded: has_long_integer(text) })
}

const ID: &mongodb::bson::raw::CStr = mongodb::bson::cstr!("_id");

const NULL_IN_NAME: &str = "the name of a member has a null character in it";

/// `serde_json` repeats values in some of its messages.
fn why_not(error: &serde_json::Error) -> String {
    let message = error.to_string();
    if message.starts_with(NULL_IN_NAME) {
        NULL_IN_NAME.to_owned()
    } else if message.starts_with("recursion limit exceeded") {
        "its values are in each other too deeply (MongoDB takes 100 levels)".to_owned()
    } else if message.contains("surrogate") || message.contains("hex escape") {
        "a text in it has half of a surrogate pair, which is no character".to_owned()
    } else {
        format!("it cannot be read as BSON (column {})", error.column())
    }
}

/// True if a whole number of a JSON text does not fit 64 bits with a sign.
fn has_long_integer(text: &str) -> bool {
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter == '"' || letter == '-' || letter.is_ascii_digit()) {
        rest = &rest[start..];
        if let Some(inside) = rest.strip_prefix('"') {
            rest = after_string(inside);
            continue;
        }
        let end = rest.find(|letter: char| !"+-.eE".contains(letter) && !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        if !number.contains(['.', 'e', 'E']) && number.parse::<i64>().is_err() {
            return true;
        }
        rest = after;
    }
    false
}

/// What follows the end of a string.
fn after_string(inside: &str) -> &str {
    let mut is_escaped = false;
    let end = inside.find(|letter| {
        let is_end = letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        is_end
    });
    end.map_or("", |end| &inside[end + 1..])
}

struct Members {
    raw: RawDocumentBuf,
}

impl<'de> Visitor<'de> for Members {
    type Value = RawDocumentBuf;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<RawDocumentBuf, A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let name = CString::try_from(name).map_err(|_| de::Error::custom(NULL_IN_NAME))?;
            let value = map.next_value_seed(Value)?;
            self.raw.append(name, value);
        }
        Ok(self.raw)
    }
}

struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = RawBson;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawBson, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = RawBson;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<RawBson, E> {
        Ok(RawBson::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<RawBson, E> {
        Ok(RawBson::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<RawBson, E> {
        Ok(i32::try_from(number).map_or(RawBson::Int64(number), RawBson::Int32))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<RawBson, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            #[expect(clippy::cast_precision_loss, reason = "that is what is told")]
            Err(_) => self.visit_f64(number as f64),
        }
    }

    fn visit_f64<E>(self, number: f64) -> Result<RawBson, E> {
        Ok(RawBson::Double(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<RawBson, E> {
        Ok(RawBson::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawBson, A::Error> {
        let mut array = RawArrayBuf::new();
        while let Some(item) = items.next_element_seed(Value)? {
            array.push(item);
        }
        Ok(RawBson::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawBson, A::Error> {
        Members { raw: RawDocumentBuf::new() }.visit_map(map).map(RawBson::Document)
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    #[test]
    fn members_are_stored_in_their_order_behind_the_id() {
        let text = r#" {"z":null,"a":[1,-2147483649,1.5,"x",{"b":true,"$date":"y"}],"":9223372036854775807,"e":-0} "#;
        let stored = document("userprofile::a", text).unwrap();
        let expected = doc! {
            "_id": "userprofile::a", "z": null, "a": [1_i32, -2_147_483_649_i64, 1.5, "x", { "b": true, "$date": "y" }],
            "": i64::MAX, "e": -0.0,
        };
        assert_eq!(stored.raw, RawDocumentBuf::try_from(&expected).unwrap());
        assert!(!stored.is_rounded);
        let twice = document("i", r#"{"a":1,"a":2}"#).unwrap().raw;
        assert_eq!(twice.iter().count(), 3);
    }

    #[test]
    fn numbers_beyond_64_bits_are_rounded_and_that_is_known() {
        for (number, expected) in [
            ("9223372036854775808", 9_223_372_036_854_775_808.0),
            ("18446744073709551616", 18_446_744_073_709_551_616.0),
            ("-123456789012345678901234567890", -1.234_567_890_123_456_8e29),
        ] {
            let stored = document("i", &format!("{{\"n\":[{number}]}}")).unwrap();
            assert!(stored.is_rounded, "{number}");
            let found = stored.raw.get_array("n").unwrap().get_f64(0).unwrap();
            assert!((found - expected).abs() < f64::EPSILON, "{number}");
        }
        let exact = document("i", r#"{"n":[31.245270191439438]}"#).unwrap();
        assert_eq!(exact.raw.get_array("n").unwrap().get_f64(0).unwrap().to_string(), "31.245270191439438");
        let texts = r#""18446744073709551616","\"99999999999999999999""#;
        let numbers = "1.10,1e15,1e300,-9223372036854775808,31.245270191439438";
        assert!(!document("i", &format!("{{\"n\":[{numbers},{texts}]}}")).unwrap().is_rounded);
    }

    #[test]
    fn what_bson_cannot_hold_is_told_without_values() {
        let deep = format!(r#"{{"marker":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        for (text, expected) in [
            (r#"{"a\u0000marker":1}"#, "a null character"),
            (r#"{"a":{"b\u0000marker":1}}"#, "a null character"),
            (r#"{"a":"marker\ud83d"}"#, "half of a surrogate pair"),
            (&deep, "MongoDB takes 100 levels"),
            ("[\"marker\"]", "cannot be read as BSON"),
        ] {
            let why = document("i", text).err().unwrap();
            assert!(why.contains(expected) && !why.contains("marker"), "{text}: {why}");
        }
    }
}
