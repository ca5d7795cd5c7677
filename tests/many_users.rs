//! `GET /users?username=a&username=b…` over a real socket, on the embedded database with the sample users.

mod support;

use support::client::Answer;
use support::server::{Server, userprofiles};

const JOHNDOE: &str = r#"{"username":"johndoe","email":"johndoe@example.com","full_name":"John Doe","disabled":false}"#;
const NOT_FOUND: &str =
    r#"{"type":"/problems/user-not-found","title":"User not found","status":404,"detail":"User not found"}"#;

fn query(names: &[&str]) -> String {
    format!("/users?{}", names.iter().map(|name| format!("username={name}")).collect::<Vec<_>>().join("&"))
}

#[test]
fn an_element_for_each_name_in_the_order_of_the_names() {
    let server = Server::embedded(&["http.cache_control=max-age=7"]);
    let answer = server.get(&query(&["johndoe", "nobody", "johndoe"]));
    assert_eq!((answer.status, answer.text()), (200, format!("[{JOHNDOE},{NOT_FOUND},{JOHNDOE}]").as_str()));
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(answer.field("cache-control"), Some("max-age=7"));
    let one = server.get(&query(&["johndoe"]));
    assert_eq!(one.text(), format!("[{JOHNDOE}]"));
    assert_ne!(one.field("etag"), answer.field("etag"));
}

#[test]
fn a_name_that_cannot_be_one_is_a_problem_of_its_own() {
    let server = Server::embedded(&[]);
    let long = "a".repeat(234);
    let answer = server.get(&query(&["", "%00", &long, "%ff", "johndoe"]));
    assert_eq!(answer.status, 200);
    let elements = answer.json();
    for (number, word) in ["empty", "control", "233", "UTF-8"].into_iter().enumerate() {
        let element = &elements[number];
        assert_eq!(element["type"], "/problems/invalid-username");
        assert_eq!(element["status"], 422);
        assert!(element["detail"].as_str().unwrap().contains(word), "{element}");
        assert!(element.get("request_id").is_none() && element.get("instance").is_none(), "{element}");
    }
    assert_eq!(elements[4]["username"], "johndoe");
    // The database is not even asked.
    assert_eq!(server.get("/users?username=").json()[0]["status"], 422);
}

#[test]
fn a_plus_sign_is_a_space_in_a_query_and_names_are_decoded_once() {
    let server = Server::start(&[], &[]);
    let lines = ["a b", "a+b", "a%2Bb", "a&b=c"]
        .map(|name| serde_json::json!({"username": name, "hashed_password": "x"}).to_string());
    let file = server.folder().join("users.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let import = userprofiles().args(["import", "users.jsonl"]).current_dir(server.folder()).output().unwrap();
    assert!(import.status.success(), "{import:?}");
    let answer = server.get(&query(&["a+b", "a%2Bb", "a%252Bb", "a%26b%3Dc", "a%20b"]));
    let elements = answer.json();
    let names: Vec<&str> = elements.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["a b", "a+b", "a%2Bb", "a&b=c", "a b"]);
}

#[test]
fn no_names_and_too_many_are_refused_with_advice() {
    let server = Server::embedded(&[]);
    let hundred = query(&["a"; 100]);
    assert_eq!(server.get(&hundred).json().as_array().unwrap().len(), 100);
    for target in ["/users", "/users?", "/users?name=a", &format!("{hundred}&username=b"), "/users?username=%zz"] {
        let problem = server.get(target).assert_problem(422, "invalid-query");
        assert!(problem["detail"].as_str().unwrap().contains("/users?username=alice&username=bob"), "{problem}");
        assert_eq!(problem["instance"], "/users");
    }
    server.get("/users/?username=a").assert_problem(404, "not-found");
    let mut client = server.connect();
    assert_eq!(client.request("OPTIONS", "/users", "").status, 204);
    client.request("POST", "/users", "").assert_problem(405, "method-not-allowed");
}

#[test]
fn it_is_conditional_and_has_a_head_as_one_user_has() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    let target = query(&["johndoe", "nobody"]);
    let get = client.request("GET", &target, "X-Request-Id: first\r\n");
    let tag = get.field("etag").unwrap().to_owned();
    // Nothing of a request is in an element, so the tag holds.
    assert_eq!(client.request("GET", &target, "X-Request-Id: other\r\n").field("etag"), Some(tag.as_str()));
    let status =
        |client: &mut support::client::Client, fields: String| -> Answer { client.request("GET", &target, &fields) };
    assert_eq!(status(&mut client, format!("If-None-Match: {tag}\r\n")).status, 304);
    assert_eq!(status(&mut client, format!("If-Match: {tag}\r\n")).status, 200);
    status(&mut client, "If-Match: \"x\"\r\n".to_owned()).assert_problem(412, "precondition-failed");
    let head = client.request("HEAD", &target, "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.field("content-length"), Some(get.body.len().to_string().as_str()));
    assert_eq!(head.field("etag"), Some(tag.as_str()));
}

#[test]
fn an_invalid_document_is_a_problem_of_its_own_and_gets_nothing_out() {
    let server = Server::embedded(&[]);
    let file = server.folder().join("data/userprofiles.db");
    let connection = rusqlite::Connection::open(file).unwrap();
    for (id, text) in [("bad", r#"{"username":"bad","hashed_password":7}"#), ("empty", "{}")] {
        connection
            .execute("INSERT INTO documents (id, body) VALUES (?1, ?2)", (format!("userprofile::{id}"), text))
            .unwrap();
    }
    let answer = server.get(&query(&["bad", "empty", "johndoe"]));
    let elements = answer.json();
    assert_eq!(elements[0]["type"], "/problems/invalid-document");
    assert_eq!(elements[1]["type"], "/problems/user-not-found");
    assert_eq!(elements[2]["username"], "johndoe");
    assert!(!answer.text().contains("hashed"), "{}", answer.text());
    server.wait_for_log("hashed_password");
}

/// One document of 300 KiB, asked for 100 times, is no way to make the server hold 30 MiB.
#[test]
fn an_answer_that_would_be_too_long_is_refused_with_advice() {
    let server = Server::start(&[], &[]);
    let large = serde_json::json!({"username": "l", "full_name": "x".repeat(300 << 10), "hashed_password": "x"});
    std::fs::write(server.folder().join("users.jsonl"), large.to_string()).unwrap();
    let import = userprofiles().args(["import", "users.jsonl"]).current_dir(server.folder()).output().unwrap();
    assert!(import.status.success(), "{import:?}");
    assert_eq!(server.get(&query(&["l"; 8])).status, 200);
    let problem = server.get(&query(&["l"; 100])).assert_problem(422, "invalid-query");
    assert!(problem["detail"].as_str().unwrap().contains("fewer users"), "{problem}");
    assert!(server.peak_memory_kib() < 100 * 1024, "{} KiB", server.peak_memory_kib());
}
