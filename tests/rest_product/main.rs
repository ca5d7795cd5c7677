//! A product that nobody knows, on everything that `bucket::rest` has for all products: failover, retry, rotation, TLS,
//! `check`, import and export. The product is in `toy`, and a server of it in `server`.
//!
//! Invariant: no message names another product than the one that is asked; each test sees to it for its own errors and
//! for all that was logged until then. What is waited for is a condition, never a time.

// The port, its requests and its TLS, which know no product.
#[path = "../support/couchbase/mod.rs"]
mod couchbase;

#[path = "../support/certificates.rs"]
mod certificates;

mod batches;
mod check;
mod logins;
mod reads;
mod server;
mod tls;
mod toy;

use std::fmt::Write;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};
use secrecy::SecretString;
use server::ToyServer;
use toy::{TOY, Toy};
use userprofiles::bucket::rest::{Access, Cluster, Endpoint, Fixed, LoginConfig, Nodes, RestDatabase, Security};
use userprofiles::clock::{self, Deadline};
use userprofiles::config::{DatabaseName, LoginSettings, SecretSource, TlsSettings, Verification};
use userprofiles::observe::Observer;
use userprofiles::{Bucket, BucketError, BucketTimeouts, UserInDb, Username, get_bucket, get_user};

const USERNAME: &str = "reader";
const PASSWORD: &str = "password-marker";

/// How long a condition may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a toy database is opened with.
struct Plan {
    toy: Toy,
    nodes: Vec<Endpoint>,
    login: LoginSettings,
    tls: TlsSettings,
    timeouts: BucketTimeouts,
}

impl Plan {
    fn of(server: &ToyServer) -> Self {
        listen_to_log();
        let login = LoginSettings {
            username: Some(USERNAME.to_owned()),
            password: Some(SecretString::from(PASSWORD)),
            password_source: SecretSource::Fixed,
        };
        let tls = TlsSettings {
            ca_file: None,
            client_certificate_file: None,
            client_key_file: None,
            verification: Verification::On,
        };
        // An attempt is short, so that a silent node costs little; all the rest is long, so that nothing else ends.
        let timeouts = BucketTimeouts {
            operation: Duration::from_secs(10),
            attempt: Duration::from_millis(500),
            connect: Duration::from_secs(5),
            batch: Duration::from_secs(10),
        };
        Self { toy: Toy::default(), nodes: server.endpoints(), login, tls, timeouts }
    }

    fn cluster(&self) -> Result<Cluster, BucketError> {
        let observer = Observer::default();
        let security = self.nodes.first().map_or(Security::Plain, |node| node.security);
        let access =
            Access::new(&TOY, (&LoginConfig::from(&self.login), &self.tls), security, self.timeouts, &observer)?;
        let nodes = Arc::new(Nodes::new(&TOY, &self.timeouts, &observer));
        nodes.set(&self.nodes);
        Ok(Cluster { access, protocol: Box::new(self.toy), nodes, discovery: Arc::new(Fixed) })
    }

    fn open(&self) -> Opened {
        // No setting has this name yet, so it goes by that of another.
        let name = DatabaseName::Couchdb;
        let database = RestDatabase::open(name, "in tests".to_owned(), self.cluster().unwrap(), Box::new(|_| None));
        Opened { database: database.unwrap(), timeouts: self.timeouts }
    }
}

/// A database that is open, and its timeouts.
struct Opened {
    database: RestDatabase,
    timeouts: BucketTimeouts,
}

impl Opened {
    fn bucket(&self) -> Result<Box<dyn Bucket>, BucketError> {
        get_bucket(&self.database, &self.timeouts, Deadline::after(clock::now(), self.timeouts.operation))
    }

    /// A bucket connection whose node of the moment is this one.
    fn bucket_at(&self, node: &str) -> Box<dyn Bucket> {
        let mut found = None;
        wait_until("this node to be selected", || {
            found = self.bucket().ok().filter(|bucket| bucket.node().as_deref() == Some(node));
            found.is_some()
        });
        found.unwrap()
    }

    /// Reads by a connection of its own.
    fn read(&self, username: &str) -> Result<Option<UserInDb>, BucketError> {
        read(self.bucket()?.as_mut(), username)
    }
}

fn read(bucket: &mut dyn Bucket, username: &str) -> Result<Option<UserInDb>, BucketError> {
    get_user(bucket, &Username::parse(username).unwrap())
}

fn assert_finds(outcome: Result<Option<UserInDb>, BucketError>, username: &str) {
    assert_eq!(outcome.unwrap().expect("a user").username, username);
}

fn profile(username: &str) -> String {
    format!(r#"{{"type":"userprofile","username":"{username}","hashed_password":"hash-marker"}}"#)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = clock::now() + PATIENCE;
    while !is_so() {
        assert!(clock::now() < give_up, "in vain waited for: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Asserts that a text is about this product and no other, and holds nothing that must stay inside.
fn assert_is_about_the_toy(text: &str) {
    let lower = text.to_lowercase();
    for other in ["couch", "n1ql", "arango", "elastic", PASSWORD, "hash-marker"] {
        // A setting of ours has that name, whichever the database.
        let rest = lower.replace("[bucket] n1ql_timeout", "");
        assert!(!rest.contains(other), "{other:?} stands in: {text}");
    }
}

/// The words of an error, and of everything that was logged so far.
fn reason(error: &BucketError) -> String {
    assert_is_about_the_toy(&error.to_string());
    assert_is_about_the_toy(&LOG.0.lock().unwrap());
    error.reason()
}

/// Everything that was logged, by all tests of this program.
struct Messages(Mutex<String>);

static LOG: Messages = Messages(Mutex::new(String::new()));

fn listen_to_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&LOG).unwrap();
        log::set_max_level(LevelFilter::Debug);
    });
}

impl Log for Messages {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target().starts_with("userprofiles")
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut text = self.0.lock().unwrap();
        writeln!(text, "{}", record.args()).unwrap();
        let _ = record.key_values().visit(&mut Fields(&mut text));
    }

    fn flush(&self) {}
}

struct Fields<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        writeln!(self.0, "{key}={value}")?;
        Ok(())
    }
}
