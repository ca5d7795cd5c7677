//! The characters of RFC 9110, RFC 9112 and RFC 3986, as predicates over bytes.
//!
//! Invariant: pure, and free of any state; every byte that is not named is refused.

use std::net::Ipv6Addr;

/// The characters of a token (RFC 9110 §5.6.2), as a table: it is read for every byte of a method.
const TCHAR: [bool; 256] = table(b"!#$%&'*+-.^_`|~");

/// What a path may hold: `pchar` and `/` (RFC 3986 §3.3). More than that: `[`, `]`, `^` and `|`, which browsers send as
/// they are (the WHATWG URL standard's path percent-encode set leaves them alone) and which have no meaning here.
const PATH: [bool; 256] = table(b"-._~!$&'()*+,;=:@%/[]^|");

/// What a query may hold (RFC 3986 §3.4), and what browsers leave unencoded in it. Queries are not read here.
const QUERY: [bool; 256] = table(b"-._~!$&'()*+,;=:@%/?[]^|`{}\\");

/// The characters of a `reg-name` (RFC 3986 §3.2.2), percent triplets left to [`has_valid_triplets`]. Without the comma,
/// which no host name has, and with which intermediaries join two `Host` lines.
const REG_NAME: [bool; 256] = table(b"-._~!$&'()*+;=%");

/// The letters, the digits and `others`.
const fn table(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut index = 0;
    while index < others.len() {
        table[others[index] as usize] = true;
        index += 1;
    }
    table
}

/// Returns true for a character of a token.
#[must_use]
pub const fn is_tchar(byte: u8) -> bool {
    TCHAR[byte as usize]
}

/// Returns true for a visible ASCII character: a request target has no others.
#[must_use]
pub const fn is_vchar(byte: u8) -> bool {
    byte > 0x20 && byte < 0x7f
}

/// Returns true for a path and a query, as in the origin form of RFC 9112 §3.2.1.
#[must_use]
pub fn is_origin_form(target: &[u8]) -> bool {
    if target.first() != Some(&b'/') {
        return false;
    }
    let path_length = target.iter().position(|&byte| byte == b'?').unwrap_or(target.len());
    let (path, query) = target.split_at(path_length);
    path.iter().all(|&byte| PATH[byte as usize]) && query.iter().skip(1).all(|&byte| QUERY[byte as usize])
}

/// Returns a target without its query.
#[must_use]
pub fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// Returns true for `uri-host [ ":" port ]` with a host that is not empty (RFC 9110 §7.2 and §4.2.1), as in `Host` and in an authority
/// without userinfo.
#[must_use]
pub fn is_host_and_port(value: &[u8]) -> bool {
    let (host_is_valid, rest) = if value.first() == Some(&b'[') {
        let Some(end) = value.iter().position(|&byte| byte == b']') else { return false };
        let is_address = std::str::from_utf8(&value[1..end]).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
        (is_address, &value[end + 1..])
    } else {
        let end = value.iter().position(|&byte| byte == b':').unwrap_or(value.len());
        let host = &value[..end];
        let is_name = !host.is_empty() && host.iter().all(|&byte| REG_NAME[byte as usize]) && has_valid_triplets(host);
        (is_name, &value[end..])
    };
    host_is_valid && is_port(rest)
}

/// Nothing, or a colon and a port. The grammar allows any number; one that is no TCP port is refused, since it
/// cannot be meant.
fn is_port(rest: &[u8]) -> bool {
    match rest.split_first() {
        None => true,
        Some((b':', digits)) => {
            digits.iter().all(u8::is_ascii_digit)
                && (digits.is_empty() || std::str::from_utf8(digits).is_ok_and(|text| text.parse::<u16>().is_ok()))
        }
        Some(_) => false,
    }
}

/// Returns true if two hexadecimal digits follow each `%` (RFC 3986 §2.1).
#[must_use]
pub fn has_valid_triplets(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            _ => return false,
        }
    }
    true
}

/// Returns the value without the optional white space around it (RFC 9110 §5.6.3: spaces and tabs).
#[must_use]
pub fn trim_ows(value: &[u8]) -> &[u8] {
    let is_ows = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_ows(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_ows(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// Returns the members of a comma-separated list (RFC 9110 §5.6.1), empty ones left out.
pub fn list_members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim_ows).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for good in ["x", "example.org", "a_b", "x:80", "x:", "127.0.0.1:8000", "[::1]", "[::1]:8000", "caf%C3%A9"] {
            assert!(is_host_and_port(good.as_bytes()), "{good}");
        }
        for bad in [
            "", ":80", "a b", "x:y", "x:99999", "x:80:90", "[::1", "[x]", "[::1]x", "u@x", "x/y", "x,y", "%zz", "é",
            "x?",
        ] {
            assert!(!is_host_and_port(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn origin_forms() {
        for good in ["/", "/a/b", "/caf%C3%A9", "/%zz", "/a?b=c&d={}", "/a|b", "//x", "/../x", "/a+b;c=d:@!$'()*,"] {
            assert!(is_origin_form(good.as_bytes()), "{good}");
        }
        for bad in
            ["", "a", "*", "/a#b", "/a\"b", "/<a>", "/a\\b", "/{a}", "/a`b", "/\u{e9}", "/a?b#c", "/a?\"", "/a b"]
        {
            assert!(!is_origin_form(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn triplets() {
        for good in ["", "a", "%00", "%fF%20x"] {
            assert!(has_valid_triplets(good.as_bytes()), "{good}");
        }
        for bad in ["%", "%1", "%zz", "a%2", "%%20"] {
            assert!(!has_valid_triplets(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn lists_and_white_space() {
        assert_eq!(trim_ows(b" \t a b \t"), b"a b");
        assert_eq!(trim_ows(b" \t "), b"");
        assert_eq!(list_members(b"a, ,b ,\t,c").collect::<Vec<_>>(), [&b"a"[..], b"b", b"c"]);
    }
}
