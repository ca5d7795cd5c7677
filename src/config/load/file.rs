//! The settings file: TOML in, what was written and on which line out.
//!
//! Invariant: no line of the file is ever quoted, because it may hold a secret by mistake.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::names::Names;
use crate::config::error::{ConfigError, Origin, unreadable};
use crate::config::setting::Raw;
use crate::config::sources::Sources;
use crate::files;

/// A file that is longer than this holds something else.
const LONGEST_FILE_BYTES: u64 = 1024 * 1024;

/// One bracket that is left open makes an error of every line below it, and says nothing new after a few.
const MOST_SYNTAX_ERRORS: usize = 5;

/// Something that was written somewhere: in the file, a variable or a flag.
#[derive(Debug)]
pub struct Assignment {
    /// Need not exist, nor does the key.
    pub section: String,
    pub key: String,
    pub raw: Raw,
    pub origin: Origin,
}

/// Finds and reads the settings file: the one that was asked for, or the first of those that are looked for.
/// `None`: there is none, and none was asked for.
///
/// # Errors
/// A file that was asked for and is not there; a file that cannot be read.
pub fn read(sources: &Sources) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let config = sources.config.as_deref();
    let candidates = config.map_or_else(|| sources.search.iter().map(PathBuf::as_path).collect(), |path| vec![path]);
    for path in candidates {
        match read_text(path, sources.file_wait) {
            Ok(text) => return Ok(Some((path.to_owned(), text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && config.is_none() => {}
            Err(error) => return Err(refused(path, &error)),
        }
    }
    Ok(None)
}

fn read_text(path: &Path, wait: Option<Duration>) -> io::Result<String> {
    let bytes = files::read_within(path, LONGEST_FILE_BYTES, wait)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_FILE_BYTES) {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than any settings file"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))?;
    Ok(text.to_owned())
}

fn refused(path: &Path, error: &io::Error) -> ConfigError {
    let message = match error.kind() {
        io::ErrorKind::NotFound => format!(
            "{} cannot be read ({error}): correct the path behind --config, or write one: userprofiles config --example",
            path.display()
        ),
        io::ErrorKind::InvalidData => unreadable(path, error, "it must be UTF-8"),
        _ => unreadable(path, error, "name a plain file"),
    };
    ConfigError::new("settings file", message)
}

/// Reads the text of a settings file. What is wrong with its syntax goes to `errors`; what can be understood all the
/// same is answered, so that all mistakes are reported at once.
pub fn parse(path: &Path, text: &str, names: &Names, errors: &mut Vec<ConfigError>) -> Vec<Assignment> {
    let place = |offset: usize| Origin::File { path: path.to_owned(), line: line_of(text, offset) };
    let (table, syntax_errors) = DeTable::parse_recoverable(text);
    if !syntax_errors.is_empty() {
        let mut found: Vec<(usize, String)> = syntax_errors
            .iter()
            .map(|error| (line_of(text, error.span().map_or(0, |span| span.start)), error.message().to_owned()))
            .collect();
        // The sort keeps the order within a line, where the first error is the one that caused the others.
        found.sort_by_key(|(line, _)| *line);
        found.dedup_by_key(|(line, _)| *line);
        errors.extend(found.into_iter().take(MOST_SYNTAX_ERRORS).map(|(line, message)| {
            let origin = Origin::File { path: path.to_owned(), line };
            let hint = if message == "duplicate key" {
                " (a section or a setting that is there already: put all settings of a section under one heading)"
            } else {
                ""
            };
            ConfigError::new(origin, format!("this is not TOML: {message}{hint}"))
        }));
        // What was recovered may be torn: only the mistakes in syntax are certain.
        return Vec::new();
    }
    let mut assignments = Vec::new();
    for (section, value) in table.into_inner() {
        let offset = section.span().start;
        let section = section.into_inner().into_owned();
        match value.into_inner() {
            // Told once, where its name stands, and not for each setting in it; an empty one may be misspelt too.
            DeValue::Table(_) if !names.has_section(&section) => {
                errors.push(ConfigError::new(place(offset), names.unknown_section(&section)));
            }
            DeValue::Table(settings) => assignments.extend(settings.into_iter().map(|(key, value)| Assignment {
                section: section.clone(),
                origin: place(key.span().start),
                key: key.into_inner().into_owned(),
                raw: raw(value),
            })),
            _ => errors.push(ConfigError::new(place(offset), not_a_section(names, &section))),
        }
    }
    assignments.sort_by_key(|assignment| match assignment.origin {
        Origin::File { line, .. } => line,
        _ => 0,
    });
    assignments
}

fn not_a_section(names: &Names, name: &str) -> String {
    if names.has_section(name) {
        format!("{name} is a section: write [{name}] on a line of its own, and its settings below")
    } else {
        names.unknown_section(name)
    }
}

fn raw(value: Spanned<DeValue<'_>>) -> Raw {
    match value.into_inner() {
        DeValue::String(text) => Raw::Text(text.into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Raw::Integer(number.as_str().to_owned()),
        DeValue::Integer(_) => Raw::Other("number that is not decimal"),
        DeValue::Boolean(flag) => Raw::Flag(flag),
        DeValue::Array(entries) => list(entries),
        other => Raw::Other(other.type_str()),
    }
}

fn list(entries: DeArray<'_>) -> Raw {
    let texts: Option<Vec<String>> = entries
        .into_iter()
        .map(|entry| match entry.into_inner() {
            DeValue::String(text) => Some(text.into_owned()),
            _ => None,
        })
        .collect();
    texts.map_or(Raw::Other("array of other things than texts"), Raw::List)
}

/// Counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
