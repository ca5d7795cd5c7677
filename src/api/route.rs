//! Paths: split first, then decoded, each segment once.
//!
//! Invariant: pure. Routing reads the raw path only, so that no encoded slash can change the route.

use percent_encoding::percent_decode_str;

use crate::http;
use crate::problem::ProblemCode;

/// The addresses that this API knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/users`, with the raw query.
    Users(&'a str),
    /// `/users/{username}`, with the raw segment.
    User(&'a str),
    /// The same with a slash at its end.
    UserAndSlash(&'a str),
    /// `/problems/{code}`.
    Problem(ProblemCode),
    /// Something that is served as it is.
    File(FileName),
    /// Anything else.
    Unknown,
}

/// What is served as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileName {
    /// `/`, and the `*` of `OPTIONS`.
    Home,
    /// `/docs`.
    Docs,
    /// `/docs/docs.css`: our style around Swagger UI.
    DocsStyle,
    /// `/docs/docs.js`: starts Swagger UI.
    DocsScript,
    /// `/docs/swagger-ui-bundle.js`.
    SwaggerUi,
    /// `/docs/swagger-ui.css`.
    SwaggerUiStyle,
    /// `/openapi.json`.
    OpenApi,
    /// `/favicon.ico` and `/favicon.svg`.
    Favicon,
    /// `/robots.txt`.
    Robots,
}

impl Route<'_> {
    /// Returns the template, for logs and metrics.
    #[must_use]
    pub const fn template(self) -> &'static str {
        match self {
            Self::Users(_) => "/users",
            Self::User(_) | Self::UserAndSlash(_) => "/users/{username}",
            Self::Problem(_) => "/problems/{code}",
            Self::File(FileName::Home) => "/",
            Self::File(FileName::Docs) => "/docs",
            Self::File(FileName::DocsStyle | FileName::DocsScript | FileName::SwaggerUi | FileName::SwaggerUiStyle) => {
                "/docs/{file}"
            }
            Self::File(FileName::OpenApi) => "/openapi.json",
            Self::File(FileName::Favicon) => "/favicon.ico",
            Self::File(FileName::Robots) => "/robots.txt",
            Self::Unknown => "-",
        }
    }
}

/// Finds the route of a raw target (path and query).
#[must_use]
pub fn route(raw_url: &str) -> Route<'_> {
    let path = http::path_of(raw_url);
    if let Some(rest) = path.strip_prefix("/users/") {
        return match rest.split_once('/') {
            None if rest.is_empty() => Route::Unknown,
            None => Route::User(rest),
            Some((segment, "")) if !segment.is_empty() => Route::UserAndSlash(segment),
            Some(_) => Route::Unknown,
        };
    }
    if let Some(code) = path.strip_prefix("/problems/") {
        return ProblemCode::parse(code).map_or(Route::Unknown, Route::Problem);
    }
    Route::File(match path {
        "/users" => return Route::Users(raw_url.split_once('?').map_or("", |(_, query)| query)),
        "/" | "*" => FileName::Home,
        "/docs" => FileName::Docs,
        "/docs/docs.css" => FileName::DocsStyle,
        "/docs/docs.js" => FileName::DocsScript,
        "/docs/swagger-ui-bundle.js" => FileName::SwaggerUi,
        "/docs/swagger-ui.css" => FileName::SwaggerUiStyle,
        "/openapi.json" => FileName::OpenApi,
        "/favicon.ico" | "/favicon.svg" => FileName::Favicon,
        "/robots.txt" => FileName::Robots,
        _ => return Route::Unknown,
    })
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
            ("/", Route::File(FileName::Home)),
            ("/?x", Route::File(FileName::Home)),
            ("*", Route::File(FileName::Home)),
            ("/users/a", Route::User("a")),
            ("/users/a?b=/c/", Route::User("a")),
            ("/users/a%2Fb", Route::User("a%2Fb")),
            ("/users/..", Route::User("..")),
            ("/users/a/", Route::UserAndSlash("a")),
            ("/users", Route::Users("")),
            ("/users?username=a&username=/b", Route::Users("username=a&username=/b")),
            ("/docs", Route::File(FileName::Docs)),
            ("/docs/", Route::Unknown),
            ("/docs/../docs", Route::Unknown),
            ("/problems/timeout", Route::Problem(ProblemCode::Timeout)),
            ("/problems/", Route::Unknown),
            ("/problems/Timeout", Route::Unknown),
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
