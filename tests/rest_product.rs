//! A database over HTTP that there is not. What a product has to supply is in `toy/product.rs`; everything that is tested
//! here it gets from `bucket::rest`.
#![allow(clippy::disallowed_methods, reason = "the rule about clocks and threads is for the program")]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "toy/nodes.rs"]
mod nodes;
#[path = "toy/product.rs"]
mod product;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use certificates::{Authority, Clients, Validity, server_config};
use couchbase::Front;
use indicatif::ProgressBar;
use nodes::{Node, Store, USERNAME};
use product::{TOY, Toy};
use rustls::DEFAULT_VERSIONS;
use secrecy::SecretString;
use userprofiles::bucket::report::{Outcome, Report};
use userprofiles::bucket::rest::check::{NoProductSteps, run as check};
use userprofiles::bucket::rest::{Access, Cluster, Endpoint, Fixed, Nodes, RestDatabase, Security};
use userprofiles::cli::import::ImportSource;
use userprofiles::cli::interruption::Interruption;
use userprofiles::cli::{export, import};
use userprofiles::clock::Deadline;
use userprofiles::config::{DatabaseName, LoginSettings, SecretSource, TlsSettings};
use userprofiles::observe::Observer;
use userprofiles::{BucketError, BucketTimeouts, Document, DocumentId, Username, get_bucket};

const TIMEOUTS: BucketTimeouts = BucketTimeouts {
    operation: Duration::from_secs(10),
    attempt: Duration::from_millis(500),
    connect: Duration::from_secs(1),
    batch: Duration::from_secs(30),
};

fn login(password: &str, source: SecretSource) -> LoginSettings {
    let password = Some(SecretString::from(password));
    LoginSettings { username: Some(USERNAME.to_owned()), password_source: source, password }
}

fn open(login: &LoginSettings, tls: &TlsSettings, endpoints: &[Endpoint]) -> RestDatabase {
    let observer = Observer::default();
    let access = Access::new(&TOY, (login, tls), endpoints[0].security, TIMEOUTS, &observer).unwrap();
    let nodes = Arc::new(Nodes::new(&TOY, &TIMEOUTS, &observer));
    nodes.set(endpoints);
    let cluster = Cluster { access, protocol: Box::new(Toy), nodes, discovery: Arc::new(Fixed) };
    // The toy has no name among the databases of the settings, and reloads nothing.
    RestDatabase::open(DatabaseName::Couchdb, "everything".to_owned(), cluster, Box::new(|_| None)).unwrap()
}

fn plain(nodes: &[Node]) -> Vec<Endpoint> {
    nodes.iter().map(|node| Endpoint::new(Security::Plain, "127.0.0.1", node.address().port())).collect()
}

fn read(database: &RestDatabase, username: &str) -> Result<Option<Document>, BucketError> {
    let deadline = Deadline::after(Instant::now(), TIMEOUTS.operation);
    get_bucket(database, &TIMEOUTS, deadline)?.get(&DocumentId::of(&Username::parse(username).unwrap()))
}

fn is_found(database: &RestDatabase, username: &str) -> bool {
    read(database, username).unwrap().is_some()
}

fn store_with_johndoe() -> Arc<Store> {
    let store = Store::with_password("first");
    store.documents.lock().insert("userprofile::johndoe".to_owned(), "{}".to_owned());
    store
}

#[test]
fn a_document_is_read_and_missing_ones_are_told_apart() {
    let store = store_with_johndoe();
    let nodes = [Node::start(&store)];
    let database = open(&login("first", SecretSource::Fixed), &TlsSettings::default(), &plain(&nodes));
    assert!(is_found(&database, "johndoe"));
    assert!(!is_found(&database, "nobody"));
}

#[test]
fn reads_go_to_the_nodes_that_answer() {
    let store = store_with_johndoe();
    let nodes = [Node::start(&store), Node::start(&store), Node::start(&store)];
    let database = open(&login("first", SecretSource::Fixed), &TlsSettings::default(), &plain(&nodes));
    // One refuses connections and one accepts none.
    nodes[0].port.close();
    nodes[1].port.go_deaf();
    for _ in 0..20 {
        assert!(is_found(&database, "johndoe"));
    }
    assert!(nodes[2].requests() >= 20);
}

#[test]
fn a_transient_failure_is_tried_again() {
    let store = store_with_johndoe();
    let nodes = [Node::start(&store)];
    let database = open(&login("first", SecretSource::Fixed), &TlsSettings::default(), &plain(&nodes));
    store.failures.lock().extend([429, 429]);
    assert!(is_found(&database, "johndoe"));
    assert_eq!(nodes[0].requests(), 3);
    store.failures.lock().push(403);
    assert!(matches!(read(&database, "johndoe"), Err(BucketError::Misconfigured { .. })));
}

#[test]
fn a_password_that_changes_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "first").unwrap();
    let store = store_with_johndoe();
    let nodes = [Node::start(&store)];
    let login = login("first", SecretSource::File(file.clone()));
    let database = open(&login, &TlsSettings::default(), &plain(&nodes));
    assert!(is_found(&database, "johndoe"));
    fs::write(&file, "second").unwrap();
    "second".clone_into(&mut store.password.lock());
    assert!(is_found(&database, "johndoe"));
    // The other way round: the database first, and the file once it has refused the old password.
    "third".clone_into(&mut store.password.lock());
    let asked = nodes[0].requests();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while nodes[0].requests() == asked {
                std::thread::yield_now();
            }
            fs::write(&file, "third").unwrap();
        });
        assert!(is_found(&database, "johndoe"));
    });
}

#[test]
fn certificates_are_verified() {
    let store = store_with_johndoe();
    let nodes = [Node::start(&store)];
    let (authority, other) = (Authority::new("toy"), Authority::new("other"));
    let pair = authority.server(&["localhost"], Validity::Now);
    let front = Front::open(nodes[0].address(), server_config(&pair, Clients::Anybody, DEFAULT_VERSIONS));
    let endpoints = [Endpoint::new(Security::Tls, "localhost", front.address().port())];
    let folder = tempfile::tempdir().unwrap();
    let trusting = |authority: &Authority, name: &str| {
        let file = folder.path().join(name);
        fs::write(&file, authority.pem()).unwrap();
        open(
            &login("first", SecretSource::Fixed),
            &TlsSettings { ca_file: Some(file), ..TlsSettings::default() },
            &endpoints,
        )
    };
    assert!(is_found(&trusting(&authority, "toy.pem"), "johndoe"));
    let Err(BucketError::Misconfigured { reason }) = read(&trusting(&other, "other.pem"), "johndoe") else {
        panic!("an unknown authority was trusted")
    };
    assert!(reason.contains("[toy] ca_file"), "{reason}");
}

#[test]
fn a_check_has_its_steps() {
    let store = store_with_johndoe();
    let nodes = [Node::start(&store)];
    let steps = |password: &str| {
        let database = open(&login(password, SecretSource::Fixed), &TlsSettings::default(), &plain(&nodes));
        let mut steps = Vec::new();
        let mut print = |step: &userprofiles::bucket::report::Step| steps.push((step.name, step.outcome));
        check(database.cluster(), &plain(&nodes), &NoProductSteps, &mut Report::new(&mut print));
        steps
    };
    let (passed, failed, skipped) = (Outcome::Passed, Outcome::Failed, Outcome::Skipped);
    let names = ["dns", "tcp", "tls", "login", "read"];
    let expected = |outcomes: [Outcome; 5]| names.into_iter().zip(outcomes).collect::<Vec<_>>();
    assert_eq!(steps("first"), expected([passed, passed, skipped, passed, passed]));
    assert_eq!(steps("wrong"), expected([passed, passed, skipped, failed, skipped]));
}

fn import_file(database: &RestDatabase, file: &Path) -> u64 {
    let source = ImportSource::File(file.to_owned());
    import::run(database, &TIMEOUTS, &source, &Interruption::none()).unwrap().stored
}

#[test]
fn what_is_imported_is_exported_although_a_node_is_gone_and_others_are_busy() {
    let store = Store::with_password("first");
    let nodes = [Node::start(&store), Node::start(&store)];
    let database = open(&login("first", SecretSource::Fixed), &TlsSettings::default(), &plain(&nodes));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.jsonl");
    let line = |number| {
        format!("{{\"type\":\"userprofile\",\"username\":\"u{number:03}\",\"hashed_password\":\"$2b$hash\"}}\n")
    };
    let lines = (0..250).map(line).collect::<Vec<String>>().concat();
    fs::write(&file, &lines).unwrap();
    nodes[0].port.close();
    store.failures.lock().extend([429, 503]);
    assert_eq!(import_file(&database, &file), 250);
    store.failures.lock().extend([429, 503]);
    let mut output = Vec::new();
    let outcome = export::run(&database, &TIMEOUTS, &mut output, &ProgressBar::hidden()).unwrap();
    assert_eq!((outcome.documents, outcome.unfit), (250, 0));
    assert_eq!(String::from_utf8(output).unwrap(), lines);
}
