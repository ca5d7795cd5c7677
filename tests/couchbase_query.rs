//! Couchbase's query service, at the level of the library: `get_bucket` and `get_user` against the double, over real
//! sockets. What each answer means is in tables; `tests/data/couchbase-codes.json` has the numbers of errors.

#[path = "couchbase_query/connections.rs"]
mod connections;
#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "couchbase_query/discovery.rs"]
mod discovery;
#[path = "support/settings.rs"]
mod settings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use couchbase::{CodeRow, Cut, Double, ErrorAnswer, Manager, Query, Raised, Raw, Stored, code_rows};
use userprofiles::bucket::{Cursor, Database, NewDocument};
use userprofiles::clock::{self, Deadline};
use userprofiles::config::{BucketSettings, CouchbaseSettings, Scheme, Settings};
use userprofiles::model::{InvalidDocument, MAX_DOCUMENT_BYTES};
use userprofiles::observe::Observer;
use userprofiles::{BucketError, BucketTimeouts, DocumentId, UserInDb, Username, get_bucket, get_user};
use zeroize::Zeroizing;

/// Long enough that no test comes near it, on however slow a machine.
const AMPLE: Duration = Duration::from_secs(60);

/// For tests in which the deadline is what happens.
const BRIEF: Duration = Duration::from_millis(300);

const JOHN: &str = r#"{"username":"johndoe","full_name":"John Doe","hashed_password":"h","type":"userprofile"}"#;

/// Nothing ends but by what happens; a node that says nothing is left after five seconds.
fn settings(nodes: &[SocketAddr]) -> Settings {
    let ample = |name: &str| format!("bucket.{name}={}s", AMPLE.as_secs());
    let set = [
        ample("wait_timeout"),
        ample("operation_timeout"),
        ample("n1ql_timeout"),
        ample("slow_operation"),
        "bucket.attempt_timeout=5s".to_owned(),
        "bucket.connect_timeout=5s".to_owned(),
    ];
    settings::settings(nodes, couchbase::USERNAME, couchbase::PASSWORD, &set.each_ref().map(String::as_str))
}

fn bucket_settings() -> BucketSettings {
    settings(&[SocketAddr::from(([127, 0, 0, 1], 1))]).bucket
}

fn couchbase_settings(nodes: &[SocketAddr]) -> CouchbaseSettings {
    settings(nodes).couchbase
}

fn start(settings: &CouchbaseSettings) -> Arc<dyn Database> {
    Arc::new(userprofiles::bucket::couchbase::open(settings, timeouts(), &Observer::default()).unwrap())
}

fn database(double: &Double) -> Arc<dyn Database> {
    start(&couchbase_settings(&[double.manager_address()]))
}

fn within(wait: Duration) -> Deadline {
    Deadline::after(clock::now(), wait)
}

fn timeouts() -> BucketTimeouts {
    BucketTimeouts::from(&bucket_settings())
}

/// As a request does it: opens a bucket connection, reads one user, drops the connection.
fn read(database: &dyn Database, name: &str, wait: Duration) -> Result<Option<UserInDb>, BucketError> {
    let mut bucket = get_bucket(database, &timeouts(), within(wait))?;
    get_user(bucket.as_mut(), &Username::parse(name).unwrap())
}

fn meaning<T>(outcome: &Result<Option<T>, BucketError>) -> &'static str {
    match outcome {
        Ok(Some(_)) => "found",
        Ok(None) => "not-found",
        Err(BucketError::Misconfigured { .. }) => "misconfigured",
        Err(BucketError::Unavailable { .. }) => "unavailable",
        Err(BucketError::Busy { .. }) => "busy",
        Err(BucketError::UnusableId { .. }) => "unusable-id",
        Err(BucketError::Timeout { .. }) => "timeout",
        Err(BucketError::InvalidDocument(_)) => "invalid-document",
    }
}

/// After a node has kept others waiting, requests are turned away until a probe finds that it answers.
fn read_until_found(database: &dyn Database) {
    let give_up = within(AMPLE);
    while meaning(&read(database, "johndoe", AMPLE)) != "found" {
        assert!(!give_up.is_over(clock::now()), "it is not asked again");
        std::thread::yield_now();
    }
}

/// A double with John in it, and a database that has found it already.
fn found_john() -> (Double, Arc<dyn Database>) {
    let double = Double::start();
    double.put("userprofile::johndoe", JOHN);
    let database = database(&double);
    assert_eq!(meaning(&read(database.as_ref(), "johndoe", AMPLE)), "found");
    (double, database)
}

fn assert_well_behaved(double: &Double) {
    assert_eq!(double.violations(), Vec::<String>::new());
    assert_eq!(double.counts().query.overlapping, 0);
}

#[test]
fn every_error_code_means_what_the_contract_says() {
    let (double, database) = found_john();
    for row in code_rows() {
        double.set_query(Query::Error(row.answer()));
        let CodeRow { code, meaning: expected, .. } = &row;
        let outcome = read(database.as_ref(), "johndoe", AMPLE);
        assert_eq!(meaning(&outcome), expected, "{row:?}: {:?}", outcome.err());
        let text = outcome.unwrap_err().to_string();
        assert!(!text.contains(couchbase::MESSAGE_MARKER), "{text}");
        assert!(text.contains(&code.to_string()) || expected == "invalid-document", "{code}: {text}");
    }
    assert_well_behaved(&double);
}

#[test]
fn of_several_errors_the_first_that_is_not_for_repetition_decides() {
    let (double, database) = found_john();
    for (errors, expected) in [
        (vec![(12008, Some(true)), (13014, None)], "misconfigured"),
        (vec![(1080, Some(true)), (12008, Some(true))], "timeout"),
        (vec![(5000, None), (13014, None)], "unavailable"),
    ] {
        double.set_query(Query::Error(ErrorAnswer { errors: errors.clone(), status: 200, raised: Raised::During }));
        assert_eq!(meaning(&read(database.as_ref(), "johndoe", AMPLE)), expected, "{errors:?}");
    }
}

#[test]
fn answers_that_are_not_the_query_services_own() {
    let (double, database) = found_john();
    let page = |status| Raw::html(status, "<html><body>hello</body></html>");
    let json =
        |status, text: &str| Raw { status, content_type: Some("application/json"), body: text.as_bytes().to_vec() };
    for (raw, expected) in [
        (page(200), "misconfigured"),
        (page(301), "misconfigured"),
        (page(401), "misconfigured"),
        (page(403), "misconfigured"),
        (page(404), "misconfigured"),
        (page(429), "unavailable"),
        (page(500), "misconfigured"),
        (page(502), "unavailable"),
        (page(503), "unavailable"),
        (page(504), "timeout"),
        (Raw::empty(200), "misconfigured"),
        (Raw::empty(404), "misconfigured"),
        (Raw::empty(429), "unavailable"),
        (Raw::empty(503), "unavailable"),
        (json(200, r#"{"took":1,"hits":{"total":0}}"#), "misconfigured"),
        (json(200, r#"[{"id":"userprofile::johndoe"}]"#), "misconfigured"),
        (json(503, r#"{"message":"no healthy upstream"}"#), "unavailable"),
    ] {
        double.set_query(Query::Raw(raw.clone()));
        let outcome = read(database.as_ref(), "johndoe", AMPLE);
        assert_eq!(meaning(&outcome), expected, "HTTP {} {:?}: {:?}", raw.status, raw.body, outcome.err());
    }
}

#[test]
fn answers_of_the_query_service_that_are_no_success() {
    let (double, database) = found_john();
    for (query, expected) in [
        (Query::State("stopped"), "unavailable"),
        (Query::State("timeout"), "timeout"),
        (Query::State("aborted"), "unavailable"),
        (Query::ErrorAfterRows(5011), "unavailable"),
        (Query::ErrorAfterRows(1080), "timeout"),
        (Query::Warnings(vec![4998, 5503]), "found"),
        (Query::Answer, "found"),
    ] {
        double.set_query(query.clone());
        assert_eq!(meaning(&read(database.as_ref(), "johndoe", AMPLE)), expected, "{query:?}");
    }
    assert_well_behaved(&double);
}

#[test]
fn conditions_of_the_transport_to_the_query_service() {
    let (double, database) = found_john();
    for (query, wait, expected) in [
        (Query::HangUp, AMPLE, "unavailable"),
        (Query::Reset, AMPLE, "unavailable"),
        (Query::Cut(Cut::Head), AMPLE, "unavailable"),
        (Query::Cut(Cut::ContentLength), AMPLE, "unavailable"),
        (Query::Cut(Cut::Chunks), AMPLE, "unavailable"),
        (Query::Cut(Cut::Json), AMPLE, "unavailable"),
        (Query::Cut(Cut::ChunksAndFreeze), BRIEF, "timeout"),
        (Query::Freeze, BRIEF, "timeout"),
    ] {
        double.set_query(Query::Answer);
        read_until_found(database.as_ref());
        double.set_query(query.clone());
        let outcome = read(database.as_ref(), "johndoe", wait);
        assert_eq!(meaning(&outcome), expected, "{query:?}: {:?}", outcome.err());
    }
    double.set_query(Query::Answer);
    read_until_found(database.as_ref());
    double.query_port().go_deaf();
    assert_eq!(meaning(&read(database.as_ref(), "johndoe", BRIEF)), "timeout");
    double.query_port().close();
    assert_eq!(meaning(&read(database.as_ref(), "johndoe", AMPLE)), "unavailable");
    double.query_port().reopen();
    read_until_found(database.as_ref());
    assert_well_behaved(&double);
}

#[test]
fn documents_of_every_kind() {
    let double = Double::start();
    let of_bytes = |bytes: usize| {
        let (begin, end) = (r#"{"username":"big","hashed_password":"h","pad":""#, "\"}");
        format!("{begin}{}{end}", "x".repeat(bytes - begin.len() - end.len()))
    };
    let untyped = Stored { cas: None, kind: None, ..Stored::json(JOHN) };
    for (name, stored) in [
        ("plain", Stored::json(JOHN)),
        ("untyped", untyped),
        ("empty", Stored::json("{}")),
        ("null", Stored::json("null")),
        ("array", Stored::json(r#"[1,"two",null]"#)),
        ("binary", Stored::binary()),
        ("odd-cas", Stored::json(JOHN).with_cas("\"0x17\"")),
        ("other", Stored { id: Some("\"userprofile::somebody\"".to_owned()), ..Stored::json(JOHN) }),
        ("longest", Stored::json(&of_bytes(MAX_DOCUMENT_BYTES))),
        ("too-long", Stored::json(&of_bytes(MAX_DOCUMENT_BYTES + 1))),
        ("far-too-long", Stored::json(&of_bytes(MAX_DOCUMENT_BYTES + 1024 * 1024))),
        ("a/b+c \"é\" \\", Stored::json(JOHN)),
    ] {
        double.put_stored(&format!("userprofile::{name}"), stored);
    }
    let database = database(&double);
    for (name, expected) in [
        ("plain", Ok(true)),
        ("untyped", Ok(true)),
        ("empty", Ok(false)),
        ("null", Ok(false)),
        ("nobody", Ok(false)),
        ("array", Err(InvalidDocument::NotAnObject)),
        ("binary", Err(InvalidDocument::NotStoredAsJson)),
        ("odd-cas", Ok(true)),
        ("longest", Ok(true)),
        ("too-long", Err(InvalidDocument::TooLarge)),
        ("far-too-long", Err(InvalidDocument::TooLarge)),
        ("a/b+c \"é\" \\", Ok(true)),
    ] {
        let outcome = read(database.as_ref(), name, AMPLE).map(|user| user.is_some());
        assert_eq!(outcome, expected.map_err(BucketError::InvalidDocument), "{name}");
    }
    assert_eq!(meaning(&read(database.as_ref(), "other", AMPLE)), "misconfigured");
    assert_well_behaved(&double);
}

#[test]
fn a_document_comes_with_its_bytes_whatever_its_cas_is() {
    let double = Double::start();
    let text = "{\"z\":1.50, \"a\":123456789012345678901234567890,\"e\":\"\\u00e9\\/\"}";
    let database = database(&double);
    let id = DocumentId::of(&Username::parse("exact").unwrap());
    for cas in ["9223372036854775807", "-2", "1732372981000000000"] {
        double.put_stored("userprofile::exact", Stored::json(text).with_cas(cas));
        let mut bucket = get_bucket(database.as_ref(), &timeouts(), within(AMPLE)).unwrap();
        let document = bucket.get(&id).unwrap().unwrap();
        assert_eq!(document.text(), text.as_bytes());
    }
}

#[test]
fn what_is_asked_is_the_statement_of_the_facts_and_less_time_than_is_left() {
    let (double, _database) = found_john();
    let asked = double.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0].statement,
        "SELECT META(d).id AS id, META(d).cas AS cas, META(d).type AS kind, d AS doc FROM `bucket_name` AS d USE KEYS $id"
    );
    assert_eq!(asked[0].id, "userprofile::johndoe");
    let timeout_ms: u128 = asked[0].timeout.strip_suffix("ms").unwrap().parse().unwrap();
    assert!((1..AMPLE.as_millis()).contains(&timeout_ms), "{timeout_ms}");
    assert_well_behaved(&double);
}

#[test]
fn another_collection_than_the_clusters_is_a_misconfiguration() {
    let double = Double::start();
    let mut settings = couchbase_settings(&[double.manager_address()]);
    settings.scope = "people".to_owned();
    settings.collection = "staff".to_owned();
    let Err(BucketError::Misconfigured { reason }) = read(start(&settings).as_ref(), "johndoe", AMPLE) else {
        panic!("a collection was found that is not there");
    };
    assert!(reason.contains("12003") && reason.contains("`bucket_name`.`people`.`staff`"), "{reason}");
}

#[test]
fn settings_that_can_never_work_are_refused_at_the_start_and_none_is_asked() {
    type Change = fn(&mut CouchbaseSettings);
    let double = Double::start();
    let cases: [(Change, &str); 4] = [
        (
            |settings| {
                settings.connection_string.scheme = Scheme::Couchbases;
                settings.tls.ca_file = Some("/nowhere/at/all.pem".into());
            },
            "[couchbase] ca_file: /nowhere/at/all.pem cannot be read",
        ),
        (
            |settings| {
                settings.connection_string.scheme = Scheme::Https;
                settings.tls.ca_file = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into());
            },
            "[couchbase] ca_file: there is no certificate in",
        ),
        (|settings| settings.login.password = None, "password_file"),
        (|settings| settings.login.username = None, "username"),
    ];
    for (change, part) in cases {
        let mut settings = couchbase_settings(&[double.manager_address()]);
        change(&mut settings);
        match userprofiles::bucket::couchbase::open(&settings, timeouts(), &Observer::default()) {
            Err(BucketError::Misconfigured { reason }) => assert!(reason.contains(part), "{reason}"),
            _ => panic!("taken: {part}"),
        }
    }
    let database = database(&double);
    let description = database.describe();
    assert!(description.contains("`bucket_name`") && description.contains(couchbase::USERNAME), "{description}");
    assert!(!description.contains(couchbase::PASSWORD), "{description}");
    assert_eq!(double.counts(), couchbase::Counts::default());
}

#[test]
fn a_batch_goes_to_another_node_where_one_is_out_of_reach() {
    let (double, database) = found_john();
    assert!(get_bucket(database.as_ref(), &timeouts(), within(AMPLE)).unwrap().upsert(&[]).is_ok());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    double.set_manager(Manager::Nodes(format!(
        r#"{{"rev":43,"revEpoch":1,"nodesExt":[{{"services":{{"n1ql":{nobody}}}}},{{"services":{{"n1ql":$N1QL}}}}]}}"#
    )));
    let settings = couchbase_settings(&[double.manager_address()]);
    for number in 0..6 {
        let database = start(&settings);
        let mut bucket = get_bucket(database.as_ref(), &timeouts(), within(AMPLE)).unwrap();
        let username = Username::parse(format!("user{number}")).unwrap();
        let text = Zeroizing::new(JOHN.replace("johndoe", username.as_str()));
        bucket.upsert(&[NewDocument { id: DocumentId::of(&username), text }]).unwrap();
        let after = Cursor("userprofile::a".to_owned());
        assert_eq!(
            bucket.list(Some(&after), 100).unwrap().documents.len(),
            number + 2,
            "John, and those that were stored"
        );
    }
    assert_well_behaved(&double);
}
