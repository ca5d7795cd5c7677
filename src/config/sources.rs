//! Where settings come from.
//!
//! Invariant: [`Sources`] holds all that a load sees of the process, so that a test, and a reload after HUP, see what
//! they are given.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// Where settings come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// `--config`
    pub config: Option<PathBuf>,
    /// The files that are looked for where there is no `--config`; the first that is there is read.
    pub search: Vec<PathBuf>,
    /// The variables of the process.
    pub environment: Vec<(OsString, OsString)>,
    /// `--set SECTION.KEY=VALUE`, as they were written, in their order; the last one wins.
    pub set: Vec<String>,
    /// `--log-level`; wins over a `--set`.
    pub log_level: Option<String>,
    /// `--listen`; likewise. Each may hold several addresses, separated by commas.
    pub listen: Vec<String>,
    /// How long one file may take; `None`: as long as it takes, such as a pipe into which somebody types a password.
    pub file_wait: Option<Duration>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            config: None,
            search: vec![
                PathBuf::from("config/userprofiles.toml"),
                PathBuf::from("/etc/userprofiles/userprofiles.toml"),
            ],
            environment: Vec::new(),
            set: Vec::new(),
            log_level: None,
            listen: Vec::new(),
            file_wait: None,
        }
    }
}

impl Sources {
    /// The environment of this process as it is now, with what its flags said.
    #[must_use]
    pub fn of_process(
        config: Option<PathBuf>,
        set: Vec<String>,
        log_level: Option<String>,
        listen: Vec<String>,
    ) -> Self {
        Self { config, set, log_level, listen, environment: std::env::vars_os().collect(), ..Self::default() }
    }

    /// The value of a variable; the last one, if it is there twice.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }
}
