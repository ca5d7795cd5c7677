//! The listener for operators while nothing else of the server moves. It has a program of its own, so that no other test is in
//! its way.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]
#![allow(clippy::cast_possible_truncation, reason = "small whole numbers")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/metrics.rs"]
mod metrics;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use couchbase::Double;
use metrics::scrape;
use on_couchbase::{profile, serve};
use support::client::Client;
use support::server::PATIENCE;

const REQUESTS: usize = 100;

/// What the issue demands of an answer.
const AT_ONCE: Duration = Duration::from_millis(50);

/// The public listener has as many connections as it may, each of its workers is stuck, and the database is frozen.
#[test]
fn operators_get_their_answers_while_everything_else_is_stuck() {
    let double = Double::start();
    double.put("userprofile::x", &profile("x"));
    let server = serve(&double, &["http.max_connections=64", "http.workers=8", "http.queue_timeout=60s"]);
    assert_eq!(server.get("/users/x").status, 200);
    double.query_port().go_deaf();
    double.query_port().close_connections();
    let mut clients: Vec<Client> = (0..64).map(|_| server.connect()).collect();
    let (asking, slow) = clients.split_at_mut(32);
    for client in asking {
        client.send("GET /users/x HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for client in slow {
        client.send("GET /users/x HTTP/1.1\r\nHo");
    }
    let stuck = BTreeMap::from([
        ("userprofiles_http_connections", 64),
        ("userprofiles_http_blocking_requests{state=\"running\"}", 7),
        ("userprofiles_http_blocking_requests{state=\"queued\"}", 25),
        ("userprofiles_bucket_connections{state=\"in_use\"}", 7),
    ]);
    let is_stuck = |metrics: &BTreeMap<String, f64>| {
        stuck.iter().all(|(name, expected)| {
            let states = metrics.iter().filter(|(series, _)| series.starts_with(name));
            states.map(|(_, value)| value).sum::<f64>() as i64 == *expected
        })
    };
    let start = Instant::now();
    while !is_stuck(&scrape(&server)) {
        assert!(start.elapsed() < PATIENCE, "{:#?}", scrape(&server));
    }
    for path in ["/live", "/metrics", "/status"] {
        for number in 0..REQUESTS {
            let start = Instant::now();
            assert_eq!(server.admin_get(path).status, 200);
            let took = start.elapsed();
            assert!(took < AT_ONCE, "{path}, request {number}: {} ms", took.as_millis());
        }
    }
    let problem = server.admin_get("/ready").assert_problem(503, "unavailable");
    assert!(problem["detail"].as_str().unwrap().contains("in time"), "{problem}");
}
