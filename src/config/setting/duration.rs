//! Times: `250ms`, `30s`, `5m`, `1h`.
//!
//! Invariant: no time is zero, and none is longer than its kind allows.

use std::time::Duration;

use super::kind::{Kind, Reloaded};
use super::raw::Raw;

const HOUR_SECONDS: u64 = 60 * 60;

/// No timeout is longer than a day: whoever writes more has mistaken the unit.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * HOUR_SECONDS);

/// A timeout of `[http]`.
pub type HttpTimeout = Reloaded<Timeout<HOUR_SECONDS>>;

/// A timeout of `[bucket]`.
pub type BucketTimeout = Reloaded<Timeout<{ LONGEST_TIMEOUT.as_secs() }>>;

/// A time from 1 ms to so many seconds.
pub enum Timeout<const LONGEST_SECONDS: u64> {}

impl<const LONGEST_SECONDS: u64> Kind for Timeout<LONGEST_SECONDS> {
    type Value = Duration;

    fn read(raw: &Raw) -> Result<Duration, String> {
        if let Raw::Integer(number) = raw {
            return Err(format!("has no unit: write \"{number}s\" for seconds or \"{number}ms\" for thousandths"));
        }
        let duration = parse_duration(raw.text()?)?;
        if duration.is_zero() {
            return Err("is no time at all: write at least \"1ms\"".to_owned());
        }
        if duration > Duration::from_secs(LONGEST_SECONDS) {
            return Err(format!("is too long: write at most \"{LONGEST_SECONDS}s\""));
        }
        Ok(duration)
    }

    fn to_toml(duration: &Duration) -> Option<String> {
        Some(match duration.subsec_millis() {
            0 => format!("\"{}s\"", duration.as_secs()),
            _ => format!("\"{}ms\"", duration.as_millis()),
        })
    }
}

/// Reads a whole number and its unit.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60 * 1000),
        "h" => Some(60 * 60 * 1000),
        _ => None,
    };
    number
        .parse::<u64>()
        .ok()
        .zip(milliseconds)
        .and_then(|(number, milliseconds)| number.checked_mul(milliseconds))
        .map(Duration::from_millis)
        .ok_or_else(|| {
            format!("is {text:?}: write a whole number and a unit, such as \"250ms\", \"30s\", \"5m\" or \"1h\"")
        })
}
