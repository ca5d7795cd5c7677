//! A cluster of three nodes under load, through everything that happens to nodes: one refuses, stands still, says that
//! it is going down, is replaced, comes back. The real binary over real sockets, both modes of connections.
//!
//! What is asserted: never a wrong answer, never one later than the deadline, none but an honest 503 or 504 besides the
//! right one; no error at all while another node can answer; and the first right answer within a second of the moment
//! from which one is possible. The numbers are printed (`cargo test --test couchbase_cluster -- --nocapture`).

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use couchbase::{Double, ErrorAnswer, Manager, Query, Raised, Raw};
use on_couchbase::{MODES, assert_holds_no_secret, profile, serve};
use support::client::Client;
use support::server::Server;
use userprofiles::clock;

/// How many clients ask at once, each on a connection of its own.
const CLIENTS: usize = 64;

/// How many users they ask for.
const USERS: usize = 20;

/// How long it is from one beat of the load to the next. On each beat all clients ask at once, as far as they have had
/// their answers, so a fast machine has no more requests to serve than a slow one: 1 600 a second.
const BEAT: Duration = Duration::from_millis(40);

/// How long a condition of the cluster lasts.
const PHASE: Duration = Duration::from_millis(1500);

/// The settings that the load runs with: the operation timeout is one that a test can wait for.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);
const SETTINGS: [&str; 2] = ["bucket.operation_timeout=3s", "bucket.attempt_timeout=500ms"];

/// A cluster: doubles that tell of each other.
struct Cluster {
    nodes: Vec<Double>,
    revision: Mutex<u64>,
}

impl Cluster {
    fn start(size: usize) -> Self {
        let nodes: Vec<Double> = (0..size).map(|_| Double::start()).collect();
        for node in &nodes {
            for number in 0..USERS {
                node.put(&format!("userprofile::user-{number}"), &profile(&format!("user-{number}")));
            }
        }
        let cluster = Self { nodes, revision: Mutex::new(1) };
        cluster.tell_of(&(0..size).collect::<Vec<_>>());
        cluster
    }

    /// Every node tells from now on that these are the nodes.
    fn tell_of(&self, members: &[usize]) {
        let mut revision = self.revision.lock().unwrap();
        *revision += 1;
        let nodes: Vec<String> = members
            .iter()
            .map(|member| {
                let node = &self.nodes[*member];
                let (manager, query) = (node.manager_address().port(), node.query_address().port());
                format!(r#"{{"services":{{"mgmt":{manager},"kv":11210,"n1ql":{query}}},"hostname":"127.0.0.1"}}"#)
            })
            .collect();
        let answer =
            format!(r#"{{"rev":{revision},"revEpoch":1,"nodesExt":[{}],"clusterUUID":"4d8a2f"}}"#, nodes.join(","));
        for node in &self.nodes {
            node.set_manager(Manager::Nodes(answer.clone()));
        }
    }

    fn seeds(&self) -> String {
        let seeds: Vec<String> = self.nodes[..3].iter().map(|node| node.manager_address().to_string()).collect();
        format!("couchbase.connection_string=http://{}", seeds.join(","))
    }

    fn serve(&self, settings: &[&str]) -> Server {
        let seeds = self.seeds();
        let all: Vec<&str> = settings.iter().copied().chain([seeds.as_str()]).collect();
        serve(&self.nodes[0], &all)
    }
}

/// One answer, as its client saw it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    asked: Instant,
    answered: Instant,
    status: u16,
}

/// What happened in a phase of the load.
struct Phase {
    name: &'static str,
    begin: Instant,
    end: Instant,
    /// Whether a node could answer all the while.
    expected: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Nothing but right answers.
    NoError,
    /// Right answers from a second after the beginning on.
    NoErrorAfterASecond,
    /// Honest errors.
    Errors,
}

/// Runs the clients while `events` change the cluster.
fn load(server: &Server, events: impl FnOnce(&mut Vec<Phase>)) -> (Vec<Seen>, Vec<Phase>) {
    let is_over = AtomicBool::new(false);
    let all_seen = Mutex::new(Vec::new());
    let mut phases = Vec::new();
    let start = clock::now();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (is_over, all_seen) = (&is_over, &all_seen);
            scope.spawn(move || {
                let mut connection = server.connect();
                let mut seen = Vec::new();
                let mut beat = start;
                for turn in client.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    seen.push(ask(&mut connection, turn % USERS));
                    // Beats that have passed meanwhile are left out.
                    let now = clock::now();
                    while beat <= now {
                        beat += BEAT;
                    }
                    std::thread::sleep(beat - now);
                }
                all_seen.lock().unwrap().extend(seen);
            });
        }
        events(&mut phases);
        is_over.store(true, Ordering::Relaxed);
    });
    (all_seen.into_inner().unwrap(), phases)
}

fn ask(connection: &mut Client, number: usize) -> Seen {
    let asked = clock::now();
    let answer = connection.request("GET", &format!("/users/user-{number}"), "");
    let answered = clock::now();
    match answer.status {
        200 => {
            let right = format!(r#"{{"username":"user-{number}","email":null,"full_name":null,"disabled":null}}"#);
            assert_eq!(answer.text(), right);
        }
        // Those that find all bucket connections waiting for frozen nodes are told that it is busy.
        503 if answer.text().contains("/problems/busy") => drop(answer.assert_problem(503, "busy")),
        503 => drop(answer.assert_problem(503, "unavailable")),
        504 => drop(answer.assert_problem(504, "timeout")),
        other => panic!("{other}: {}", answer.text()),
    }
    Seen { asked, answered, status: answer.status }
}

fn phase(phases: &mut Vec<Phase>, name: &'static str, expected: Expected, change: impl FnOnce()) {
    change();
    let begin = clock::now();
    std::thread::sleep(PHASE);
    phases.push(Phase { name, begin, end: clock::now(), expected });
}

fn assert_phases(mode: &str, seen: &[Seen], phases: &[Phase]) {
    let slowest = seen.iter().map(|seen| seen.answered - seen.asked).max().unwrap();
    println!("{mode}: {} answers, the slowest after {} ms", seen.len(), slowest.as_millis());
    // A thread of a busy machine may be late in noticing.
    assert!(slowest < OPERATION_TIMEOUT + Duration::from_secs(1), "{slowest:?}");
    for Phase { name, begin, end, expected } in phases {
        // By when it was answered, since that is when the cluster's condition showed.
        let within: Vec<&Seen> = seen.iter().filter(|seen| (*begin..*end).contains(&seen.answered)).collect();
        let right = within.iter().filter(|seen| seen.status == 200);
        let first = right.clone().map(|seen| seen.answered - *begin).min();
        let right = right.count();
        let late_error = within.iter().filter(|seen| seen.status != 200).map(|seen| seen.answered - *begin).max();
        let slowest = within.iter().map(|seen| seen.answered - seen.asked).max().unwrap_or_default();
        println!(
            "  {name}: {right} right, {} errors, slowest {} ms, first right after {} ms, last error after {} ms",
            within.len() - right,
            slowest.as_millis(),
            first.map_or_else(|| "-".to_owned(), |first| first.as_millis().to_string()),
            late_error.map_or_else(|| "-".to_owned(), |last| last.as_millis().to_string()),
        );
        match expected {
            Expected::NoError => assert_eq!(within.len(), right, "{mode}, {name}"),
            Expected::NoErrorAfterASecond => {
                assert!(first.is_some_and(|first| first <= Duration::from_secs(1)), "{mode}, {name}: {first:?}");
                assert!(late_error.is_none_or(|last| last <= Duration::from_secs(1)), "{mode}, {name}: {late_error:?}");
            }
            Expected::Errors => assert!(within.len() > right, "{mode}, {name}: nothing failed"),
        }
    }
}

#[test]
fn three_nodes_under_load_through_everything_that_happens_to_nodes() {
    for mode in MODES {
        let cluster = Cluster::start(4);
        cluster.tell_of(&[0, 1, 2]);
        let [a, b, c, d] = [0, 1, 2, 3].map(|node| &cluster.nodes[node]);
        let server = cluster.serve(&[&[mode], &SETTINGS[..]].concat());
        let (seen, phases) = load(&server, |phases| {
            use Expected::NoError;
            phase(phases, "all is well", NoError, || {});
            phase(phases, "a node refuses", NoError, || a.query_port().close());
            phase(phases, "it is back", NoError, || a.query_port().reopen());
            phase(phases, "a node stands still", NoError, || b.set_query(Query::Freeze));
            phase(phases, "it is thawed", NoError, || b.set_query(Query::Answer));
            phase(phases, "a node takes connections and no more", NoError, || {
                b.query_port().go_deaf();
                b.query_port().close_connections();
            });
            phase(phases, "it accepts again", NoError, || b.query_port().reopen());
            phase(phases, "a node says that it is shutting down", NoError, || {
                c.set_query(Query::Error(ErrorAnswer::new(1181, 503, Raised::Before)));
            });
            phase(phases, "it is started again", NoError, || c.set_query(Query::Answer));
            phase(phases, "a node is replaced by another", NoError, || {
                cluster.tell_of(&[3, 1, 2]);
                a.query_port().close();
                a.manager_port().close();
            });
            phase(phases, "only the new one is left", NoError, || {
                b.query_port().close();
                c.query_port().close();
            });
            phase(phases, "two come back", NoError, || {
                b.query_port().reopen();
                c.query_port().reopen();
            });
        });
        assert_phases(mode, &seen, &phases);
        assert!(d.counts().query.all_requests() > 0, "the new node was never asked");
        assert_holds_no_secret(&server.log());
    }
}

/// Whatever it answers, a node that fails at once is always the one with the fewest requests outstanding.
#[test]
fn a_node_that_fails_fast_draws_no_requests_and_makes_none_fail() {
    for mode in MODES {
        let cluster = Cluster::start(3);
        cluster.tell_of(&[0, 1]);
        let broken = &cluster.nodes[1];
        let server = cluster.serve(&[&[mode], &SETTINGS[..]].concat());
        let (seen, phases) = load(&server, |phases| {
            let error = |code| Query::Error(ErrorAnswer::new(code, 200, Raised::Before));
            let bare = Raw { status: 500, content_type: None, body: Vec::new() };
            for (name, answer) in [
                ("a node answers at once with 5000", error(5000)),
                ("with 12003", error(12_003)),
                ("with 13014", error(13_014)),
                ("with a bare 500", Query::Raw(bare)),
            ] {
                phase(phases, name, Expected::NoError, || broken.set_query(answer));
            }
        });
        assert_phases(mode, &seen, &phases);
        let [well, failing] = [0, 1].map(|node| cluster.nodes[node].counts().query.all_requests());
        println!("  the broken node got {failing} of {} requests", well + failing);
        assert!(failing * 50 <= well + failing, "{mode}: {failing} of {}", well + failing);
        broken.set_query(Query::Answer);
        let before = broken.counts().query.all_requests();
        load(&server, |_| broken.wait_until("requests again", |counts| counts.query.all_requests() > before + 100));
        let log = server.log();
        // An answer that was on its way when it began to fail makes it well for a moment.
        let told = log.matches("answers with an error that another node does not have").count();
        assert!((1..=5).contains(&told), "told {told} times");
        assert_holds_no_secret(&log);
    }
}

#[test]
fn every_node_gone_and_the_first_to_come_back_or_to_replace_them() {
    for mode in MODES {
        let cluster = Cluster::start(4);
        cluster.tell_of(&[0, 1, 2]);
        let server = cluster.serve(&[&[mode], &SETTINGS[..]].concat());
        let (seen, phases) = load(&server, |phases| {
            use Expected::{Errors, NoError, NoErrorAfterASecond};
            phase(phases, "all is well", NoError, || {});
            phase(phases, "all refuse", Errors, || {
                cluster.nodes[..3].iter().for_each(|node| node.query_port().close());
            });
            phase(phases, "one comes back", NoErrorAfterASecond, || cluster.nodes[1].query_port().reopen());
            phase(phases, "it is gone too", Errors, || cluster.nodes[1].query_port().close());
            phase(phases, "all are replaced by a new one", NoErrorAfterASecond, || cluster.tell_of(&[3]));
        });
        assert_phases(mode, &seen, &phases);
    }
}

/// A request that is turned away at once is answered within this, on however busy a machine; one that waits for a
/// frozen node takes several times as long. The figure that is printed is the one to look at.
const AT_ONCE: Duration = Duration::from_millis(400);

#[test]
fn a_frozen_cluster_makes_requests_fail_fast_until_it_thaws() {
    for mode in MODES {
        let cluster = Cluster::start(3);
        let server = cluster.serve(&[&[mode], &SETTINGS[..]].concat());
        let mut frozen = clock::now();
        let mut thawed = frozen;
        let (seen, _) = load(&server, |_| {
            std::thread::sleep(PHASE);
            frozen = clock::now();
            cluster.nodes.iter().for_each(|node| node.set_query(Query::Freeze));
            std::thread::sleep(OPERATION_TIMEOUT + Duration::from_secs(4));
            thawed = clock::now();
            cluster.nodes.iter().for_each(|node| node.set_query(Query::Answer));
            std::thread::sleep(PHASE);
        });
        let fast_from = frozen + OPERATION_TIMEOUT + Duration::from_secs(1);
        let mut fast: Vec<Duration> = seen
            .iter()
            .filter(|seen| (fast_from..thawed).contains(&seen.asked))
            .map(|seen| {
                assert_eq!(seen.status, 503, "{mode}");
                seen.answered - seen.asked
            })
            .collect();
        fast.sort();
        let p99 = fast[fast.len() * 99 / 100];
        let first =
            seen.iter().filter(|seen| seen.status == 200 && seen.answered >= thawed).map(|seen| seen.answered).min();
        let after = first.expect("a right answer after the thaw") - thawed;
        println!(
            "{mode}: frozen, {} answers at once, p99 {:.1} ms; the first right one {} ms after the thaw",
            fast.len(),
            p99.as_secs_f64() * 1000.0,
            after.as_millis()
        );
        assert!(p99 <= AT_ONCE, "{mode}: {p99:?}");
        assert!(after <= Duration::from_secs(1), "{mode}: {after:?}");
        let last_error = seen.iter().filter(|seen| seen.status != 200).map(|seen| seen.answered).max();
        assert!(last_error.is_none_or(|last| last <= thawed + Duration::from_secs(1)), "{mode}");
    }
}
