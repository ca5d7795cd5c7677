//! The listener for operators: `/live`, `/ready`, `/metrics`, `/status`, and `userprofiles ready`.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/metrics.rs"]
mod metrics;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use couchbase::{Double, ErrorAnswer, Login, Query, Raised};
use metrics::scrape;
use on_couchbase::{assert_holds_no_secret, profile, serve};
use support::client::Client;
use support::server::{Server, userprofiles};

/// After so long the database is asked again.
const CACHED_FOR: Duration = Duration::from_millis(1100);

fn double_with_x() -> Double {
    let double = Double::start();
    double.put("userprofile::x", &profile("x"));
    double
}

#[test]
fn ready_tells_what_is_wrong_with_the_database_apart() {
    let double = double_with_x();
    let server = serve(&double, &[]);
    let ready = || {
        std::thread::sleep(CACHED_FOR);
        server.admin_get("/ready")
    };
    let assert_not_ready = |words: &str| {
        let answer = ready();
        let problem = answer.assert_problem(503, "unavailable");
        assert!(answer.field("retry-after").is_some());
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("Not ready: ") && detail.contains(words), "{words:?} in {detail}");
        assert_holds_no_secret(detail);
    };
    assert_eq!((ready().status, ready().text()), (200, "ready\n"));

    double.set_login(Login::Password("another".to_owned()));
    assert_not_ready("the database or the settings for it must be changed: the query service");
    double.set_login(Login::default());
    double.set_query(Query::Error(ErrorAnswer::new(12003, 404, Raised::Before)));
    assert_not_ready("set [couchbase] bucket, scope and collection to what is there");
    double.set_query(Query::Error(ErrorAnswer::new(12008, 503, Raised::During)));
    assert_not_ready("it could not read from the data service");
    double.set_query(Query::Freeze);
    assert_not_ready("the database did not answer in time");
    double.set_query(Query::Answer);
    server.wait_for_status("/users/x", 200);
    assert_eq!(ready().status, 200);
    double.query_port().close();
    double.query_port().close_connections();
    assert_not_ready("the database is unavailable");
    double.query_port().reopen();
    server.wait_for_status("/users/x", 200);
    assert_eq!(ready().status, 200);
}

#[test]
fn those_who_ask_whether_it_is_ready_at_once_share_one_read_and_its_outcome() {
    let double = double_with_x();
    let server = serve(&double, &[]);
    assert_eq!(server.admin_get("/ready").status, 200);
    std::thread::sleep(CACHED_FOR);
    double.set_query(Query::Freeze);
    let before = double.counts().query.all_requests();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let problem = server.admin_get("/ready").assert_problem(503, "unavailable");
                let detail = problem["detail"].as_str().unwrap();
                assert!(detail.contains("the database did not answer in time"), "{detail}");
            });
        }
    });
    let reads = double.counts().query.all_requests() - before;
    // One check, perhaps a second one for those who came last, and the probes of the node that does not answer.
    assert!(reads <= 8, "{reads} reads for 16 who asked");
    // None of them is a request of a user.
    let metrics = scrape(&server);
    for (name, value) in &metrics {
        assert!(!name.starts_with("userprofiles_http_problems") || *value < 1.0, "{name} {value}");
        assert!(!name.starts_with("userprofiles_http_requests"), "{name} {value}");
    }
}

#[test]
fn what_happens_is_counted() {
    let double = double_with_x();
    let server = serve(&double, &["bucket.connections=pooled"]);
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(client.request("GET", "/users/x", "").status, 200);
    }
    assert_eq!(client.request("BREW", "/users/x?secret", "").status, 405);
    assert_eq!(client.request("GET", "/users/missing-user", "").status, 404);
    assert_eq!(client.request("GET", "/no/such/path", "").status, 404);
    server.connect().send("NONSENSE\r\n\r\n");
    double.set_query(Query::Error(ErrorAnswer::new(5000, 500, Raised::During)));
    assert_eq!(client.request("GET", "/users/x", "").status, 503);
    double.set_login(Login::Password("another".to_owned()));
    assert_eq!(client.request("GET", "/users/x", "").status, 500);
    server.signal("HUP");
    server.wait_for_log("HUP: reload complete");
    server.wait_for_log("status=400");
    double.set_login(Login::default());
    double.set_query(Query::Answer);
    double.put("userprofile::invalid", "7");
    server.wait_for_status("/users/x", 200);
    assert_eq!(client.request("GET", "/users?username=invalid&username=x", "").status, 200);

    let metrics = scrape(&server);
    for (name, least) in [
        (r#"userprofiles_http_requests_total{method="GET",route="/users/{username}",status="200"}"#, 3.0),
        (r#"userprofiles_http_requests_total{method="OTHER",route="/users/{username}",status="405"}"#, 1.0),
        (r#"userprofiles_http_requests_total{method="GET",route="-",status="404"}"#, 1.0),
        (r#"userprofiles_http_request_duration_seconds_count{route="/users/{username}"}"#, 7.0),
        (r#"userprofiles_http_problems_total{code="user-not-found"}"#, 1.0),
        (r#"userprofiles_http_problems_total{code="unavailable"}"#, 1.0),
        (r#"userprofiles_http_problems_total{code="misconfigured"}"#, 1.0),
        ("userprofiles_invalid_documents_total", 1.0),
        (r#"userprofiles_http_rejected_total{reason="request-line"}"#, 1.0),
        (r#"userprofiles_bucket_request_duration_seconds_count{database="couchbase",outcome="ok"}"#, 4.0),
        (r#"userprofiles_bucket_request_duration_seconds_count{database="couchbase",outcome="misconfigured"}"#, 1.0),
        ("userprofiles_bucket_wait_seconds_count", 0.0),
        (r#"userprofiles_bucket_nodes{state="up"}"#, 1.0),
        ("userprofiles_bucket_topology_changes_total", 1.0),
        ("userprofiles_bucket_logins_refused_total", 1.0),
        (r#"userprofiles_reloads_total{outcome="ok"}"#, 1.0),
        ("process_open_fds", 10.0),
        ("process_threads", 30.0),
        ("process_resident_memory_bytes", 1_000_000.0),
        ("process_start_time_seconds", 1_700_000_000.0),
    ] {
        assert!(metrics.get(name).is_some_and(|value| *value >= least), "{name}: {:?}", metrics.get(name));
    }
    assert!(metrics.contains_key(concat!("userprofiles_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}")));
    let text = server.admin_get("/metrics").text().to_owned();
    for word in ["secret", "BREW", "missing-user", "no/such"] {
        assert!(!text.contains(word), "{word} of a request is in a label");
    }
}

/// The files that monitoring is set up with, against what is really exposed.
#[test]
fn the_monitoring_files_fit_the_metrics() {
    let double = double_with_x();
    double.put("userprofile::invalid", "7");
    let server = serve(&double, &["bucket.connections=pooled", "bucket.operation_timeout=500ms"]);
    // Once everything that an alert or a panel asks for.
    assert_eq!(server.get("/users/invalid").status, 500);
    server.connect().send("NONSENSE\r\n\r\n");
    for (query, status) in [
        (Query::Answer, 200),
        (Query::HangUpOnReused, 200),
        (Query::Error(ErrorAnswer::new(12003, 404, Raised::Before)), 500),
        (Query::Error(ErrorAnswer::new(5000, 500, Raised::During)), 503),
        (Query::Freeze, 504),
    ] {
        double.set_query(query);
        assert_eq!(server.get("/users/x").status, status);
    }
    server.wait_for_log("status=400");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&server.admin_get("/metrics").body).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/check-monitoring");
    let outcome = Command::new(script).arg(file.path()).output().unwrap();
    assert!(
        outcome.status.success(),
        "{}{}",
        String::from_utf8_lossy(&outcome.stdout),
        String::from_utf8_lossy(&outcome.stderr)
    );
}

#[test]
fn the_status_says_what_is_the_case_and_hides_what_is_secret() {
    let double = double_with_x();
    let server = serve(&double, &["http.workers=9"]);
    assert_eq!(server.get("/users/x").status, 200);
    double.query_port().close();
    double.query_port().close_connections();
    server.wait_for_status("/users/x", 503);
    server.wait_for_log("until it answers again");

    let mut client = Client::connect(server.admin);
    let json = client.request("GET", "/status", "Accept: application/json\r\n");
    assert_eq!(json.field("content-type"), Some("application/json"));
    let status = json.json();
    assert_eq!(status["database"]["name"], "couchbase");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    let node = &status["nodes"][0];
    assert_eq!(
        (node["address"].as_str(), node["is_up"].as_bool()),
        (Some(double.query_address().to_string().as_str()), Some(false))
    );
    for failure in [&node["last_failure"], &status["last_failure"]] {
        assert!(
            failure["reason"].as_str().unwrap().contains("refused")
                || failure["reason"].as_str().unwrap().contains("listens"),
            "{failure}"
        );
    }
    assert!(status["settings"].as_str().unwrap().contains("workers = 9"));
    assert!(status["settings"].as_str().unwrap().contains("password = \"***\""));

    let page = client.request("GET", "/status", "Accept: text/html\r\n");
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.field("content-security-policy").unwrap().starts_with("default-src 'none'; "));
    for text in [page.text(), json.text()] {
        assert_holds_no_secret(text);
        assert!(text.contains(&double.query_address().to_string()));
    }
    assert!(page.text().contains("<td class=\"bad\">down</td>"));
}

#[test]
fn a_reload_changes_what_the_status_shows_as_far_as_it_is_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "[http]\nworkers = 7\n").unwrap();
    let server = Server::start(&[], &["--config", file.to_str().unwrap()]);
    std::fs::write(&file, "[http]\nworkers = 8\n[log]\naccess = \"errors\"\n").unwrap();
    server.signal("HUP");
    server.wait_for_log("HUP: reload complete");
    std::fs::write(&file, "[http]\nworkers = 0\nnope = 1\n[log]\naccess = \"errors\"\n").unwrap();
    server.signal("HUP");
    server.wait_for_log("the settings are as before");
    let metrics = scrape(&server);
    for outcome in ["ok", "refused"] {
        let reloads = metrics[&format!("userprofiles_reloads_total{{outcome=\"{outcome}\"}}")];
        assert!((reloads - 1.0).abs() < 0.1, "{outcome}: {reloads}");
    }
    let status = Client::connect(server.admin).request("GET", "/status", "Accept: application/json\r\n").json();
    let settings = status["settings"].as_str().unwrap();
    assert!(settings.contains("workers = 7") && settings.contains("access = \"errors\""), "{settings}");
    server.connect().request("GET", "/users/a", "X-Request-Id: unknown-1\r\n");
    server.connect().request("GET", "/", "X-Request-Id: home-1\r\n");
    server.connect().request("GET", "/users/b", "X-Request-Id: unknown-2\r\n");
    server.wait_for_log("unknown-2");
    assert!(server.log().contains("unknown-1") && !server.log().contains("home-1"), "{}", server.log());
}

/// The exit code and what was printed.
fn run_ready(settings: &[&str]) -> (i32, String) {
    let mut command = userprofiles();
    command.arg("ready").current_dir(std::env::temp_dir());
    for setting in settings {
        command.args(["--set", setting]);
    }
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn the_command_says_whether_a_running_server_is_ready() {
    let double = double_with_x();
    let server = serve(&double, &[]);
    let listen = format!("admin.listen={}", server.admin);
    assert_eq!(run_ready(&[&listen]), (0, "ready\n".to_owned()));
    double.set_query(Query::Error(ErrorAnswer::new(12003, 404, Raised::Before)));
    std::thread::sleep(CACHED_FOR);
    let (exit, text) = run_ready(&[&listen]);
    assert_eq!(exit, 1);
    assert!(text.starts_with("Not ready: ") && text.contains("[couchbase] bucket"), "{text}");
    // The public listener is not the one to ask.
    let (exit, text) = run_ready(&[&format!("admin.listen={}", server.public)]);
    assert!(exit == 1 && text.contains("status 404"), "{exit} {text}");
    // Nor is any other server.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("admin.listen={}", other.local_addr().unwrap());
    let answers: [(&[u8], &str); 3] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "status 200"),
        (b"SSH-2.0-x\r\n", "is not this program"),
        (b"", "no answer from"),
    ];
    std::thread::spawn(move || {
        for (answer, _) in answers {
            let (mut stream, _) = other.accept().unwrap();
            // What is not read would turn the end into a reset.
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(answer).unwrap();
            // The last one sends nothing and stays open.
            if answer.is_empty() {
                std::thread::sleep(support::server::PATIENCE);
            }
        }
    });
    for (_, words) in answers {
        let (exit, text) = run_ready(&[&address]);
        assert!(exit == 1 && text.contains(words), "{exit} {text}");
    }
    drop(server);
    let (exit, text) = run_ready(&[&listen]);
    assert!(exit == 1 && text.contains("is the server running?"), "{exit} {text}");
    let (exit, text) = run_ready(&["admin.listen=off"]);
    assert!(exit == 1 && text.contains("[admin] listen is \"off\""), "{exit} {text}");

    let folder = tempfile::tempdir().unwrap();
    let socket = format!("admin.listen=unix:{}/admin.sock", folder.path().display());
    let mut program = support::server::serve(userprofiles(), &[], &["--listen", "127.0.0.1:0"]);
    program.args(["--set", &socket]);
    let server = Server::spawn(program);
    server.wait_for_log("operators: unix:");
    assert_eq!(run_ready(&[&socket]), (0, "ready\n".to_owned()));
}
