//! Metrics as a server exposes them.

use std::collections::BTreeMap;

use crate::support::server::Server;

/// The series of a server, each with its value.
pub fn scrape(server: &Server) -> BTreeMap<String, f64> {
    let answer = server.admin_get("/metrics");
    assert_eq!(answer.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let samples = answer.text().lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}
