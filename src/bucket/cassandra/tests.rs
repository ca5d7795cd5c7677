use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::frame::types::Consistency;

use super::meaning::Context;
use super::*;
use crate::bucket::ErrorKind;
use crate::bucket::remote::Retry;
use crate::bucket::remote::tls::Tls;
use crate::config::TlsSettings;

fn target() -> Target {
    let mut settings =
        CassandraSettings { keyspace: "App".to_owned(), table: "users".to_owned(), ..Default::default() };
    settings.login.username = Some("reader".to_owned());
    Target::new(&settings)
}

/// What an error of the database means, and its reason.
fn meaning(operation: Operation, error: DbError, message: &str) -> (ErrorKind, Retry, String, Option<String>) {
    let tls = Tls::new(&CASSANDRA, &TlsSettings::default(), Security::Plain).unwrap();
    let error = ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, message.to_owned()));
    let target = target();
    let failure = Context { operation, target: &target, tls: &tls }.execution(&error, &[]);
    assert!(!failure.error.reason().contains("marker"), "{}", failure.error.reason());
    (failure.error.kind(), failure.retry, failure.error.reason(), failure.details.code)
}

#[test]
fn each_error_of_the_database_has_its_row() {
    use ErrorKind::{Misconfigured, Timeout, Unavailable};
    let unavailable = DbError::Unavailable { consistency: Consistency::LocalQuorum, required: 2, alive: 1 };
    let read_timeout =
        DbError::ReadTimeout { consistency: Consistency::One, received: 0, required: 1, data_present: false };
    for (error, message, kind, retry, says) in [
        (
            DbError::AuthenticationError,
            "marker",
            Misconfigured,
            Retry::NewCredentials,
            "[cassandra] username and password_file",
        ),
        (
            DbError::Unauthorized,
            "marker",
            Misconfigured,
            Retry::Never,
            "GRANT SELECT ON TABLE app.users TO \"reader\";",
        ),
        (DbError::Invalid, "unconfigured table users", Misconfigured, Retry::Never, "it has no table app.users"),
        (DbError::Invalid, "Keyspace app does not exist", Misconfigured, Retry::Never, "it has no table app.users"),
        (DbError::Invalid, "table app.users does not exist", Misconfigured, Retry::Never, "import --create"),
        (DbError::Invalid, "Undefined column name doc in table", Misconfigured, Retry::Never, "no columns id and doc"),
        (DbError::Invalid, "Mutation of 9 bytes is too large", Misconfigured, Retry::Never, "max_mutation_size"),
        (DbError::Invalid, "marker", Misconfigured, Retry::Never, "does not take our statement"),
        (DbError::SyntaxError, "marker", Misconfigured, Retry::Never, "does not take our statement"),
        (unavailable, "marker", Unavailable, Retry::AfterPause, "LOCAL_QUORUM needs 2 replicas"),
        (read_timeout, "marker", Timeout, Retry::AfterPause, "did not answer it in time"),
        (DbError::Overloaded, "marker", Unavailable, Retry::AfterPause, "overloaded"),
        (DbError::IsBootstrapping, "marker", Unavailable, Retry::AfterPause, "starting"),
        (DbError::ServerError, "marker", Unavailable, Retry::AfterPause, "failed by itself"),
        (DbError::TruncateError, "marker", Unavailable, Retry::AfterPause, "failed by itself"),
        (DbError::Other(0x7777), "marker", Unavailable, Retry::Never, "error 0x7777: it failed by itself"),
    ] {
        let (found, found_retry, reason, _) = meaning(Operation::Read, error, message);
        assert_eq!((found, found_retry), (kind, retry), "{reason}");
        assert!(reason.contains(says), "no {says:?} in {reason}");
    }
    let (_, _, reason, _) = meaning(Operation::Store, DbError::Unauthorized, "");
    assert!(reason.contains("GRANT MODIFY ON TABLE app.users"), "{reason}");
    let code = |message: &str| meaning(Operation::Read, DbError::Invalid, message).3;
    assert_eq!((code("unconfigured table users").as_deref(), code("x").as_deref()), (Some(NO_TABLE), Some("0x2200")));
}

#[test]
fn a_data_centre_without_nodes_is_told_with_those_that_there_are() {
    let tls = Tls::new(&CASSANDRA, &TlsSettings::default(), Security::Plain).unwrap();
    let target = target();
    let context = Context { operation: Operation::Read, target: &target, tls: &tls };
    let of = |datacenters: &[&str]| {
        let datacenters: Vec<String> = datacenters.iter().map(|name| (*name).to_owned()).collect();
        context.execution(&ExecutionError::EmptyPlan, &datacenters).error
    };
    let reason = of(&["east", "west"]).reason();
    assert!(reason.contains("one of those that it has: \"east\", \"west\""), "{reason}");
    assert_eq!(of(&["datacenter1"]).kind(), ErrorKind::Unavailable);
    assert_eq!(of(&[]).kind(), ErrorKind::Unavailable);
}

#[test]
fn nodes_have_the_usual_port_unless_they_say_another() {
    for (node, host, port) in [
        ("a.example.com", "a.example.com", 9042),
        ("a:1234", "a", 1234),
        ("10.0.0.1", "10.0.0.1", 9042),
        ("[::1]", "::1", 9042),
        ("[::1]:7", "::1", 7),
    ] {
        assert_eq!(endpoint(node, Security::Plain), Endpoint::new(Security::Plain, host, port), "{node}");
    }
}

#[test]
fn statements_name_what_the_settings_name() {
    let mut target = target();
    assert_eq!(target.quoted(), "\"app\".\"users\"");
    target.datacenter = "d'c".to_owned();
    assert_eq!(
        target.create_keyspace(3),
        "CREATE KEYSPACE IF NOT EXISTS \"app\" WITH replication = {'class': 'NetworkTopologyStrategy', 'd''c': 3}"
    );
}
