//! What loads, and could be better.

use super::*;

#[test]
fn what_could_be_better_is_a_warning() {
    for (set, expected) in [
        (&["http.workers=2", "bucket.max_connections=3"][..], "never need more than one each"),
        (&["bucket.database=couchbase", "couchbase.username=u"], "no password for it"),
        (
            &[
                "bucket.database=couchbase",
                "couchbase.connection_string=couchbases://a",
                "couchbase.danger_accept_invalid_certificates=true",
            ],
            "name the cluster's own authority in [couchbase] ca_file",
        ),
        (
            &["bucket.database=couchbase", "couchbase.danger_accept_invalid_certificates=true"],
            "[couchbase] danger_accept_invalid_certificates has no effect without TLS",
        ),
        (&["bucket.database=couchbase", "couchbase.ca_file=/ca.pem"], "[couchbase] ca_file has no effect without TLS"),
        (&["bucket.database=couchbase", "couchbase.connection_string=couchbase://a?ipv6=allow"], "no effect"),
    ] {
        let warnings = loaded("", &[], set).warnings;
        assert_eq!(warnings.len(), 1, "{set:?}: {warnings:?}");
        assert!(warnings[0].contains(expected), "{set:?}: {warnings:?}");
    }
    let password = &[("USERPROFILES_COUCHBASE_PASSWORD", "x")];
    let warnings = loaded("", password, &["bucket.database=couchbase"]).warnings;
    assert!(warnings[0].contains("no user"), "{warnings:?}");
}
