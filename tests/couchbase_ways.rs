//! The ways into Couchbase beside the query service, `documents` and `data-api`, behind the real binary: each answer of
//! theirs as a client and as an operator see it, and that all three ways give the same bytes.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::collections::BTreeSet;

use couchbase::{BUCKET, Behaviour, Counts, Cut, Documents, Double, Manager, Query, Raw, Stored};
use on_couchbase::{
    HASH, JOHN, MODES, WayIn, assert_holds_no_secret, assert_read, assert_serves_john, double_with_john, error_line,
    profile, serve_at, serve_by, wait_for_john,
};
use support::client::{Answer, Client, segment};
use support::server::{Server, serve, userprofiles};

const MAX_DOCUMENT_BYTES: usize = 20 * 1024 * 1024;

/// Asks for `johndoe`. The answer has this status, this code if it is a problem, and holds no secret.
fn ask(client: &mut Client, request_id: &str, status: u16, code: &str) -> Answer {
    let answer = client.request("GET", "/users/johndoe", &format!("X-Request-Id: {request_id}\r\n"));
    if status == 200 {
        assert_eq!((answer.status, answer.text()), (200, JOHN), "{request_id}");
    } else {
        answer.assert_problem(status, code);
        assert_eq!(answer.field("retry-after").is_some(), status == 503, "{request_id}: {}", answer.head);
        for inside in ["127.0.0.1", "userprofile::", BUCKET, "localhost"] {
            assert!(!answer.text().contains(inside), "{request_id}: {}", answer.text());
        }
    }
    assert_holds_no_secret(&format!("{}{}", answer.head, answer.text()));
    answer
}

fn fails(server: &Server, request_id: &str, status: u16, code: &str) -> String {
    ask(&mut server.connect(), request_id, status, code);
    error_line(server, request_id)
}

/// A row of the tables in `tests/data`. What may help against it is looked at where that is decided, in the library.
#[derive(serde::Deserialize)]
struct Row {
    case: String,
    status: u16,
    content_type: Option<String>,
    etag: Option<String>,
    body: String,
    meaning: String,
    http: u16,
    #[serde(default)]
    says: Vec<String>,
}

impl Row {
    fn documents(&self) -> Documents {
        let content_type = self.content_type.as_deref().map(|name| {
            let known = ["application/json", "text/plain", "text/html", "application/octet-stream"];
            known.into_iter().find(|known| name.starts_with(known)).unwrap()
        });
        let raw = Raw { status: self.status, content_type, body: self.body.clone().into_bytes() };
        match &self.etag {
            Some(tag) => Documents::Tagged(tag.clone(), raw),
            None => Documents::Raw(raw),
        }
    }
}

fn every_row(way: WayIn, table: &str) {
    let rows: Vec<Row> = serde_json::from_str(table).unwrap();
    assert!(rows.len() > 50);
    for mode in MODES {
        let double = double_with_john();
        let server = serve_by(way, &double, &[mode]);
        let mut client = server.connect();
        let mut without_words = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            double.set_documents(row.documents());
            let code = if row.meaning == "not-found" { "user-not-found" } else { &row.meaning };
            let request_id = format!("row-{number}-of-table");
            ask(&mut client, &request_id, row.http, code);
            if row.http < 500 {
                continue;
            }
            let line = error_line(&server, &request_id);
            if !row.says.iter().all(|part| line.contains(part.as_str())) {
                without_words.push(format!("{}: {line}", row.case));
            }
        }
        double.set_documents(Documents::Answer);
        assert_serves_john(&server);
        assert_holds_no_secret(&server.log());
        assert_eq!(without_words, Vec::<String>::new());
        assert_eq!(double.violations(), Vec::<String>::new());
    }
}

#[test]
fn every_answer_of_the_document_endpoint() {
    every_row(WayIn::Documents, include_str!("data/couchbase-documents.json"));
}

#[test]
fn every_answer_of_the_data_api() {
    every_row(WayIn::DataApi, include_str!("data/couchbase-data-api.json"));
}

#[test]
fn conditions_of_the_transport() {
    for way in WayIn::BY_GET {
        for mode in MODES {
            let double = double_with_john();
            let server = serve_by(way, &double, &[mode]);
            for (number, documents) in [
                Documents::HangUp,
                Documents::Reset,
                Documents::Cut(Cut::Head),
                Documents::Cut(Cut::ContentLength),
                Documents::Cut(Cut::Chunks),
            ]
            .into_iter()
            .enumerate()
            {
                double.set_documents(documents);
                fails(&server, &format!("transport-{number}"), 503, "unavailable");
                double.set_documents(Documents::Answer);
                assert_serves_john(&server);
            }
            double.set_documents(Documents::HangUpOnReused);
            for _ in 0..3 {
                assert_serves_john(&server);
            }
            double.set(Behaviour { close_after: Some(1), ..Behaviour::default() });
            for _ in 0..3 {
                assert_serves_john(&server);
            }
            way.port(&double).close();
            let line = fails(&server, "refused", 503, "unavailable");
            assert!(line.contains(&way.port(&double).address().to_string()), "{line}");
            way.port(&double).reopen();
            assert_serves_john(&server);
            assert_holds_no_secret(&server.log());
            assert_eq!(double.violations(), Vec::<String>::new());
        }
    }
}

#[test]
fn a_database_that_stands_still_is_a_timeout() {
    for way in WayIn::BY_GET {
        let double = double_with_john();
        let server = serve_by(way, &double, &["bucket.operation_timeout=500ms"]);
        assert_serves_john(&server);
        for (number, documents) in [Documents::Freeze, Documents::Cut(Cut::ChunksAndFreeze)].into_iter().enumerate() {
            double.set_documents(documents);
            let line = fails(&server, &format!("frozen-{number}"), 504, "timeout");
            assert!(line.contains("did not answer in time"), "{line}");
            double.set_documents(Documents::Answer);
            wait_for_john(&server);
        }
    }
}

/// Documents that are awkward in themselves, and what they are under a name without any difficulty.
const DOCUMENTS: [&str; 24] = [
    r#"{"username":"plain","hashed_password":"h"}"#,
    r#"{"username":"all","email":"a@b","full_name":"A \"B\" \\ C","disabled":true,"hashed_password":"h","type":"t"}"#,
    " {\n\t\"hashed_password\" : \"h\" , \"username\":\"\\u0073paced\\/\\\"\" }\r\n ",
    r#"{"username":"é😀","full_name":"\u00e9\ud83d\ude00\u0000\u001f\u2028","hashed_password":"h"}"#,
    r#"{"username":"more","hashed_password":"h","age":1e400,"big":123456789012345678901234567890,"deep":[[{}]],"":""}"#,
    r#"{"username":"code","hashed_password":"h","code":"DocumentNotFound","meta":{"id":"x"},"json":"{}","base64":""}"#,
    r#"{"username":"<script>&amp;","hashed_password":"h"}"#,
    r#"{"username":"","hashed_password":""}"#,
    "{}",
    "null",
    "[]",
    "\"\"",
    "0",
    "false",
    r#"[1,"two",null]"#,
    r#""{\"username\":\"x\",\"hashed_password\":\"h\"}""#,
    "true",
    "-1.5",
    r#"{"username":"no-hash"}"#,
    r#"{"username":null,"hashed_password":"h"}"#,
    r#"{"username":"x","hashed_password":"h","email":4711}"#,
    r#"{"username":"x","username":"y","hashed_password":"h"}"#,
    r#"{"username":"\ud800","hashed_password":"h"}"#,
    r#"{"username":"\ud83d\ude00","full_name":"\\u0041\\","hashed_password":"h"}"#,
];

/// Names that servers and clients are tempted to change on the way.
fn awkward_names() -> Vec<String> {
    let mut names: Vec<String> = [
        ".",
        "..",
        "...",
        " ",
        "a b",
        " a ",
        "a+b",
        "+",
        "%",
        "%%",
        "50%",
        "a%20b",
        "%2F",
        "%252F",
        "%2e%2e",
        "%zz",
        "%C3",
        "\"",
        "'",
        "\\",
        "`",
        "$id",
        "{",
        "}",
        "[0]",
        "?",
        "#",
        "&",
        "=",
        ";",
        ",",
        ":",
        "::",
        "@",
        "!",
        "*",
        "(x)",
        "~",
        "-",
        "_",
        "|",
        "^",
        "<",
        ">",
        "é",
        "e\u{301}",
        "日本語",
        "😀",
        "\u{a0}",
        "\u{200d}",
        "\u{feff}a",
        "İ",
        "userprofile::x",
        "docs",
        "null",
    ]
    .map(str::to_owned)
    .to_vec();
    names.extend(["x".repeat(233), "é".repeat(116), "%".repeat(233), "+".repeat(233), "😀".repeat(58)]);
    names
}

/// Names that the Data API cannot take.
const SLASHED: [&str; 7] = ["/", "//", "a/b", "a/", "/a", "../x", "a%2Fb/c"];

fn head_without_date(answer: &Answer) -> Vec<&str> {
    answer.head.lines().filter(|line| !line.starts_with("Date: ")).collect()
}

/// Asks the servers the same in each way that there is, and asserts that they answer the same. Gives the status.
fn ask_all(clients: &mut [Client], path: &str) -> u16 {
    let mut all = |method: &str, fields: &str| {
        let fields = format!("X-Request-Id: same\r\n{fields}");
        let answers: Vec<Answer> = clients.iter_mut().map(|client| client.request(method, path, &fields)).collect();
        for other in &answers[1..] {
            assert_eq!(head_without_date(&answers[0]), head_without_date(other), "{method} {path} {fields}");
            assert_eq!(answers[0].body, other.body, "{method} {path} {fields}");
        }
        answers.into_iter().next().unwrap()
    };
    let found = all("GET", "");
    all("HEAD", "");
    if let Some(tag) = found.field("etag") {
        assert_eq!(all("GET", &format!("If-None-Match: {tag}\r\n")).status, 304, "{path}");
    }
    found.status
}

#[test]
fn all_ways_give_the_same_bytes_for_awkward_documents() {
    for mode in MODES {
        let double = Double::start();
        for (number, text) in DOCUMENTS.iter().enumerate() {
            double.put(&format!("userprofile::{number}"), text);
        }
        double.put_stored("userprofile::binary", Stored::binary());
        let servers = WayIn::ALL.map(|way| serve_by(way, &double, &[mode]));
        let mut clients = servers.each_ref().map(Server::connect);
        let mut statuses = BTreeSet::new();
        for number in 0..DOCUMENTS.len() {
            statuses.insert(ask_all(&mut clients, &format!("/users/{number}")));
        }
        assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [200, 404, 500]);
        assert_eq!(ask_all(&mut clients, "/users/binary"), 500);
        assert_eq!(ask_all(&mut clients, "/users/nobody"), 404);

        // What is read is the same as well if the manager shows it as old versions do.
        double.set_documents(Documents::Nested);
        for number in [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 14] {
            ask_all(&mut clients[..2], &format!("/users/{number}"));
        }
        assert_eq!(double.violations(), Vec::<String>::new());
    }
}

#[test]
fn all_ways_find_every_name_and_none_finds_another() {
    let double = Double::start();
    let names = awkward_names();
    for name in &names {
        let text = serde_json::json!({ "username": name, "hashed_password": HASH });
        double.put(&format!("userprofile::{name}"), &text.to_string());
    }
    let servers = WayIn::ALL.map(|way| serve_by(way, &double, &[MODES[1]]));
    let mut clients = servers.each_ref().map(Server::connect);
    for name in &names {
        let path = format!("/users/{}", segment(name));
        assert_eq!(ask_all(&mut clients, &path), 200, "{name:?}");
        assert_eq!(clients[2].request("GET", &path, "").json()["username"], name.as_str());
        let asked: Vec<String> = double.asked().into_iter().rev().take(4).map(|asked| asked.id).collect();
        assert!(asked.iter().all(|id| *id == format!("userprofile::{name}")), "{name:?}: {asked:?}");
    }
    // Each alone in an empty database: no name is taken for a name that is there.
    for name in &names {
        double.remove(&format!("userprofile::{name}"));
        assert_eq!(ask_all(&mut clients, &format!("/users/{}", segment(name))), 404, "{name:?}");
    }
    for server in &servers {
        assert_holds_no_secret(&server.log());
        assert!(!server.log().contains("differs from its id"));
    }
    assert_eq!(double.violations(), Vec::<String>::new());
}

#[test]
fn a_name_with_a_slash_passes_by_two_ways_and_the_third_says_so() {
    let double = Double::start();
    for name in SLASHED {
        double.put(&format!("userprofile::{name}"), &profile(name));
    }
    let servers = WayIn::ALL.map(|way| serve_by(way, &double, &[]));
    let [by_query, by_documents, by_data_api] = servers.each_ref().map(Server::connect);
    let (mut both, mut third) = ([by_query, by_documents], by_data_api);
    for name in SLASHED {
        let path = format!("/users/{}", segment(name));
        assert_eq!(ask_all(&mut both, &path), 200, "{name}");
        let problem = third.request("GET", &path, "").assert_problem(422, "invalid-username");
        assert!(problem["detail"].as_str().unwrap().contains("slash"), "{problem}");
    }
    assert_eq!(double.counts().gateway.all_requests(), 0, "no key with a slash may reach a gateway");
    assert_eq!(double.violations(), Vec::<String>::new());
}

#[test]
fn what_only_couchbase_has() {
    let of_bytes = |bytes: usize, filler: &str| {
        let (begin, end) = (format!(r#"{{"username":"big","hashed_password":"{HASH}","pad":""#), "\"}");
        let left = bytes - begin.len() - end.len();
        format!("{begin}{}{}{end}", filler.repeat(left / filler.len()), "x".repeat(left % filler.len()))
    };
    let plain = || Stored::json(&profile("plain"));
    let documents = [
        ("cas-negative", plain().with_cas("-2"), Ok("plain")),
        ("cas-small", plain().with_cas("7"), Ok("plain")),
        // In a string it takes an eighth more.
        ("longest", Stored::json(&of_bytes(MAX_DOCUMENT_BYTES, "\\\"xxxxxxxxxxxxxx")), Ok("big")),
        (
            "too-long",
            Stored::json(&of_bytes(MAX_DOCUMENT_BYTES + 1, "x")),
            Err(("invalid-document", "larger than 20971520")),
        ),
    ];
    for (way, mode) in WayIn::BY_GET.into_iter().zip(MODES) {
        let double = Double::start();
        let server = serve_by(way, &double, &[mode]);
        let mut client = server.connect();
        for (name, stored, expected) in &documents {
            double.put_stored(&format!("userprofile::{name}"), stored.clone());
            assert_read(&server, &mut client, name, *expected);
            double.remove(&format!("userprofile::{name}"));
        }
        // Longer than any document could be in whatever it comes in: it is not read to its end.
        let mut body = vec![b'x'; 4 * MAX_DOCUMENT_BYTES];
        body[0] = b'{';
        let endless = Raw { status: 200, content_type: Some("application/json"), body };
        double.set_documents(Documents::Tagged("2a".to_owned(), endless));
        let line = fails(&server, "far-too-long", 500, "invalid-document");
        assert!(line.contains("larger than 20971520"), "{line}");
        assert!(server.peak_memory_kib() < 300 * 1024, "{} KiB", server.peak_memory_kib());
        assert_holds_no_secret(&server.log());
        assert!(!server.log().contains("xxxxxxxx"));
    }
}

#[test]
fn a_login_or_a_keyspace_that_is_refused() {
    for way in WayIn::BY_GET {
        let double = double_with_john();
        let wrong = serve_at(&way.connection_string(&double), "wrong-password-marker", &[way.setting()]);
        let line = fails(&wrong, "password", 500, "misconfigured");
        assert!(line.contains("[couchbase] username and password_file"), "{line}");
        assert!(!wrong.log().contains("wrong-password-marker"));

        for (settings, part) in [
            (&["couchbase.bucket=other"][..], "no such bucket"),
            (&["couchbase.scope=people"], "no such scope"),
            (&["couchbase.scope=people", "couchbase.collection=staff"], "no such scope"),
            (&["couchbase.collection=staff"], "no such"),
        ] {
            let server = serve_by(way, &double, settings);
            let line = fails(&server, "keyspace", 500, "misconfigured");
            assert!(line.contains(part) && line.contains("[couchbase] bucket, scope and collection"), "{line}");
        }
        assert_eq!(double.violations(), Vec::<String>::new());
    }
}

#[test]
fn each_way_asks_whom_it_needs_and_nobody_else() {
    for way in WayIn::ALL {
        let double = double_with_john();
        let server = serve_by(way, &double, &[]);
        for _ in 0..3 {
            assert_serves_john(&server);
        }
        assert_eq!(server.admin_get("/ready").status, 200);
        let Counts { query, manager, gateway, node_services } = double.counts();
        let documents = manager.all_requests() - node_services;
        let found = (node_services, documents, query.all_requests(), gateway.all_requests());
        let expected = match way {
            WayIn::Query => (1, 0, 4, 0),
            WayIn::Documents => (1, 4, 0, 0),
            WayIn::DataApi => (0, 0, 0, 4),
        };
        assert_eq!(found, expected, "{way:?}");
        let name = match way {
            WayIn::Query => "by the query service of the cluster at ",
            WayIn::Documents => "by the cluster manager of the cluster at ",
            WayIn::DataApi => "by the Data API at ",
        };
        let address = if way == WayIn::DataApi { double.gateway_port().address() } else { double.manager_address() };
        assert!(server.log().contains(&format!("{name}{address}")), "{}", server.log());
    }
}

#[test]
fn documents_are_read_where_no_query_service_is() {
    let double = double_with_john();
    let port = double.manager_address().port();
    let nodes = format!(r#"{{"rev":1,"nodesExt":[{{"services":{{"mgmt":{port},"kv":11210}},"thisNode":true}}]}}"#);
    double.set_manager(Manager::Nodes(nodes));
    double.set_query(Query::HangUp);
    double.query_port().close();
    assert_serves_john(&serve_by(WayIn::Documents, &double, &[]));
    let line = fails(&serve_by(WayIn::Query, &double, &[]), "no-query", 500, "misconfigured");
    assert!(line.contains("runs the query service") && line.contains("api = \"documents\""), "{line}");
}

#[test]
fn several_gateways_are_tried_as_they_stand_in_the_string() {
    let doubles = [double_with_john(), double_with_john()];
    let hosts = doubles.each_ref().map(|double| double.gateway_port().address().to_string());
    let server = serve_at(&format!("http://{}", hosts.join(",")), couchbase::PASSWORD, &[WayIn::DataApi.setting()]);
    // Which one is asked is random: often enough for both.
    while doubles.iter().any(|double| double.counts().gateway.all_requests() == 0) {
        assert_serves_john(&server);
    }
}

#[test]
fn a_data_api_that_a_password_could_be_read_on_the_way_to_is_refused_at_the_start() {
    for (connection_string, part) in [
        ("http://10.0.0.1:8080", "the Data API is reached over TLS; write https://"),
        ("http://127.0.0.1:8080,gateway.example", "the Data API is reached over TLS; write https://"),
        ("couchbase://127.0.0.1", "couchbase:// names nodes of a cluster"),
    ] {
        let setting = format!("couchbase.connection_string={connection_string}");
        let settings = ["bucket.database=couchbase", WayIn::DataApi.setting(), &setting, "couchbase.username=u"];
        let mut command = serve(userprofiles(), &settings, &["--listen", "127.0.0.1:0"]);
        command.env("USERPROFILES_COUCHBASE_PASSWORD", "start-marker");
        let mut server = Server::spawn(command);
        assert_eq!(server.wait().code(), Some(1), "{connection_string}");
        server.wait_for_log(part);
        assert!(!server.log().contains("start-marker"));
    }
}
