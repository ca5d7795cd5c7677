//! What was written, before it is known what it means; and how values are written as TOML.
//!
//! Invariant: this module knows notations and no setting.

use std::fmt::Write as _;

/// What was written.
#[derive(Clone, Debug)]
pub enum Raw {
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

impl Raw {
    /// Returns one text.
    pub fn text(&self) -> Result<&str, String> {
        match self {
            Self::Plain(text) | Self::Text(text) => Ok(text),
            Self::Integer(text) => Err(format!("is a number and should be a text: write \"{text}\"")),
            Self::Flag(flag) => Err(format!("is {flag} and should be a text: write it in quotes")),
            Self::List(_) => Err("is a list and should be one text: write it without brackets".to_owned()),
            Self::Other(kind) => Err(format!("is a TOML {kind} and should be a text: write it in quotes")),
        }
    }

    /// Returns the entries of a list, which is an array in TOML, and separated by commas elsewhere; one entry may stand
    /// without brackets.
    pub fn entries(&self) -> Result<Vec<String>, String> {
        match self {
            Self::Plain(text) if text.trim().is_empty() => Ok(Vec::new()),
            Self::Plain(text) => Ok(text.split(',').map(|entry| entry.trim().to_owned()).collect()),
            Self::Text(text) | Self::Integer(text) => Ok(vec![text.clone()]),
            Self::List(entries) => Ok(entries.clone()),
            Self::Flag(_) | Self::Other(_) => Err("is not a list of texts: write [\"one\", \"two\"]".to_owned()),
        }
    }

    /// Returns a boolean.
    pub fn flag(&self) -> Result<bool, String> {
        match self {
            Self::Flag(flag) => Ok(*flag),
            Self::Plain(text) if text == "true" => Ok(true),
            Self::Plain(text) if text == "false" => Ok(false),
            Self::Plain(_) => Err("is neither: write true or false".to_owned()),
            _ => Err("is neither: write true or false, without quotes".to_owned()),
        }
    }
}

/// A basic string of TOML.
pub fn quoted(text: &str) -> String {
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

/// An array of TOML.
pub fn array(entries: impl Iterator<Item = String>) -> String {
    let entries: Vec<String> = entries.collect();
    format!("[{}]", entries.join(", "))
}
