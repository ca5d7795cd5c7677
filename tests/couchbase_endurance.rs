//! `import` and `export` of 20 000 documents while the cluster is disturbed: the password changes twice, once in its file
//! first and once on the server first, a node is killed, and another one freezes. The real binary against three doubles.
//!
//! Each disturbance comes at a number of documents, so that it is known to have come in the middle of the work.
#![allow(clippy::disallowed_methods, reason = "tests wait for programs")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use couchbase::{BUCKET, Behaviour, Double, Login, Manager, PASSWORD, Query, USERNAME};
use on_couchbase::{assert_holds_no_secret, outcome, profile};
use serde_json::Value;
use support::process::{self, userprofiles};

const DOCUMENTS: usize = 20_000;

/// How long each request takes, so that the work lasts longer than the disturbances.
const DELAY: Duration = Duration::from_millis(20);

/// Longer than all of it takes.
const GIVE_UP: Duration = Duration::from_secs(60);

struct Cluster {
    nodes: [Double; 3],
    folder: tempfile::TempDir,
}

impl Cluster {
    fn start() -> Self {
        let nodes = [Double::start(), Double::start(), Double::start()];
        let members: Vec<String> = nodes
            .iter()
            .map(|node| {
                let (manager, query) = (node.manager_address().port(), node.query_address().port());
                format!(r#"{{"services":{{"mgmt":{manager},"kv":11210,"n1ql":{query}}},"hostname":"127.0.0.1"}}"#)
            })
            .collect();
        let list = format!(r#"{{"rev":2,"revEpoch":1,"nodesExt":[{}],"clusterUUID":"4d8a2f"}}"#, members.join(","));
        for node in &nodes {
            node.set(Behaviour { manager: Manager::Nodes(list.clone()), delay: DELAY, ..Behaviour::default() });
        }
        let cluster = Self { nodes, folder: tempfile::tempdir().unwrap() };
        cluster.write_password(PASSWORD);
        cluster
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_password(&self, password: &str) {
        fs::write(self.path("next"), password).unwrap();
        fs::rename(self.path("next"), self.path("password")).unwrap();
    }

    fn set_password(&self, password: &str) {
        for node in &self.nodes {
            node.set_login(Login::Password(password.to_owned()));
        }
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let seeds: Vec<String> = self.nodes.iter().map(|node| node.manager_address().to_string()).collect();
        let mut command = userprofiles();
        for setting in [
            "bucket.database=couchbase",
            // A frozen node costs half of it.
            "bucket.n1ql_timeout=6s",
            &format!("couchbase.connection_string=http://{}", seeds.join(",")),
            &format!("couchbase.bucket={BUCKET}"),
            &format!("couchbase.username={USERNAME}"),
            &format!("couchbase.password_file={}", self.path("password").display()),
        ] {
            command.args(["--set", setting]);
        }
        command.args(arguments).current_dir(self.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        process::spawn(command).unwrap()
    }

    /// All requests for documents.
    fn requests(&self) -> usize {
        self.nodes.iter().map(|node| node.counts().query.all_requests()).sum()
    }

    /// The node that the command asks at the moment.
    fn node_in_use(&self) -> &Double {
        let counts = || self.nodes.each_ref().map(|node| node.counts().query.all_requests());
        let before = counts();
        wait_until(|| counts() != before);
        let after = counts();
        let index = (0..self.nodes.len()).find(|index| before[*index] != after[*index]).unwrap();
        &self.nodes[index]
    }

    /// Does all of it while the command works, each once `progress` has come so far, and returns what became of the command.
    fn disturb(&self, mut child: Child, progress: impl Fn(&Self) -> usize) -> Output {
        let mut reach = |share: usize| {
            let wanted = DOCUMENTS * share / 100;
            wait_until(|| progress(self) >= wanted);
            assert!(progress(self) < DOCUMENTS, "it is over before {share} % were seen");
            assert_eq!(child.try_wait().unwrap(), None, "it ended before {share} %");
        };
        reach(10);
        let killed = self.node_in_use();
        killed.query_port().close();
        killed.manager_port().close();
        reach(25);
        self.write_password("second-password");
        self.set_password("second-password");
        reach(40);
        let frozen = self.node_in_use();
        let asked = frozen.counts().query.all_requests();
        frozen.set_query(Query::Freeze);
        wait_until(|| frozen.counts().query.all_requests() > asked);
        reach(55);
        self.set_password("third-password");
        let refused = self.requests();
        wait_until(|| self.requests() > refused);
        self.write_password("third-password");
        let output = child.wait_with_output().unwrap();
        let requests = |node: &Double| node.counts().query.all_requests();
        println!("killed after {} requests, frozen after {asked}, {} in all", requests(killed), self.requests());
        output
    }
}

fn wait_until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < GIVE_UP, "waited in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn username(number: usize) -> String {
    format!("user{number:05}")
}

#[test]
fn an_import_through_password_changes_a_killed_and_a_frozen_node() {
    let cluster = Cluster::start();
    let lines: Vec<String> = (0..DOCUMENTS).map(|number| profile(&username(number))).collect();
    fs::write(cluster.path("users.jsonl"), lines.join("\n")).unwrap();
    let stored = |cluster: &Cluster| cluster.nodes.iter().flat_map(Double::batches).sum::<usize>();
    let start = Instant::now();
    let output = cluster.disturb(cluster.spawn(&["import", "users.jsonl"]), stored);
    println!("import: {} ms, {} documents sent", start.elapsed().as_millis(), stored(&cluster));
    let (code, out, err) = outcome(&output);
    assert_eq!((code, out), (0, ""), "{err}");
    assert!(err.contains("20000 lines stored, none rejected"), "{err}");
    assert_holds_no_secret(err);
    for (number, line) in lines.iter().enumerate() {
        let id = format!("userprofile::{}", username(number));
        let text = cluster.nodes.iter().find_map(|node| node.document(&id)).unwrap_or_else(|| panic!("no {id}"));
        let mut expected: Value = serde_json::from_str(line).unwrap();
        expected["type"] = "userprofile".into();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    }
    for node in &cluster.nodes {
        assert_eq!(node.violations(), Vec::<String>::new());
    }
}

#[test]
fn an_export_through_password_changes_a_killed_and_a_frozen_node() {
    let cluster = Cluster::start();
    for number in 0..DOCUMENTS {
        let name = username(number);
        let text = format!(r#"{{"type":"userprofile",{}"#, &profile(&name)[1..]);
        for node in &cluster.nodes {
            node.put(&format!("userprofile::{name}"), &text);
        }
    }
    let listed = |cluster: &Cluster| {
        let pages: Vec<u64> = cluster.nodes.iter().flat_map(Double::pages).collect();
        usize::try_from(pages.iter().sum::<u64>()).unwrap()
    };
    let start = Instant::now();
    let output = cluster.disturb(cluster.spawn(&["export", "all.jsonl"]), listed);
    println!("export: {} ms, {} documents asked for", start.elapsed().as_millis(), listed(&cluster));
    let (code, out, err) = outcome(&output);
    assert_eq!((code, out), (0, ""), "{err}");
    assert_holds_no_secret(err);
    let text = fs::read_to_string(cluster.path("all.jsonl")).unwrap();
    let mut names = HashSet::new();
    for line in text.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        assert!(names.insert(document["username"].as_str().unwrap().to_owned()), "twice: {}", document["username"]);
    }
    assert_eq!(names, (0..DOCUMENTS).map(username).collect());
}
