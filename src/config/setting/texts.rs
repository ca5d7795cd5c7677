//! Settings that are a text: each kind is a rule that says what to write instead.
//!
//! Invariant: a text that may hold login data is not repeated in an error.

use std::path::PathBuf;

use super::host::is_node;
use super::kind::Kind;
use super::raw::{Raw, quoted};
use super::secret_options::holds_secret;

/// Kinds of texts, each with the function that checks it.
macro_rules! texts {
    ($($name:ident: $check:expr,)*) => {$(
        pub enum $name {}

        impl Kind for $name {
            type Value = String;

            fn read(raw: &Raw) -> Result<String, String> {
                let text = raw.text()?;
                $check(text).map(|()| text.to_owned())
            }

            fn to_toml(text: &String) -> Option<String> {
                Some(quoted(text))
            }
        }
    )*};
}

texts! {
    AnyText: |_| Ok(()),
    Text: text,
    Username: username,
    BucketName: bucket_name,
    CollectionName: collection_name,
    CassandraName: cassandra_name,
    CassandraNode: cassandra_node,
    MongodbUri: mongodb_uri,
    FieldValue: field_value,
    WebOrigin: web_origin,
}

/// The path of a file.
pub enum FilePath {}

impl Kind for FilePath {
    type Value = PathBuf;

    fn read(raw: &Raw) -> Result<PathBuf, String> {
        let path = Text::read(raw)?;
        if path == "~" || path.starts_with("~/") {
            return Err(
                "begins with ~, which only a shell replaces by the home folder: write the whole path".to_owned()
            );
        }
        Ok(PathBuf::from(path))
    }

    fn to_toml(path: &PathBuf) -> Option<String> {
        Some(quoted(&path.to_string_lossy()))
    }
}

/// Any text but the empty one and control characters.
pub fn text(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty: write a value, or leave the setting out".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("has a line break or another control character in it: leave it out".to_owned());
    }
    Ok(())
}

/// A user name as Basic authentication can carry it (RFC 7617 section 2).
pub fn username(name: &str) -> Result<(), String> {
    text(name)?;
    if name.contains(':') {
        return Err("has a colon in it, which Basic authentication cannot carry: use another user, and put the \
                    password into password_file"
            .to_owned());
    }
    Ok(())
}

/// A bucket of Couchbase.
pub fn bucket_name(name: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%');
    if (1..=100).contains(&name.len()) && name.bytes().all(is_allowed) && !name.starts_with('.') {
        return Ok(());
    }
    Err(format!(
        "{name:?} cannot be the name of a bucket: those have 1 to 100 of A-Z a-z 0-9 _ - . % and do not begin \
         with a dot"
    ))
}

/// A scope or a collection of Couchbase.
pub fn collection_name(name: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'%');
    let is_sound = (1..=251).contains(&name.len()) && name.bytes().all(is_allowed) && !name.starts_with(['_', '%']);
    if is_sound || name == "_default" {
        return Ok(());
    }
    Err(format!(
        "{name:?} cannot be the name of a scope or a collection: those have 1 to 251 of A-Z a-z 0-9 _ - % and do \
         not begin with _ or %, but for \"_default\""
    ))
}

/// A keyspace or a table of Cassandra, which goes into statements as it stands.
pub fn cassandra_name(name: &str) -> Result<(), String> {
    if (1..=48).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(());
    }
    Err(format!("{name:?} cannot be the name of a keyspace or a table: those have 1 to 48 letters, digits and _"))
}

/// A node of Cassandra: a host with or without a port.
pub fn cassandra_node(node: &str) -> Result<(), String> {
    if is_node(node) {
        return Ok(());
    }
    Err(format!("{node:?} is not a host: write \"host\" or \"host:9042\""))
}

/// The address of `MongoDB`. The text is not repeated: it may hold login data.
pub fn mongodb_uri(uri: &str) -> Result<(), String> {
    let Some(rest) = uri.strip_prefix("mongodb://").or_else(|| uri.strip_prefix("mongodb+srv://")) else {
        return Err("is not the address of MongoDB: write for example \"mongodb://127.0.0.1:27017\"".to_owned());
    };
    without_login(rest)?;
    for (name, value) in options_of_uri(rest) {
        if let Some((_, remedy)) = OPTIONS_OF_TLS.iter().find(|(option, _)| name.eq_ignore_ascii_case(option)) {
            return Err(format!("has the option {name} in it: {remedy}"));
        }
        if holds_secret(name, value) {
            return Err("has the secret of an option in it, and ends up in logs and listings: put the password into \
                        password_file, and use a key file without a passphrase that only this program may read"
                .to_owned());
        }
    }
    text(rest)
}

/// Options that settings of ours take the place of, or that nothing does.
const OPTIONS_OF_TLS: [(&str, &str); 5] = [
    ("tlsCAFile", "set [mongodb] ca_file"),
    ("tlsCertificateKeyFile", "set [mongodb] client_certificate_file and client_key_file"),
    ("tlsInsecure", UNVERIFIED),
    ("tlsAllowInvalidCertificates", UNVERIFIED),
    ("tlsAllowInvalidHostnames", UNVERIFIED),
];

const UNVERIFIED: &str = "certificates are always verified; set [mongodb] ca_file to the authority of yours";

/// True if connections to the address of `MongoDB` are made over TLS: by an option, or because it is mongodb+srv://.
#[must_use]
pub fn mongodb_uri_has_tls(uri: &str) -> bool {
    let said = options_of_uri(uri).filter(|(name, _)| ["tls", "ssl"].iter().any(|tls| name.eq_ignore_ascii_case(tls)));
    said.last().map_or_else(|| uri.starts_with("mongodb+srv://"), |(_, value)| value.eq_ignore_ascii_case("true"))
}

/// The options behind the question mark, by name and value.
fn options_of_uri(uri: &str) -> impl Iterator<Item = (&str, &str)> {
    let options = uri.split_once('?').map_or("", |(_, options)| options);
    options.split(['&', ';']).map(|option| option.split_once('=').unwrap_or((option, "")))
}

/// The value of a header field: visible ASCII with spaces inside (RFC 9110 section 5.5).
pub fn field_value(value: &str) -> Result<(), String> {
    let is_visible = !value.is_empty() && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_visible && !value.starts_with(' ') && !value.ends_with(' ') {
        return Ok(());
    }
    Err("is not the value of a header field: write visible ASCII without spaces around it, such as \"max-age=60\""
        .to_owned())
}

/// An origin as browsers send it (RFC 6454 section 6.2), or `*`. Browsers compare byte by byte, so that nothing else
/// would ever match.
pub fn web_origin(origin: &str) -> Result<(), String> {
    const WHAT_TO_WRITE: &str = "write \"https://example.com\" or \"https://example.com:8443\", or \"*\"";
    if origin == "*" {
        return Ok(());
    }
    let (usual_port, rest) = match (origin.strip_prefix("https://"), origin.strip_prefix("http://")) {
        (Some(rest), _) => (":443", rest),
        (_, Some(rest)) => (":80", rest),
        _ => return Err(format!("{origin:?} is not an origin: {WHAT_TO_WRITE}")),
    };
    if rest.ends_with(usual_port) {
        return Err(format!("{origin:?} has the usual port, which browsers leave out: leave out {usual_port}"));
    }
    if rest.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("{origin:?} has capitals, which browsers do not send: write it in small letters"));
    }
    if is_node(rest) {
        return Ok(());
    }
    Err(format!("{origin:?} is not an origin (it has no path and no / at its end): {WHAT_TO_WRITE}"))
}

/// Refuses an address with login data in it.
pub fn without_login(address: &str) -> Result<(), String> {
    if address.contains('@') {
        return Err("has an @ in it: login data belongs into username and password_file".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_of_mongodb_says_whether_there_is_tls() {
        for (uri, expected) in [
            ("mongodb://a", false),
            ("mongodb://a/?tls=true", true),
            ("mongodb://a/?replicaSet=rs&SSL=True", true),
            ("mongodb://a/?tls=false", false),
            ("mongodb+srv://a", true),
            ("mongodb+srv://a/?tls=false", false),
        ] {
            assert_eq!(mongodb_uri_has_tls(uri), expected, "{uri}");
        }
    }

    #[test]
    fn texts_are_told_apart() {
        type Check = fn(&str) -> Result<(), String>;
        let long = "x".repeat(252);
        let cases: &[(&str, Check, &[&str], &[&str])] = &[
            ("text", text, &["a b"], &["", "a\nb", "\u{7f}"]),
            ("username", username, &["svc", "a@b"], &["", "a:b", "a\r"]),
            ("bucket_name", bucket_name, &["bucket_name", "a.b%c-1"], &["", ".a", "a b", "ä", &long]),
            ("collection_name", collection_name, &["_default", "users-1"], &["", "_x", "%x", "a.b", &long]),
            ("cassandra_name", cassandra_name, &["user_profiles"], &["", "a-b", "a;b", &long]),
            (
                "node",
                cassandra_node,
                &["a", "a:1", "[::1]:9042", "[::1]"],
                &["", "a:", "a:0", "a:x", "::1", "a b", "http://a"],
            ),
            (
                "mongodb_uri",
                mongodb_uri,
                &["mongodb://a,b/?x=y"],
                &[
                    "",
                    "http://a",
                    "mongodb://u:p@a",
                    "mongodb://a/?tls=true&tlsinsecure=true",
                    "mongodb://a/?tlsCAFile=/x",
                    "mongodb://a/?tls=true&tlsCertificateKeyFilePassword=x",
                    "mongodb+srv://a/?authMechanismProperties=AWS_SESSION_TOKEN:x",
                ],
            ),
            ("field_value", field_value, &["no-cache", "public, max-age=60"], &["", " a", "a ", "a\tb", "a\r\nb", "ä"]),
            (
                "origin",
                web_origin,
                &["*", "https://a.example", "http://localhost:3000", "https://[::1]:8443"],
                &[
                    "",
                    "null",
                    "a",
                    "https://",
                    "https://a/",
                    "https://a/b",
                    "https://A",
                    "https://a:443",
                    "http://a:80",
                    "ws://a",
                    "https://u@a",
                ],
            ),
        ];
        for (name, check, good, bad) in cases {
            for text in *good {
                assert_eq!(check(text), Ok(()), "{name} {text:?}");
            }
            for text in *bad {
                assert!(check(text).is_err(), "{name} {text:?}");
            }
        }
    }

    #[test]
    fn login_data_is_not_repeated() {
        let error = mongodb_uri("mongodb://u:geheim@a").unwrap_err();
        assert!(!error.contains("geheim"), "{error}");
    }
}
