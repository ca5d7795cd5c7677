//! Several documents at once, from every database: each id gets what a read of it alone gets.

use std::sync::Arc;

use userprofiles::bucket::{Bucket, BucketTimeouts, Database, NewDocument, get_bucket};
use userprofiles::clock::{self, Deadline};
use userprofiles::{BucketError, Document, DocumentId, Username};

use crate::couchbase::{BUCKET, Double, PASSWORD, USERNAME};
use crate::databases::arangodb::ArangodbDouble;
use crate::databases::couchdb::CouchdbDouble;
use crate::databases::guard::Guard;
use crate::databases::node::Node;
use crate::databases::real::RealServer;
use crate::databases::{Store, arangodb, open};
use crate::support::server::PATIENCE;

/// Names that something on the way could take for others, or for something else.
const NAMES: [&str; 24] = [
    "alike",
    "Alike",
    "ALIKE",
    "caf\u{e9}",
    "cafe\u{301}",
    "stra\u{df}e",
    "strasse",
    "a b",
    "a+b",
    "a%20b",
    "a/b",
    "a%2Fb",
    "a\\b",
    "a\"b",
    "a'b",
    "a`b",
    "a,b",
    "a?b=c&d#e",
    "..",
    "$ids",
    "[\"x\"]",
    "{\"$gt\": \"\"}",
    "日本",
    "😀",
];

fn id(name: &str) -> DocumentId {
    DocumentId::of(&Username::parse(name).unwrap())
}

fn document(name: &str, text: &str) -> NewDocument {
    NewDocument { id: id(name), text: text.to_owned().into() }
}

fn bucket(database: &dyn Database) -> Box<dyn Bucket> {
    get_bucket(database, &BucketTimeouts::default(), Deadline::after(clock::now(), PATIENCE)).unwrap()
}

/// What is found, in words that can be compared: of a long document only its length and its beginning.
fn shown(outcome: Result<Option<Document>, BucketError>) -> String {
    match outcome {
        Ok(Some(document)) => {
            let text = String::from_utf8(document.text().to_vec()).unwrap();
            let beginning: String = text.chars().take(80).collect();
            format!("{} bytes: {beginning}", text.len())
        }
        Ok(None) => "nothing".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn read_many(bucket: &mut dyn Bucket, ids: &[DocumentId]) -> Result<Vec<String>, BucketError> {
    let mut found = Vec::with_capacity(ids.len());
    bucket.get_many(ids, &mut |outcome| found.push(shown(outcome)))?;
    Ok(found)
}

/// Every id gets what a read of it alone gets, in their order.
fn assert_as_single_reads(store: &str, database: &dyn Database, ids: &[DocumentId]) -> Vec<String> {
    let found = read_many(bucket(database).as_mut(), ids).unwrap_or_else(|error| panic!("{store}: {error}"));
    let mut single = bucket(database);
    let expected: Vec<String> = ids.iter().map(|id| shown(single.get(id))).collect();
    assert_eq!(found, expected, "{store}");
    found
}

#[test]
fn each_id_gets_what_a_read_of_it_alone_gets() {
    for store in Store::all("many") {
        let database = store.open();
        let longest = "é".repeat(116);
        let names = NAMES.iter().map(|name| (*name).to_owned()).chain([longest]);
        let (mut documents, mut ids) = (Vec::new(), Vec::new());
        for (number, name) in names.enumerate() {
            documents
                .push(document(&name, &format!(r#"{{"number":{number},"username":{}}}"#, serde_json::json!(name))));
            ids.extend([id(&name), id(&format!("nobody-{number}"))]);
        }
        bucket(database.as_ref()).upsert(&documents).unwrap_or_else(|error| panic!("{}: {error}", store.name));
        let number_of = |text: &String| text.contains("\"number\":");
        let found = assert_as_single_reads(store.name, database.as_ref(), &ids);
        assert_eq!(found.iter().filter(|text| number_of(text)).count(), NAMES.len() + 1, "{}", store.name);
        for (place, text) in found.iter().enumerate() {
            let is_its_own =
                if place % 2 == 0 { text.contains(&format!("\"number\":{},", place / 2)) } else { text == "nothing" };
            assert!(is_its_own, "{}, {:?}: {text}", store.name, ids[place].as_str());
        }
        ids.reverse();
        assert_as_single_reads(store.name, database.as_ref(), &ids);
        // Twice the same, and too few to be worth anything.
        for few in [&[ids[1].clone(), ids[0].clone(), ids[1].clone()][..], &ids[1..2], &ids[..1], &ids[..2], &[]] {
            assert_as_single_reads(store.name, database.as_ref(), few);
        }
    }
}

#[test]
fn what_is_not_there_any_more_is_missing_and_what_is_no_document_takes_no_other_with_it() {
    let double = CouchdbDouble::new();
    for name in ["a", "gone", "b"] {
        double.put(id(name).as_str(), r#"{"n":1}"#);
    }
    double.delete(id("gone").as_str());
    let node = double.node();
    let database = open(&settings("couchdb", &node.url(), "reader", "reader-pw"));
    let ids = ["a", "gone", "never", "b"].map(id);
    let found = assert_as_single_reads("couchdb-double", database.as_ref(), &ids);
    assert_eq!(found, ["7 bytes: {\"n\":1}", "nothing", "nothing", "7 bytes: {\"n\":1}"]);

    let double = Double::start();
    double.put(id("a").as_str(), "[1]");
    double.put_stored(id("binary").as_str(), crate::couchbase::Stored::binary());
    let database = open(&couchbase_settings(&double));
    let ids = ["binary", "a", "never"].map(id);
    let found = assert_as_single_reads("couchbase", database.as_ref(), &ids);
    assert!(found[0].contains("not a user profile"), "{found:?}");
    assert_eq!(found[1..], ["3 bytes: [1]", "nothing"]);
    assert_eq!(double.violations(), Vec::<String>::new());
}

/// 36 MiB, which are more than one answer may have.
#[test]
fn large_documents_come_in_halves() {
    for store in Store::all("many-large") {
        // The servers of these tests take rows of 2 MiB at most.
        let count = if store.name == "cassandra" { 24 } else { 9 };
        let text = "x".repeat(36 * 1024 * 1024 / count);
        let database = store.open();
        let mut ids = Vec::new();
        for number in 10..10 + count {
            let (large, small) = (format!("large-{number}"), format!("small-{number}"));
            let documents = [
                document(&large, &format!(r#"{{"number":{number},"text":"{text}"}}"#)),
                document(&small, r#"{"n":1}"#),
            ];
            let stored = bucket(database.as_ref()).upsert(&documents);
            stored.unwrap_or_else(|error| panic!("{}: {error}", store.name));
            ids.extend([id(&large), id(&small), id(&format!("nobody-{number}"))]);
        }
        let found = read_many(bucket(database.as_ref()).as_mut(), &ids);
        let found = found.unwrap_or_else(|error| panic!("{}: {error}", store.name));
        for (place, found) in found.iter().enumerate() {
            let expected = match place % 3 {
                0 => format!("{} bytes: {{\"number\":{},\"text\":\"xxx", text.len() + 23, 10 + place / 3),
                1 => "7 bytes: {\"n\":1}".to_owned(),
                _ => "nothing".to_owned(),
            };
            assert!(found.starts_with(&expected), "{}, {place}: {found}", store.name);
        }
    }
}

/// A long answer is given up once, and each half of its ids is asked for.
#[test]
fn no_more_is_asked_than_the_size_of_documents_needs() {
    let double = CouchdbDouble::new();
    let ids: Vec<DocumentId> = (0..9).map(|number| id(&format!("large-{number}"))).collect();
    for id in &ids {
        double.put(id.as_str(), &format!(r#"{{"text":"{}"}}"#, "x".repeat(4 * 1024 * 1024)));
    }
    let node = double.node();
    let database = open(&settings("couchdb", &node.url(), "reader", "reader-pw"));
    let found = read_many(bucket(database.as_ref()).as_mut(), &ids).unwrap();
    assert!(found.iter().all(|text| text.contains("xxx")));
    assert_eq!(node.asked(), ["POST /userprofiles/_all_docs?include_docs=true"; 3]);
}

fn settings(database: &str, url: &str, username: &str, password: &str) -> Vec<(String, String)> {
    let section = database.to_uppercase();
    let mut settings =
        vec![("BUCKET_DATABASE".to_owned(), database.to_owned()), (format!("{section}_URLS"), url.to_owned())];
    if !username.is_empty() {
        settings.push((format!("{section}_USERNAME"), username.to_owned()));
        settings.push((format!("{section}_PASSWORD"), password.to_owned()));
    }
    settings.into_iter().map(|(name, value)| (format!("USERPROFILES_{name}"), value)).collect()
}

fn couchbase_settings(double: &Double) -> Vec<(String, String)> {
    [
        ("BUCKET_DATABASE", "couchbase"),
        ("COUCHBASE_CONNECTION_STRING", &double.connection_string()),
        ("COUCHBASE_BUCKET", BUCKET),
        ("COUCHBASE_USERNAME", USERNAME),
        ("COUCHBASE_PASSWORD", PASSWORD),
    ]
    .map(|(name, value)| (format!("USERPROFILES_{name}"), value.to_owned()))
    .into()
}

/// Fifty users, of whom a few are there, by one request of this method.
fn assert_one_request(database: &Arc<dyn Database>, node: &Node, request: &str) {
    let ids: Vec<DocumentId> = (0..50).map(|number| id(&format!("user-{number}"))).collect();
    let before = node.asked().len();
    let found = read_many(bucket(database.as_ref()).as_mut(), &ids).unwrap();
    assert_eq!(found.iter().filter(|text| *text != "nothing").count(), 1, "{request}");
    assert_eq!(node.asked()[before..], [request], "one exchange");
}

#[test]
fn fifty_users_are_one_exchange() {
    let text = r#"{"username":"user-7"}"#;
    let couchdb = CouchdbDouble::new();
    couchdb.put(id("user-7").as_str(), text);
    let node = couchdb.node();
    let database = open(&settings("couchdb", &node.url(), "reader", "reader-pw"));
    assert_one_request(&database, &node, "POST /userprofiles/_all_docs?include_docs=true");

    let double = ArangodbDouble::new();
    double.put(id("user-7").as_str(), text);
    let node = double.node();
    let mut environment = settings("arangodb", &node.url(), "root", "root-pw");
    environment.push(("USERPROFILES_ARANGODB_DATABASE".to_owned(), arangodb::DATABASE.to_owned()));
    environment.push(("USERPROFILES_ARANGODB_COLLECTION".to_owned(), arangodb::COLLECTION.to_owned()));
    let database = open(&environment);
    assert_one_request(&database, &node, "PUT /_db/profiles/_api/document/users?onlyget=true");
    assert_eq!(node.queue_times().len(), 1);

    let double = Double::start();
    double.put(id("user-7").as_str(), text);
    let database = open(&couchbase_settings(&double));
    let ids: Vec<DocumentId> = (0..50).map(|number| id(&format!("user-{number}"))).collect();
    let found = read_many(bucket(database.as_ref()).as_mut(), &ids).unwrap();
    assert_eq!(found[7], format!("{} bytes: {text}", text.len()));
    let asked = double.asked();
    assert_eq!(asked.iter().filter(|asked| asked.id.contains("user-")).count(), 1, "{asked:?}");
    assert_eq!(double.violations(), Vec::<String>::new());

    for name in ["opensearch", "elasticsearch"] {
        let Some(server) = RealServer::start(name, "many-counted") else { continue };
        let node = Guard::before(server.setting("ELASTICSEARCH_URLS")).node();
        let store = Store::of(Arc::new(server));
        store.put(id("user-7").as_str(), text).unwrap();
        let database = open(&settings("elasticsearch", &node.url(), "reader", "reader-pw"));
        assert_one_request(&database, &node, "POST /userprofiles/_mget");
    }
}

/// What a single read would be told, several are told too.
#[test]
fn an_index_that_is_not_there_or_cannot_be_read_is_told_as_for_one_user() {
    for name in ["opensearch", "elasticsearch"] {
        let Some(server) = RealServer::start(name, "many-indices") else { continue };
        let url = server.setting("ELASTICSEARCH_URLS").to_owned();
        let change = |method: &str, path: &str, body: &str| {
            crate::databases::send(method, &format!("{url}/{path}"), ("", ""), body).unwrap();
        };
        let plain = r#"{"mappings":{"enabled":false},"aliases":{"both":{}}}"#;
        change("PUT", "one", plain);
        change("PUT", "two", plain);
        change("PUT", "shut", r#"{"mappings":{"enabled":false}}"#);
        change("POST", "shut/_close", "");
        change("PUT", "blocked", r#"{"mappings":{"enabled":false},"settings":{"index.blocks.read":true}}"#);
        change("PUT", "kept", r#"{"mappings":{"_source":{"enabled":false}}}"#);
        change("PUT", "kept/_doc/userprofile::a", "{}");
        for index in ["missing", "both", "shut", "blocked", "kept"] {
            let mut environment = settings("elasticsearch", &url, "", "");
            environment.push(("USERPROFILES_ELASTICSEARCH_INDEX".to_owned(), index.to_owned()));
            let database = open(&environment);
            let single = bucket(database.as_ref()).get(&id("a")).err().map(|error| error.to_string());
            let several = read_many(bucket(database.as_ref()).as_mut(), &[id("a"), id("b")]);
            assert_eq!(several.err().map(|error| error.to_string()), single, "{name}, {index}");
            assert!(single.is_some(), "{name}, {index}");
        }
    }
}
