//! Values of settings: what a file, a variable or a flag says, and what it means.
//!
//! Invariant: a `Value` has passed the check of its kind.

use std::fmt::Write as _;
use std::time::Duration;

use super::checks::Check;
use super::listen::ListenAddress;
use super::names;

/// No timeout is longer than a day: whoever writes more has mistaken the unit.
pub(super) const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// What a setting can be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// One text that passes a check.
    Text(Check),
    /// Any number of texts that each pass a check.
    List(Check, AtLeast),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`
    Flag,
    /// A whole number, both ends included.
    Count { min: u32, max: u32 },
    /// A time, from 1 ms to this.
    Duration(Duration),
    /// One or more addresses to listen on.
    Listeners,
    /// One address to listen on, or `off`.
    ListenerOrOff,
    /// Permission bits, as octal digits in a text.
    UnixMode,
}

/// How many entries a list must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtLeast {
    None,
    One,
}

/// What was written, before it is known what it means.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    /// In a variable or a flag, where everything is a text.
    Plain(String),
    /// The rest in TOML: a string.
    Text(String),
    /// A number without a point, in decimal digits.
    Integer(String),
    /// A boolean.
    Flag(bool),
    /// An array of strings.
    List(Vec<String>),
    /// Anything else, by the name of its type.
    Other(&'static str),
}

/// What it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Flag(bool),
    Count(u32),
    Duration(Duration),
    /// Empty: off.
    Listeners(Vec<ListenAddress>),
    Mode(u32),
}

impl Kind {
    /// Reads what was written.
    ///
    /// # Errors
    /// What to write, as the end of a sentence that begins with the name of the setting.
    pub(super) fn parse(self, raw: &Raw) -> Result<Value, String> {
        match self {
            Self::Text(check) => {
                let text = string(raw)?;
                check(text)?;
                Ok(Value::Text(text.to_owned()))
            }
            Self::List(check, at_least) => {
                let entries = list(raw)?;
                if at_least == AtLeast::One && entries.is_empty() {
                    return Err("is empty: it needs at least one entry".to_owned());
                }
                entries.iter().try_for_each(|entry| check(entry))?;
                no_entry_twice(&entries)?;
                Ok(Value::List(entries))
            }
            Self::Choice(words) => choice(string(raw)?, words),
            Self::Flag => match raw {
                Raw::Flag(flag) => Ok(Value::Flag(*flag)),
                Raw::Plain(text) if text == "true" => Ok(Value::Flag(true)),
                Raw::Plain(text) if text == "false" => Ok(Value::Flag(false)),
                Raw::Plain(_) => Err("is neither: write true or false".to_owned()),
                _ => Err("is neither: write true or false, without quotes".to_owned()),
            },
            Self::Count { min, max } => match raw {
                Raw::Plain(text) | Raw::Integer(text) => count(text, min, max),
                _ => Err(format!("is not a whole number: write one from {min} to {max}, without quotes")),
            },
            Self::Duration(longest) => {
                let text = match raw {
                    Raw::Integer(number) => {
                        return Err(format!(
                            "has no unit: write \"{number}s\" for seconds or \"{number}ms\" for thousandths"
                        ));
                    }
                    _ => string(raw)?,
                };
                bounded(parse_duration(text)?, longest)
            }
            Self::Listeners => {
                let addresses =
                    list(raw)?.iter().map(|text| ListenAddress::parse(text)).collect::<Result<Vec<_>, _>>()?;
                if addresses.is_empty() {
                    return Err("is empty: write at least one address, such as \"127.0.0.1:8000\"".to_owned());
                }
                let twice = addresses
                    .iter()
                    .enumerate()
                    .find(|(at, one)| addresses[..*at].iter().any(|other| one.collides_with(other)));
                match twice {
                    Some((_, address)) => Err(format!("names {address} twice")),
                    None => Ok(Value::Listeners(addresses)),
                }
            }
            Self::ListenerOrOff => match raw {
                Raw::Plain(text) | Raw::Text(text) if text == "off" => Ok(Value::Listeners(Vec::new())),
                Raw::List(_) => Err("is a list: write one address, or \"off\"".to_owned()),
                Raw::Plain(text) | Raw::Text(text) | Raw::Integer(text) => ListenAddress::parse(text)
                    .map(|address| Value::Listeners(vec![address]))
                    .map_err(|error| error + ", or \"off\""),
                _ => Err("is not an address: write \"127.0.0.1:8001\", or \"off\"".to_owned()),
            },
            Self::UnixMode => match raw {
                Raw::Plain(text) | Raw::Text(text) => mode(text),
                _ => Err("is not a text: write octal digits in quotes, such as \"0660\"".to_owned()),
            },
        }
    }
}

impl Value {
    /// As TOML has it.
    pub(super) fn to_toml(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::List(entries) => array(entries.iter().map(String::as_str)),
            Self::Flag(flag) => flag.to_string(),
            Self::Count(count) => count.to_string(),
            Self::Duration(duration) if duration.subsec_millis() == 0 => format!("\"{}s\"", duration.as_secs()),
            Self::Duration(duration) => format!("\"{}ms\"", duration.as_millis()),
            Self::Listeners(addresses) => match addresses.as_slice() {
                [] => quoted("off"),
                [one] => quoted(&one.to_string()),
                several => {
                    let several: Vec<String> = several.iter().map(ToString::to_string).collect();
                    array(several.iter().map(String::as_str))
                }
            },
            Self::Mode(mode) => format!("\"{mode:04o}\""),
        }
    }
}

fn string(raw: &Raw) -> Result<&str, String> {
    match raw {
        Raw::Plain(text) | Raw::Text(text) => Ok(text),
        Raw::Integer(text) => Err(format!("is a number and should be a text: write \"{text}\"")),
        Raw::Flag(flag) => Err(format!("is {flag} and should be a text: write it in quotes")),
        Raw::List(_) => Err("is a list and should be one text: write it without brackets".to_owned()),
        Raw::Other(kind) => Err(format!("is a TOML {kind} and should be a text: write it in quotes")),
    }
}

/// A list is an array in TOML, and separated by commas elsewhere; one entry may stand without brackets.
fn list(raw: &Raw) -> Result<Vec<String>, String> {
    match raw {
        Raw::Plain(text) if text.trim().is_empty() => Ok(Vec::new()),
        Raw::Plain(text) => Ok(text.split(',').map(|entry| entry.trim().to_owned()).collect()),
        Raw::Text(text) | Raw::Integer(text) => Ok(vec![text.clone()]),
        Raw::List(entries) => Ok(entries.clone()),
        Raw::Flag(_) | Raw::Other(_) => Err("is not a list of texts: write [\"one\", \"two\"]".to_owned()),
    }
}

fn no_entry_twice(entries: &[String]) -> Result<(), String> {
    match entries.iter().enumerate().find(|(at, entry)| entries[..*at].contains(entry)) {
        Some((at, _)) => Err(format!("has its entry number {} twice: leave one out", at + 1)),
        None => Ok(()),
    }
}

fn choice(text: &str, words: &[&str]) -> Result<Value, String> {
    if words.contains(&text) {
        return Ok(Value::Text(text.to_owned()));
    }
    let hint = names::nearest(text, words.iter().copied()).map(|near| format!("; did you mean \"{near}\"?"));
    Err(format!("is {text:?}: write one of {}{}", words.join(", "), hint.unwrap_or_default()))
}

fn count(text: &str, min: u32, max: u32) -> Result<Value, String> {
    match text.parse::<u32>() {
        Ok(count) if (min..=max).contains(&count) => Ok(Value::Count(count)),
        _ => Err(format!("is {text:?}: write a whole number from {min} to {max}")),
    }
}

fn bounded(duration: Duration, longest: Duration) -> Result<Value, String> {
    if duration.is_zero() {
        return Err("is no time at all: write at least \"1ms\"".to_owned());
    }
    if duration > longest {
        return Err(format!("is too long: write at most {}", Value::Duration(longest).to_toml()));
    }
    Ok(Value::Duration(duration))
}

fn mode(text: &str) -> Result<Value, String> {
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if is_octal && mode <= 0o777 => Ok(Value::Mode(mode)),
        _ => Err(format!("is {text:?}: write octal digits from \"0000\" to \"0777\", such as \"0660\"")),
    }
}

/// Reads `250ms`, `30s`, `5m`, `1h`.
///
/// # Errors
/// What to write.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
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

fn array<'a>(entries: impl Iterator<Item = &'a str>) -> String {
    let entries: Vec<String> = entries.map(quoted).collect();
    format!("[{}]", entries.join(", "))
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                // Writing into a String cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
