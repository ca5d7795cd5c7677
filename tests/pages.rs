//! What browsers get: pages, documentation, CORS, and the fields that protect them.

mod support;

use std::io::Read;

use support::client::{Answer, Client};
use support::server::{Server, userprofiles};

/// What Chromium sends when somebody opens an address.
const BROWSER: &str =
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n";

const HTML: &str = "text/html; charset=utf-8";

const CODES: [&str; 19] = [
    "user-not-found",
    "not-found",
    "invalid-username",
    "invalid-query",
    "bad-request",
    "method-not-allowed",
    "request-timeout",
    "precondition-failed",
    "uri-too-long",
    "expectation-failed",
    "headers-too-large",
    "internal",
    "not-implemented",
    "version-not-supported",
    "invalid-document",
    "misconfigured",
    "unavailable",
    "busy",
    "timeout",
];

const DOCS: [(&str, &str); 6] = [
    ("/docs", HTML),
    ("/docs/docs.css", "text/css; charset=utf-8"),
    ("/docs/docs.js", "text/javascript; charset=utf-8"),
    ("/docs/swagger-ui.css", "text/css; charset=utf-8"),
    ("/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("/openapi.json", "application/json"),
];

fn varies_by(answer: &Answer, name: &str) -> bool {
    answer.fields("vary").any(|value| value.eq_ignore_ascii_case(name))
}

#[test]
fn every_file_has_a_validator_and_a_head() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    let own = [("/", HTML), ("/robots.txt", "text/plain; charset=utf-8"), ("/favicon.ico", "image/svg+xml")];
    for (path, media_type) in own.into_iter().chain(DOCS) {
        let answer = client.request("GET", path, "");
        assert_eq!((answer.status, answer.field("content-type")), (200, Some(media_type)), "{path}");
        assert_eq!(answer.field("cache-control"), Some("no-cache"), "{path}");
        assert!(!answer.body.is_empty(), "{path}");
        let tag = answer.field("etag").unwrap();
        let known = client.request("GET", path, &format!("If-None-Match: {tag}\r\n"));
        assert_eq!((known.status, known.body.len(), known.field("etag")), (304, 0, Some(tag)), "{path}");
        let head = client.request("HEAD", path, "");
        let length = answer.body.len().to_string();
        assert_eq!((head.status, head.field("content-length")), (200, Some(length.as_str())), "{path}");
        assert_eq!(client.request("OPTIONS", path, "").status, 204, "{path}");
        client.request("DELETE", path, "").assert_problem(405, "method-not-allowed");
        assert!(!answer.text().contains("hashed_password"), "{path}");
    }
}

#[test]
fn what_is_large_is_sent_compressed_to_those_who_read_that() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    for path in ["/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/openapi.json"] {
        let plain = client.request("GET", path, "");
        assert_eq!(plain.field("content-encoding"), None);
        let compressed = client.request("GET", path, "Accept-Encoding: gzip, deflate, br\r\n");
        assert_eq!(compressed.field("content-encoding"), Some("gzip"), "{path}");
        assert!(compressed.body.len() * 3 < plain.body.len(), "{path}: {} bytes", compressed.body.len());
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(compressed.body.as_slice()).read_to_end(&mut text).unwrap();
        assert!(text == plain.body, "{path}");
        assert!(varies_by(&plain, "accept-encoding") && varies_by(&compressed, "accept-encoding"));
        // A strong tag stands for the bytes that are sent.
        let tag = compressed.field("etag").unwrap();
        assert_ne!(Some(tag), plain.field("etag"));
        let fields = format!("Accept-Encoding: gzip\r\nIf-None-Match: {tag}\r\n");
        assert_eq!(client.request("GET", path, &fields).status, 304, "{path}");
    }
}

#[test]
fn the_documentation_can_be_switched_off() {
    let server = Server::embedded(&["http.docs=false"]);
    for (path, _) in DOCS {
        server.get(path).assert_problem(404, "not-found");
    }
    let home = server.get("/");
    assert_eq!(home.status, 200);
    assert!(!home.text().contains("/docs") && !home.text().contains("openapi"), "{}", home.text());
    assert_eq!(server.get("/problems/timeout").status, 200);
    let with_docs = Server::embedded(&[]);
    let home = with_docs.get("/");
    assert!(home.text().contains("href=\"/docs\"") && home.text().contains("href=\"/openapi.json\""));
}

#[test]
fn the_command_prints_the_document_that_is_served() {
    let printed = userprofiles().arg("openapi").output().unwrap();
    assert!(printed.status.success() && printed.stderr.is_empty(), "{printed:?}");
    let served = Server::embedded(&[]).get("/openapi.json");
    assert!(served.body == printed.stdout);
    let document = served.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["paths"]["/users/{username}"]["get"]["operationId"], "read_user_users__username__get");
    assert!(document["components"]["schemas"]["User"]["properties"]["username"].is_object());
}

#[test]
fn every_problem_has_a_page_and_says_its_address() {
    let server = Server::embedded(&[]);
    let home = server.get("/");
    for code in CODES {
        let page = server.get(&format!("/problems/{code}"));
        assert_eq!((page.status, page.field("content-type")), (200, Some(HTML)), "{code}");
        for part in ["What it means", "What the caller can do", "What the operator can do", code] {
            assert!(page.text().contains(part), "{part:?} of {code}");
        }
        assert!(home.text().contains(&format!("href=\"/problems/{code}\"")), "{code}");
    }
    for path in ["/problems", "/problems/", "/problems/no-such", "/problems/timeout/"] {
        server.get(path).assert_problem(404, "not-found");
    }
}

#[test]
fn a_browser_gets_pages_for_problems_and_everybody_else_problem_documents() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    for (path, status, words) in [
        ("/no/such", 404, "Not found"),
        ("/users/nobody", 404, "User not found"),
        ("/users/%ff", 422, "UTF-8"),
        ("/users", 422, "No user is named."),
        ("/users/%zz", 400, "two hexadecimal digits"),
    ] {
        let page = client.request("GET", path, BROWSER);
        assert_eq!((page.status, page.field("content-type")), (status, Some(HTML)), "{path}");
        assert!(page.text().contains(words) && page.text().contains(page.field("x-request-id").unwrap()), "{path}");
        let document = client.request("GET", path, "Accept: */*\r\n");
        assert_eq!(document.field("content-type"), Some("application/problem+json"), "{path}");
        for answer in [&page, &document] {
            assert!(varies_by(answer, "accept"), "{path}");
            assert_eq!(answer.status, status, "{path}");
        }
        let head = client.request("HEAD", path, BROWSER);
        let length = page.body.len().to_string();
        assert_eq!((head.status, head.field("content-length")), (status, Some(length.as_str())), "{path}");
    }
    // What is found is the same for everybody.
    let user = client.request("GET", "/users/johndoe", BROWSER);
    assert_eq!((user.status, user.field("content-type")), (200, Some("application/json")));
}

#[test]
fn nothing_of_a_request_gets_into_a_page_as_markup() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    for path in ["/users/%3Cscript%3E", "/'-alert(1)-'", "/a&lt;b&amp;c", "/no?x=1&y=2"] {
        let page = client.request("GET", path, &format!("{BROWSER}X-Request-Id: <img/src=x>'&\r\n"));
        assert_eq!(page.status, 404, "{path}");
        assert!(page.text().contains("&lt;img/src=x&gt;&#39;&amp;"), "{}", page.text());
        assert!(!page.text().contains("<img") && !page.text().contains("<script"), "{}", page.text());
    }
}

#[test]
fn every_answer_has_the_fields_that_protect_browsers() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    let mut answers: Vec<Answer> =
        ["/users/johndoe", "/users/nobody", "/", "/docs", "/openapi.json", "/problems/busy", "/x"]
            .iter()
            .flat_map(|path| [client.request("GET", path, ""), server.connect().request("GET", path, BROWSER)])
            .collect();
    let changed = format!("{BROWSER}If-Match: \"x\"\r\n");
    answers.extend(["/docs", "/", "/problems/busy"].map(|path| client.request("GET", path, &changed)));
    answers.extend(["/docs", "/"].map(|path| client.request("GET", path, "If-None-Match: *\r\n")));
    for bytes in ["BAD\r\n\r\n", "GET / HTTP/9.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nExpect: much\r\n\r\n"] {
        let mut client = server.connect();
        client.send(bytes);
        answers.push(client.answer());
    }
    for answer in &answers {
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        let is_page = answer.field("content-type") == Some(HTML);
        assert!(!is_page || answer.field("referrer-policy") == Some("no-referrer"), "{}", answer.head);
        let policies: Vec<&str> = answer.fields("content-security-policy").collect();
        assert!(policies.len() == 1 && policies[0].starts_with("default-src 'none'; "), "{policies:?}");
        assert!(policies[0].contains("frame-ancestors 'none'") && !policies[0].contains("unsafe"), "{policies:?}");
    }
}

const ORIGIN: &str = "https://app.example.com";

fn from_origin(client: &mut Client, method: &str, path: &str, origin: &str, more: &str) -> Answer {
    client.request(method, path, &format!("Origin: {origin}\r\n{more}"))
}

#[test]
fn without_the_setting_no_other_origin_may_read_anything() {
    let server = Server::embedded(&[]);
    let mut client = server.connect();
    for method in ["GET", "OPTIONS"] {
        let fields = "Access-Control-Request-Method: GET\r\n";
        let answer = from_origin(&mut client, method, "/users/johndoe", ORIGIN, fields);
        assert!(!answer.head.to_ascii_lowercase().contains("access-control"), "{}", answer.head);
        assert!(!varies_by(&answer, "origin"));
    }
}

#[test]
fn listed_origins_may_read_every_answer_and_no_others() {
    let server = Server::embedded(&[&format!("http.cors_allow_origins={ORIGIN},http://localhost:3000")]);
    let mut client = server.connect();
    for path in ["/users/johndoe", "/users/nobody", "/users?username=johndoe", "/no/such", "/users/%ff"] {
        let answer = from_origin(&mut client, "GET", path, ORIGIN, "");
        assert_eq!(answer.field("access-control-allow-origin"), Some(ORIGIN), "{path}");
        assert_eq!(answer.field("access-control-expose-headers"), Some("ETag, X-Request-Id"), "{path}");
        assert_eq!(answer.field("access-control-allow-credentials"), None, "{path}");
        assert!(varies_by(&answer, "origin"), "{path}");
        for origin in
            ["https://evil.example", "null", "https://app.example.com.evil.example", "HTTPS://app.example.com"]
        {
            let answer = from_origin(&mut client, "GET", path, origin, "");
            assert_eq!(answer.field("access-control-allow-origin"), None, "{path} {origin}");
            assert!(varies_by(&answer, "origin"), "{path} {origin}");
        }
        // A cache must not give an answer without the field to a listed origin.
        assert!(varies_by(&client.request("GET", path, ""), "origin"), "{path}");
    }
}

#[test]
fn a_preflight_is_answered_for_listed_origins() {
    let server = Server::embedded(&[&format!("http.cors_allow_origins={ORIGIN}")]);
    let mut client = server.connect();
    let fields =
        "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: if-none-match, x-request-id\r\n";
    let allowed = from_origin(&mut client, "OPTIONS", "/users/johndoe", ORIGIN, fields);
    assert_eq!((allowed.status, allowed.body.len()), (204, 0));
    assert_eq!(allowed.field("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(allowed.field("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"));
    let names = allowed.field("access-control-allow-headers").unwrap().to_ascii_lowercase();
    assert!(names.contains("if-none-match") && names.contains("x-request-id"), "{names}");
    assert!(allowed.field("access-control-max-age").is_some());
    assert_eq!(allowed.field("allow"), Some("GET, HEAD, OPTIONS"));

    let refused = from_origin(&mut client, "OPTIONS", "/users/johndoe", "https://evil.example", fields);
    assert_eq!(refused.status, 204);
    assert!(!refused.head.to_ascii_lowercase().contains("access-control"), "{}", refused.head);
    // An OPTIONS that is no preflight says what is allowed, and no more.
    let plain = from_origin(&mut client, "OPTIONS", "/users/johndoe", ORIGIN, "");
    assert_eq!(plain.field("access-control-allow-methods"), None);
}

#[test]
fn everybody_may_read_where_the_setting_says_so() {
    let server = Server::embedded(&["http.cors_allow_origins=*"]);
    let answer = from_origin(&mut server.connect(), "GET", "/users/johndoe", ORIGIN, "Cookie: a=b\r\n");
    assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.field("access-control-allow-credentials"), None);
}
