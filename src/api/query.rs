//! The query of `/users`: which users are wanted.
//!
//! Invariant: pure. A query is decoded as a form is (the URL standard, §5.1): split at `&` and `=` first, then `+` is a
//! space, then each percent triplet is decoded once.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::http::has_valid_triplets;
use crate::model::{InvalidUsername, Username};
use crate::problem::{Problem, ProblemCode};

/// How many users one request may ask for: as many as fit in a request line, and one page of avatars.
pub const MAX_USERNAMES: usize = 100;

/// The parameter that names a user.
const PARAMETER: &str = "username";

/// How to ask.
const USAGE: &str = "Name 1 to 100 users: /users?username=alice&username=bob. There is no list of all users.";

/// Reads the names out of a raw query, in their order, each as often as it is there. Other parameters are passed over.
///
/// # Errors
/// The problem `invalid-query` if there are none or too many, or if one cannot be decoded.
pub fn usernames(query: &str) -> Result<Vec<Result<Username, InvalidUsername>>, Problem> {
    let invalid = |what: String| Problem::new(ProblemCode::InvalidQuery, format!("{what} {USAGE}"));
    let values = query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == PARAMETER || decode(name) == PARAMETER.as_bytes()).then_some(value)
    });
    let values: Vec<&str> = values.collect();
    if values.is_empty() {
        return Err(invalid("No user is named.".to_owned()));
    }
    if values.len() > MAX_USERNAMES {
        return Err(invalid(format!("{} users are named, which is too many.", values.len())));
    }
    if values.iter().any(|value| !has_valid_triplets(value.as_bytes())) {
        return Err(invalid("The query has a `%` that two hexadecimal digits do not follow.".to_owned()));
    }
    Ok(values.into_iter().map(|value| Username::from_bytes(decode(value))).collect())
}

fn decode(text: &str) -> Vec<u8> {
    let text = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    percent_decode_str(&text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(query: &str) -> Vec<String> {
        let named = usernames(query).unwrap();
        named
            .into_iter()
            .map(|name| name.map_or_else(|rule| rule.to_string(), |name| name.as_str().to_owned()))
            .collect()
    }

    #[test]
    fn names_are_decoded_as_forms_are() {
        assert_eq!(names("username=a&username=b&username=a"), ["a", "b", "a"]);
        assert_eq!(names("username=a+b&username=a%2Bb&username=a%2526b"), ["a b", "a+b", "a%26b"]);
        assert_eq!(names("x=1&username=caf%C3%A9&user=y&%75sername=z"), ["café", "z"]);
        assert_eq!(names("username=a=b&username=a/b?c"), ["a=b", "a/b?c"]);
        assert_eq!(names("username"), ["A username cannot be empty."]);
        assert_eq!(names("username=%ff").len(), 1);
    }

    #[test]
    fn no_names_and_too_many_are_told_how_to_ask() {
        let hundred = vec!["username=a"; 100].join("&");
        assert_eq!(names(&hundred).len(), 100);
        for (query, words) in [
            ("", "No user is named."),
            ("name=a", "No user is named."),
            (&format!("{hundred}&username=b"), "101 users are named, which is too many."),
            ("username=%zz", "two hexadecimal digits"),
        ] {
            let problem = usernames(query).unwrap_err();
            assert_eq!(problem.code, ProblemCode::InvalidQuery);
            assert!(
                problem.detail.contains(words) && problem.detail.contains("/users?username="),
                "{}",
                problem.detail
            );
        }
    }
}
