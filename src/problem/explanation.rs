//! What each problem means and what can be done about it: the text of the pages `/problems/CODE` and of
//! `docs/reference/problems.md`.
//!
//! Invariant: every code is explained, and the text is the same for everybody: nothing of a request or a database is in it.

use super::ProblemCode;

/// What a problem means, and what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What has happened.
    pub meaning: &'static str,
    /// What the caller can do.
    pub caller: &'static str,
    /// What the operator of the server can do.
    pub operator: &'static str,
}

/// What is said to callers about problems that only the operator can solve.
const TELL_THE_OPERATOR: &str = "Nothing in the request is wrong. Tell the operator of the server, with the request_id of the \
                                 answer: it is in the server's log.";

/// What is said to operators about requests that are wrong.
const MISTAKE_OF_THE_CALLER: &str = "Nothing: the request is wrong. If many clients are refused like this, the access log \
                                     (code=…) shows what they send.";

impl ProblemCode {
    /// Returns what the problem means and what can be done about it.
    #[must_use]
    pub const fn explanation(self) -> Explanation {
        let (meaning, caller, operator) = self.texts();
        Explanation { meaning, caller, operator }
    }

    #[allow(clippy::too_many_lines, reason = "one arm a code")]
    const fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::UserNotFound => (
                "There is no user of this name.",
                "Check the spelling: usernames are case-sensitive, and characters other than letters, digits, - . _ ~ must \
                 be percent-encoded in a path. A user may have been removed.",
                "If the user should be there: `userprofiles get USERNAME` asks the database with the same settings, and \
                 `userprofiles check` tells which database, bucket or table is read. An empty document counts as none.",
            ),
            Self::NotFound => (
                "The server has nothing at this path.",
                "Users are at /users/{username}, without anything behind the name. The start page links to everything else.",
                "If this should be /docs or /openapi.json: `[http] docs = false` takes them away. /live, /ready, /metrics \
                 and /status are on the admin listener (`[admin] listen`).",
            ),
            Self::InvalidUsername => (
                "The name cannot be a username: it is empty, longer than 233 bytes of UTF-8, not UTF-8, or holds a control \
                 character.",
                "The detail of the answer says which rule is broken. Asking again changes nothing.",
                MISTAKE_OF_THE_CALLER,
            ),
            Self::InvalidQuery => (
                "The query does not say which users are wanted, names too many, has a % that two hexadecimal digits do not \
                 follow, or asks for more than 4 MiB of profiles.",
                "Name 1 to 100 users: /users?username=alice&username=bob. There is no list of all users. In a query a plus \
                 sign is a space, so a plus sign is written %2B.",
                MISTAKE_OF_THE_CALLER,
            ),
            Self::BadRequest => (
                "What was sent is not a request as HTTP defines it, or its path has a % that two hexadecimal digits do not \
                 follow.",
                "The detail of the answer says which rule is broken. A percent sign of a name is written %25. Use an HTTP \
                 library rather than composing requests by hand.",
                "Usually nothing: scanners send such bytes. If it is a proxy of yours, compare what it sends with RFC 9112.",
            ),
            Self::MethodNotAllowed => (
                "Method Not Allowed",
                "Use GET, HEAD or OPTIONS: the Allow field lists them.",
                "Profiles are written with `userprofiles import` or in the database itself, not through this server.",
            ),
            Self::RequestTimeout => (
                "The request was begun and did not arrive completely in time.",
                "Send the request again, on a new connection.",
                "`[http] head_timeout` is how long a request may take to arrive. Many of these at once are clients that \
                 send slowly on purpose, or a network that loses packets.",
            ),
            Self::PreconditionFailed => (
                "The request has an If-Match field, and the answer has none of the entity tags in it: it has changed.",
                "Read it without If-Match, and go on with the ETag of that answer.",
                "Nothing: it is how HTTP keeps clients from working with what is out of date.",
            ),
            Self::UriTooLong => (
                "The request line is longer than 8192 bytes.",
                "Ask for fewer users at once, or leave out what the query does not need.",
                "Nothing: the limit is fixed. A proxy in front may have a smaller one.",
            ),
            Self::ExpectationFailed => (
                "The request has an Expect field with something other than 100-continue.",
                "Leave the field out.",
                MISTAKE_OF_THE_CALLER,
            ),
            Self::HeadersTooLarge => (
                "The request has more than 100 header fields, or its head is larger than 16384 bytes.",
                "Send fewer or shorter fields. Large cookies of other pages on the same host are the usual cause: this \
                 server needs none.",
                "Nothing: the limit is fixed. A proxy in front can remove the Cookie field.",
            ),
            Self::Internal => (
                "The server met a defect of its own.",
                TELL_THE_OPERATOR,
                "Please report it as a bug, with the lines of the log that hold the request_id and the word `panicked`.",
            ),
            Self::NotImplemented => (
                "The request uses a transfer coding or a method that this server does not know.",
                "Send GET requests without a body.",
                MISTAKE_OF_THE_CALLER,
            ),
            Self::VersionNotSupported => (
                "The request is in a version of HTTP that this server does not speak.",
                "Use HTTP/1.1 or HTTP/1.0.",
                "For HTTP/2 or HTTP/3, put a reverse proxy in front: it speaks HTTP/1.1 with this server.",
            ),
            Self::InvalidDocument => (
                "There is a document of this user, but it is not a user profile: a field is missing, has the wrong type, or \
                 it is not JSON.",
                TELL_THE_OPERATOR,
                "The log names the document, the field and the rule. Correct the document in the database, or import the \
                 user again: `userprofiles import` checks the same rules.",
            ),
            Self::Misconfigured => (
                "The database refuses the server, lacks what its settings name, or is not the database that they name.",
                TELL_THE_OPERATOR,
                "The log says exactly what to change. `userprofiles check` goes through the settings and the database step \
                 by step.",
            ),
            Self::Unavailable => (
                "The database cannot be reached, is overloaded or is restarting, or the server itself is shutting down.",
                "Send the request again after the number of seconds in Retry-After, and wait longer each time.",
                "/ready and /status on the admin listener say why, and so does the log. The server needs no restart: it \
                 answers again as soon as the database does.",
            ),
            Self::Busy => (
                "There were more requests at once than the server or its connections to the database could take.",
                "Send the request again after the number of seconds in Retry-After, and wait longer each time. Ask for \
                 several users by one request.",
                "Look at userprofiles_bucket_connections and userprofiles_http_blocking_requests in /metrics. If the \
                 database is quick, raise `[http] workers` and `[bucket] max_connections`; if it is slow, more of them only \
                 make it slower.",
            ),
            Self::Timeout => (
                "The database did not answer in time.",
                "Send the request again later.",
                "`[bucket] operation_timeout` is how long a read may take. The log has a line for each slow operation \
                 (`[bucket] slow_operation`), with the node and the database's own figures.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::generated;

    #[test]
    fn the_list_in_the_documentation_is_this_one() {
        let mut text = "# Problems\n\nEvery error that the server answers is a problem document (RFC 9457, \
                        `application/problem+json`), or a page for a browser. Its `type` is the path of a page of the server, \
                        `/problems/CODE`, which says the same as this list. The access log has the code too (`code=CODE`).\n"
            .to_owned();
        for code in ProblemCode::ALL {
            let Explanation { meaning, caller, operator } = code.explanation();
            let (status, name, title) = (code.status(), code.as_str(), code.title());
            write!(
                text,
                "\n## {name}\n\n{status} {title}\n\n- **What it means:** {meaning}\n- **What the caller can do:** {caller}\n\
                 - **What the operator can do:** {operator}\n"
            )
            .unwrap();
        }
        generated::assert_file("docs/reference/problems.md", &text);
    }
}
