//! Paths: split first, then decoded, each segment once.
//!
//! Invariant: pure. Routing reads the raw path only, so that no encoded slash can change the route.

use percent_encoding::percent_decode_str;

use crate::http;

/// The addresses that this API knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/`, and the `*` of `OPTIONS`.
    Home,
    /// `/users/{username}`, with the raw segment.
    User(&'a str),
    /// The same with a slash at its end.
    UserAndSlash(&'a str),
    /// Anything else.
    Unknown,
}

impl Route<'_> {
    /// Returns the template, for logs.
    #[must_use]
    pub const fn template(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::User(_) | Self::UserAndSlash(_) => "/users/{username}",
            Self::Unknown => "-",
        }
    }
}

/// Finds the route of a raw target (path and query).
#[must_use]
pub fn route(raw_url: &str) -> Route<'_> {
    let path = http::path_of(raw_url);
    if path == "/" || path == "*" {
        return Route::Home;
    }
    let Some(rest) = path.strip_prefix("/users/") else { return Route::Unknown };
    match rest.split_once('/') {
        None if rest.is_empty() => Route::Unknown,
        None => Route::User(rest),
        Some((segment, "")) if !segment.is_empty() => Route::UserAndSlash(segment),
        Some(_) => Route::Unknown,
    }
}

/// Returns true if two hexadecimal digits follow each `%` in the path. Queries are not read here.
#[must_use]
pub fn has_valid_triplets(raw_url: &str) -> bool {
    http::has_valid_triplets(http::path_of(raw_url).as_bytes())
}

/// Returns the bytes that a segment stands for. `+` is a plus sign: it means a space in forms only.
#[must_use]
pub fn decode(segment: &str) -> Vec<u8> {
    percent_decode_str(segment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes() {
        for (raw_url, expected) in [
            ("/", Route::Home),
            ("/?x", Route::Home),
            ("*", Route::Home),
            ("/users/a", Route::User("a")),
            ("/users/a?b=/c/", Route::User("a")),
            ("/users/a%2Fb", Route::User("a%2Fb")),
            ("/users/..", Route::User("..")),
            ("/users/a/", Route::UserAndSlash("a")),
            ("/users", Route::Unknown),
            ("/users/", Route::Unknown),
            ("/users//", Route::Unknown),
            ("/users/a//", Route::Unknown),
            ("/users/a/b", Route::Unknown),
            ("//users/a", Route::Unknown),
            ("/%75sers/a", Route::Unknown),
            ("/Users/a", Route::Unknown),
        ] {
            assert_eq!(route(raw_url), expected, "{raw_url}");
        }
    }

    #[test]
    fn each_segment_is_decoded_once() {
        assert_eq!(decode("caf%C3%A9"), "café".as_bytes());
        assert_eq!(decode("a+b%2Bc"), b"a+b+c");
        assert_eq!(decode("%2525"), b"%25");
        assert_eq!(decode("%00%ff"), [0, 0xff]);
    }

    #[test]
    fn triplets_count_in_the_path_only() {
        assert!(has_valid_triplets("/users/a%2F?x=%zz"));
        assert!(!has_valid_triplets("/users/%zz"));
        assert!(!has_valid_triplets("/users/a%2"));
    }
}
