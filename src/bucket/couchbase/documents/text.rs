//! The text of a document that came as a JSON string.
//!
//! Invariant: pure, and the text is in no memory but the one that is given out: a parser's own buffer would be left
//! behind with a password hash in it.

use zeroize::Zeroizing;

/// What a JSON string, with its quotes, stands for. `None`: it stands for nothing, because an escape in it is broken.
#[must_use]
pub fn unescaped(literal: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut rest = literal.strip_prefix('"')?.strip_suffix('"')?;
    // No escape is shorter than what it stands for, so it never grows: growing would leave a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(rest.len()));
    while let Some(at) = rest.find('\\') {
        text.extend_from_slice(rest.get(..at)?.as_bytes());
        let escape = rest.get(at + 1..)?;
        let (character, length) = match escape.as_bytes().first()? {
            b'u' => unicode(escape)?,
            letter => (simple(*letter)?, 1),
        };
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = escape.get(length..)?;
    }
    text.extend_from_slice(rest.as_bytes());
    Some(text)
}

/// The escapes of one letter (RFC 8259 §7).
fn simple(letter: u8) -> Option<char> {
    Some(match letter {
        b'"' | b'\\' | b'/' => char::from(letter),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return None,
    })
}

/// The character of `uXXXX`, or of `uXXXX\uXXXX` beyond the first plane, and how many bytes it takes there.
fn unicode(escape: &str) -> Option<(char, usize)> {
    let first = unit(escape.get(1..5)?)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Some((character, 5));
    }
    let second = unit(escape.get(5..)?.strip_prefix("\\u")?.get(..4)?)?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, 11))
}

fn unit(digits: &str) -> Option<u16> {
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if are_digits { u16::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_of(literal: &str) -> Option<String> {
        unescaped(literal).map(|text| String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn every_escape() {
        for (literal, expected) in [
            (r#""""#, Some("")),
            (r#""{\"a\":\"b\\n\"}""#, Some(r#"{"a":"b\n"}"#)),
            (r#""\/\b\f\n\r\t\\\"""#, Some("/\u{8}\u{c}\n\r\t\\\"")),
            (r#""\u0041\u00e9\u20AC\u0000""#, Some("Aé€\0")),
            (r#""\ud83d\ude00é😀""#, Some("😀é😀")),
            (r#""\\ud83d""#, Some("\\ud83d")),
            (r#""\ud83d""#, None),
            (r#""\ude00\ud83d""#, None),
            (r#""\ud83dx""#, None),
            (r#""\ud83d\n""#, None),
            (r#""\u+041""#, None),
            (r#""\u00é""#, None),
            (r#""\u004""#, None),
            (r#""\x""#, None),
            (r#""\""#, None),
            ("\"", None),
            ("x", None),
            ("{}", None),
        ] {
            assert_eq!(text_of(literal).as_deref(), expected, "{literal}");
        }
    }

    proptest! {
        #[test]
        fn it_undoes_what_an_encoder_did(text in any::<String>()) {
            let plain = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(text_of(&plain), Some(text.clone()));
            let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
            let longest = format!("\"{}\"", units.concat());
            prop_assert_eq!(text_of(&longest), Some(text));
        }

        #[test]
        fn it_agrees_with_the_parser_and_never_grows(inner in r#"([ -!#-\[\]-~é😀]|\\["\\/bfnrtux]|\\u[0-9a-fD]{4}){0,12}"#) {
            let literal = format!("\"{inner}\"");
            prop_assert_eq!(text_of(&literal), serde_json::from_str::<String>(&literal).ok());
            prop_assert!(unescaped(&literal).is_none_or(|text| text.len() <= inner.len()));
        }
    }
}
