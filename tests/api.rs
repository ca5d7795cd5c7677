//! Every row of the contract's §2 over a real socket, on the embedded database with the sample users.

mod support;

use support::client::{Answer, End, segment};
use support::server::{Server, userprofiles};

const JOHNDOE: &str = r#"{"username":"johndoe","email":"johndoe@example.com","full_name":"John Doe","disabled":false}"#;

#[test]
fn a_user_that_is_found() {
    let server = Server::embedded(&[]);
    let answer = server.get("/users/johndoe");
    assert_eq!((answer.status, answer.text()), (200, JOHNDOE));
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(answer.field("cache-control"), Some("no-cache"));
    assert_eq!(answer.field("content-length"), Some(JOHNDOE.len().to_string().as_str()));
    assert!(answer.field("date").unwrap().ends_with(" GMT"));
    let tag = answer.field("etag").unwrap();
    assert!(tag.len() == 34 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    assert_eq!(answer.field("connection"), None);
}

#[test]
fn every_sample_user_is_answered_with_the_four_members_and_no_hash() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    let lines = std::fs::read_to_string(support::server::sample_users()).unwrap();
    let mut users = 0;
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let stored: serde_json::Value = serde_json::from_str(line).unwrap();
        let segment = segment(stored["username"].as_str().unwrap());
        let answer = client.request("GET", &format!("/users/{segment}"), "");
        assert_eq!(answer.status, 200, "{line}");
        let places = PUBLIC.map(|key| answer.text().find(&format!("\"{key}\":")).unwrap());
        assert!(places.is_sorted(), "{}", answer.text());
        let public = answer.json();
        assert_eq!(public.as_object().unwrap().len(), 4);
        for key in PUBLIC {
            assert_eq!(public[key], stored[key], "{key} of {line}");
        }
        users += 1;
    }
    assert!(users >= 15, "only {users} sample users");
}

const PUBLIC: [&str; 4] = ["username", "email", "full_name", "disabled"];

#[test]
fn what_is_known_already_is_not_sent_again() {
    let server = Server::embedded(&["http.cache_control=max-age=5"]);
    let mut client = server.connect();
    let tag = client.request("GET", "/users/johndoe", "").field("etag").unwrap().to_owned();
    for (field, status) in [(tag.as_str(), 304), ("*", 304), (&format!("\"x\", W/{tag}"), 304), ("\"x\"", 200)] {
        let answer = client.request("GET", "/users/johndoe", &format!("If-None-Match: {field}\r\n"));
        assert_eq!(answer.status, status, "{field}");
        assert_eq!(answer.field("etag"), Some(tag.as_str()));
        assert_eq!(answer.field("cache-control"), Some("max-age=5"));
        assert_eq!(answer.body.is_empty(), status == 304);
    }
    let in_two_lines =
        client.request("GET", "/users/johndoe", &format!("If-None-Match: \"x\"\r\nIf-None-Match: {tag}\r\n"));
    assert_eq!(in_two_lines.status, 304);
    assert_eq!(client.request("HEAD", "/users/johndoe", &format!("If-None-Match: {tag}\r\n")).status, 304);
}

/// RFC 9110 §13.1.1 and §13.2.2.
#[test]
fn if_match_is_evaluated_before_if_none_match() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    let tag = client.request("GET", "/users/johndoe", "").field("etag").unwrap().to_owned();
    for (fields, status) in [
        (format!("If-Match: {tag}\r\n"), 200),
        ("If-Match: *\r\n".to_owned(), 200),
        (format!("If-Match: \"x\", {tag}\r\n"), 200),
        (format!("If-Match: \"x\"\r\nIf-Match: {tag}\r\n"), 200),
        (format!("If-Match: {tag}\r\nIf-None-Match: {tag}\r\n"), 304),
        ("If-Match: \"x\"\r\n".to_owned(), 412),
        (format!("If-Match: W/{tag}\r\n"), 412),
        (format!("If-Match: \"x\"\r\nIf-None-Match: {tag}\r\n"), 412),
    ] {
        for method in ["GET", "HEAD"] {
            assert_eq!(client.request(method, "/users/johndoe", &fields).status, status, "{method} {fields}");
        }
        if status == 412 {
            client.request("GET", "/users/johndoe", &fields).assert_problem(412, "precondition-failed");
        }
    }
    client.request("GET", "/users/nobody", "If-Match: *\r\n").assert_problem(404, "user-not-found");
}

#[test]
fn a_user_that_is_not_there() {
    let server = Server::embedded(&[]);
    let problem = server.get("/users/nobody?x=1").assert_problem(404, "user-not-found");
    assert_eq!(problem["detail"], "User not found");
    assert_eq!(problem["instance"], "/users/nobody");
    // A 404 may be cached as a 200 may.
    assert_eq!(server.get("/users/nobody").field("cache-control"), Some("no-cache"));
    let server = Server::embedded(&["http.cache_control=max-age=60"]);
    for path in ["/users/nobody", "/users/johndoe"] {
        assert_eq!(server.get(path).field("cache-control"), Some("max-age=60"));
    }
    assert_eq!(server.get("/").field("cache-control"), Some("no-cache"));
    let keys: Vec<_> = problem.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys.len(), 6, "{keys:?}");
}

#[test]
fn names_that_cannot_be_part_of_a_key() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    for (segment, word) in [
        ("%ff%fe".to_owned(), "UTF-8"),
        ("a%00b".to_owned(), "control"),
        ("%7F".to_owned(), "control"),
        ("%C2%85".to_owned(), "control"),
        ("a".repeat(234), "233"),
        ("%C3%A9".repeat(117), "233"),
    ] {
        let problem = client.request("GET", &format!("/users/{segment}"), "").assert_problem(422, "invalid-username");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    client.request("GET", &format!("/users/{}", "a".repeat(233)), "").assert_problem(404, "user-not-found");
    for path in ["/users/%zz", "/users/a%2", "/users/%", "/%zz"] {
        client.request("GET", path, "").assert_problem(400, "bad-request");
    }
}

#[test]
fn paths_are_split_before_they_are_decoded() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    for (path, username) in [
        ("/users/caf%C3%A9", "café"),
        ("/users/team%2Fops", "team/ops"),
        ("/users/team%2fops", "team/ops"),
        ("/users/john+news", "john+news"),
        ("/users/john%2Bnews", "john+news"),
        ("/users/mary%20ann", "mary ann"),
        ("/users/100%25", "100%"),
        ("/users/a%3Fb%23c", "a?b#c"),
        ("/users/%6Aohndoe", "johndoe"),
        ("/users/.", "."),
    ] {
        let answer = client.request("GET", path, "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.json()["username"], username);
    }
    for path in [
        "/users/",
        "/users//",
        "/users/a/b",
        "/users/johndoe//",
        "/nothing",
        "/../etc/passwd",
        "/users/../users/johndoe",
        "//users/johndoe",
        "/%75sers/johndoe",
    ] {
        client.request("GET", path, "").assert_problem(404, "not-found");
    }
    // A percent-encoded dot segment is a user's name, not a place.
    client.request("GET", "/users/%2E%2E", "").assert_problem(404, "user-not-found");
}

#[test]
fn a_slash_too_many_is_redirected() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    for (path, location) in [("/users/johndoe/", "/users/johndoe"), ("/users/a%2Fb/?x=/y/", "/users/a%2Fb?x=/y/")] {
        let answer = client.request("GET", path, "");
        assert_eq!((answer.status, answer.field("location")), (307, Some(location)));
        assert_eq!(answer.field("content-length"), Some("0"));
    }
}

#[test]
fn head_is_get_without_the_body() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    for path in ["/users/johndoe", "/users/nobody", "/nothing", "/", "/users/johndoe/", "/users/%zz"] {
        let get = client.request("GET", path, "X-Request-Id: same\r\n");
        let head = client.request("HEAD", path, "X-Request-Id: same\r\n");
        let without_date = |answer: &Answer| {
            answer.head.lines().filter(|line| !line.starts_with("Date: ")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(without_date(&get), without_date(&head), "{path}");
        assert!(head.body.is_empty());
    }
    assert_eq!(client.end_within(std::time::Duration::from_millis(50)), End::Open);
}

#[test]
fn options_and_other_methods() {
    const ALLOW: Option<&str> = Some("GET, HEAD, OPTIONS");
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    for path in ["/users/johndoe", "/users/nobody", "/", "*", "/users/johndoe/"] {
        let answer = client.request("OPTIONS", path, "");
        assert_eq!((answer.status, answer.field("allow"), answer.body.len()), (204, ALLOW, 0), "{path}");
        assert_eq!(answer.field("content-length"), None);
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "FOO"] {
        let answer = client.request(method, "/users/johndoe", "");
        answer.assert_problem(405, "method-not-allowed");
        assert_eq!(answer.field("allow"), ALLOW);
    }
    client.request("OPTIONS", "/nothing", "").assert_problem(404, "not-found");
    client.request("POST", "/nothing", "").assert_problem(404, "not-found");
}

#[test]
fn a_refused_request_is_told_by_its_path_and_id_as_far_as_it_was_readable() {
    let server = Server::embedded(&[]);
    let id = "X-Request-Id: refused-1\r\n";
    for (request, status, path, has_id) in [
        (format!("PUT /a%20b?c HTTP/1.1\r\nHost: x\r\n{id}Expect: much\r\n\r\n"), 417, Some("/a%20b"), true),
        (format!("GET /nothing HTTP/1.1\r\n{id}\r\n"), 400, Some("/nothing"), true),
        (format!("GET /nothing HTTP/1.1\r\nHost: x\r\n{id}Content-Length: x\r\n\r\n"), 400, Some("/nothing"), true),
        (format!("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n{id}\r\n"), 405, None, true),
        (format!("GET /nothing HTTP/1.1\r\nHost: x\r\n{id}Bad : x\r\n\r\n"), 400, Some("/nothing"), false),
        (format!("GET /nothing HTTP/2.0\r\nHost: x\r\n{id}\r\n"), 505, None, false),
    ] {
        let mut client = server.connect();
        client.send(&request);
        let answer = client.answer();
        let problem = answer.json();
        assert_eq!((answer.status, problem["instance"].as_str()), (status, path), "{request:?}");
        assert_eq!(answer.field("x-request-id") == Some("refused-1"), has_id, "{request:?}");
        client.assert_closed();
    }
    server.wait_for_log("method=PUT path=/a%20b?c route=- status=417");
}

#[test]
fn request_ids() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    let longest = "x".repeat(64);
    for id in ["a", "4bf92f3577b34da6", &longest] {
        let answer = client.request("GET", "/users/nobody", &format!("x-request-id: {id}\r\n"));
        assert_eq!(answer.field("x-request-id"), Some(id));
    }
    let too_long = "x".repeat(65);
    for id in ["", "a b", "a\"b", "a\\b", "\u{e9}", &too_long] {
        let answer = client.request("GET", "/users/johndoe", &format!("X-Request-Id: {id}\r\n"));
        let made = answer.field("x-request-id").unwrap();
        assert!(made.len() == 32 && made.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id:?} became {made:?}");
    }
}

#[test]
fn stored_documents_of_every_shape() {
    let server = Server::embedded(&[]);
    let database = rusqlite::Connection::open(server.folder.path().join("data/userprofiles.db")).unwrap();
    let store = |name: &str, document: &str| {
        let id = format!("userprofile::{name}");
        database.execute("INSERT OR REPLACE INTO documents (id, body) VALUES (?1, ?2)", (id, document)).unwrap();
    };
    let mut client = server.connect();
    for document in ["{}", "null", "[]", "\"\"", "0", "false"] {
        store("x", document);
        client.request("GET", "/users/x", "").assert_problem(404, "user-not-found");
    }
    for (document, rule) in [
        (r#"{"username":"x"}"#, "the field `hashed_password` is missing"),
        (r#"{"hashed_password":"marker-1"}"#, "the field `username` is missing"),
        (r#"{"username":"x","hashed_password":"marker-2","email":4711}"#, "the field `email` must be a string or null"),
        (r#"{"username":"x","hashed_password":"marker-3","disabled":"yes"}"#, "the field `disabled` must be"),
        (r#"["marker-4"]"#, "it is not a JSON object"),
        ("marker-5", "it is not JSON"),
    ] {
        store("x", document);
        let answer = client.request("GET", "/users/x", "X-Request-Id: shape\r\n");
        answer.assert_problem(500, "invalid-document");
        assert!(!answer.text().contains("marker"), "{}", answer.text());
        server.wait_for_log(rule);
    }
    let log = server.log();
    assert!(log.contains("document=userprofile::x") && !log.contains("marker") && !log.contains("4711"), "{log}");

    store("y", r#"{"username":"z","hashed_password":"h"}"#);
    assert_eq!(client.request("GET", "/users/y", "").json()["username"], "z");
    server.wait_for_log("differs from its id");

    store("big", &format!(r#"{{"username":"big","hashed_password":"h","x":"{}"}}"#, "x".repeat(100_000)));
    assert_eq!(client.request("GET", "/users/big", "").status, 200);
}

#[test]
fn the_home_page_and_the_admin_listener() {
    let server = Server::embedded(&[]);
    let home = server.get("/");
    assert_eq!((home.status, home.field("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(home.text().contains("<title>userprofiles</title>"));
    assert_eq!((server.admin_get("/live").status, server.admin_get("/live").text()), (200, "live\n"));
    assert_eq!((server.admin_get("/ready").status, server.admin_get("/ready").text()), (200, "ready\n"));
    server.admin_get("/users/johndoe").assert_problem(404, "not-found");
    for request in ["OPTIONS / HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut client = support::client::Client::connect(server.admin);
        client.send(request);
        assert_eq!(client.answer().status, 204, "{request}");
    }
    server.admin_get("/").assert_problem(404, "not-found");
    for path in ["/live", "/ready", "/metrics"] {
        server.get(path).assert_problem(404, "not-found");
    }
}

#[test]
fn an_access_line_an_answer() {
    let server = Server::embedded(&[]);
    server.connect().request("GET", "/users/nobody?a=b", "X-Request-Id: line-1\r\n");
    server.wait_for_log("request_id=line-1 code=user-not-found");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("line-1")).unwrap();
    for part in [
        " INFO  answered ",
        " method=GET ",
        " path=/users/nobody?a=b ",
        " route=/users/{username} ",
        " status=404 ",
        " bytes=",
        " duration_ms=",
    ] {
        assert!(line.contains(part), "{part:?} in {line}");
    }
    server.connect().send("GET / HTTP/7.0\r\n\r\n");
    server.wait_for_log("status=505");

    let json = Server::embedded(&["log.format=json"]);
    json.connect().request("GET", "/users/johndoe", "X-Request-Id: line-2\r\n");
    json.wait_for_log("line-2");
    let log = json.log();
    let line = log.lines().find(|line| line.contains("line-2")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((line["status"].as_u64(), line["level"].as_str()), (Some(200), Some("info")));
}

#[test]
fn import_works_while_the_server_serves() {
    let server = Server::embedded(&[]);
    let file = server.folder.path().join("more.jsonl");
    std::fs::write(&file, "{\"username\":\"late\",\"hashed_password\":\"not real\"}\n").unwrap();
    server.get("/users/late").assert_problem(404, "user-not-found");
    let done = userprofiles().current_dir(server.folder.path()).args(["import", "more.jsonl"]).status().unwrap();
    assert!(done.success());
    assert_eq!(server.get("/users/late").status, 200);
}
