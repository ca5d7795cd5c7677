//! Where a setting came from, and what is wrong with settings.
//!
//! Invariant: an error names its place (a file and line, a variable, a flag) and what to do, and holds no secret.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Where the value of a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of a settings file, counted from 1.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A variable, by its name.
    Environment(String),
    /// A flag, as far as it can be shown: `--set http.workers`.
    Flag(String),
    /// The connection string of `[couchbase]`.
    ConnectionString,
    /// The file that `password_file` (or the like) names.
    SecretFile(PathBuf),
    /// A systemd credential, by its name.
    Credential(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
            Self::ConnectionString => f.write_str("[couchbase] connection_string"),
            Self::SecretFile(path) => write!(f, "{}", path.display()),
            Self::Credential(name) => write!(f, "systemd credential {name}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// A file and line, a variable, a flag; or a file alone.
    pub place: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl ConfigError {
    pub(super) fn new(place: impl fmt::Display, message: impl Into<String>) -> Self {
        Self { place: place.to_string(), message: message.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Everything that is wrong with the settings, one line each; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The sentence for a file that cannot be read: `PATH cannot be read (ERROR): REMEDY`. Where the error says nothing that
/// has a remedy of its own, the remedy is `otherwise`.
#[must_use]
pub fn unreadable(path: &Path, error: &io::Error, otherwise: &str) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "make it, or correct the path",
        io::ErrorKind::PermissionDenied => "give the user that runs this program the right to read it",
        _ => otherwise,
    };
    format!("{} cannot be read ({error}): {remedy}", path.display())
}
