//! Several nodes, prefixes, TLS and client certificates, and what goes along with each request.

use std::time::{Duration, Instant};

use crate::certificates::{Authority, Clients, Validity, server_config};
use crate::couchbase::Front;
use crate::databases::MODES;
use crate::databases::arangodb::ArangodbDouble;
use crate::databases::couchdb::CouchdbDouble;
use crate::databases::node::{Mood, Node, Reply};
use crate::support::server::Server;

const JOHN: &str = r#"{"username":"johndoe","hashed_password":"hash-marker"}"#;

/// A database of two nodes with one user.
struct Pair {
    database: &'static str,
    nodes: [Node; 2],
    settings: &'static [&'static str],
    password: &'static str,
}

impl Pair {
    fn couchdb() -> Self {
        let double = CouchdbDouble::new();
        double.put("userprofile::johndoe", JOHN);
        let settings = &["couchdb.username=reader"];
        Self { database: "couchdb", nodes: [double.node(), double.node()], settings, password: "reader-pw" }
    }

    fn arangodb() -> Self {
        let double = ArangodbDouble::new();
        double.put("userprofile::johndoe", JOHN);
        let settings = &["arangodb.username=reader", "arangodb.database=profiles", "arangodb.collection=users"];
        Self { database: "arangodb", nodes: [double.node(), double.node()], settings, password: "reader-pw" }
    }

    /// Elasticsearch that has one document.
    fn elasticsearch() -> Self {
        let node = || {
            Node::open(|request| {
                let is_john = request.target.ends_with("userprofile%3A%3Ajohndoe");
                let id = percent_encoding::percent_decode_str(request.target.rsplit('/').next().unwrap());
                let id = serde_json::json!(id.decode_utf8().unwrap());
                if is_john {
                    Reply::new(200, format!(r#"{{"_id":{id},"found":true,"_source":{JOHN}}}"#))
                } else {
                    Reply::new(404, format!(r#"{{"_id":{id},"found":false}}"#))
                }
            })
        };
        Self { database: "elasticsearch", nodes: [node(), node()], settings: &[], password: "" }
    }

    fn all() -> [Self; 3] {
        [Self::couchdb(), Self::arangodb(), Self::elasticsearch()]
    }

    fn serve(&self, urls: &[String], settings: &[&str]) -> Server {
        let (chosen, urls) =
            (format!("bucket.database={}", self.database), format!("{}.urls={}", self.database, urls.join(",")));
        let own = [&[chosen.as_str(), &urls], self.settings, settings].concat();
        Server::start_with(&own, &[], |command| {
            if !self.password.is_empty() {
                command.env(format!("USERPROFILES_{}_PASSWORD", self.database.to_uppercase()), self.password);
            }
        })
    }

    fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Node::url).collect()
    }
}

fn assert_serves(server: &Server, what: &str) {
    let answer = server.get("/users/johndoe");
    assert_eq!(answer.status, 200, "{what}: {}\n{}", answer.text(), server.log());
    assert_eq!(answer.json()["username"], "johndoe", "{what}");
}

#[test]
fn another_node_answers_while_one_is_away_silent_or_cut_off() {
    for pair in Pair::all() {
        for mode in MODES {
            let server =
                pair.serve(&pair.urls(), &[mode, "bucket.attempt_timeout=200ms", "bucket.operation_timeout=5s"]);
            assert_serves(&server, pair.database);
            for broken in 0..2 {
                let what = format!("{}, {mode}, node {broken}", pair.database);
                pair.nodes[broken].port.close();
                let node = pair.nodes[broken].port.address();
                let report = format!("node {node} is asked only where no other node is well");
                for _ in 0..5 {
                    assert_serves(&server, &what);
                }
                // Chance chooses the node of a request; a kept connection stays with its own.
                while mode == MODES[0] && !server.log().contains(&report) {
                    assert_serves(&server, &what);
                }
                pair.nodes[broken].port.reopen();
                if mode == MODES[0] {
                    server.wait_for_log(&format!("node {node} answers again"));
                }
                for mood in [Mood::Silent, Mood::CutOff, Mood::Canned(Reply::new(503, ""))] {
                    pair.nodes[broken].set_mood(mood.clone());
                    for _ in 0..5 {
                        assert_serves(&server, &format!("{what}, {mood:?}"));
                    }
                    pair.nodes[broken].set_mood(Mood::Well);
                    pair.nodes[broken].port.close_connections();
                }
            }
        }
    }
}

#[test]
fn both_nodes_away_is_an_outage_that_heals() {
    for pair in Pair::all() {
        let server = pair.serve(&pair.urls(), &["bucket.operation_timeout=2s"]);
        assert_serves(&server, pair.database);
        pair.nodes.iter().for_each(|node| node.port.close());
        let answer = server.get("/users/johndoe");
        answer.assert_problem(503, "unavailable");
        assert!(answer.field("retry-after").is_some());
        pair.nodes.iter().for_each(|node| node.port.reopen());
        let start = Instant::now();
        while server.get("/users/johndoe").status != 200 {
            assert!(start.elapsed() < Duration::from_secs(20), "{}", server.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_prefix_of_an_address_comes_before_each_path() {
    for pair in Pair::all() {
        pair.nodes[0].set_mood(Mood::Canned(Reply::new(404, "")));
        let url = format!("{}/a/prefix%20b/", pair.nodes[0].url());
        let server = pair.serve(&[url], &[]);
        server.get("/users/johndoe").assert_problem(500, "misconfigured");
        let asked = pair.nodes[0].asked();
        assert!(asked.iter().all(|asked| asked.starts_with("GET /a/prefix%20b/")), "{asked:?}");
    }
}

#[test]
fn the_names_of_a_request_and_the_time_that_is_left_go_along() {
    const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for pair in Pair::all() {
        let server = pair.serve(&pair.urls()[..1], &["bucket.slow_operation=5ms", "bucket.operation_timeout=3s"]);
        pair.nodes[0].set_mood(Mood::Slow(Duration::from_millis(20)));
        let fields = format!("traceparent: {TRACEPARENT}\r\nX-Request-Id: slow-one\r\n");
        assert_eq!(server.connect().request("GET", "/users/johndoe", &fields).status, 200);
        assert_eq!(pair.nodes[0].traceparents(), [TRACEPARENT], "{}", pair.database);
        server.wait_for_log("a slow operation of the database");
        let log = server.log();
        let line = log.lines().find(|line| line.contains("a slow operation of the database")).unwrap();
        for part in ["request_id=slow-one", &format!("database={}", pair.database), "outcome=ok"] {
            assert!(line.contains(part), "no {part:?} in {line}");
        }
        let times = pair.nodes[0].queue_times();
        if pair.database == "arangodb" {
            let left: f64 = times[0].parse().unwrap();
            assert!(left > 2.0 && left <= 3.0, "{times:?}");
        } else {
            assert_eq!(times, Vec::<String>::new());
        }
    }
}

#[test]
fn tls_and_a_certificate_of_our_own() {
    let folder = tempfile::tempdir().unwrap();
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let client = clients.client();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (name, text) in [("ca.pem", servers.pem()), ("client.pem", client.certificate), ("client.key", client.key)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for pair in Pair::all() {
        let shown = servers.server(&["127.0.0.1"], Validity::Now);
        let config = server_config(&shown, Clients::Of(&clients), rustls::ALL_VERSIONS);
        let front = Front::open(pair.nodes[0].port.address(), config);
        let urls = [format!("https://{}", front.address())];
        let database = pair.database;
        let ca_file = format!("{database}.ca_file={}", path("ca.pem"));
        let certificate = format!("{database}.client_certificate_file={}", path("client.pem"));
        let key = format!("{database}.client_key_file={}", path("client.key"));
        let server = pair.serve(&urls, &[&ca_file, &certificate, &key, "bucket.connections=pooled"]);
        for _ in 0..3 {
            assert_serves(&server, database);
        }
        let without = pair.serve(&urls, &[&ca_file]);
        without.get("/users/johndoe").assert_problem(500, "misconfigured");
        without.wait_for_log(&format!("wants a client certificate; set [{database}] client_certificate_file"));
    }
}
