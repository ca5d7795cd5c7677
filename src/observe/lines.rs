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
pub(super) fn log(observation: &Observation<'_>) {
    match observation {
        Observation::Answered(answered) => {
            if log::log_enabled!(target: ACCESS, log::Level::Info) {
                access_line(answered);
            }
        }
        Observation::BucketFailed { request_id, error } => error!(request_id = request_id; "{error}"),
        Observation::DocumentInvalid { request_id, id, rule } => {
            error!(request_id = request_id, document = id.as_str(); "a stored document is not a user profile: {rule}; mend it in the database");
        }
        Observation::UsernameDiffers { request_id, id } => {
            warn!(request_id = request_id, document = id.as_str(); "the document has another username than its id; it was answered as it is");
        }
        Observation::DatabaseWarned { code, meaning } => {
            warn!(code = *code; "the database answered with a warning: {meaning}");
        }
        Observation::SlowOperation(slow) => slow_line(slow),
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
        Observation::Note(note) => info!("{note}"),
        Observation::Warning(warning) => warn!("{warning}"),
    }
}

/// What is not known is left out, so that no reader of logs has to tell a number from its absence.
fn slow_line(slow: &super::SlowOperation<'_>) {
    let database = slow.database.as_str();
    let milliseconds = |duration: Option<Duration>| duration.map(|duration| Value::from(milliseconds(duration)));
    let exchange = slow.exchange.as_ref();
    let fields: Vec<(&str, Value)> = [
        ("request_id", slow.request_id.map(Value::from)),
        ("database", Some(Value::from(database))),
        ("node", exchange.map(|exchange| Value::from(exchange.node))),
        ("outcome", Some(Value::from(slow.outcome))),
        ("code", exchange.and_then(|exchange| exchange.code).map(Value::from)),
        ("duration_ms", milliseconds(Some(slow.duration))),
        ("server_elapsed_ms", milliseconds(exchange.and_then(|exchange| exchange.elapsed))),
        ("server_execution_ms", milliseconds(exchange.and_then(|exchange| exchange.execution))),
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
