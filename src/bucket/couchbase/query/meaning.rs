//! What Couchbase's numbers mean for us: one table for the codes of the query service, one for HTTP statuses that come
//! without such a code.
//!
//! Invariant: pure. A sentence is ours and names the number; the server's own message never gets into it, because it
//! may hold values of documents.

use crate::bucket::couchbase::product::Target;
use crate::bucket::rest::{ErrorScope, Failure, Meaning, Retry};

/// The failure that a code means, with what may help. `peer` is who answered, in words; `retry` is the error's own member
/// of that name.
#[must_use]
pub fn of_code(code: i64, retry: Option<bool>, peer: &str, target: &Target) -> Failure {
    let (meaning, sentence) = row(code, target);
    let reason = format!("{peer} answered with error {code}: {sentence}");
    Failure::new(meaning.error(reason), retry_of(code, meaning, retry)).in_scope(scope_of(code))
}

/// A query node has its own connections to the other services, its own copy of the keyspaces, and its own view of the
/// users' roles: each may be broken or old at one node and well at the others.
fn scope_of(code: i64) -> ErrorScope {
    match code {
        5000..=5999 | 10_000 | 12_000..=12_999 | 13_014 => ErrorScope::Node,
        _ => ErrorScope::Cluster,
    }
}

/// What the SDKs do about a code, as far as a read by key can meet it.
fn retry_of(code: i64, meaning: Meaning, retry: Option<bool>) -> Retry {
    match code {
        // The time limit is that of one attempt, where there is another node.
        1080 | 1180..=1182 => Retry::NextNode,
        1191 | 1192 | 1195..=1202 => Retry::AfterPause,
        // Before 7.6 the engine says 13014 for a wrong password too, and sometimes 10000.
        2120 | 10_000 | 13_014 => Retry::NewCredentials,
        _ if retry == Some(false) => Retry::Never,
        12_000..=12_999 | 14_000..=14_999 if meaning == Meaning::Unavailable => Retry::AfterPause,
        _ if retry == Some(true) => Retry::AfterPause,
        _ => Retry::Never,
    }
}

/// The table: the numbers that we know one by one, and then the thousands that they belong to. Every number falls in
/// exactly one row.
fn row(code: i64, target: &Target) -> (Meaning, String) {
    use Meaning::{Misconfigured, Timeout, TooLarge, Unavailable};
    let (meaning, sentence) = match code {
        1000 => (
            Misconfigured,
            "it takes our read for a write; look for something between us and it that changes statements",
        ),
        1080 => (Timeout, "it stopped at the time limit of the request ([bucket] operation_timeout)"),
        1180..=1182 => (Unavailable, "it is shutting down or reports itself unhealthy"),
        1191 | 1192 => (Unavailable, "it limits how many requests it takes, and ours was over the limit"),
        1193 | 1194 => (TooLarge, "the document is too large for it"),
        1195..=1202 => (Unavailable, "it is overloaded, or does not take requests of this tenant for now"),
        2120 => (Misconfigured, "it rejects our login; set [couchbase] username and password_file to a user it knows"),
        12_002 => (Misconfigured, "it has no namespace `default`; check that it is a Couchbase query service"),
        12_003 | 12_020 | 12_021 => return (Misconfigured, no_keyspace(target)),
        12_004 => return (Misconfigured, no_index(target)),
        12_008 => (Unavailable, "it could not read from the data service"),
        _ => return row_of_thousand(code, target),
    };
    (meaning, sentence.to_owned())
}

fn row_of_thousand(code: i64, target: &Target) -> (Meaning, String) {
    use Meaning::{Misconfigured, Unavailable};
    let (meaning, sentence) = match code.div_euclid(1000) {
        1 => (
            Misconfigured,
            "it does not take our parameters; check that it is a Couchbase query service of version 5.0 or later and \
             that nothing in between changes requests",
        ),
        2 => (Misconfigured, "it cannot use our login; check [couchbase] username and password_file"),
        3 => (
            Misconfigured,
            "it does not understand our statement; servers older than 7.0 know no scopes and collections, so leave \
             [couchbase] scope and collection at _default there",
        ),
        4 => (Misconfigured, "it cannot plan our statement; check [couchbase] bucket, scope and collection"),
        5 => (Unavailable, "it failed while it worked on our statement; its own log says more"),
        // 13014 is the one that is met in practice.
        10 | 13 => return (Misconfigured, no_right(target)),
        12 => (Unavailable, "it has trouble with the data or the index service"),
        14 => (Unavailable, "it has trouble with an index"),
        _ => (Unavailable, "this program does not know that number; the log of the query service says more"),
    };
    (meaning, sentence.to_owned())
}

fn no_right(target: &Target) -> String {
    format!(
        "the user ({}) may not read {}; an administrator can run: {} (on servers before 7.6 a wrong password looks \
         the same)",
        target.who(),
        target.keyspace,
        target.grant("query_select")
    )
}

fn no_keyspace(target: &Target) -> String {
    format!(
        "it has no {}; set [couchbase] bucket, scope and collection to what is there, or create it",
        target.keyspace
    )
}

fn no_index(target: &Target) -> String {
    format!("it lacks an index on {}, although a read by key needs none; create a primary index", target.keyspace)
}

/// What a warning means, for the log. The answer counts all the same.
#[must_use]
pub fn of_warning(code: i64) -> &'static str {
    match code {
        4998 => "it did not treat the key as a string: a defect of this program, please report it",
        5503 => "it found no document under the key",
        _ => "the answer was taken all the same; the log of the query service says more",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::BucketError;
    use crate::bucket::couchbase::keyspace::Keyspace;
    use crate::bucket::rest::test_tables;

    fn target() -> Target {
        Target { keyspace: Keyspace::new("b", "s", "c"), username: Some("reader".to_owned()) }
    }

    fn meaning(code: i64) -> Meaning {
        row(code, &target()).0
    }

    /// Spec §4, range by range: the edges of each row, and the rows that are inside others.
    #[test]
    fn every_code_falls_in_the_row_of_the_contract() {
        use Meaning::{Misconfigured, Timeout, TooLarge, Unavailable};
        for (codes, expected) in [
            (&[1000, 1010, 1020, 1065, 1079, 1081, 1110, 1120, 1179, 1183, 1190, 1203, 1999][..], Misconfigured),
            (&[1080], Timeout),
            (&[1180, 1181, 1182, 1191, 1192, 1195, 1196, 1197, 1198, 1199, 1200, 1201, 1202], Unavailable),
            (&[1193, 1194], TooLarge),
            (&[2000, 2120, 2150, 2999, 3000, 3083, 3999, 4000, 4040, 4300, 4999], Misconfigured),
            (&[5000, 5010, 5370, 5500, 5999], Unavailable),
            (&[6000, 9999, 11_000, 11_999, 15_000, 16_021, 17_012, 24_000, 0, -1, i64::MIN, i64::MAX], Unavailable),
            (&[10_000, 10_999, 13_000, 13_014, 13_999, 12_002, 12_003, 12_004, 12_020, 12_021], Misconfigured),
            (&[12_000, 12_001, 12_005, 12_008, 12_015, 12_016, 12_022, 12_041, 12_999, 14_000, 14_999], Unavailable),
        ] {
            for code in codes {
                assert_eq!(meaning(*code), expected, "{code}");
            }
        }
    }

    #[derive(serde::Deserialize)]
    struct CodeRow {
        code: i64,
        retry: Option<bool>,
        meaning: String,
        remedy: String,
    }

    /// The table that the tests over sockets use too, here with what may help (facts of the SDKs, by error code).
    #[test]
    fn every_code_is_tried_again_as_the_sdks_do() {
        let table = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/couchbase-codes.json"));
        let rows: Vec<CodeRow> = serde_json::from_str(table).unwrap();
        assert!(rows.len() > 70);
        for CodeRow { code, retry, meaning: expected, remedy } in rows {
            let failure = of_code(code, retry, "the peer", &target());
            assert_eq!(test_tables::retry(failure.retry), remedy, "{code} {retry:?}");
            assert_eq!(test_tables::meaning(&Err(failure)), expected, "{code} {retry:?}");
        }
    }

    #[test]
    fn a_reason_names_the_code_and_what_to_change() {
        for (code, parts) in [
            (13_014, ["13014", "GRANT query_select ON `b`.`s`.`c` TO `reader`;"]),
            (10_000, ["10000", "GRANT query_select ON `b`.`s`.`c` TO `reader`;"]),
            (2120, ["2120", "password_file"]),
            (12_003, ["12003", "[couchbase] bucket, scope and collection"]),
            (12_020, ["12020", "`b`.`s`.`c`"]),
            (3000, ["3000", "_default"]),
        ] {
            let BucketError::Misconfigured { reason } = of_code(code, None, "the peer", &target()).error else {
                panic!("{code} is not a misconfiguration");
            };
            for part in parts {
                assert!(reason.contains(part), "{code}: {reason}");
            }
        }
    }
}
