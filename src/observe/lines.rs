//! What the log says of each observation.
//!
//! Invariant: one `match`, so that whoever adds an observation decides here what becomes of it; a failure is logged
//! once, here, and not where it came by.

use log::{debug, error, info, warn};

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

fn access_line(answered: &super::Answered<'_>) {
    let duration_ms = answered.duration.as_secs_f64() * 1000.0;
    info!(
        target: ACCESS,
        method = answered.method,
        path = answered.target,
        route = answered.route,
        status = answered.status,
        bytes = answered.body_bytes,
        duration_ms = (duration_ms * 1000.0).round() / 1000.0,
        request_id = answered.request_id,
        code = answered.code.map_or("-", crate::problem::ProblemCode::as_str);
        "answered"
    );
}
