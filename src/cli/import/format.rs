//! Recognises what people try to import that is not one JSON document a line, by the beginning of the input.
//!
//! Invariant: pure; nothing of the input is repeated.

/// Says what the input is and what to do, if it is something else. `file` is its name in a command.
#[must_use]
pub fn advice(beginning: &[u8], file: &str) -> Option<String> {
    let beginning = beginning.strip_prefix("\u{feff}".as_bytes()).unwrap_or(beginning);
    let file = &quoted(file);
    // A pipe may have brought no more than the beginning of a line yet.
    let first_line = beginning.iter().position(|byte| *byte == b'\n').map(|end| beginning[..end].trim_ascii());
    if let Some((_, format, command)) = COMPRESSED.iter().find(|(magic, ..)| beginning.starts_with(magic)) {
        return Some(format!("it is compressed ({format}): {command} {file} | userprofiles import -"));
    }
    if beginning.starts_with(b"SQLite format 3\0") {
        let export = "export --set embedded.path=";
        return Some(format!("it is an SQLite file: userprofiles {export}{file} - | userprofiles import -"));
    }
    if beginning.starts_with(&[0xFF, 0xFE]) || beginning.starts_with(&[0xFE, 0xFF]) || has_utf16_brace(beginning) {
        return Some(format!("it is UTF-16: iconv -f UTF-16 -t UTF-8 {file} | userprofiles import -"));
    }
    if beginning.trim_ascii_start().starts_with(b"[") {
        return Some(format!("it is one JSON array: jq -c '.[]' {file} | userprofiles import -"));
    }
    if first_line == Some(b"{") {
        return Some(format!("its documents span several lines: jq -c . {file} | userprofiles import -"));
    }
    if first_line.is_some_and(is_header_of_csv) {
        return Some(format!("it is CSV: mlr --icsv --ojsonl cat {file} | userprofiles import -"));
    }
    first_line.is_some_and(|line| line.contains(&0)).then(|| "it is not text".to_owned())
}

/// How compressed files begin, what they are called, and what reads them.
const COMPRESSED: [(&[u8], &str, &str); 4] = [
    (&[0x1F, 0x8B], "gzip", "zcat"),
    (&[0x28, 0xB5, 0x2F, 0xFD], "zstd", "zstdcat"),
    (&[0xFD, b'7', b'z', b'X', b'Z', 0], "xz", "xzcat"),
    (b"BZh", "bzip2", "bzcat"),
];

/// The name as a word of a shell.
fn quoted(file: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
    if file.bytes().all(is_plain) { file.to_owned() } else { format!("'{}'", file.replace('\'', "'\\''")) }
}

/// UTF-16 without a mark: each second byte of ASCII is null.
fn has_utf16_brace(beginning: &[u8]) -> bool {
    beginning.starts_with(b"{\0") || beginning.starts_with(b"\0{")
}

/// Names between commas or semicolons, one of which is ours.
fn is_header_of_csv(line: &[u8]) -> bool {
    let names = line.split(|byte| matches!(byte, b',' | b';' | b'\t')).map(|name| {
        name.trim_ascii().strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name.trim_ascii())
    });
    let names: Vec<&[u8]> = names.collect();
    names.len() > 1 && names.iter().any(|name| matches!(*name, b"username" | b"hashed_password"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_lines_of_json_is_named_with_what_to_do() {
        for (beginning, part) in [
            (&b"\x1f\x8b\x08"[..], "zcat users"),
            (b"\xfd7zXZ\0\0", "xzcat users"),
            (b"BZh91AY", "bzcat users"),
            (b"SQLite format 3\0\x10", "export --set embedded.path=users"),
            (b"\x7fELF\x02\0\n", "not text"),
            (b"\x28\xb5\x2f\xfd", "zstdcat"),
            (b"\xff\xfe{\0\"\0", "iconv -f UTF-16"),
            (b"{\0\"\0u\0", "iconv -f UTF-16"),
            (b"\0{\0\"", "iconv -f UTF-16"),
            (b" \n[\n {\"username\":\"a\"}", "jq -c '.[]' users"),
            (b"\xef\xbb\xbf[{}]", "jq -c '.[]'"),
            (b"{\n  \"username\": \"a\"", "jq -c . users"),
            (b"username,email,hashed_password\na,b,c", "mlr --icsv"),
            (b"\"email\";\"username\"\r\n", "mlr --icsv"),
        ] {
            let advice = advice(beginning, "users").unwrap();
            assert!(advice.contains(part), "{}: {advice}", beginning.escape_ascii());
        }
        assert!(advice(b"\x1f\x8b", "a b'c").unwrap().contains("zcat 'a b'\\''c' |"));
        for beginning in
            [&b""[..], b"\n\n", b"{\"username\":\"a,b\"}\n", b"{", b"username,x", b"marker\n", b"a,b,c\n", b"{}\n[1]\n"]
        {
            assert_eq!(advice(beginning, "users"), None, "{}", beginning.escape_ascii());
        }
    }
}
