//! Logins: a secret that is refused, one that changes, and an account that five refusals would lock.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::databases::couchdb::CouchdbDouble;
use crate::databases::guard::{API_KEY, Guard};
use crate::databases::node::Node;
use crate::databases::real::RealServer;
use crate::support::client::Client;
use crate::support::server::{PATIENCE, Server};

const JOHN: &str = r#"{"username":"johndoe","hashed_password":"hash-marker"}"#;

/// Writes a secret as those do who know how: there is never half a file.
fn write(path: &Path, secret: &str) {
    let next = path.with_extension("next");
    std::fs::write(&next, secret).unwrap();
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(next, path).unwrap();
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "in vain waited for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A double of one node with one user, and a folder for the password.
fn couchdb() -> (CouchdbDouble, Node, tempfile::TempDir) {
    let double = CouchdbDouble::new();
    double.put("userprofile::johndoe", JOHN);
    let node = double.node();
    (double, node, tempfile::tempdir().unwrap())
}

fn couchdb_with_john(node: &Node, password_file: &Path, settings: &[&str]) -> Server {
    let urls = format!("couchdb.urls={}", node.url());
    let file = format!("couchdb.password_file={}", password_file.display());
    let own = ["bucket.database=couchdb", &urls, "couchdb.username=reader", &file];
    Server::start(&[&own, settings].concat(), &[])
}

#[test]
fn thirty_two_clients_with_a_wrong_password_lock_no_account() {
    const CLIENTS: usize = 32;
    let (double, node, folder) = couchdb();
    let file = folder.path().join("password");
    for mode in crate::databases::MODES {
        write(&file, "wrong-marker");
        double.state().refusals = 0;
        let server = couchdb_with_john(&node, &file, &[mode]);
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = Client::connect(server.public);
                    for _ in 0..20 {
                        client.request("GET", "/users/johndoe", "").assert_problem(500, "misconfigured");
                    }
                });
            }
        });
        assert_eq!(double.state().refusals, 1, "one request finds out for all");
        server.wait_for_log("set [couchdb] username and password_file");
        // The file is looked at again, and what is in it then is sent at once.
        write(&file, "reader-pw");
        wait_until("the right password", || server.get("/users/johndoe").status == 200);
        assert_eq!(double.state().refusals, 1);
        assert!(!server.log().contains("marker"), "{}", server.log());
    }
}

#[test]
fn a_refused_password_is_not_sent_again_and_hup_brings_another() {
    let (double, node, folder) = couchdb();
    let file = folder.path().join("password");
    write(&file, "reader-pw");
    let server = couchdb_with_john(&node, &file, &[]);
    assert_eq!(server.get("/users/johndoe").status, 200);
    // The server has another password, and the file still the old one.
    double.state().users.insert("reader".to_owned(), "next-pw".to_owned());
    // A login that worked gets a second trial after a second, and then none for a while.
    server.get("/users/johndoe").assert_problem(500, "misconfigured");
    let requests = node.asked().len();
    for _ in 0..50 {
        server.get("/users/johndoe").assert_problem(500, "misconfigured");
    }
    assert_eq!((double.state().refusals, node.asked().len()), (2, requests), "nothing was sent");
    write(&file, "next-pw");
    server.signal("HUP");
    wait_until("the next password", || server.get("/users/johndoe").status == 200);
    assert_eq!(double.state().refusals, 2);
}

#[test]
fn a_locked_account_is_a_sentence_of_its_own_and_heals() {
    let (double, node, folder) = couchdb();
    let file = folder.path().join("password");
    write(&file, "reader-pw");
    double.state().refusals = 5;
    let server = couchdb_with_john(&node, &file, &[]);
    server.get("/users/johndoe").assert_problem(500, "misconfigured");
    server.wait_for_log("it has locked the account after too many wrong passwords");
    let requests = node.asked().len();
    server.get("/users/johndoe").assert_problem(500, "misconfigured");
    assert_eq!(node.asked().len(), requests, "it is not asked while it is locked");
    double.state().refusals = 0;
    // A HUP alone sends nothing again, because the secret is the same; a restart does.
    assert_eq!(couchdb_with_john(&node, &file, &[]).get("/users/johndoe").status, 200);
}

/// A secret of Elasticsearch: where the program reads it, and how the guard changes it.
struct Secret {
    key: &'static str,
    settings: &'static [&'static str],
    first: &'static str,
    second: &'static str,
    is_bearer_of: &'static str,
}

#[test]
fn a_password_and_an_api_key_of_elasticsearch_are_changed_without_a_failed_read() {
    let Some(real) = RealServer::start("elasticsearch", "logins") else { return };
    let url = real.setting("ELASTICSEARCH_URLS");
    let document = format!("{url}/userprofiles/_doc/userprofile%3A%3Ajohndoe");
    crate::databases::send("PUT", &document, ("", ""), JOHN).unwrap();
    let secrets = [
        Secret {
            key: "password_file",
            settings: &["elasticsearch.username=reader"],
            first: "reader-pw",
            second: "next-pw",
            is_bearer_of: "as \"reader\"",
        },
        Secret {
            key: "api_key_file",
            settings: &[],
            first: API_KEY,
            second: "bmV4dDprZXktbWFya2Vy",
            is_bearer_of: "with an API key",
        },
    ];
    for secret in secrets {
        let guard = Guard::before(url);
        let node = guard.node();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        write(&file, secret.first);
        let own = [
            "bucket.database=elasticsearch".to_owned(),
            format!("elasticsearch.urls={}", node.url()),
            format!("elasticsearch.{}={}", secret.key, file.display()),
        ];
        let own: Vec<&str> = own.iter().map(String::as_str).chain(secret.settings.iter().copied()).collect();
        let server = Server::start(&own, &[]);
        assert!(server.log().contains(secret.is_bearer_of), "{}", server.log());
        let (reads, failed, is_over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut client = Client::connect(server.public);
                    while !is_over.load(Ordering::Relaxed) {
                        let is_well = client.request("GET", "/users/johndoe", "").status == 200;
                        failed.fetch_add(usize::from(!is_well), Ordering::Relaxed);
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let more = |count: usize| {
                let enough = reads.load(Ordering::Relaxed) + count;
                wait_until("more reads", || reads.load(Ordering::Relaxed) >= enough);
            };
            more(100);
            {
                let mut state = guard.state();
                (state.password, state.api_key) = (secret.second.to_owned(), secret.second.to_owned());
                // As OpenSearch refuses.
                state.is_silent = true;
            }
            wait_until("a refusal", || guard.state().refusals > 0);
            write(&file, secret.second);
            more(100);
            is_over.store(true, Ordering::Relaxed);
        });
        assert_eq!(failed.into_inner(), 0, "{}", server.log());
        for secret in [secret.first, secret.second] {
            assert!(!server.log().contains(secret), "{}", server.log());
        }
    }
}

#[test]
fn an_api_key_that_is_none_is_said_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    write(&file, "id:key-marker");
    let output = crate::support::server::userprofiles()
        .args(["check", "--set", "bucket.database=elasticsearch", "--set"])
        .arg(format!("elasticsearch.api_key_file={}", file.display()))
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("[elasticsearch] api_key_file must hold the value that") && !told.contains("marker"),
        "{told}"
    );
}
