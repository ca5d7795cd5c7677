//! The names of one request, passed on to databases so that their logs can be matched with ours.
//!
//! Invariant: pure, and strict: what leaves this module is fit for a header field and a log line, whatever a client
//! has sent.

/// Length of a `traceparent` of version 00, in bytes.
const TRACEPARENT_BYTES: usize = 55;

/// The names of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The id of the request (1 to 64 visible ASCII characters without `"` and `\\`).
    pub request_id: Option<String>,
    /// The client's own `traceparent`, if it is one (W3C Trace Context, §3.2).
    pub traceparent: Option<String>,
}

impl Trace {
    /// The names of a request with this id and this value of its field `traceparent`.
    #[must_use]
    pub fn of(request_id: &str, traceparent: Option<&str>) -> Self {
        Self {
            request_id: Some(request_id.to_owned()),
            traceparent: traceparent.filter(|value| is_traceparent(value)).map(str::to_owned),
        }
    }
}

/// True for a `traceparent` of version 00 (W3C Trace Context, §3.2.2): `00-` trace id `-` parent id `-` flags, in
/// lower-case hexadecimal digits, neither id of zeros alone. Later versions may mean something else, so they are not
/// passed on; nor are several lines, which reach us joined by a comma.
fn is_traceparent(value: &str) -> bool {
    if value.len() != TRACEPARENT_BYTES {
        return false;
    }
    let mut parts = value.split('-');
    let (Some("00"), Some(trace_id), Some(parent_id), Some(flags), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    is_id(trace_id, 32) && is_id(parent_id, 16) && is_hex(flags, 2)
}

fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|byte| byte != b'0')
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_passed_on_only_if_it_is_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (value, expected) in [
            (good, true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true),
            ("00-00000000000000000000000000000001-0000000000000001-ff", true),
            ("", false),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e47é6-00f067aa0ba902b7-1", false),
            (&format!("{good}, {good}"), false),
            (&format!(" {good}"), false),
        ] {
            let trace = Trace::of("1", Some(value));
            assert_eq!(trace.traceparent.as_deref(), expected.then_some(value), "{value:?}");
            assert_eq!(trace.request_id.as_deref(), Some("1"));
        }
        assert_eq!(Trace::of("1", None).traceparent, None);
    }
}
