//! Times as the query service writes them: Go's notation, such as `1.109776ms` or `2m3.5s`.
//!
//! Invariant: pure; what is no such time, or a negative one, is none.

use std::time::Duration;

/// The units with their lengths in nanoseconds. Go writes the micro sign, and reads the Greek letter and `u` too.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a time, to the nanosecond.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds = 0_u64;
    while !rest.is_empty() {
        let (number, behind) = split_where(rest, |letter| !letter.is_ascii_digit() && letter != '.');
        let (unit, behind) = split_where(behind, |letter| letter.is_ascii_digit() || letter == '.');
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
        nanoseconds = nanoseconds.checked_add(multiplied(number, *length)?)?;
        rest = behind;
    }
    Some(Duration::from_nanos(nanoseconds))
}

/// A decimal number of units, cut to whole nanoseconds.
fn multiplied(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut total = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.checked_mul(unit)? };
    let mut place = unit;
    for digit in fraction.chars() {
        place /= 10;
        total = total.checked_add(place * u64::from(digit.to_digit(10)?))?;
    }
    Some(total)
}

fn split_where(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations() {
        for (text, nanoseconds) in [
            ("1.109776ms", Some(1_109_776)),
            ("1.015546ms", Some(1_015_546)),
            ("250ns", Some(250)),
            ("3us", Some(3000)),
            ("12.5µs", Some(12_500)),
            ("12.5μs", Some(12_500)),
            ("2.000000001s", Some(2_000_000_001)),
            ("2m3.5s", Some(123_500_000_000)),
            ("1h0m0s", Some(3_600_000_000_000)),
            (".5s", Some(500_000_000)),
            ("5.s", Some(5_000_000_000)),
            ("+1s", Some(1_000_000_000)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("", None),
            ("+", None),
            ("1", None),
            ("s", None),
            (".s", None),
            ("1.2.3s", None),
            ("-1s", None),
            ("1s2", None),
            ("1 s", None),
            ("1e3s", None),
            ("1d", None),
            ("infs", None),
            ("99999999999999999999999h", None),
            ("1é", None),
        ] {
            assert_eq!(parse(text), nanoseconds.map(Duration::from_nanos), "{text:?}");
        }
    }
}
