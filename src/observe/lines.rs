//! What the log says of each observation.
//!
//! Invariant: one `match`, so that whoever adds an observation decides here what becomes of it; a failure is logged
//! once, here, and not where it came by.

use std::time::Duration;

use log::kv::Value;
use log::{Level, Record, debug, error, info, warn};

use super::Observation;

/// The target of access lines, so that `RUST_LOG=info,userprofiles::access=off` switches them off.
const ACCESS: &str = "userprofiles::access";

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
            error!(request_id = request_id, document = document; "a stored document is not a user profile: {rule}; mend it in the database");
        }
        Observation::UsernameDiffers { request_id, document } => {
            warn!(request_id = request_id, document = document; "the document has another username than its id; it was answered as it is");
        }
        Observation::Rejected { reason } => debug!(reason = *reason; "rejected"),
        Observation::AcceptPaused { error } => error!(
            "no connection can be accepted for now: {error}; if it is for want of files, raise LimitNOFILE (ulimit -n)"
        ),
        Observation::AcceptResumed { after } => {
            info!("connections are accepted again, after {} ms", after.as_millis());
        }
        Observation::DrainCutShort { unanswered } => warn!(
            "{unanswered} requests still waited for the database at the end of [http] drain_timeout, and were told 503"
        ),
        Observation::WorkerPanicked { request_id } => {
            error!(request_id = request_id; "a request met a defect of this program, which cost it its connection");
        }
        Observation::DatabaseWarned { code, meaning } => {
            warn!(code = *code; "the database answered with a warning: {meaning}");
        }
        Observation::SlowOperation(slow) => slow_line(slow),
        Observation::BatchRetried { what, limit, reason } => warn!(
            "{what} failed and is tried again, for {} s at the most ([bucket] n1ql_timeout): {reason}",
            limit.as_secs()
        ),
        Observation::NodeDown { product, node, reason } => {
            warn!("the {product} node {node} is left out until it answers again: {reason}");
        }
        Observation::NodeUp { product, node } => info!("the {product} node {node} answers again"),
        Observation::NodesFound { product, nodes } => info!("{product} is asked at {nodes}"),
        Observation::DiscoveryFailed { product, reason } => {
            warn!("{product} could not be asked for its nodes, those that are known are kept: {reason}");
        }
        Observation::DiscoveryRecovered { product } => info!("{product} can be asked for its nodes again"),
        Observation::RecordFound { record, hosts } => info!("DNS names the hosts of the cluster ({record}): {hosts}"),
        Observation::RecordMissing { record } => info!(
            "DNS has no record {record}, so the host of [couchbase] connection_string is asked itself (dnssrv=0 in it \
             spares the look-up)"
        ),
        Observation::RecordLookupFailed { record, reason } => info!(
            "DNS could not be asked for {record}, so the host of [couchbase] connection_string is asked itself: \
             {reason} (dnssrv=0 in it spares the look-up)"
        ),
        Observation::PasswordExposed { product, host, remedy } => warn!(
            "the password for {product} goes over the network to {host} as anybody on the way can read it: {remedy}"
        ),
        Observation::LoginRefused { product } => warn!(
            "{product} refuses the login that it took until now; if its password is being changed, that will pass"
        ),
        Observation::LoginAccepted { product } => info!("{product} takes the login again"),
        Observation::SecretUnreadable { product, reason } => {
            warn!("the password for {product} cannot be read again, and the one from before is used: {reason}");
        }
        Observation::SettingsWarning(warning) => warn!("{warning}"),
        Observation::ConnectionsLimited { wanted, fitting } => warn!(
            "[http] max_connections = {wanted} does not fit under the limit of open files: {fitting} it is; raise LimitNOFILE (or ulimit -n)"
        ),
        Observation::Imported { rejected: 0, summary } => info!("import: {summary}"),
        Observation::Imported { summary, .. } => warn!("import: {summary}; serving what is there"),
        Observation::DatabaseOpened { database, description } => info!("database: {database} ({description})"),
        Observation::Listening { url } => info!("listening on {url}"),
        Observation::AdminListening { url } => info!("operators: {url} (/live, /ready)"),
        Observation::TryCommand { command } => info!("try: {command}"),
        Observation::SettingsReloaded => info!("HUP: settings and secrets were read again"),
        Observation::ReloadRefused { reason } => warn!("HUP: {reason}"),
        Observation::RestartNeeded { settings } => {
            warn!("HUP: these settings have changed and wait for a restart: {settings}");
        }
        Observation::ReloadPostponed { section, place } => warn!(
            "[{section}] {place} or username has changed: all of [{section}] waits for a restart, its password and \
             certificates too"
        ),
        Observation::Draining { limit } => {
            info!("going down: answering what was sent, for {} s at the most", limit.as_secs());
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

fn access_line(answered: &super::Answered<'_>) {
    info!(
        target: ACCESS,
        method = answered.method,
        path = answered.target,
        route = answered.route,
        status = answered.status,
        bytes = answered.body_bytes,
        duration_ms = milliseconds(answered.duration),
        request_id = answered.request_id,
        code = answered.code.map_or("-", crate::problem::ProblemCode::as_str);
        "answered"
    );
}
