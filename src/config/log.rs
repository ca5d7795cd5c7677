//! `[log]`
//!
//! Invariant: every level and format that the table accepts is known here.

use super::error::ConfigError;
use super::values::{Values, defect};

/// `[log] format`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// What fits the place: the journal, a terminal, or plain text.
    Auto,
    /// One JSON object a line.
    Json,
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// `level`
    pub level: ::log::LevelFilter,
    /// `format`
    pub format: LogFormat,
}

impl LogSettings {
    pub(super) fn read(values: &Values) -> Result<Self, ConfigError> {
        let level = values.text("log", "level")?.parse();
        Ok(Self {
            level: level.map_err(|_| defect("log", "level", "is no level"))?,
            format: match values.text("log", "format")?.as_str() {
                "auto" => LogFormat::Auto,
                "json" => LogFormat::Json,
                _ => return Err(defect("log", "format", "is no format")),
            },
        })
    }
}
