//! `check`: the real binary, step by step, against the Couchbase double in every state that a step can find, and against
//! SQLite files.
#![allow(clippy::disallowed_methods, reason = "tests start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use couchbase::{Double, ErrorAnswer, Manager, PASSWORD, Query, Raised, Raw, Setup, Stored};
use on_couchbase::{assert_holds_no_secret, command, command_at, outcome};
use support::server::{sample_users, userprofiles};

/// The steps that were printed, such as `ok tcp`, and the detail of the first that failed.
fn steps(output: &Output) -> (Vec<String>, String) {
    let (_, out, err) = outcome(output);
    assert_holds_no_secret(out);
    assert_holds_no_secret(err);
    let mut lines: Vec<&str> = out.lines().collect();
    let counts = lines.pop().expect("a line that counts");
    let word = |line: &str, place: usize| line.split_whitespace().nth(place).unwrap_or_default().to_owned();
    let steps: Vec<String> = lines.iter().map(|line| format!("{} {}", word(line, 0), word(line, 1))).collect();
    let count = |prefix: &str| steps.iter().filter(|step| step.starts_with(prefix)).count();
    let expected = format!("{} passed, {} failed, {} skipped", count("ok "), count("FAIL "), count("skip "));
    assert_eq!(counts, expected, "{out}");
    let failed = lines.iter().find(|line| line.starts_with("FAIL"));
    (steps, failed.map(|line| (*line).to_owned()).unwrap_or_default())
}

fn check(double: &Double, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    command(double, folder.path(), &[&["check"], arguments].concat()).output().unwrap()
}

const ALL_WELL: [&str; 10] = [
    "ok settings",
    "ok dns",
    "ok tcp",
    "skip tls",
    "ok login",
    "ok service",
    "ok bucket",
    "ok scope",
    "ok collection",
    "ok role",
];

#[test]
fn a_cluster_that_is_set_up_passes() {
    let double = Double::start();
    // A binary value under the sentinel's id is no matter: it was read.
    for stored in [None, Some(Stored::binary())] {
        if let Some(stored) = stored {
            double.put_stored("userprofiles::is-anybody-there", stored);
        }
        let output = check(&double, &[]);
        let (code, out, err) = outcome(&output);
        assert_eq!((code, err), (0, ""), "{out}");
        assert_eq!(steps(&output).0, [&ALL_WELL[..], &["ok read"]].concat(), "{out}");
        for part in ["as \"reader\", Couchbase 7.6.3-4200-enterprise", &double.query_address().to_string()] {
            assert!(out.contains(part), "no {part:?} in: {out}");
        }
    }
    assert_eq!(double.violations(), Vec::<String>::new());
}

#[test]
fn a_collection_of_ones_own_is_looked_for_with_the_rights_that_there_are() {
    let own = ["--set", "couchbase.scope=people", "--set", "couchbase.collection=profiles"];
    let manifest = |scope: &str, collection: &str| {
        Raw::json(
            200,
            &format!(
                r#"{{"uid":"2","scopes":[{{"name":"_default","uid":"0","collections":[{{"name":"_default","uid":"0"}}]}},{{"name":"{scope}","uid":"8","collections":[{{"name":"{collection}","uid":"8"}}]}}]}}"#
            ),
        )
    };
    let there = Some(("people", "profiles"));
    for (collection, scopes, step, advice) in [
        (there, None, None, ""),
        (there, Some(manifest("people", "profiles")), None, ""),
        (Some(("people", "other")), None, Some("collection"), "CREATE COLLECTION `bucket_name`.`people`.`profiles`;"),
        (
            Some(("people", "other")),
            Some(manifest("people", "other")),
            Some("collection"),
            "CREATE COLLECTION `bucket_name`.`people`.`profiles`;",
        ),
        (Some(("other", "profiles")), None, Some("scope"), "CREATE SCOPE `bucket_name`.`people`;"),
        (
            Some(("other", "profiles")),
            Some(manifest("other", "profiles")),
            Some("scope"),
            "CREATE SCOPE `bucket_name`.`people`;",
        ),
    ] {
        let double = Double::start();
        double.set_setup(Setup { scopes, collection, ..Setup::default() });
        let output = check(&double, &own);
        let (code, out, _) = outcome(&output);
        let (steps, failed) = steps(&output);
        match step {
            None => {
                assert_eq!(code, 0, "{out}");
                assert_eq!(steps, [&ALL_WELL[..], &["ok read"]].concat(), "{out}");
            }
            Some(step) => {
                assert_eq!(code, 1, "{out}");
                assert!(failed.contains(step) && failed.contains(advice), "{out}");
                assert_eq!(steps.last().unwrap(), "skip read", "{out}");
            }
        }
        assert_eq!(double.violations(), Vec::<String>::new());
    }
}

/// What is wrong, the step that says so, and what it says.
struct Trouble {
    query: Query,
    setup: Setup,
    manager: Manager,
    step: &'static str,
    advice: &'static str,
}

impl Default for Trouble {
    fn default() -> Self {
        Self { query: Query::Answer, setup: Setup::default(), manager: Manager::Answer, step: "", advice: "" }
    }
}

fn error(code: i64, status: u16) -> Query {
    Query::Error(ErrorAnswer::new(code, status, Raised::Before))
}

fn troubles() -> Vec<Trouble> {
    let with_pools = |pools: Raw| Setup { pools: Some(pools), ..Setup::default() };
    let with_bucket = |bucket: Raw| Setup { bucket: Some(bucket), ..Setup::default() };
    let forbidden = || Raw::json(403, r#"{"message":"message-marker-4711","permissions":["x"]}"#);
    let expired = Raw::json(403, r#"{"message":"message-marker-4711","passwordExpired":true}"#);
    let no_query = r#"{"rev":1,"nodesExt":[{"services":{"mgmt":8091,"kv":11210}}]}"#.to_owned();
    vec![
        Trouble {
            setup: with_pools(Raw::json(200, r#"{"pools":[],"uuid":[]}"#)),
            step: "login",
            advice: "cluster-init",
            ..Trouble::default()
        },
        Trouble { setup: with_pools(expired), step: "login", advice: "has expired", ..Trouble::default() },
        Trouble {
            setup: with_pools(Raw::html(200, "<html>")),
            step: "login",
            advice: "connection_string",
            ..Trouble::default()
        },
        Trouble { setup: with_pools(Raw::empty(503)), step: "login", advice: "503", ..Trouble::default() },
        Trouble {
            manager: Manager::Nodes(no_query),
            step: "service",
            advice: "add the service to a node",
            ..Trouble::default()
        },
        Trouble { manager: Manager::Raw(Raw::empty(500)), step: "service", advice: "500", ..Trouble::default() },
        Trouble {
            setup: with_bucket(Raw::empty(404)),
            query: error(12_003, 424),
            step: "bucket",
            advice: "bucket-create",
            ..Trouble::default()
        },
        Trouble {
            setup: with_bucket(forbidden()),
            query: error(12_003, 424),
            step: "bucket",
            advice: "bucket-create",
            ..Trouble::default()
        },
        Trouble {
            setup: with_bucket(forbidden()),
            query: error(12_020, 424),
            step: "bucket",
            advice: "bucket-create",
            ..Trouble::default()
        },
        Trouble {
            query: error(13_014, 401),
            step: "role",
            advice: "GRANT query_select ON `bucket_name` TO `reader`;",
            ..Trouble::default()
        },
        Trouble {
            setup: with_bucket(forbidden()),
            query: error(13_014, 401),
            step: "role",
            advice: "GRANT query_select ON `bucket_name` TO `reader`;",
            ..Trouble::default()
        },
        Trouble { query: error(12_008, 200), step: "read", advice: "data service", ..Trouble::default() },
        Trouble { query: error(1181, 503), step: "read", advice: "shutting down", ..Trouble::default() },
        Trouble {
            query: Query::Raw(Raw::html(200, "<html>")),
            step: "read",
            advice: "connection_string",
            ..Trouble::default()
        },
        Trouble { query: Query::HangUp, step: "read", advice: "connection broke", ..Trouble::default() },
        Trouble { query: Query::Freeze, step: "read", advice: "in time", ..Trouble::default() },
        Trouble { manager: Manager::Freeze, step: "service", advice: "in time", ..Trouble::default() },
    ]
}

#[test]
fn each_trouble_is_found_at_its_step_with_what_to_do() {
    for Trouble { query, setup, manager, step, advice } in troubles() {
        let double = Double::start();
        double.set_query(query.clone());
        double.set_setup(setup.clone());
        double.set_manager(manager.clone());
        let output = check(&double, &["--set", "bucket.operation_timeout=500ms"]);
        let (code, out, err) = outcome(&output);
        assert_eq!((code, err), (1, ""), "{query:?} {setup:?} {manager:?}: {out}");
        let (steps, failed) = steps(&output);
        assert!(failed.starts_with(&format!("FAIL  {step} ")), "{query:?} {setup:?} {manager:?}: {out}");
        assert!(failed.contains(advice), "no {advice:?}: {failed}");
        assert_eq!(steps.iter().filter(|step| step.starts_with("FAIL")).count(), 1, "{out}");
        assert_eq!(steps.len(), 11, "every step has its line: {out}");
        // What comes after it was not looked at.
        let place = steps.iter().position(|step| step.starts_with("FAIL")).unwrap();
        assert!(steps[place + 1..].iter().all(|step| step.starts_with("skip")), "{out}");
        assert_eq!(double.violations(), Vec::<String>::new());
    }
}

#[test]
fn the_login_is_told_from_the_role() {
    let double = Double::start();
    let folder = tempfile::tempdir().unwrap();
    let check =
        |password: &str| command_at(&double.connection_string(), password, folder.path(), &["check"]).output().unwrap();
    assert_eq!(check(PASSWORD).status.code(), Some(0));
    let output = check("secret-marker");
    let (code, out, _) = outcome(&output);
    assert_eq!(code, 1, "{out}");
    assert!(steps(&output).1.contains("rejects user \"reader\" or the password"), "{out}");
    assert!(!out.contains("secret-marker"), "{out}");

    let connection_string = format!("couchbase.connection_string={}", double.connection_string());
    let output = userprofiles()
        .current_dir(folder.path())
        .args(["check", "--set", "bucket.database=couchbase", "--set", &connection_string])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(steps(&output).1.contains("set [couchbase] username and password_file"), "{output:?}");
}

#[test]
fn hosts_that_cannot_be_reached_are_named_one_by_one() {
    let double = Double::start();
    let folder = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let check = |hosts: &str| {
        let string = format!("http://{hosts}");
        command_at(&string, PASSWORD, folder.path(), &["check"]).output().unwrap()
    };
    let output = check(&nobody.to_string());
    let (steps_found, failed) = steps(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(failed.contains(&format!("nobody listens at {nobody}")) && failed.contains("8091"), "{failed}");
    assert_eq!(steps_found[..3], ["ok settings", "ok dns", "FAIL tcp"]);
    assert!(steps_found[3..].iter().all(|step| step.starts_with("skip")), "{steps_found:?}");

    let output = check("no-such-host.invalid");
    let (steps_found, failed) = steps(&output);
    assert!(failed.contains("no-such-host.invalid") && failed.contains("name servers"), "{failed}");
    assert_eq!(steps_found[..3], ["ok settings", "FAIL dns", "skip tcp"]);

    // One of two is enough for the rest, and the other one is a failure all the same.
    let output = check(&format!("{nobody},localhost:{}", double.manager_address().port()));
    let (steps_found, _) = steps(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(steps_found[..5], ["ok settings", "ok dns", "ok dns", "FAIL tcp", "ok tcp"]);
    assert_eq!(steps_found.last().unwrap(), "ok read");
}

#[test]
fn query_nodes_out_of_reach_are_named() {
    let double = Double::start();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nodes = |ports: &[String]| {
        let nodes: Vec<String> = ports.iter().map(|port| format!(r#"{{"services":{{"n1ql":{port}}}}}"#)).collect();
        Manager::Nodes(format!(r#"{{"rev":1,"nodesExt":[{}]}}"#, nodes.join(",")))
    };
    double.set_manager(nodes(&[nobody.to_string()]));
    let output = check(&double, &[]);
    let (_, failed) = steps(&output);
    assert!(failed.contains("FAIL  service") && failed.contains("[couchbase] network"), "{failed}");
    double.set_manager(nodes(&[nobody.to_string(), "$N1QL".to_owned()]));
    let output = check(&double, &[]);
    let (steps, _) = steps(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(steps.last().unwrap(), "ok read", "{steps:?}");
}

#[test]
fn wrong_settings_are_exit_code_2() {
    let double = Double::start();
    let folder = tempfile::tempdir().unwrap();
    let mut without_password = command(&double, folder.path(), &["check"]);
    without_password.env_remove("USERPROFILES_COUCHBASE_PASSWORD");
    let output = without_password.output().unwrap();
    let (code, out, _) = outcome(&output);
    assert!(code == 2 && out.starts_with("FAIL  settings") && out.contains("password_file"), "{code}: {out}");
    // What is seen when the settings are read is told as every other command tells it.
    for setting in ["bucket.databse=couchbase", "couchbase.collection=_x", "couchbase.username=a:b"] {
        let output = check(&double, &["--set", setting]);
        assert_eq!((output.status.code(), outcome(&output).1), (Some(2), ""), "{setting}");
    }
    assert_eq!(double.counts().manager.connections, 0);
}

fn check_file(folder: &Path, path: &str) -> Output {
    let setting = format!("embedded.path={path}");
    userprofiles().current_dir(folder).args(["check", "--set", &setting]).output().unwrap()
}

#[test]
fn an_sqlite_file_is_looked_at_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let import = ["import", "--set", "embedded.path=good.db", sample_users().to_str().unwrap()].map(str::to_owned);
    assert!(userprofiles().current_dir(folder.path()).args(import).output().unwrap().status.success());
    fs::copy(path("good.db"), path("open.db")).unwrap();
    fs::set_permissions(path("open.db"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::copy(path("good.db"), path("newer.db")).unwrap();
    fs::copy(path("good.db"), path("no-table.db")).unwrap();
    let sqlite = |name: &str| rusqlite::Connection::open(path(name)).unwrap();
    sqlite("newer.db").execute_batch("PRAGMA user_version = 99").unwrap();
    sqlite("no-table.db").execute_batch("DROP TABLE documents").unwrap();
    sqlite("foreign.db").execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    fs::write(path("text.db"), "no database, and long enough that it could be one. ".repeat(100)).unwrap();
    fs::write(path("empty.db"), "").unwrap();
    fs::create_dir(path("folder")).unwrap();
    let all = ["ok settings", "ok file", "ok permissions", "ok schema", "ok read"];
    for (name, code, expected, part) in [
        ("good.db", 0, all, "its owner's only"),
        ("open.db", 0, all, "chmod 600"),
        ("empty.db", 0, ["ok settings", "ok file", "ok permissions", "ok schema", "skip read"], "is empty"),
        ("new/new.db", 1, ["ok settings", "FAIL file", "skip permissions", "skip schema", "skip read"], "is not there"),
        ("newer.db", 1, ["ok settings", "ok file", "ok permissions", "FAIL schema", "skip read"], "use that version"),
        ("no-table.db", 1, ["ok settings", "ok file", "ok permissions", "FAIL schema", "skip read"], "from a backup"),
        (
            "foreign.db",
            1,
            ["ok settings", "ok file", "ok permissions", "FAIL schema", "skip read"],
            "a file of its own",
        ),
        ("text.db", 1, ["ok settings", "ok file", "ok permissions", "FAIL schema", "skip read"], "not an SQLite file"),
        ("folder", 1, ["ok settings", "FAIL file", "skip permissions", "skip schema", "skip read"], "name a file"),
        (
            "good.db/x.db",
            1,
            ["ok settings", "FAIL file", "skip permissions", "skip schema", "skip read"],
            "name a file",
        ),
    ] {
        let before = fs::read(path(name)).ok();
        let output = check_file(folder.path(), name);
        let (actual, out, err) = outcome(&output);
        assert_eq!((actual, err), (code, ""), "{name}: {out}");
        assert_eq!(steps(&output).0, expected, "{name}: {out}");
        assert!(out.contains(part), "{name}: no {part:?} in: {out}");
        assert_eq!(fs::read(path(name)).ok(), before, "{name} was written to");
        assert!(!path("new").exists(), "a folder was made");
    }
}
