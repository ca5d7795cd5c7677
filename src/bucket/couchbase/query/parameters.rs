//! The JSON body of a request: a statement, its arguments, and the parameters that every request of ours has.
//!
//! Invariant: pure; a request never works longer than its sender waits, and never returns more than it was asked for
//! (no signature, no white space).

use std::time::Duration;

use serde::Serialize;

use crate::bucket::rest::Call;

/// Longest `client_context_id`, in bytes: the engine cuts what is longer.
const MAX_CONTEXT_ID_BYTES: usize = 64;

/// The engine stops this much before our own deadline, so that its own timeout error still reaches us.
const LONGEST_GRACE: Duration = Duration::from_millis(100);

/// What a statement may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatementKind {
    /// The engine refuses a statement that changes something.
    Read,
    /// It may change something.
    Write,
}

/// The parameters of a request, by the names that the engine has for them. It refuses any that it does not know.
#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "they are truth values on the wire")]
struct Parameters<'a, A: Serialize> {
    statement: &'a str,
    #[serde(flatten)]
    arguments: &'a A,
    readonly: bool,
    timeout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_context_id: Option<&'a str>,
    pretty: bool,
    metrics: bool,
    signature: bool,
}

/// Appends the body of a request to `body`. The members of `arguments` are added to the others. A request id that the
/// engine would refuse as `client_context_id` is left out.
pub(super) fn write(body: &mut Vec<u8>, statement: &str, arguments: &impl Serialize, kind: StatementKind, call: &Call) {
    let parameters = Parameters {
        statement,
        arguments,
        readonly: kind == StatementKind::Read,
        timeout: server_timeout(call.left),
        client_context_id: call.trace.request_id.as_deref().filter(|id| is_context_id(id)),
        pretty: false,
        // How long the service itself took is what tells a slow service from a slow network, and how many documents it
        // stored is what tells a whole success.
        metrics: true,
        signature: false,
    };
    // Text and truth values, into memory: there is nothing that serde_json can fail on.
    let _ = serde_json::to_writer(body, &parameters);
}

/// How long the engine may work, with a unit, which old servers insist on; at least a millisecond, because zero would
/// mean no limit.
fn server_timeout(left: Duration) -> String {
    let grace = (left / 10).min(LONGEST_GRACE);
    format!("{}ms", left.saturating_sub(grace).as_millis().max(1))
}

fn is_context_id(id: &str) -> bool {
    (1..=MAX_CONTEXT_ID_BYTES).contains(&id.len())
        && !id.chars().any(|character| character.is_control() || character == '"' || character == '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_gets_a_little_less_than_what_is_left_and_never_zero() {
        for (left_ms, text) in [(30_000, "29900ms"), (500, "450ms"), (1, "1ms"), (0, "1ms")] {
            assert_eq!(server_timeout(Duration::from_millis(left_ms)), text);
        }
    }

    #[test]
    fn a_context_id_that_the_engine_would_refuse_or_cut_is_left_out() {
        for context_id in ["", "a\"b", "a\\b", "a\nb", &"x".repeat(65)] {
            assert!(!is_context_id(context_id), "{context_id:?}");
        }
    }
}
