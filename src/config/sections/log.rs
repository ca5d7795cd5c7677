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

/// `[log] level`: the levels of the crate `log`, in small letters.
pub enum LogLevel {}

impl Kind for LogLevel {
    type Value = LevelFilter;

    fn read(raw: &Raw) -> Result<LevelFilter, String> {
        let levels: Vec<(LevelFilter, String)> = LevelFilter::iter().map(|level| (level, word(level))).collect();
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
        /// How much is logged: "off", "error", "warn", "info", "debug" or "trace". At info there is one line for each
        /// answer. The variable RUST_LOG wins over it.
        pub level: Reloaded<LogLevel> = LevelFilter::Info,
        /// "auto": what fits the place (the journal, a terminal, or plain text). "json": one JSON object a line, for
        /// collectors.
        pub format: LogFormat = LogFormat::Auto,
    }
}
