//! An import and an export of 20 000 documents through everything that may happen to a cluster meanwhile: its password is
//! changed twice, a node is killed, all nodes are away for a moment, a node freezes. The real binary on three doubles
//! that have the same documents.
//!
//! Invariant: each event comes while a request is under way, so none can fall between two of them and show nothing; and
//! what is waited for is a condition, never a time.
#![allow(clippy::disallowed_methods, reason = "tests start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use couchbase::{BUCKET, Double, Hold, Login, Manager, PASSWORD, Query, USERNAME};
use on_couchbase::{HASH, assert_holds_no_secret};
use support::process::{spawn, userprofiles};

const USERS: usize = 20_000;

const NODES: usize = 3;

/// A frozen node costs half of it, once: the other half is for the node that is asked next.
const N1QL_TIMEOUT: &str = "bucket.n1ql_timeout=12s";

/// How long a condition may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(2);

/// Something that happens to the cluster.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The file has the new password before the nodes have it.
    NewPasswordInFileFirst,
    /// The nodes have the new password first, and a login is refused until the file has it too.
    NewPasswordOnNodesFirst,
    /// Nobody listens any more at the node that works on a request.
    Killed,
    /// The node that works on a request says nothing any more.
    Frozen,
    /// All nodes refuse connections until the command has said that it tries again.
    Pause,
    /// Those that were killed or frozen are back.
    Recovery,
}

struct Cluster {
    nodes: Vec<Double>,
    /// Those that were killed or frozen.
    lost: RefCell<Vec<usize>>,
    folder: tempfile::TempDir,
    passwords: Cell<usize>,
}

impl Cluster {
    fn start() -> Self {
        let mut nodes = vec![Double::start()];
        while nodes.len() < NODES {
            nodes.push(Double::start_beside(&nodes[0]));
        }
        let folder = tempfile::tempdir().unwrap();
        let cluster = Self { nodes, lost: RefCell::default(), folder, passwords: Cell::new(0) };
        cluster.write_password(PASSWORD);
        cluster.nodes.iter().for_each(|node| node.set_manager(cluster.list_of_nodes()));
        cluster
    }

    fn list_of_nodes(&self) -> Manager {
        let nodes = self.nodes.iter().map(|node| {
            let (manager, query) = (node.manager_address().port(), node.query_address().port());
            format!(r#"{{"services":{{"mgmt":{manager},"kv":11210,"n1ql":{query}}},"hostname":"127.0.0.1"}}"#)
        });
        Manager::Nodes(format!(
            r#"{{"rev":1,"revEpoch":1,"nodesExt":[{}],"clusterUUID":"4d8a2f"}}"#,
            nodes.collect::<Vec<_>>().join(",")
        ))
    }

    /// As those do who know how: there is never half a file.
    fn write_password(&self, password: &str) {
        fs::write(self.folder.path().join("next"), password).unwrap();
        fs::rename(self.folder.path().join("next"), self.folder.path().join("password")).unwrap();
    }

    fn next_password(&self) -> String {
        self.passwords.set(self.passwords.get() + 1);
        format!("next-password-marker-{}", self.passwords.get())
    }

    fn change_on_nodes(&self, password: &str) {
        self.nodes.iter().for_each(|node| node.set_login(Login::Password(password.to_owned())));
    }

    /// The nodes that can answer, by their numbers.
    fn serving(&self) -> Vec<usize> {
        (0..NODES).filter(|number| !self.lost.borrow().contains(number)).collect()
    }

    fn requests(&self) -> usize {
        self.serving().into_iter().map(|number| self.nodes[number].counts().query.all_requests()).sum()
    }

    /// Holds the next request, does something while it is under way at a node, and lets it go.
    fn while_a_request_is_under_way(&self, command: &Command, act: impl FnOnce(usize)) {
        let serving = self.serving();
        for number in &serving {
            self.nodes[*number].set_hold(Hold::Queries);
        }
        // Not a probe.
        let is_busy = |number: &&usize| self.nodes[**number].works_on_many();
        command.wait_until("a request under way", || serving.iter().any(|number| is_busy(&number)));
        act(*serving.iter().find(is_busy).unwrap());
        for number in &serving {
            self.nodes[*number].set_hold(Hold::Nothing);
        }
    }

    fn let_happen(&self, event: Event, command: &Command) {
        match event {
            Event::NewPasswordInFileFirst => {
                let password = self.next_password();
                self.write_password(&password);
                self.while_a_request_is_under_way(command, |_| self.change_on_nodes(&password));
            }
            Event::NewPasswordOnNodesFirst => {
                let (password, before) = (self.next_password(), Cell::new(0));
                self.while_a_request_is_under_way(command, |_| {
                    self.change_on_nodes(&password);
                    before.set(self.requests());
                });
                command.wait_until("a refused request", || self.requests() > before.get());
                self.write_password(&password);
            }
            Event::Killed => self.while_a_request_is_under_way(command, |number| {
                self.lost.borrow_mut().push(number);
                self.nodes[number].query_port().close();
                self.nodes[number].manager_port().close();
            }),
            Event::Frozen => self.while_a_request_is_under_way(command, |number| {
                self.lost.borrow_mut().push(number);
                self.nodes[number].set_query(Query::Freeze);
                self.nodes[number].set_manager(Manager::Freeze);
            }),
            Event::Pause => {
                let serving = self.serving();
                self.while_a_request_is_under_way(command, |_| {
                    for number in &serving {
                        self.nodes[*number].query_port().close();
                    }
                });
                command.wait_until("another attempt", || command.said().contains("failed and is retried"));
                for number in &serving {
                    self.nodes[*number].query_port().reopen();
                }
            }
            Event::Recovery => {
                for number in self.lost.take() {
                    let node = &self.nodes[number];
                    node.set_query(Query::Answer);
                    node.set_manager(self.list_of_nodes());
                    node.query_port().reopen();
                    node.manager_port().reopen();
                }
            }
        }
    }

    /// Runs a command through the events, each as soon as there is this much progress, and returns what it said.
    fn run(&self, arguments: &[&str], events: &[(usize, Event)], progress: impl Fn() -> usize) -> String {
        let mut command = Command::start(self, arguments);
        for (at, event) in events {
            command.wait_until(&format!("{event:?} at {at}"), || progress() >= *at);
            self.let_happen(*event, &command);
        }
        let code = command.child.wait().unwrap().code();
        command.stderr.take().unwrap().join().unwrap();
        let said = command.said();
        assert_eq!(code, Some(0), "{said}");
        assert_holds_no_secret(&said);
        assert!(!said.contains("next-password-marker"), "{said}");
        for node in &self.nodes {
            assert_eq!(node.violations(), Vec::<String>::new());
        }
        said
    }
}

/// A command that runs, and what it has said so far on standard error.
struct Command {
    child: Child,
    said: Arc<Mutex<String>>,
    stderr: Option<std::thread::JoinHandle<()>>,
}

impl Command {
    fn start(cluster: &Cluster, arguments: &[&str]) -> Self {
        let seeds: Vec<String> = cluster.nodes.iter().map(|node| node.manager_address().to_string()).collect();
        let mut command = userprofiles();
        for setting in [
            "bucket.database=couchbase",
            &format!("couchbase.connection_string=http://{}", seeds.join(",")),
            &format!("couchbase.bucket={BUCKET}"),
            &format!("couchbase.username={USERNAME}"),
            "couchbase.password_file=password",
            N1QL_TIMEOUT,
        ] {
            command.args(["--set", setting]);
        }
        command.args(arguments).current_dir(cluster.folder.path()).stderr(Stdio::piped());
        let mut child = spawn(command).unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = Arc::new(Mutex::new(String::new()));
        let its_own = Arc::clone(&said);
        let stderr = std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| *its_own.lock().unwrap() += &(line + "\n"));
        });
        Self { child, said, stderr: Some(stderr) }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let mut waited = Duration::ZERO;
        while !is_so() {
            assert!(waited < PATIENCE, "in vain waited for: {what}; it said:\n{}", self.said());
            std::thread::sleep(STEP);
            waited += STEP;
        }
    }
}

/// A document as `import` stores it and as the double, which sorts members, gives it back.
fn stored(number: usize) -> String {
    format!(r#"{{"hashed_password":"{HASH}","number":{number},"type":"userprofile","username":"user{number:05}"}}"#)
}

/// Asserts that there is each document once, in this order, and says of the first difference where it is.
fn assert_is_every_document<'a>(found: impl Iterator<Item = &'a str>) {
    let mut count = 0;
    for (number, text) in found.enumerate() {
        assert_eq!(text, stored(number), "document {number}");
        count += 1;
    }
    assert_eq!(count, USERS);
}

#[test]
fn twenty_thousand_documents_go_in_and_come_out_whatever_happens_meanwhile() {
    let cluster = Cluster::start();
    let lines: Vec<String> = (0..USERS).map(stored).collect();
    fs::write(cluster.folder.path().join("users.jsonl"), lines.join("\n")).unwrap();
    let first = &cluster.nodes[0];

    let said = cluster.run(
        &["import", "users.jsonl"],
        &[
            (2_000, Event::NewPasswordInFileFirst),
            (5_000, Event::Killed),
            (8_000, Event::Pause),
            (11_000, Event::NewPasswordOnNodesFirst),
            (14_000, Event::Frozen),
        ],
        || cluster.nodes.iter().flat_map(Double::batches).sum(),
    );
    assert!(said.contains("20000 lines stored, none rejected"), "{said}");
    let documents = first.all_documents();
    assert!(documents.iter().all(|(id, text)| text.contains(&format!("\"{}\"", id.replace("userprofile::", "")))));
    assert_is_every_document(documents.iter().map(|(_, text)| text.as_str()));

    // With one node left of three, until the others are back.
    let said = cluster.run(
        &["export", "out.jsonl"],
        &[
            (1, Event::NewPasswordOnNodesFirst),
            (4, Event::Recovery),
            (6, Event::Frozen),
            (9, Event::NewPasswordInFileFirst),
            (12, Event::Pause),
            (15, Event::Killed),
        ],
        || cluster.nodes.iter().map(|node| node.pages().len()).sum(),
    );
    assert!(said.contains("20000 documents exported ("), "{said}");
    let exported = fs::read_to_string(cluster.folder.path().join("out.jsonl")).unwrap();
    assert_is_every_document(exported.lines());
}
