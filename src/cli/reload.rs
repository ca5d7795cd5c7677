//! HUP: settings and secrets are read again while requests go on.
//!
//! Invariant: settings in which anything is wrong change nothing, and the log says what it is. No request fails because
//! of a reload.

use crate::bucket::Database;
use crate::config::{self, Loaded, Sources, load};
use crate::observe::{Observation, Observer, format};

/// Reads again what was read at the start, from the same places.
pub struct Reloader<'a> {
    sources: &'a Sources,
    /// What the parts of the program that cannot change were made of.
    started: &'a Loaded,
    /// What was warned of already.
    warned: Vec<String>,
    observer: &'a Observer,
}

impl<'a> Reloader<'a> {
    /// Takes what the program was started with.
    #[must_use]
    pub fn new(sources: &'a Sources, started: &'a Loaded, observer: &'a Observer) -> Self {
        Self { sources, started, warned: started.warnings.clone(), observer }
    }

    /// Reads the settings and secrets, and hands the database what it can take of them. Blocks for as long as reading
    /// some files takes.
    pub fn reload(&mut self, database: &dyn Database) {
        let loaded = match load(self.sources) {
            Ok(loaded) => loaded,
            Err(errors) => {
                for error in &errors.0 {
                    self.observer.emit(&Observation::ReloadRefused { reason: error });
                }
                let reason = &"the settings are as before, because of what is wrong with the new ones";
                return self.observer.emit(&Observation::ReloadRefused { reason });
            }
        };
        // Another database is for a restart, and the one that is in use has no settings then.
        let is_same = loaded.settings.bucket.database == self.started.settings.bucket.database;
        let outcome = if is_same { database.reload(&loaded.settings) } else { Ok(()) };
        if let Err(error) = outcome {
            let reason = &format_args!("the settings are as before: {error}");
            return self.observer.emit(&Observation::ReloadRefused { reason });
        }
        format::set_level(loaded.settings.log.level);
        for warning in loaded.warnings.iter().filter(|warning| !self.warned.contains(warning)) {
            self.observer.emit(&Observation::SettingsWarning(warning));
        }
        let waiting = config::for_a_restart(self.started, &loaded);
        if !waiting.is_empty() {
            self.observer.emit(&Observation::RestartNeeded { settings: &waiting.join(", ") });
        }
        self.warned = loaded.warnings;
        self.observer.emit(&Observation::SettingsReloaded);
    }
}
