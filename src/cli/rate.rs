//! How long something took, and how many a second that is, for people.
//!
//! Invariant: pure.

use std::fmt;
use std::time::Duration;

/// So many things in so much time: `0.02 s, 300 000 a second`.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// In how long.
    pub took: Duration,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, took } = *self;
        let seconds = took.as_secs_f64();
        write!(f, "{seconds:.2} s")?;
        match u128::from(count).saturating_mul(1_000_000).checked_div(took.as_micros()) {
            Some(rate) if rate > 0 => write!(f, ", {} a second", Grouped(rounded(rate))),
            _ => Ok(()),
        }
    }
}

/// To three digits: more of them change from run to run.
fn rounded(rate: u128) -> u128 {
    let mut unit = 1;
    while rate / unit >= 1_000 {
        unit *= 10;
    }
    (rate + unit / 2) / unit * unit
}

/// A number with its digits in groups of three.
struct Grouped(u128);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                write!(f, " ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_of_a_rate_are_told() {
        for (count, micros, expected) in [
            (6_000, 20_000, "0.02 s, 300 000 a second"),
            (1_234_567, 2_000_000, "2.00 s, 617 000 a second"),
            (2_000_000, 1_000_000, "1.00 s, 2 000 000 a second"),
            (9_996, 1_000_000, "1.00 s, 10 000 a second"),
            (50, 10_000_000, "10.00 s, 5 a second"),
            (1, 3_000_000, "3.00 s"),
            (0, 4, "0.00 s"),
            (7, 0, "0.00 s"),
        ] {
            let rate = Rate { count, took: Duration::from_micros(micros) };
            assert_eq!(rate.to_string(), expected);
        }
    }
}
