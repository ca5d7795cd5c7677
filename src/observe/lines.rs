//! What the log says of each observation.
//!
//! Invariant: one `match`, so that whoever adds an observation decides here what becomes of it; a failure is logged
//! once, here, and not where it came by.

use std::time::Duration;

use log::kv::Value;
use log::{Level, Record, debug, error, info, warn};

use super::Observation;

/// The target of access lines, so that `RUST_LOG=info,userprofiles::access=off` switches them off.
pub(super) const ACCESS: &str = "userprofiles::access";

/// Logs an observation.
#[allow(clippy::too_many_lines, reason = "one arm an observation")]
pub(super) fn log(observation: &Observation<'_>) {
    match observation {
        Observation::Answered(answered) => {
            if log::log_enabled!(target: ACCESS, log::Level::Info) {
                access_line(answered);
            }
        }
        Observation::BucketFailed { request_id, kind: _, reason } => error!(request_id = request_id; "{reason}"),
        Observation::DocumentInvalid { request_id, document, rule } => {
            error!(request_id = request_id, document = document; "a stored document is not a user profile: {rule}; correct it in the database");
        }
        Observation::UsernameDiffers { request_id, document } => {
            warn!(request_id = request_id, document = document; "the username in the document differs from its id; it was sent as it is");
        }
        Observation::Rejected { reason } => debug!(reason = *reason; "rejected"),
        Observation::AcceptPaused { error } => error!(
            "connections cannot be accepted: {error}; if the limit of open files is reached, raise LimitNOFILE (ulimit -n)"
        ),
        Observation::AcceptResumed { after } => {
            info!("connections are accepted again, after {} ms", after.as_millis());
        }
        Observation::DrainCutShort { unanswered } => {
            warn!("{unanswered} requests were still unanswered at the end of [http] drain_timeout and got a 503");
        }
        Observation::WorkerPanicked { request_id } => {
            error!(request_id = request_id; "a handler or worker panicked: a bug in this program, please report it; the connection is closed");
        }
        // Counted; the line of the request, or of the log itself, says the rest.
        Observation::BucketUsed { .. } | Observation::LoginAttemptRefused | Observation::LogLinesDropped { .. } => {}
        Observation::Retried { kind } => debug!(kind = *kind; "an attempt failed and is repeated"),
        Observation::DatabaseWarned { code, meaning } => {
            warn!(code = *code; "the database answered with a warning: {meaning}");
        }
        Observation::NumberRounded { product } => {
            warn!(
                "a whole number that does not fit 64 bits is stored as the nearest double, because {product} has no other for \
                 it; write it as a string to keep it"
            );
        }
        Observation::SlowOperation(slow) => slow_line(slow),
        Observation::BatchRetried { what, limit, reason } => {
            warn!(
                "{what} failed and is retried for at most {} s ([bucket] n1ql_timeout): {reason}",
                limit.as_secs().max(1)
            );
        }
        Observation::NodeDown { product, node, reason } => {
            warn!("{product} node {node} failed and gets no requests until it answers again: {reason}");
        }
        Observation::NodeUnreachable { product, node, reason } => {
            warn!("{product} node {node} is asked only where no other node is well, until it answers again: {reason}");
        }
        Observation::NodeErring { product, node, reason } => warn!(
            "{product} node {node} answers with an error that another node does not have, and gets no requests while \
             another node is well: {reason}"
        ),
        Observation::NodeUp { product, node } => info!("{product} node {node} answers again"),
        Observation::NodesFound { product, nodes } => info!("{product} nodes: {nodes}"),
        Observation::DiscoveryFailed { product, reason } => {
            warn!(
                "discovery of the {product} nodes failed and is retried; nodes that are already known stay in use: {reason}"
            );
        }
        Observation::DiscoveryRecovered { product } => info!("the nodes of {product} can be discovered again"),
        Observation::RecordFound { record, hosts } => {
            info!("SRV record {record} lists the hosts of the cluster: {hosts}");
        }
        Observation::RecordMissing { record } => info!(
            "there is no SRV record {record}, so the host of [couchbase] connection_string is used (dnssrv=0 in it skips \
             the lookup)"
        ),
        Observation::RecordLookupFailed { record, reason } => info!(
            "SRV record {record} could not be looked up, so the host of [couchbase] connection_string is used: {reason} \
             (dnssrv=0 in it skips the lookup)"
        ),
        Observation::PasswordExposed { product, host, remedy } => warn!(
            "the password for {product} is sent to {host} without TLS, where anyone on the network path can read it: {remedy}"
        ),
        Observation::LoginRefused { product } => warn!(
            "{product} rejects the login that it accepted before; if the password is being changed, this is temporary"
        ),
        Observation::LoginAccepted { product } => info!("{product} accepts the login again"),
        Observation::SecretUnreadable { product, reason } => {
            warn!("the password for {product} could not be read again, so the previous one is used: {reason}");
        }
        Observation::SettingsWarning(warning) => warn!("{warning}"),
        Observation::ConnectionsLimited { wanted, fitting } => warn!(
            "[http] max_connections = {wanted} exceeds the limit of open files, so {fitting} is used; raise LimitNOFILE (ulimit -n)"
        ),
        Observation::Imported { rejected: 0, summary } => info!("import: {summary}"),
        Observation::Imported { summary, .. } => warn!("import: {summary}; serving the documents that are stored"),
        Observation::DatabaseOpened { database, description } => info!("database: {database} ({description})"),
        Observation::SocketsInherited { setting, sockets } => {
            info!("sockets passed by the service manager: {sockets}, used instead of {setting}");
        }
        Observation::NotificationFailed { error } => {
            warn!("the service manager ($NOTIFY_SOCKET) could not be notified: {error}");
        }
        Observation::SelfCheckFailed { address, error } => error!(
            "the listener at {address} does not answer this program itself ({error}); the service manager restarts it if \
             that goes on (WatchdogSec=)"
        ),
        Observation::Listening { url } => info!("listening on {url}"),
        Observation::AdminListening { url } => info!("operators: {url} (/live, /ready, /metrics, /status)"),
        Observation::TryCommand { command } => info!("try: {command}"),
        Observation::SettingsReloaded => info!("HUP: reload complete"),
        Observation::SettingInvalid { reason } | Observation::ReloadRefused { reason } => warn!("HUP: {reason}"),
        Observation::RestartNeeded { settings } => {
            warn!("HUP: these settings have changed and need a restart: {settings}");
        }
        Observation::ReloadPostponed { section, place } => warn!(
            "[{section}] {place} or username has changed: all of [{section}] needs a restart, its password and certificates \
             too"
        ),
        Observation::AddressSkipped { setting, reason } => warn!("{setting}: {reason}"),
        Observation::ImportInterrupted { reason } => warn!("{reason}"),
        Observation::DatabaseReadOnly { description } => {
            warn!("{description} lies on a disk that is mounted read-only: it is read, and nothing can be imported");
        }
        Observation::DatabaseIsNew { description } => warn!(
            "{description} is new and empty, so every user is unknown: import some (userprofiles import FILE.jsonl), or \
             correct [embedded] path if there should be users"
        ),
        Observation::Draining { limit } => {
            info!("shutting down: requests that were received are answered within {} s", limit.as_secs());
        }
        Observation::Stopped => info!("stopped"),
    }
}

/// What is not known is left out, so that no reader of logs has to tell a number from its absence.
fn slow_line(slow: &super::SlowOperation<'_>) {
    let milliseconds = |duration: Option<Duration>| duration.map(|duration| Value::from(milliseconds(duration)));
    let fields: Vec<(&str, Value)> = [
        ("request_id", slow.request_id.map(Value::from)),
        ("database", Some(Value::from(slow.database.as_str()))),
        ("node", slow.node.map(Value::from)),
        ("outcome", Some(Value::from(slow.outcome))),
        ("code", slow.code.map(Value::from)),
        ("duration_ms", milliseconds(Some(slow.duration))),
        ("server_elapsed_ms", milliseconds(slow.server_elapsed)),
        ("server_execution_ms", milliseconds(slow.server_execution)),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .collect();
    let target = module_path!();
    log::logger().log(
        &Record::builder()
            .level(Level::Warn)
            .target(target)
            .args(format_args!("a slow operation of the database ([bucket] slow_operation)"))
            .key_values(&fields.as_slice())
            .build(),
    );
}

/// With three decimals: microseconds.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// What there is not: `-` in text, `null` in JSON.
fn optional(value: Option<Value<'_>>) -> Value<'_> {
    value.unwrap_or_else(Value::null)
}

fn access_line(answered: &super::Answered<'_>) {
    info!(
        target: ACCESS,
        method = answered.method,
        path = answered.target,
        route = answered.route,
        status = answered.status,
        bytes = answered.body_bytes,
        duration_ms = milliseconds(answered.duration),
        client = optional(answered.client.as_ref().map(Value::from_display)),
        protocol = answered.protocol,
        request_id = answered.request_id,
        code = optional(answered.code.map(|code| Value::from(code.as_str())));
        "answered"
    );
}
