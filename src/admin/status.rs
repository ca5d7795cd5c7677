//! `/status`: what the process is doing, for a person who looks or a script that asks.
//!
//! Invariant: does no I/O; the page and the JSON say the same.

use std::time::{Duration, SystemTime};

use rouille::Response;
use serde::Serialize;

use super::Admin;
use crate::clock;
use crate::observe::metrics::{BucketGauges, HttpGauges};
use crate::observe::recent::Failure;
use crate::pages::{Html, Page};

/// The program's state at one moment. Its fields are the members of the JSON.
#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    started: String,
    uptime_s: u64,
    database: Database,
    nodes: Vec<Node>,
    last_failure: Option<LastFailure>,
    http: HttpGauges,
    buckets: BucketGauges,
    /// As TOML, with secrets as `***`.
    settings: String,
}

#[derive(Serialize)]
struct Database {
    name: &'static str,
    description: String,
    connections: &'static str,
}

#[derive(Serialize)]
struct Node {
    address: String,
    is_up: bool,
    last_failure: Option<LastFailure>,
}

#[derive(Serialize)]
struct LastFailure {
    at: String,
    reason: String,
}

impl Status {
    /// Collects what is known.
    pub fn of(admin: &Admin) -> Self {
        let database = admin.buckets.database();
        let recent = admin.observer.recent();
        let nodes = database.nodes().into_iter().map(|status| Node {
            last_failure: recent.of_node(&status.node).map(LastFailure::from),
            address: status.node,
            is_up: status.is_up,
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started: rfc3339(admin.state.started_at),
            uptime_s: clock::now().saturating_duration_since(admin.state.since).as_secs(),
            database: Database {
                name: database.name().as_str(),
                description: database.describe(),
                connections: admin.buckets.options().connections.as_str(),
            },
            nodes: nodes.collect(),
            last_failure: recent.of_database().map(LastFailure::from),
            http: admin.public.gauges(),
            buckets: admin.buckets.gauges(),
            settings: admin.state.settings.text(),
        }
    }

    /// Returns it as JSON.
    pub fn json(&self) -> Response {
        // Strings, numbers and booleans: there is nothing in it that serde_json can fail on.
        Response::from_data("application/json", serde_json::to_vec_pretty(self).unwrap_or_default())
    }

    /// Returns it as a page.
    pub fn page(&self) -> Response {
        let Self { http, buckets, database, .. } = self;
        let mut body = Html::new();
        body.markup("<h1>Status</h1>\n");
        table(
            &mut body,
            &[
                ("Version", self.version.to_owned()),
                ("Started", self.started.clone()),
                ("Uptime", humantime::format_duration(Duration::from_secs(self.uptime_s)).to_string()),
            ],
        );
        body.heading("Database");
        table(
            &mut body,
            &[
                ("Database", format!("{} ({})", database.name, database.description)),
                (
                    "Connections",
                    format!(
                        "{}: {} in use, {} idle, at most {}",
                        database.connections, buckets.in_use, buckets.idle, buckets.max
                    ),
                ),
                ("Last failure of a read", self.last_failure.as_ref().map_or("none".to_owned(), LastFailure::text)),
            ],
        );
        body.markup("<p>Whether it can be asked now: <a href=\"/ready\">/ready</a>.</p>\n");
        if !self.nodes.is_empty() {
            body.heading("Nodes");
            nodes(&mut body, &self.nodes);
        }
        body.heading("Public listener");
        table(
            &mut body,
            &[
                (
                    "Connections",
                    format!(
                        "{} active, {} waiting for their client, at most {}",
                        http.active, http.waiting, http.max_connections
                    ),
                ),
                (
                    "Requests that need the database",
                    format!("{} running, {} queued, at most {} at once", http.running, http.queued, http.max_running),
                ),
            ],
        );
        body.heading("Settings in force").markup("<pre><code>").text(&self.settings).markup("</code></pre>\n");
        Page {
            title: "Status – userprofiles",
            home: "/status",
            links: &[("/ready", "Ready"), ("/metrics", "Metrics")],
            body,
            script: None,
        }
        .response()
    }
}

fn table(body: &mut Html, rows: &[(&str, String)]) {
    body.markup("<table>\n");
    for (name, value) in rows {
        body.markup("<tr><th scope=\"row\">").text(name).markup("</th><td>").text(value).markup("</td></tr>\n");
    }
    body.markup("</table>\n");
}

fn nodes(body: &mut Html, nodes: &[Node]) {
    body.markup("<table>\n<tr><th scope=\"col\">Node</th><th scope=\"col\">State</th><th scope=\"col\">Last failure</th></tr>\n");
    for Node { address, is_up, last_failure } in nodes {
        let state = if *is_up { "<td class=\"good\">up</td>" } else { "<td class=\"bad\">down</td>" };
        let failure = last_failure.as_ref().map_or("none".to_owned(), LastFailure::text);
        body.markup("<tr><td>").text(address).markup("</td>").markup(state).markup("<td>").text(&failure);
        body.markup("</td></tr>\n");
    }
    body.markup("</table>\n");
}

impl LastFailure {
    fn text(&self) -> String {
        format!("{}: {}", self.at, self.reason)
    }
}

impl From<Failure> for LastFailure {
    fn from(Failure { at, reason }: Failure) -> Self {
        Self { at: rfc3339(at), reason }
    }
}

/// In UTC, to the second.
fn rfc3339(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}
