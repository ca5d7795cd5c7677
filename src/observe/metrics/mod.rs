//! The metrics, in the text format of Prometheus.
//!
//! What happens is counted here as it is observed. Connections, requests and nodes are sampled at each scrape: see
//! [`Gauges`].
//!
//! Invariant: labels come from fixed sets, never from a request; counting an answer that is no problem takes no
//! lock.

mod histogram;
mod labels;
mod process;
mod series;

use std::time::Duration;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};
use serde::Serialize;

use self::histogram::Histogram;
use self::labels::{BucketLabels, Code, KindLabel, Outcome, Reason, RequestLabels, RouteLabels, State, Version};
use self::process::Process;
use self::series::Series;
use super::Observation;

/// The media type of [`Metrics::text`].
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a use of a bucket can end: well, or with a kind of error (`ErrorKind::as_str`).
const OUTCOMES: [&str; 7] =
    ["ok", "misconfigured", "unavailable", "busy", "timeout", "invalid-document", "unusable-id"];

/// Why connections are refused or cut off for want of something; requests that are no requests have reasons of their own.
const REASONS: [&str; 7] =
    ["full", "address-share", "no-memory", "evicted", "write-timeout", "overloaded", "shutting-down"];

/// What is done before an attempt is repeated.
const RETRIES: [&str; 5] = ["reconnect", "next-node", "second-opinion", "new-credentials", "after-pause"];

/// Less than this is what taking a free connection costs, and no wait.
const SHORTEST_WAIT: Duration = Duration::from_micros(100);

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    requests: Series<RequestLabels, Counter>,
    durations: Series<RouteLabels, Histogram>,
    problems: Family<Code, Counter>,
    rejected: Family<Reason, Counter>,
    connections: Family<State, Gauge>,
    max_connections: Gauge,
    blocking: Family<State, Gauge>,
    max_blocking: Gauge,
    bucket_durations: Series<BucketLabels, Histogram>,
    bucket_waits: Histogram,
    bucket_connections: Family<State, Gauge>,
    max_bucket_connections: Gauge,
    retries: Family<KindLabel, Counter>,
    nodes: Family<State, Gauge>,
    topology_changes: Counter,
    logins_refused: Counter,
    slow_operations: Counter,
    invalid_documents: Counter,
    reloads: Family<Outcome, Counter>,
    log_lines_dropped: Counter,
}

/// Values sampled at a scrape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Of the public listener.
    pub http: HttpGauges,
    /// Of the bucket connections.
    pub buckets: BucketGauges,
    /// Nodes of the database that answer.
    pub nodes_up: usize,
    /// Nodes of the database that do not, or answer with errors.
    pub nodes_down: usize,
}

/// Values of a listener. Serialized, they are what `/status` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HttpGauges {
    /// Connections that a thread works for, or that wait for one.
    #[serde(rename = "connections_active")]
    pub active: usize,
    /// Connections that wait for their client.
    #[serde(rename = "connections_waiting")]
    pub waiting: usize,
    /// Connections that may be open.
    pub max_connections: usize,
    /// Requests whose handlers may be waiting for the database.
    #[serde(rename = "blocking_requests_running")]
    pub running: usize,
    /// Requests that wait for one of these to end.
    #[serde(rename = "blocking_requests_queued")]
    pub queued: usize,
    /// How many such handlers may run at once.
    #[serde(rename = "max_blocking_requests")]
    pub max_running: usize,
}

/// Values of the bucket connections. Serialized, they are what `/status` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BucketGauges {
    /// Lent to a request.
    pub in_use: usize,
    /// Kept open for the next one.
    pub idle: usize,
    /// How many there may be.
    #[serde(rename = "max_connections")]
    pub max: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let build: Family<Version, Gauge> =
            registered(&mut registry, "build_info", "The version, as a label of the number 1");
        build.get_or_create(&Version { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register_collector(Box::new(Process));
        let metrics = Self {
            requests: Series::new(registered(&mut registry, "http_requests", "Answered requests")),
            durations: Series::new(registered(
                &mut registry,
                "http_request_duration_seconds",
                "From a complete request to the end of its answer",
            )),
            problems: registered(
                &mut registry,
                "http_problems",
                "Answers that are problems, by the code of the problem",
            ),
            rejected: registered(
                &mut registry,
                "http_rejected",
                "Connections and requests that were refused or cut off, by the reason",
            ),
            connections: registered(
                &mut registry,
                "http_connections",
                "Open connections: served by a thread (active), or waiting for their client (waiting)",
            ),
            max_connections: registered(
                &mut registry,
                "http_max_connections",
                "Connections that may be open ([http] max_connections)",
            ),
            blocking: registered(
                &mut registry,
                "http_blocking_requests",
                "Requests that need the database: in a handler (running), or waiting for one to end (queued)",
            ),
            max_blocking: registered(
                &mut registry,
                "http_max_blocking_requests",
                "Requests that may use the database at once",
            ),
            bucket_durations: Series::new(registered(
                &mut registry,
                "bucket_request_duration_seconds",
                "From a lent bucket connection to the end of the operation, opening it included",
            )),
            bucket_waits: registered(
                &mut registry,
                "bucket_wait_seconds",
                "How long requests waited for a bucket connection, where they had to",
            ),
            bucket_connections: registered(
                &mut registry,
                "bucket_connections",
                "Bucket connections: lent to a request (in_use), or kept open (idle)",
            ),
            max_bucket_connections: registered(
                &mut registry,
                "bucket_max_connections",
                "Bucket connections that may be open ([bucket] max_connections)",
            ),
            retries: registered(
                &mut registry,
                "bucket_retries",
                "Attempts that were repeated, by what was done before",
            ),
            nodes: registered(&mut registry, "bucket_nodes", "Nodes of the database, where they are known: up or down"),
            topology_changes: registered(
                &mut registry,
                "bucket_topology_changes",
                "Times that the nodes of the database were found or changed",
            ),
            logins_refused: registered(&mut registry, "bucket_logins_refused", "Logins that the database refused"),
            invalid_documents: registered(
                &mut registry,
                "invalid_documents",
                "Stored documents that were read and are no user profiles",
            ),
            slow_operations: registered(
                &mut registry,
                "bucket_slow_operations",
                "Operations that took as long as [bucket] slow_operation, or longer",
            ),
            reloads: registered(
                &mut registry,
                "reloads",
                "Times that the settings were read again (HUP): ok or refused",
            ),
            log_lines_dropped: registered(
                &mut registry,
                "log_lines_dropped",
                "Lines of the log that nobody took from standard error in time",
            ),
            registry,
        };
        metrics.initialize_series();
        metrics
    }
}

impl Metrics {
    /// Counts an observation.
    pub fn count(&self, observation: &Observation) {
        match observation {
            Observation::Answered(answered) => {
                let (route, status) = (answered.route, answered.status);
                let method = labels::method(answered.method);
                self.requests.with(&RequestLabels { method, route, status }, |counter| {
                    counter.inc();
                });
                self.durations.with(&RouteLabels { route }, |histogram| histogram.observe(answered.duration));
                if let Some(code) = answered.code {
                    self.problems.get_or_create(&Code { code: code.as_str() }).inc();
                }
            }
            Observation::Rejected { reason } => {
                self.rejected.get_or_create(&Reason { reason }).inc();
            }
            Observation::BucketUsed { database, outcome, waited, duration } => {
                let labels = BucketLabels { database: database.as_str(), outcome };
                self.bucket_durations.with(&labels, |histogram| histogram.observe(*duration));
                if *waited >= SHORTEST_WAIT {
                    self.bucket_waits.observe(*waited);
                }
            }
            Observation::DatabaseOpened { database, .. } => {
                let database = database.as_str();
                for outcome in OUTCOMES {
                    self.bucket_durations.with(&BucketLabels { database, outcome }, |_| {});
                }
            }
            Observation::Retried { kind } => {
                self.retries.get_or_create(&KindLabel { kind }).inc();
            }
            Observation::NodesFound { .. } => {
                self.topology_changes.inc();
            }
            Observation::DocumentInvalid { .. } => {
                self.invalid_documents.inc();
            }
            Observation::LoginAttemptRefused => {
                self.logins_refused.inc();
            }
            Observation::SlowOperation(_) => {
                self.slow_operations.inc();
            }
            Observation::SettingsReloaded => {
                self.reloads.get_or_create(&Outcome { outcome: "ok" }).inc();
            }
            Observation::ReloadRefused { .. } => {
                self.reloads.get_or_create(&Outcome { outcome: "refused" }).inc();
            }
            Observation::LogLinesDropped { lines } => {
                self.log_lines_dropped.inc_by(*lines);
            }
            _ => {}
        }
    }

    /// Returns how many requests of the public listener were answered.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.requests.iter().map(Counter::get).sum()
    }

    /// Returns all metrics as text.
    #[must_use]
    pub fn text(&self, gauges: &Gauges) -> String {
        let Gauges { http, buckets, nodes_up, nodes_down } = *gauges;
        set_states(&self.connections, &[("active", http.active), ("waiting", http.waiting)]);
        set_states(&self.blocking, &[("running", http.running), ("queued", http.queued)]);
        set_states(&self.bucket_connections, &[("in_use", buckets.in_use), ("idle", buckets.idle)]);
        set_states(&self.nodes, &[("up", nodes_up), ("down", nodes_down)]);
        set(&self.max_connections, http.max_connections);
        set(&self.max_blocking, http.max_running);
        set(&self.max_bucket_connections, buckets.max);
        let mut text = String::with_capacity(16 * 1024);
        // Writing to a string cannot fail.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }

    /// Makes those series exist from the start that alerts ask for before anything has happened. Those of the database follow once it is
    /// known which one that is.
    fn initialize_series(&self) {
        for code in crate::problem::ProblemCode::ALL {
            drop(self.problems.get_or_create(&Code { code: code.as_str() }));
        }
        for reason in REASONS {
            drop(self.rejected.get_or_create(&Reason { reason }));
        }
        for kind in RETRIES {
            drop(self.retries.get_or_create(&KindLabel { kind }));
        }
        for outcome in ["ok", "refused"] {
            drop(self.reloads.get_or_create(&Outcome { outcome }));
        }
    }
}

fn set_states(family: &Family<State, Gauge>, states: &[(&'static str, usize)]) {
    for (state, value) in states {
        set(&family.get_or_create(&State { state }), *value);
    }
}

fn set(gauge: &Gauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// Returns a metric that is exposed under this name.
fn registered<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(format!("userprofiles_{name}"), help, metric.clone());
    metric
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Answered, Observer};
    use crate::problem::ProblemCode;

    fn answered(method: &str, status: u16, code: Option<ProblemCode>) -> Answered<'_> {
        Answered {
            method,
            target: "/users/x?secret",
            route: "/users/{username}",
            status,
            body_bytes: 1,
            duration: Duration::from_millis(3),
            request_id: "id",
            client: None,
            protocol: "HTTP/1.1",
            code,
        }
    }

    #[test]
    fn answers_are_counted_by_labels_of_fixed_sets() {
        let observer = Observer::default();
        for (method, status, code) in
            [("GET", 200, None), ("GET", 200, None), ("X\"\n", 405, Some(ProblemCode::MethodNotAllowed))]
        {
            observer.emit(&Observation::Answered(&answered(method, status, code)));
        }
        let text = observer.metrics().text(&Gauges::default());
        for line in [
            r#"userprofiles_http_requests_total{method="GET",route="/users/{username}",status="200"} 2"#,
            r#"userprofiles_http_requests_total{method="OTHER",route="/users/{username}",status="405"} 1"#,
            r#"userprofiles_http_problems_total{code="method-not-allowed"} 1"#,
            r#"userprofiles_http_request_duration_seconds_bucket{route="/users/{username}",le="0.0025"} 0"#,
            r#"userprofiles_http_request_duration_seconds_bucket{route="/users/{username}",le="0.005"} 3"#,
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
        assert!(!text.contains("secret"));
    }

    #[test]
    fn what_is_the_case_is_shown_as_it_is_at_the_scrape() {
        let metrics = Metrics::default();
        let http = HttpGauges { active: 2, waiting: 3, max_connections: 9, running: 1, queued: 4, max_running: 7 };
        let buckets = BucketGauges { in_use: 1, idle: 5, max: 8 };
        let text = metrics.text(&Gauges { http, buckets, nodes_up: 2, nodes_down: 1 });
        for line in [
            r#"userprofiles_http_connections{state="waiting"} 3"#,
            "userprofiles_http_max_connections 9",
            r#"userprofiles_http_blocking_requests{state="queued"} 4"#,
            r#"userprofiles_bucket_connections{state="idle"} 5"#,
            r#"userprofiles_bucket_nodes{state="down"} 1"#,
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
        assert!(metrics.text(&Gauges::default()).contains("userprofiles_http_max_connections 0"));
    }
}
