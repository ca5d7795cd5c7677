//! Every database that the tests have: how the program reaches it, and how a document gets into it without the program.
//!
//! Real servers where they can be had, doubles for the others and for what real ones cannot show. The test program has the
//! modules `support` and `couchbase` beside this one.
#![allow(dead_code, reason = "each test program uses a part of what is here")]

pub mod arangodb;
pub mod couchdb;
pub mod guard;
pub mod node;
pub mod real;

use std::any::Any;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use userprofiles::bucket::driver::IfMissing;
use userprofiles::bucket::{BucketTimeouts, Database, NewDocument, drivers, get_bucket};
use userprofiles::clock::{self, Deadline};
use userprofiles::config::{Sources, load};
use userprofiles::model::DocumentId;
use userprofiles::observe::Observer;

use crate::couchbase::{BUCKET, Double, PASSWORD, USERNAME};
use crate::support::server::{PATIENCE, Server, userprofiles};
use arangodb::ArangodbDouble;
use couchdb::CouchdbDouble;
use real::RealServer;

/// Both values of `[bucket] connections`, as settings.
pub const MODES: [&str; 2] = ["bucket.connections=per-request", "bucket.connections=pooled"];

/// Every server that can be had.
pub const REAL_SERVERS: [&str; 6] = ["couchdb", "opensearch", "elasticsearch", "mongodb", "ferretdb", "cassandra"];

type Put = dyn Fn(&str, &str) -> Result<(), String> + Send + Sync;

/// A database with its documents.
pub struct Store {
    /// As the tables have it.
    pub name: &'static str,
    /// The environment by which the program reaches it.
    pub environment: Vec<(String, String)>,
    put: Box<Put>,
    /// What has to live as long.
    _keep: Box<dyn Any + Send + Sync>,
}

impl Store {
    fn new(name: &'static str, settings: &[(&str, &str)], put: Box<Put>, keep: impl Any + Send + Sync) -> Self {
        let named = |(name, value): &(&str, &str)| (format!("USERPROFILES_{name}"), (*value).to_owned());
        Self { name, environment: settings.iter().map(named).collect(), put, _keep: Box::new(keep) }
    }

    /// An SQLite file.
    pub fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.db");
        let settings = [("BUCKET_DATABASE", "embedded"), ("EMBEDDED_PATH", path.to_str().unwrap())];
        let its_path = path.clone();
        let put = move |id: &str, text: &str| {
            let file = rusqlite::Connection::open(&its_path).unwrap();
            file.execute("INSERT OR REPLACE INTO documents VALUES (?1, ?2)", [id, text]).unwrap();
            Ok(())
        };
        Self::new("embedded", &settings, Box::new(put), folder)
    }

    /// The double of Couchbase.
    pub fn couchbase() -> Self {
        let double = Arc::new(Double::start());
        let settings = [
            ("BUCKET_DATABASE", "couchbase"),
            ("COUCHBASE_CONNECTION_STRING", &double.connection_string()),
            ("COUCHBASE_BUCKET", BUCKET),
            ("COUCHBASE_USERNAME", USERNAME),
            ("COUCHBASE_PASSWORD", PASSWORD),
        ];
        let its_own = Arc::clone(&double);
        let put = move |id: &str, text: &str| {
            its_own.put(id, text);
            Ok(())
        };
        Self::new("couchbase", &settings, Box::new(put), double)
    }

    /// The double of CouchDB, by two nodes.
    pub fn couchdb_double() -> Self {
        let (double, nodes) = (CouchdbDouble::new(), [0; 2]);
        let nodes = nodes.map(|_| double.node());
        let urls = nodes.each_ref().map(node::Node::url).join(",");
        let settings = [
            ("BUCKET_DATABASE", "couchdb"),
            ("COUCHDB_URLS", urls.as_str()),
            ("COUCHDB_USERNAME", "reader"),
            ("COUCHDB_PASSWORD", "reader-pw"),
        ];
        let put = move |id: &str, text: &str| {
            objects_only(text)?;
            if text.len() > couchdb::LONGEST_DOCUMENT {
                return Err("too_large".to_owned());
            }
            double.put(id, text);
            Ok(())
        };
        Self::new("couchdb-double", &settings, Box::new(put), nodes)
    }

    /// The double of ArangoDB, by two coordinators.
    pub fn arangodb_double() -> Self {
        let double = ArangodbDouble::new();
        let nodes = [0; 2].map(|_| double.node());
        let urls = nodes.each_ref().map(node::Node::url).join(",");
        let settings = [
            ("BUCKET_DATABASE", "arangodb"),
            ("ARANGODB_URLS", urls.as_str()),
            ("ARANGODB_DATABASE", arangodb::DATABASE),
            ("ARANGODB_COLLECTION", arangodb::COLLECTION),
            ("ARANGODB_USERNAME", "root"),
            ("ARANGODB_PASSWORD", "root-pw"),
        ];
        let put = move |id: &str, text: &str| {
            objects_only(text)?;
            double.put(id, text);
            Ok(())
        };
        Self::new("arangodb-double", &settings, Box::new(put), nodes)
    }

    /// A real server; `None` if it is left out.
    pub fn real(name: &'static str, whose: &str) -> Option<Self> {
        RealServer::start(name, whose).map(|server| Self::of(Arc::new(server)))
    }

    /// A real server that runs.
    pub fn of(server: Arc<RealServer>) -> Self {
        let name = server.name;
        let environment: Vec<(String, String)> = server.settings.clone().into_iter().collect();
        if matches!(name, "mongodb" | "ferretdb" | "cassandra") {
            let put = put_by_library(&environment);
            return Self { name, environment, put: Box::new(put), _keep: Box::new(server) };
        }
        let (url, user, password) = if name == "couchdb" {
            let url = format!("{}/{}", server.setting("COUCHDB_URLS"), server.setting("COUCHDB_DATABASE"));
            (url, server.setting("COUCHDB_USERNAME").to_owned(), server.setting("COUCHDB_PASSWORD").to_owned())
        } else {
            let index = server.setting("ELASTICSEARCH_INDEX");
            (format!("{}/{index}/_doc", server.setting("ELASTICSEARCH_URLS")), String::new(), String::new())
        };
        let put = move |id: &str, text: &str| {
            let url = format!("{url}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
            send("PUT", &url, (&user, &password), text).map(drop)
        };
        Self { name, environment, put: Box::new(put), _keep: Box::new(server) }
    }

    /// All of them. Real servers are shared by `whose` tests.
    pub fn all(whose: &str) -> Vec<Self> {
        let real = REAL_SERVERS.map(|name| Self::real(name, whose));
        let doubles = [Self::embedded(), Self::couchbase(), Self::couchdb_double(), Self::arangodb_double()];
        doubles.into_iter().chain(real.into_iter().flatten()).collect()
    }

    /// Stores a document by the database's own protocol.
    ///
    /// # Errors
    /// Why it does not take it.
    pub fn put(&self, id: &str, text: &str) -> Result<(), String> {
        (self.put)(id, text)
    }

    /// The program, which reaches this database.
    pub fn command(&self) -> Command {
        let mut command = userprofiles();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// This database, as the library opens it.
    pub fn open(&self) -> Arc<dyn Database> {
        open(&self.environment)
    }

    /// A server on this database.
    pub fn serve(&self, settings: &[&str]) -> Server {
        Server::start_with(settings, &[], |command| {
            command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        })
    }

    /// Imports lines.
    pub fn import(&self, lines: &str, folder: &Path) -> Output {
        let path = folder.join("lines.jsonl");
        std::fs::write(&path, lines).unwrap();
        self.run(&["import", path.to_str().unwrap()], folder)
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str], folder: &Path) -> Output {
        let mut command = self.command();
        command.args(arguments).current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.output().unwrap()
    }
}

/// The database that an environment leads to; one that is a file is made.
pub fn open(environment: &[(String, String)]) -> Arc<dyn Database> {
    let sources = Sources {
        search: Vec::new(),
        environment: environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        ..Sources::default()
    };
    let settings = load(&sources).unwrap().settings;
    drivers::open(&settings, IfMissing::Create, &Observer::default()).unwrap()
}

/// Stores documents as `import` does, but for its checks: these databases speak protocols of their own.
fn put_by_library(environment: &[(String, String)]) -> impl Fn(&str, &str) -> Result<(), String> + use<> {
    let database = open(environment);
    move |id, text| {
        let timeouts = BucketTimeouts { batch: PATIENCE, ..BucketTimeouts::default() };
        let deadline = Deadline::after(clock::now(), timeouts.batch);
        let mut bucket = get_bucket(database.as_ref(), &timeouts, deadline).map_err(|error| error.to_string())?;
        let document = NewDocument { id: DocumentId::stored(id.to_owned()), text: text.to_owned().into() };
        bucket.upsert(&[document]).map_err(|error| error.to_string())
    }
}

fn objects_only(text: &str) -> Result<(), String> {
    if text.trim_start().starts_with('{') { Ok(()) } else { Err("a document is an object".to_owned()) }
}

/// A request of a test's own to a real server; the body of the answer.
///
/// # Errors
/// The status and the body of an answer that is no success.
pub fn send(method: &str, url: &str, (user, password): (&str, &str), body: &str) -> Result<String, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = ureq::http::Request::builder().method(method).uri(url).header("content-type", "application/json");
    if !user.is_empty() {
        let pair = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{user}:{password}"));
        request = request.header("authorization", format!("Basic {pair}"));
    }
    let mut response = agent.run(request.body(body.to_owned()).unwrap()).map_err(|error| error.to_string())?;
    let (status, text) = (response.status().as_u16(), response.body_mut().read_to_string().unwrap_or_default());
    if status < 300 { Ok(text) } else { Err(format!("{status} {text}")) }
}
