//! What is wrong with a database or with the settings for it: the problem, the step of `check`, the exit code and the
//! sentence, word for word.

use std::fs;
use std::path::{Path, PathBuf};

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
pub struct Complaint {
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
#[derive(Clone)]
pub struct Situation {
    pub wrong: &'static str,
    /// `HOST` in the table.
    pub host: String,
    /// Settings in which the host and the place are.
    pub settings: Vec<String>,
    pub user: String,
    pub password: String,
    /// `CA` in the table.
    pub ca_file: Option<PathBuf>,
}

/// The situations of one database over HTTP: `well` are nodes that have everything, `place` where it is, `elsewhere`
/// where it is not.
fn situations(
    database: &str,
    (well, foreign, front): (&Node, &Node, &Front),
    other_authority: &Path,
    place: &[&str],
    elsewhere: &[(&'static str, &[&str])],
) -> Vec<Situation> {
    let at = |wrong, url: String, place: &[&str]| Situation {
        wrong,
        host: url.split("://").nth(1).unwrap().to_owned(),
        settings: place.iter().map(|setting| (*setting).to_owned()).chain([format!("{database}.urls={url}")]).collect(),
        user: "reader".to_owned(),
        password: "reader-pw".to_owned(),
        ca_file: None,
    };
    let usual = |wrong| at(wrong, well.url(), place);
    let secure = at("wrong authority", format!("https://{}", front.address()), place);
    let mut all = vec![
        Situation { password: "another".to_owned(), ..usual("wrong password") },
        Situation { user: "stranger".to_owned(), password: "stranger-pw".to_owned(), ..usual("no rights") },
        Situation { ca_file: Some(other_authority.to_owned()), ..secure },
        at("foreign service", foreign.url(), place),
    ];
    all.extend(elsewhere.iter().map(|(wrong, place)| at(wrong, well.url(), place)));
    all
}

fn settings(database: &str, situation: &Situation) -> Vec<String> {
    let mut settings = vec![format!("bucket.database={database}"), format!("{database}.username={}", situation.user)];
    settings.extend(situation.settings.iter().cloned());
    settings.extend(situation.ca_file.iter().map(|file| format!("{database}.ca_file={}", file.display())));
    settings
}

/// What a server and `check` say of a situation.
pub fn observe(database: &str, situation: &Situation) -> Complaint {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(database, situation);
    let variable = format!("USERPROFILES_{}_PASSWORD", database.to_uppercase());
    let general = |text: &str| {
        let text = text.replace(&situation.host, "HOST");
        situation.ca_file.iter().fold(text, |text, file| text.replace(file.to_str().unwrap(), "CA"))
    };

    let flags: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = Server::start_with(&flags, &[], |command| {
        command.env(&variable, &situation.password);
    });
    let answer = server.connect().request("GET", "/users/johndoe", "X-Request-Id: complaint\r\n");
    server.wait_for_log("request_id=complaint code=");
    let log = server.log();
    let line = log.lines().find(|line| line.contains(" ERROR ")).unwrap_or_else(|| panic!("no error: {log}"));
    for secret in [situation.password.as_str(), "message-marker"] {
        assert!(!log.contains(secret), "{log}");
    }
    let reason = line.split_once(" ERROR ").unwrap().1.trim_end_matches(" request_id=complaint");

    let mut command = userprofiles();
    command.arg("check").env(&variable, &situation.password).current_dir(&folder);
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
    let other_authority = folder.path().join("other.pem");
    fs::write(&other_authority, other.pem()).unwrap();
    let secure = |node: &Node| {
        let pair = own.server(&["127.0.0.1"], Validity::Now);
        Front::open(node.port.address(), server_config(&pair, Clients::Anybody, rustls::ALL_VERSIONS))
    };
    let foreign = Node::open(|_| panic!("it is no database"));
    foreign.set_mood(Mood::Canned(Reply::new(404, "<html><body>Not Found</body></html>")));

    let mut found = Vec::new();
    let mut observe_all = |database, node: &Node, place: &[&str], elsewhere: &[(&'static str, &[&str])]| {
        let nodes = (node, &foreign, &secure(node));
        let situations = situations(database, nodes, &other_authority, place, elsewhere);
        found.extend(situations.iter().map(|situation| observe(database, situation)));
    };
    let node = CouchdbDouble::new().node();
    observe_all("couchdb", &node, &[], &[("no database", &["couchdb.database=elsewhere"])]);
    let node = ArangodbDouble::new().node();
    let (profiles, users) = ("arangodb.database=profiles", "arangodb.collection=users");
    let place = [profiles, users];
    observe_all("arangodb", &node, &place, &[("no database", &["arangodb.database=elsewhere", users])]);
    if let Some(real) = RealServer::start("opensearch", "complaints") {
        let node = Guard::before(real.setting("ELASTICSEARCH_URLS")).node();
        observe_all("elasticsearch", &node, &[], &[("no index", &["elasticsearch.index=elsewhere"])]);
    }
    let double = ArangodbDouble::new();
    double.state().documents = None;
    let node = double.node();
    let nodes = (&node, &foreign, &secure(&node));
    let usual = situations("arangodb", nodes, &other_authority, &place, &[("no collection", &place)]);
    found.push(observe("arangodb", usual.last().unwrap()));
    assert_in_table(&found);
}

/// Each is in the table, and there are no others of their databases.
pub fn assert_in_table(found: &[Complaint]) {
    let table: Vec<Complaint> = serde_json::from_str(include_str!("../data/database-complaints.json")).unwrap();
    let differing: Vec<String> = found
        .iter()
        .filter(|found| !table.contains(found))
        .map(|found| serde_json::to_string(found).unwrap())
        .collect();
    assert!(differing.is_empty(), "not in the table:\n{}", differing.join(",\n"));
    let names_a_setting = |row: &&Complaint| row.reason.contains(&format!("[{}] ", row.database));
    assert_eq!(table.iter().find(|row| !names_a_setting(row)), None, "each names a setting");
    let of_these = |row: &&Complaint| found.iter().any(|found| found.database == row.database);
    assert_eq!(found.len(), table.iter().filter(of_these).count(), "each row was met");
}
