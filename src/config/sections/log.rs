//! `[log]`

use ::log::LevelFilter;

use crate::config::setting::{Kind, Raw, Reloaded, choice, choose, quoted, section};

choice! {
    /// `[log] format`
    pub enum LogFormat {
        /// What fits the place: the journal, a terminal, or plain text.
        Auto = "auto",
        /// One JSON object a line.
        Json = "json",
    }
}

choice! {
    /// `[log] access`
    pub enum AccessLog {
        /// Every answer has a line.
        All = "all",
        /// Every answer of status 400 or above has one.
        Errors = "errors",
        /// None has one.
        Off = "off",
    }
}

/// `[log] level`: the levels of the crate `log`, in small letters.
pub enum LogLevel {}

impl Kind for LogLevel {
    type Value = LevelFilter;

    fn read(raw: &Raw) -> Result<LevelFilter, String> {
        if raw.text().is_ok_and(|text| text == "trace") {
            return Err("is \"trace\", which is compiled out, because it would write documents into the log: write \
                        \"debug\""
                .to_owned());
        }
        let levels: Vec<(LevelFilter, String)> = LevelFilter::iter()
            .filter(|level| *level != LevelFilter::Trace)
            .map(|level| (level, word(level)))
            .collect();
        let levels: Vec<(LevelFilter, &str)> = levels.iter().map(|(level, word)| (*level, word.as_str())).collect();
        choose(raw, &levels)
    }

    fn to_toml(level: &LevelFilter) -> Option<String> {
        Some(quoted(&word(*level)))
    }
}

fn word(level: LevelFilter) -> String {
    level.as_str().to_ascii_lowercase()
}

section! {
    /// The log, on standard error.
    pub struct LogSettings in "log" {
        /// How much is logged: "off", "error", "warn", "info" or "debug". At info there is one line for each answer. The
        /// variable RUST_LOG wins over it, and --log-level over both.
        pub level: Reloaded<LogLevel> = LevelFilter::Info,
        /// "auto": what fits the place (the journal, a terminal, or plain text). "json": one JSON object a line, for
        /// collectors.
        pub format: Reloaded<LogFormat> = LogFormat::Auto,
        /// Which answers have a line, at info: "all"; "errors" (those of status 400 and above); "off". The metrics count
        /// them all in any case.
        pub access: Reloaded<AccessLog> = AccessLog::All,
    }
}
