//! What only Cassandra does: tables that come and go, replicas that are missing, rows of others.

use std::future::Future;
use std::time::Instant;

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use crate::databases::real::RealServer;
use crate::databases::{MODES, Store};
use crate::support::server::PATIENCE;

/// The administrator of a server, beside the program under test.
pub struct Admin {
    runtime: tokio::runtime::Runtime,
    session: Session,
    login: [String; 2],
}

impl Admin {
    pub fn of(server: &RealServer) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let login = [server.login("admin"), server.login("admin_password")];
        let builder = SessionBuilder::new().known_node(server.setting("CASSANDRA_NODES")).user(&login[0], &login[1]);
        let session = runtime.block_on(builder.build()).unwrap();
        Self { runtime, session, login }
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn change(&self, statement: &str) {
        self.run(self.session.query_unpaged(statement, ())).unwrap();
    }

    /// A command of the program as the administrator.
    fn program(&self, store: &Store, arguments: &[&str], lines: &str) -> (i32, String) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lines.jsonl"), lines).unwrap();
        let mut command = store.command();
        let [user, password] = &self.login;
        command.env("USERPROFILES_CASSANDRA_USERNAME", user).env("USERPROFILES_CASSANDRA_PASSWORD", password);
        let output = command.args(arguments).current_dir(folder.path()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn start(whose: &str) -> Option<(Store, Admin)> {
    let server = RealServer::start("cassandra", whose)?;
    let admin = Admin::of(&server);
    Some((Store::of(server.into()), admin))
}

const LINES: &str = "{\"username\":\"a\",\"hashed_password\":\"h\"}\n{\"username\":\"b\",\"hashed_password\":\"h\"}\n";

#[test]
fn keyspace_and_table_are_made_and_never_without_being_asked_for() {
    let Some((store, admin)) = start("cassandra-creation") else { return };
    let place = ["--set", "cassandra.keyspace=Made", "--set", "cassandra.table=users"];
    let with = |arguments: &[&'static str]| [arguments, &place].concat();
    let (code, told) = admin.program(&store, &with(&["import", "lines.jsonl"]), LINES);
    assert!(code == 1 && told.contains("it has no table made.users"), "{code}: {told}");
    let create = with(&["import", "--create", "--replication-factor", "1", "lines.jsonl"]);
    let (code, told) = admin.program(&store, &create, LINES);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("created the keyspace \"made\" with one replica and the table \"users\""), "{told}");
    let (code, told) = admin.program(&store, &create, LINES);
    assert!(code == 0 && told.contains("there was nothing to create") && told.contains("2 lines stored"), "{told}");

    // The role of the service may write to its table, and make none.
    let folder = tempfile::tempdir().unwrap();
    let output = store.import(LINES, folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let elsewhere = ["import", "--create", "lines.jsonl", "--set", "cassandra.keyspace=elsewhere"];
    let output = store.run(&elsewhere, folder.path());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && told.contains("may not create elsewhere.users"), "{told}");
    admin.change("REVOKE MODIFY ON TABLE app.users FROM userprofiles");
    // It is known there for a while that it may.
    let start = Instant::now();
    let mut output = store.import(LINES, folder.path());
    while output.status.success() {
        assert!(start.elapsed() < PATIENCE);
        output = store.import(LINES, folder.path());
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("GRANT MODIFY ON TABLE app.users TO \"userprofiles\";"), "{told}");

    let output = store.run(&["import", "--replication-factor", "3", "lines.jsonl"], folder.path());
    assert_eq!(output.status.code(), Some(2), "it is for --create");
    let other = ["import", "--create", "--replication-factor", "3", "lines.jsonl", "--set", "bucket.database=couchdb"];
    let output = store.run(&other, folder.path());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && told.contains("--replication-factor is for"), "{told}");
}

#[test]
fn missing_replicas_are_an_outage() {
    let Some((store, admin)) = start("cassandra-replicas") else { return };
    let place = ["--set", "cassandra.keyspace=three", "--set", "cassandra.table=users"];
    let create = [&["import", "--create", "--replication-factor", "3", "lines.jsonl"][..], &place].concat();
    let (code, told) = admin.program(&store, &create, "");
    assert!(code == 0 && told.contains("created the keyspace \"three\" with 3 replicas"), "{told}");
    admin.change("GRANT SELECT ON TABLE three.users TO userprofiles");
    for mode in MODES {
        let server = store.serve(&[mode, "cassandra.keyspace=three"]);
        server.get("/users/johndoe").assert_problem(503, "unavailable");
        server.wait_for_log("LOCAL_QUORUM needs 2 replicas of the keyspace \"three\", of which 1 are up");
        let server = store.serve(&[mode, "cassandra.keyspace=three", "cassandra.consistency=LOCAL_ONE"]);
        server.get("/users/johndoe").assert_problem(404, "user-not-found");
    }
}

#[test]
fn a_table_that_goes_is_told_from_a_user_who_is_not_there() {
    let Some((store, admin)) = start("cassandra-table") else { return };
    for mode in MODES {
        let server = store.serve(&[mode]);
        server.wait_for_status("/users/nobody", 404);
        admin.change("DROP TABLE app.users");
        server.wait_for_status("/users/nobody", 500);
        server.get("/users/nobody").assert_problem(500, "misconfigured");
        server.wait_for_log("it has no table app.users");
        // The permissions of a table go with it.
        admin.change("CREATE TABLE app.users (id text PRIMARY KEY, doc text)");
        admin.change("GRANT SELECT ON TABLE app.users TO userprofiles");
        server.wait_for_status("/users/nobody", 404);
    }
}

#[test]
fn rows_of_others_are_no_profiles() {
    let Some((store, admin)) = start("cassandra-rows") else { return };
    let folder = tempfile::tempdir().unwrap();
    assert!(store.import(LINES, folder.path()).status.success());
    let insert = "INSERT INTO app.users (id, doc) VALUES";
    admin.change(&format!("{insert} ('other::x', '{{}}')"));
    admin.change(&format!("{insert} ('userprofile::broken', '{{\"marker')"));
    admin.change("INSERT INTO app.users (id) VALUES ('userprofile::empty')");
    for mode in MODES {
        let server = store.serve(&[mode]);
        assert_eq!(server.get("/users/a").status, 200);
        server.get("/users/empty").assert_problem(404, "user-not-found");
        server.get("/users/broken").assert_problem(500, "invalid-document");
        assert!(!server.log().contains("marker"));
    }
    admin.change("DELETE FROM app.users WHERE id = 'userprofile::broken'");
    let output = store.run(&["export", "-"], folder.path());
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names: Vec<bool> = ["\"a\"", "\"b\""].iter().map(|name| lines.contains(name)).collect();
    assert_eq!((names, lines.contains("{}")), (vec![true, true], false), "{lines}");
}
