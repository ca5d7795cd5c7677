//! What is wrong with a database or with the settings for it: the problem, the step of `check`, the exit code and the sentence,
//! word for word.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::certificates::{Authority, Clients, Validity, server_config};
use crate::couchbase::Front;
use crate::databases::arangodb::ArangodbDouble;
use crate::databases::couchdb::CouchdbDouble;
use crate::databases::guard::Guard;
use crate::databases::node::{Mood, Node, Reply};
use crate::databases::real::RealServer;
use crate::support::process::userprofiles;
use crate::support::server::Server;

/// A row of `tests/data/database-complaints.json`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Complaint {
    database: String,
    wrong: String,
    /// Of the problem.
    code: String,
    status: u16,
    /// The reason in the log, with `HOST` for the address and `CA` for the file.
    reason: String,
    /// Of `check`.
    exit: i32,
    /// The step that fails.
    step: String,
    /// What it says.
    detail: String,
}

/// How a database is reached in which one thing is wrong.
struct Situation {
    wrong: &'static str,
    urls: String,
    user: &'static str,
    password: &'static str,
    place: Vec<&'static str>,
    ca_file: Option<&'static str>,
}

/// The situations of one database: `well` are nodes that have everything, `place` where it is, `elsewhere` where it is not.
fn situations(
    well: &Node,
    foreign: &Node,
    front: &Front,
    place: &[&'static str],
    elsewhere: &[(&'static str, &[&'static str])],
) -> Vec<Situation> {
    let usual = |wrong| Situation {
        wrong,
        urls: well.url(),
        user: "reader",
        password: "reader-pw",
        place: place.to_vec(),
        ca_file: None,
    };
    let secure = format!("https://{}", front.address());
    let mut all = vec![
        Situation { password: "another", ..usual("wrong password") },
        Situation { user: "stranger", password: "stranger-pw", ..usual("no rights") },
        Situation { urls: secure, ca_file: Some("other.pem"), ..usual("wrong authority") },
        Situation { urls: foreign.url(), ..usual("foreign service") },
    ];
    all.extend(elsewhere.iter().map(|(wrong, place)| Situation { place: place.to_vec(), ..usual(wrong) }));
    all
}

fn settings(database: &str, situation: &Situation, folder: &Path) -> Vec<String> {
    let mut settings = vec![
        format!("bucket.database={database}"),
        format!("{database}.urls={}", situation.urls),
        format!("{database}.username={}", situation.user),
    ];
    settings.extend(situation.place.iter().map(|setting| (*setting).to_owned()));
    settings.extend(situation.ca_file.map(|file| format!("{database}.ca_file={}", folder.join(file).display())));
    settings
}

fn observe(database: &str, situation: &Situation, folder: &Path) -> Complaint {
    let settings = settings(database, situation, folder);
    let variable = format!("USERPROFILES_{}_PASSWORD", database.to_uppercase());
    let host = situation.urls.split("://").nth(1).unwrap();
    let ca_file = folder.join("other.pem");
    let general = |text: &str| text.replace(host, "HOST").replace(ca_file.to_str().unwrap(), "CA");

    let flags: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = Server::start_with(&flags, &[], |command| {
        command.env(&variable, situation.password);
    });
    let answer = server.connect().request("GET", "/users/johndoe", "X-Request-Id: complaint\r\n");
    server.wait_for_log("request_id=complaint code=");
    let log = server.log();
    let line = log.lines().find(|line| line.contains(" ERROR ")).unwrap_or_else(|| panic!("no error: {log}"));
    for secret in ["reader-pw", "stranger-pw", "another", "message-marker"] {
        assert!(!log.contains(secret), "{log}");
    }
    let reason = line.split_once(" ERROR ").unwrap().1.trim_end_matches(" request_id=complaint");

    let mut command = userprofiles();
    command.arg("check").env(&variable, situation.password).current_dir(folder);
    for setting in &settings {
        command.args(["--set", setting]);
    }
    let output = command.output().unwrap();
    let steps = String::from_utf8(output.stdout).unwrap();
    let failed = steps.lines().find_map(|line| line.strip_prefix("FAIL")).unwrap_or_else(|| panic!("{steps}"));
    let (step, detail) = failed.trim_start().split_once(' ').unwrap();
    Complaint {
        database: database.to_owned(),
        wrong: situation.wrong.to_owned(),
        code: answer.json()["type"].as_str().unwrap().trim_start_matches("/problems/").to_owned(),
        status: answer.status,
        reason: general(reason),
        exit: output.status.code().unwrap(),
        step: step.to_owned(),
        detail: general(detail.trim_start()),
    }
}

#[test]
fn what_is_wrong_is_said_word_for_word() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (Authority::new("own"), Authority::new("other"));
    fs::write(folder.path().join("other.pem"), other.pem()).unwrap();
    let secure = |node: &Node| {
        let pair = own.server(&["127.0.0.1"], Validity::Now);
        Front::open(node.port.address(), server_config(&pair, Clients::Anybody, rustls::ALL_VERSIONS))
    };
    let foreign = Node::open(|_| panic!("it is no database"));
    foreign.set_mood(Mood::Canned(Reply::new(404, "<html><body>Not Found</body></html>")));

    let mut found = Vec::new();
    let mut observe_all =
        |database, node: &Node, place: &[&'static str], elsewhere: &[(&'static str, &[&'static str])]| {
            let front = secure(node);
            for situation in situations(node, &foreign, &front, place, elsewhere) {
                found.push(observe(database, &situation, folder.path()));
            }
        };
    let node = CouchdbDouble::new().node();
    observe_all("couchdb", &node, &[], &[("no database", &["couchdb.database=elsewhere"])]);
    let node = ArangodbDouble::new().node();
    let (profiles, users) = ("arangodb.database=profiles", "arangodb.collection=users");
    let place = [profiles, users];
    observe_all("arangodb", &node, &place, &[("no database", &["arangodb.database=elsewhere", users])]);
    let double = ArangodbDouble::new();
    double.state().documents = None;
    let node = double.node();
    let usual = situations(&node, &foreign, &secure(&node), &place, &[("no collection", &place)]);
    found.push(observe("arangodb", usual.last().unwrap(), folder.path()));
    if let Some(real) = RealServer::start("opensearch", "complaints") {
        let node = Guard::before(real.setting("ELASTICSEARCH_URLS")).node();
        let elsewhere: &[&str] = &["elasticsearch.index=elsewhere"];
        let mut observe_all = |place: &[&'static str], elsewhere: &[(&'static str, &[&'static str])]| {
            let front = secure(&node);
            for situation in situations(&node, &foreign, &front, place, elsewhere) {
                found.push(observe("elasticsearch", &situation, folder.path()));
            }
        };
        observe_all(&[], &[("no index", elsewhere)]);
    }

    let table: Vec<Complaint> = serde_json::from_str(include_str!("../data/database-complaints.json")).unwrap();
    let differing: Vec<String> = found
        .iter()
        .filter(|found| !table.contains(found))
        .map(|found| serde_json::to_string(found).unwrap())
        .collect();
    assert!(differing.is_empty(), "not in the table:\n{}", differing.join(",\n"));
    let names_a_setting = |row: &&Complaint| row.reason.contains(&format!("[{}] ", row.database));
    assert_eq!(table.iter().find(|row| !names_a_setting(row)), None, "each names a setting");
    let left_out = found.iter().all(|found| found.database != "elasticsearch");
    let expected = table.iter().filter(|row| !(left_out && row.database == "elasticsearch")).count();
    assert_eq!(found.len(), expected, "each row was met");
}
