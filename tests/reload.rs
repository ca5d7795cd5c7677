//! HUP: which settings a running server takes, and that no request fails meanwhile.

#![allow(clippy::disallowed_methods, reason = "tests take times")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::time::Duration;

use couchbase::{Behaviour, Double, Hold};
use on_couchbase::{profile, serve};
use support::client::{Client, End};
use support::load::RunningLoad;
use support::server::{PATIENCE, Server, sample_users};

/// A server with a settings file, which can be changed.
struct Reloaded {
    server: Server,
}

impl Reloaded {
    fn start(settings: &[&str]) -> Self {
        let users = sample_users();
        let server = Server::start(settings, &["--import", users.to_str().unwrap()]);
        std::fs::create_dir(server.folder().join("config")).unwrap();
        Self { server }
    }

    fn write(&self, text: &str) {
        std::fs::write(self.server.folder().join("config/userprofiles.toml"), text).unwrap();
    }

    /// Writes the file, sends HUP, and waits until that has come to its end.
    fn reload(&self, text: &str) {
        let reloads = || self.server.log().matches("HUP: reload complete").count();
        let before = reloads();
        self.write(text);
        self.server.signal("HUP");
        let start = std::time::Instant::now();
        while reloads() == before {
            assert!(start.elapsed() < PATIENCE, "no reload:\n{}", self.server.log());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn field(&self, path: &str, fields: &str, name: &str) -> Option<String> {
        let answer = self.server.connect().request("GET", path, fields);
        answer.field(name).map(ToOwned::to_owned)
    }
}

#[test]
fn what_answers_look_like() {
    let place = Reloaded::start(&[]);
    let cache_control = || place.field("/users/johndoe", "", "cache-control");
    let allowed = || place.field("/users/johndoe", "Origin: https://a.example\r\n", "access-control-allow-origin");
    assert_eq!((cache_control().as_deref(), allowed()), (Some("no-cache"), None));
    assert_eq!(place.server.get("/docs").status, 200);
    place
        .reload("[http]\ncache_control = \"max-age=60\"\ncors_allow_origins = [\"https://a.example\"]\ndocs = false\n");
    assert_eq!(cache_control().as_deref(), Some("max-age=60"));
    assert_eq!(allowed().as_deref(), Some("https://a.example"));
    assert_eq!(place.server.get("/docs").status, 404);
    // What is left out is the default again.
    place.reload("");
    assert_eq!((cache_control().as_deref(), allowed()), (Some("no-cache"), None));
    assert_eq!(place.server.get("/docs").status, 200);
}

#[test]
fn how_long_and_how_many() {
    let place = Reloaded::start(&[]);
    let idle = |place: &Reloaded| {
        let mut client = place.server.connect();
        assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
        client
    };
    let mut kept_before = idle(&place);
    place.reload("[http]\nidle_timeout = \"100ms\"\nmax_connections = 2\n");
    idle(&place).assert_closed();
    // Deadlines that were set before the reload are as they were.
    assert_eq!(kept_before.end_within(Duration::from_millis(300)), End::Open);
    place.reload("[http]\nmax_connections = 2\nfirst_byte_timeout = \"1h\"\n");
    // They are accepted in their order, and an idle one would make room.
    drop(kept_before);
    let _stay = [(); 2].map(|()| Client::connect(place.server.public));
    let mut third = Client::connect(place.server.public);
    third.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(third.end_within(Duration::from_millis(300)), End::Open, "two connections are all there may be");
    place.reload("[http]\nmax_connections = 3\nfirst_byte_timeout = \"1h\"\n");
    assert_eq!(third.answer().status, 200);
}

#[test]
fn fewer_connections_than_there_are() {
    let place = Reloaded::start(&[]);
    let idle = |_| {
        let mut client = place.server.connect();
        assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
        client
    };
    let mut idle: Vec<Client> = (0..6).map(idle).collect();
    place.reload("[http]\nmax_connections = 3\nidle_timeout = \"1h\"\n");
    // As many as have to make room for the newcomer, which is answered.
    assert_eq!(place.server.get("/users/johndoe").status, 200);
    idle.retain_mut(|client| client.end_within(Duration::from_millis(200)) == End::Open);
    assert_eq!(idle.len(), 2);
    for client in &mut idle {
        assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
    }
}

#[test]
fn how_the_log_looks_and_whom_it_names() {
    let place = Reloaded::start(&[]);
    let ask = |place: &Reloaded, id: &str| {
        let fields = format!("X-Request-Id: {id}\r\nX-Forwarded-For: 203.0.113.9\r\n");
        assert_eq!(place.server.connect().request("GET", "/users/johndoe", &fields).status, 200);
        place.server.wait_for_log(id);
        place.server.log().lines().find(|line| line.contains(id)).unwrap().to_owned()
    };
    let line = ask(&place, "id-1");
    assert!(line.contains(" client=127.0.0.1:") && !line.contains("203.0.113.9"), "{line}");
    place.reload("[http]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[log]\nformat = \"json\"\n");
    let line: serde_json::Value = serde_json::from_str(&ask(&place, "id-2")).unwrap();
    assert_eq!(line["client"], "203.0.113.9", "{line}");
    place.reload("");
    let line = ask(&place, "id-3");
    assert!(line.contains(" client=127.0.0.1:"), "{line}");
}

#[test]
fn the_share_of_an_address_behind_a_proxy() {
    let double = Double::start();
    double.put("userprofile::johndoe", &profile("johndoe"));
    let server = serve(&double, &["http.trusted_proxies=127.0.0.0/8", "http.max_connections_per_address=1"]);
    // A client that takes all of its share: its request waits for the database.
    double.set(Behaviour { hold: Hold::Queries, ..Behaviour::default() });
    let forwarded = |address: &str| format!("X-Forwarded-For: {address}\r\n");
    let mut waiting = server.connect();
    waiting.send(format!("GET /users/johndoe HTTP/1.1\r\nHost: x\r\n{}\r\n", forwarded("203.0.113.9")));
    double.wait_until("the request", |counts| counts.query.in_work == 1);
    let ask = |address: &str| server.connect().request("GET", "/", &forwarded(address));
    ask("203.0.113.9").assert_problem(503, "busy");
    // Other clients are not at fault, and neither is the proxy.
    assert_eq!(ask("203.0.113.8").status, 200);
    assert_eq!(server.get("/").status, 200);
    double.set(Behaviour::default());
    assert_eq!(waiting.answer().status, 200);
    assert_eq!(ask("203.0.113.9").status, 200);
}

#[test]
fn a_reload_every_100_ms_under_load_fails_no_request() {
    let place = Reloaded::start(&["log.access=off", "http.queue_timeout=30s", "bucket.wait_timeout=30s"]);
    let load = RunningLoad::start(place.server.public);
    // Each of these swaps what it can: timeouts, the pool of connections, fields of answers, and nothing at all.
    let files = [
        "[http]\ncache_control = \"max-age=1\"\nidle_timeout = \"20s\"\n",
        "[bucket]\nconnections = \"pooled\"\n",
        "[bucket]\nconnections = \"pooled\"\nmax_connections = 7\noperation_timeout = \"20s\"\n",
        "[http]\nworkers = 9\n",
        "[http]\nlissten = 1\n",
        "",
    ];
    for text in files.iter().cycle().take(50) {
        place.write(text);
        place.server.signal("HUP");
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = place.server.log();
    assert!(log.matches("HUP: reload complete").count() >= 10, "{log}");
    assert!(log.contains("the settings are as before") && log.contains("need a restart: [http] workers"));
    load.assert_no_failure(&log);
}
