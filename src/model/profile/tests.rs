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

#[test]
fn a_check_finds_what_a_read_finds() {
    let long = "x".repeat(MAX_DOCUMENT_BYTES);
    for document in [
        r#"{"username":"a","hashed_password":"h"}"#,
        r#"{"username":"caf\u00e9","hashed_password":"\u0068","type":"t"}"#,
        r#"{"username":"a","hashed_password":"h","type":null}"#,
        r#"{"username":"a","hashed_password":"h","email":5}"#,
        r#"{"username":"a"}"#,
        "{}",
        "[1]",
        "{",
        &long,
    ] {
        let read = read(document).map(|read| read.map(|stored| stored.username));
        let checked = check(document.as_bytes()).map(|checked| checked.map(|profile| profile.username.into_owned()));
        assert_eq!(checked, read, "{document:.60}");
    }
    for (document, has_type) in [
        (r#"{"username":"a","hashed_password":"h"}"#, false),
        (r#"{"username":"a","hashed_password":"h","t\u0079pe":"t"}"#, true),
        (r#"{"username":"a","hashed_password":"h","x":{"type":"t"}}"#, false),
    ] {
        assert_eq!(check(document.as_bytes()).unwrap().unwrap().has_type, has_type, "{document}");
    }
}
