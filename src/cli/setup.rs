//! What a command begins with: its settings, and the log.
//!
//! Invariant: settings in which anything is wrong are never used; every mistake is told.

use anyhow::Context;

use super::arguments::GlobalFlags;
use super::exit::tell_user;
use crate::config::{Loaded, Sources, load};
use crate::observe::format::{self, Delivery, LogFormatter};
use crate::observe::{Observation, Observer};

/// What a command begins with.
pub struct Setup {
    /// The settings.
    pub loaded: Loaded,
    /// Where they came from.
    pub sources: Sources,
    /// Where observations go.
    pub observer: Observer,
    /// How the log looks.
    pub log_formatter: LogFormatter,
}

impl Setup {
    /// Loads the settings, with `listen` in place of `[http] listen` if there is any, and starts the log. Returns `None` if
    /// something is wrong with the settings, which was told then.
    ///
    /// # Errors
    /// If the operating system has no thread for the log.
    pub(super) fn load(flags: GlobalFlags, listen: Vec<String>, delivery: Delivery) -> anyhow::Result<Option<Self>> {
        let sources = Sources::of_process(flags.config, flags.set, flags.log_level, listen);
        let loaded = match load(&sources) {
            Ok(loaded) => loaded,
            Err(errors) => {
                tell_user(&errors.to_string());
                return Ok(None);
            }
        };
        let observer = Observer::default();
        let log_formatter = format::init(&loaded.settings.log, loaded.rust_log.as_deref(), delivery, &observer)
            .context("cannot start a thread")?;
        observer.set_access_log(loaded.settings.log.access);
        for warning in &loaded.warnings {
            observer.emit(&Observation::SettingsWarning(warning));
        }
        Ok(Some(Self { loaded, sources, observer, log_formatter }))
    }
}
