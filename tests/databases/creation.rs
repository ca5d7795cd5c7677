//! `import --create`, members that a database reserves, and what a write can meet.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::databases::arangodb::{ArangodbDouble, COLLECTION};
use crate::databases::couchdb::CouchdbDouble;
use crate::databases::node::Node;
use crate::databases::real::RealServer;
use crate::support::process::{spawn, userprofiles};
use crate::support::server::PATIENCE;

const LINES: &str =
    "{\"username\":\"a\",\"hashed_password\":\"hash-marker\"}\n{\"username\":\"b\",\"hashed_password\":\"h\"}\n";

/// A command on a database, in a folder of its own: exit code, standard output, standard error.
fn run(settings: &[&str], password: &str, arguments: &[&str], lines: &str) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.jsonl"), lines).unwrap();
    let mut command = userprofiles();
    command.args(arguments).current_dir(folder.path());
    for setting in settings {
        command.args(["--set", setting]);
    }
    for database in ["COUCHDB", "ARANGODB"] {
        command.env(format!("USERPROFILES_{database}_PASSWORD"), password);
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn couchdb(node: &Node, user: &str) -> Vec<String> {
    let urls = format!("couchdb.urls={}", node.url());
    vec!["bucket.database=couchdb".to_owned(), urls, format!("couchdb.username={user}")]
}

fn arangodb(node: &Node, user: &str) -> Vec<String> {
    let urls = format!("arangodb.urls={}", node.url());
    let place = ["bucket.database=arangodb", "arangodb.database=profiles", "arangodb.collection=users"];
    let place = place.map(str::to_owned);
    place.into_iter().chain([urls, format!("arangodb.username={user}")]).collect()
}

fn strs(settings: &[String]) -> Vec<&str> {
    settings.iter().map(String::as_str).collect()
}

const IMPORT: &[&str] = &["import", "users.jsonl"];
const CREATE: &[&str] = &["import", "--create", "users.jsonl"];

#[test]
fn couchdb_is_made_with_its_members_by_an_administrator_and_by_nobody_else() {
    let double = CouchdbDouble::new();
    double.state().documents = None;
    let node = double.node();
    let (reader, admin) = (couchdb(&node, "reader"), couchdb(&node, "admin"));

    let (code, _, told) = run(&strs(&reader), "reader-pw", IMPORT, LINES);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("it has no database \"userprofiles\"; correct [couchdb] database, or create it"), "{told}");
    let (code, _, told) = run(&strs(&reader), "reader-pw", CREATE, LINES);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("lets only an administrator create the database \"userprofiles\""), "{told}");

    let (code, _, told) = run(&strs(&admin), "admin-pw", CREATE, LINES);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("created the database \"userprofiles\""), "{told}");
    assert!(told.contains("2 lines stored, none rejected"), "{told}");
    assert_eq!(double.state().members, ["admin"]);
    let (code, _, told) = run(&strs(&admin), "admin-pw", CREATE, LINES);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("there was nothing to create") && told.contains("2 lines stored"), "{told}");

    let bad = [strs(&admin), vec!["couchdb.database=9x"]].concat();
    let (code, _, told) = run(&bad, "admin-pw", CREATE, LINES);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("\"9x\" ([couchdb] database) is no name for a database of CouchDB"), "{told}");
}

#[test]
fn arangodb_gets_its_database_and_its_collection() {
    let double = ArangodbDouble::new();
    (double.state().has_database, double.state().documents) = (false, None);
    let node = double.node();
    let (reader, root) = (arangodb(&node, "reader"), arangodb(&node, "root"));

    let (code, _, told) = run(&strs(&root), "root-pw", IMPORT, LINES);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("it has no database \"profiles\""), "{told}");
    let (code, _, told) = run(&strs(&reader), "reader-pw", CREATE, LINES);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("hides the database \"profiles\" from it"), "{told}");

    let (code, _, told) = run(&strs(&root), "root-pw", CREATE, LINES);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("created the database \"profiles\" and the collection \"users\""), "{told}");
    let (code, _, told) = run(&strs(&root), "root-pw", CREATE, LINES);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("there was nothing to create"), "{told}");
    assert_eq!(double.state().documents.as_ref().unwrap().len(), 2);

    let (code, _, told) = run(&strs(&reader), "reader-pw", IMPORT, LINES);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains(&format!("grantCollection(\"reader\", \"profiles\", \"{COLLECTION}\", \"rw\")")), "{told}");
}

#[test]
fn an_index_is_made_that_keeps_documents_and_never_without_being_asked_for() {
    for name in ["opensearch", "elasticsearch"] {
        let Some(server) = RealServer::start(name, "creation") else { continue };
        let urls = format!("elasticsearch.urls={}", server.setting("ELASTICSEARCH_URLS"));
        let settings = ["bucket.database=elasticsearch", &urls, "elasticsearch.index=made"];
        let (code, _, told) = run(&settings, "", IMPORT, LINES);
        assert_eq!(code, 1, "{name}: {told}");
        assert!(
            told.contains("it has no index \"made\"; correct [elasticsearch] index, or create it"),
            "{name}: {told}"
        );
        let (code, _, told) = run(&settings, "", &["check"], "");
        assert_eq!(code, 1, "{name}: nothing was made: {told}");

        // Members of one name and two types, which a mapping that follows documents would refuse.
        let lines = concat!(
            r#"{"username":"a","hashed_password":"h","x":"2026-11-27"}"#,
            "\n",
            r#"{"username":"b","hashed_password":"h","x":{"y":1.10}}"#,
            "\n"
        );
        let (code, _, told) = run(&settings, "", CREATE, lines);
        assert_eq!(code, 0, "{name}: {told}");
        assert!(told.contains("created the index \"made\"") && told.contains("2 lines stored"), "{name}: {told}");
        let (code, exported, told) = run(&settings, "", &["export"], "");
        let with_type = lines.replace("{\"username\"", "{\"type\":\"userprofile\",\"username\"");
        assert_eq!((code, exported.as_str()), (0, with_type.as_str()), "{name}: {told}");
        let (code, _, told) = run(&settings, "", CREATE, lines);
        assert_eq!(code, 0, "{name}: {told}");
        assert!(told.contains("there was nothing to create"), "{name}: {told}");

        let upper = ["bucket.database=elasticsearch", &urls, "elasticsearch.index=Upper"];
        let (code, _, told) = run(&upper, "", CREATE, lines);
        assert_eq!(code, 1, "{name}: {told}");
        assert!(told.contains("\"Upper\" ([elasticsearch] index) is no name for an index"), "{name}: {told}");
    }
}

#[test]
fn reserved_members_are_left_out_and_said_once() {
    let lines = concat!(
        r#"{"_id":"x","username":"a","hashed_password":"h","_rev":"1-a","_own":{"_id":1},"o":{"_id":2}}"#,
        "\n",
        r#"{"username":"b","hashed_password":"h","\u005ftwo":2}"#,
        "\n"
    );
    let (couchdb_double, arangodb_double) = (CouchdbDouble::new(), ArangodbDouble::new());
    let (couchdb_node, arangodb_node) = (couchdb_double.node(), arangodb_double.node());
    for (settings, password) in
        [(couchdb(&couchdb_node, "reader"), "reader-pw"), (arangodb(&arangodb_node, "root"), "root-pw")]
    {
        let (code, _, told) = run(&strs(&settings), password, IMPORT, lines);
        assert_eq!(code, 0, "{told}");
        assert!(
            told.contains(
                "2 lines stored, none rejected; 4 members were left out, because the database reserves the names for itself \
                 (the first is \"_id\")"
            ),
            "{told}"
        );
        let (code, exported, told) = run(&strs(&settings), password, &["export"], "");
        let expected = "{\"type\":\"userprofile\",\"username\":\"a\",\"hashed_password\":\"h\",\"o\":{\"_id\":2}}\n\
                        {\"type\":\"userprofile\",\"username\":\"b\",\"hashed_password\":\"h\"}\n";
        assert_eq!((code, exported.as_str()), (0, expected), "{told}");
    }
    let Some(server) = RealServer::start("elasticsearch", "reserved") else { return };
    let urls = format!("elasticsearch.urls={}", server.setting("ELASTICSEARCH_URLS"));
    let settings = ["bucket.database=elasticsearch", &urls];
    // Only metadata fields are reserved there.
    let (code, _, told) = run(&settings, "", IMPORT, lines);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("; 1 member was left out") && told.contains("(the first is \"_id\")"), "{told}");
}

#[test]
fn a_document_that_somebody_else_changes_meanwhile_is_sent_again() {
    let double = CouchdbDouble::new();
    let node = double.node();
    double.put("userprofile::a", "{\"old\":true}");
    double.put("userprofile::gone", "{\"old\":true}");
    double.delete("userprofile::gone");
    double.state().conflicts = 3;
    let lines = LINES.to_owned() + "{\"username\":\"gone\",\"hashed_password\":\"h\"}\n";
    let (code, _, told) = run(&strs(&couchdb(&node, "reader")), "reader-pw", IMPORT, &lines);
    assert_eq!(code, 0, "{told}");
    let (code, exported, _) = run(&strs(&couchdb(&node, "reader")), "reader-pw", &["export"], "");
    assert_eq!((code, exported.lines().count(), exported.contains("old")), (0, 3, false), "{exported}");
}

#[test]
fn a_success_of_the_whole_hides_no_failure_of_one() {
    let double = ArangodbDouble::new();
    let node = double.node();
    double.state().failing_items = vec![1210];
    let (code, _, told) = run(&strs(&arangodb(&node, "root")), "root-pw", IMPORT, LINES);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("error 1210") && told.contains("unique index"), "{told}");
    // One that passes is waited for.
    double.state().failing_items = vec![1200, 1200];
    let (code, _, told) = run(&strs(&arangodb(&node, "root")), "root-pw", IMPORT, LINES);
    assert_eq!(code, 0, "{told}");
}

/// An export that has to be sorted, and whose second page never comes.
#[test]
fn an_interrupted_export_leaves_nothing_behind() {
    for arguments in [&["export", "out.jsonl"][..], &["export", "-"]] {
        let double = ArangodbDouble::new();
        for number in 0..150 {
            let text = format!(r#"{{"username":"user{number:03}","hashed_password":"hash-marker"}}"#);
            double.put(&format!("userprofile::user{number:03}"), &text);
        }
        let node = double.node();
        let folder = tempfile::tempdir().unwrap();
        let scratch = folder.path().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        let mut command = userprofiles();
        command.args(arguments).current_dir(folder.path()).env("TMPDIR", &scratch);
        command.env("USERPROFILES_ARANGODB_PASSWORD", "root-pw").stdout(Stdio::piped()).stderr(Stdio::piped());
        for setting in arangodb(&node, "root") {
            command.args(["--set", &setting]);
        }
        let answered = node.hold_after(1);
        let child = spawn(command).unwrap();
        let start = std::time::Instant::now();
        while !answered() || std::fs::read_dir(&scratch).unwrap().count() == 0 {
            assert!(start.elapsed() < PATIENCE, "it does not begin to sort");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let inside = std::fs::read_dir(&scratch).unwrap().next().unwrap().unwrap().path();
        assert_eq!(mode(&inside), 0o700);
        let status = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(status.success());
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("interrupted: "), "{told}");
        assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "hashes were left in {}", inside.display());
        assert!(!folder.path().join("out.jsonl").exists());
    }
}
