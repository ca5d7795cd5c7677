//! BSON as JSON: what was stored, as it would have been written.
//!
//! Types that JSON lacks come as MongoDB's relaxed Extended JSON (v2), which `mongoexport` writes too: `{"$oid":
//! "…"}`, `{"$date": "…"}`, `{"$numberDecimal": "…"}`, `{"$binary": {…}}`. Whole numbers, of 32 bits or 64, and
//! fractions are numbers.
//!
//! Invariant: pure; members keep their order, and one that occurs twice is there twice.

use mongodb::bson::{Bson, RawArray, RawBsonRef, RawDocument};

use crate::bucket::Document;

/// How deep values may be in each other: MongoDB itself takes 100 levels.
const DEEPEST: usize = 256;

/// Why a document is no JSON: its bytes are not what they should be.
#[derive(Debug)]
pub struct Unreadable;

/// A document without its `_id`.
///
/// # Errors
/// [`Unreadable`]
pub fn document(raw: &RawDocument) -> Result<Document, Unreadable> {
    let mut text = Vec::with_capacity(room(raw));
    write_members(raw, |name| name != "_id", &mut text, DEEPEST)?;
    Ok(Document::new(text))
}

/// How much memory is taken for the text of a document, in bytes. Half as much again as it has: a string that grows leaves
/// pieces of a document behind in memory.
#[must_use]
pub fn room(raw: &RawDocument) -> usize {
    raw.as_bytes().len() / 2 * 3 + 64
}

fn write_members(
    raw: &RawDocument,
    is_wanted: impl Fn(&str) -> bool,
    text: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Unreadable> {
    text.push(b'{');
    let mut is_first = true;
    for member in raw {
        let (name, value) = member.map_err(|_| Unreadable)?;
        if !is_wanted(name.as_str()) {
            continue;
        }
        if !std::mem::replace(&mut is_first, false) {
            text.push(b',');
        }
        write_json(name.as_str(), text)?;
        text.push(b':');
        write_value(value, text, depth)?;
    }
    text.push(b'}');
    Ok(())
}

fn write_items(raw: &RawArray, text: &mut Vec<u8>, depth: usize) -> Result<(), Unreadable> {
    text.push(b'[');
    for (place, item) in raw.into_iter().enumerate() {
        if place > 0 {
            text.push(b',');
        }
        write_value(item.map_err(|_| Unreadable)?, text, depth)?;
    }
    text.push(b']');
    Ok(())
}

fn write_value(value: RawBsonRef, text: &mut Vec<u8>, depth: usize) -> Result<(), Unreadable> {
    let depth = depth.checked_sub(1).ok_or(Unreadable)?;
    match value {
        RawBsonRef::String(string) => write_json(string, text),
        RawBsonRef::Document(members) => write_members(members, |_| true, text, depth),
        RawBsonRef::Array(items) => write_items(items, text, depth),
        RawBsonRef::Boolean(truth) => write_json(&truth, text),
        RawBsonRef::Null => write_json(&(), text),
        RawBsonRef::Int32(number) => write_json(&number, text),
        RawBsonRef::Int64(number) => write_json(&number, text),
        RawBsonRef::Double(number) if number.is_finite() => write_json(&number, text),
        other => write_json(&Bson::try_from(other).map_err(|_| Unreadable)?.into_relaxed_extjson(), text),
    }
}

fn write_json(value: &(impl serde::Serialize + ?Sized), text: &mut Vec<u8>) -> Result<(), Unreadable> {
    serde_json::to_writer(text, value).map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;
    use mongodb::bson::spec::BinarySubtype;
    use mongodb::bson::{Binary, DateTime, RawDocumentBuf, Regex, Timestamp, doc};

    use super::*;

    fn text(document: &mongodb::bson::Document) -> String {
        let raw = RawDocumentBuf::try_from(document).unwrap();
        String::from_utf8(super::document(&raw).unwrap().text().to_vec()).unwrap()
    }

    #[test]
    fn what_json_has_is_json() {
        let document = doc! {
            "_id": "userprofile::a", "s": "\"é😀\n", "n": { "_id": 1, "a": [true, null, {}] }, "i": 1_i32, "l": i64::MAX,
            "d": 1.5, "w": 100.0, "z": -0.0, "e": 1e300,
        };
        assert_eq!(
            text(&document),
            concat!(
                r#"{"s":"\"é😀\n","n":{"_id":1,"a":[true,null,{}]},"i":1,"l":9223372036854775807,"#,
                r#""d":1.5,"w":100.0,"z":-0.0,"e":1e+300}"#
            )
        );
        assert_eq!(text(&doc! { "_id": 1 }), "{}");
    }

    #[test]
    fn what_json_lacks_is_relaxed_extended_json() {
        let document = doc! {
            "o": ObjectId::from_bytes([0xAB; 12]), "t": DateTime::from_millis(1_700_000_000_123),
            "old": DateTime::from_millis(-1), "dec": Bson::Decimal128("1.10".parse().unwrap()),
            "b": Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2] }, "nan": f64::NAN, "inf": f64::NEG_INFINITY,
            "ts": Timestamp { time: 1, increment: 2 },
            "re": Regex { pattern: "a".try_into().unwrap(), options: "i".try_into().unwrap() },
            "u": Bson::Undefined, "min": Bson::MinKey,
        };
        assert_eq!(
            text(&document),
            concat!(
                r#"{"o":{"$oid":"abababababababababababab"},"t":{"$date":"2023-11-14T22:13:20.123Z"},"#,
                r#""old":{"$date":{"$numberLong":"-1"}},"dec":{"$numberDecimal":"1.10"},"#,
                r#""b":{"$binary":{"base64":"AQI=","subType":"00"}},"nan":{"$numberDouble":"NaN"},"#,
                r#""inf":{"$numberDouble":"-Infinity"},"ts":{"$timestamp":{"i":2,"t":1}},"#,
                r#""re":{"$regularExpression":{"options":"i","pattern":"a"}},"u":{"$undefined":true},"min":{"$minKey":1}}"#
            )
        );
    }

    #[test]
    fn what_is_broken_or_too_deep_is_unreadable() {
        let mut deep = Bson::Null;
        for _ in 0..=DEEPEST {
            deep = Bson::Array(vec![deep]);
        }
        let raw = RawDocumentBuf::try_from(&doc! { "deep": deep }).unwrap();
        assert!(document(&raw).is_err());
        let mut bytes = RawDocumentBuf::try_from(&doc! { "a": "bc" }).unwrap().into_bytes();
        let place = bytes.iter().position(|byte| *byte == b'b').unwrap();
        bytes[place] = 0xFF;
        let broken = RawDocumentBuf::from_bytes(bytes).unwrap();
        assert!(document(&broken).is_err());
    }
}
