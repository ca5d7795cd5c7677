//! HUP: settings and secrets are read again while requests go on, by a thread of its own.
//!
//! Invariant: settings in which anything is wrong change nothing, and the log says what it is. No request fails because
//! of a reload, and neither a signal nor the end of the program waits for one.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};

use crate::admin::EffectiveSettings;
use crate::bucket::Database;
use crate::config::{self, Loaded, Sources, load};
use crate::files::LONGEST_WAIT;
use crate::observe::{Observation, Observer, format};
use crate::threads;

/// Reads again what was read at the start, from the same places.
pub struct Reloader {
    /// Dropping it ends the thread.
    requests: SyncSender<()>,
}

impl Reloader {
    /// Starts the thread. It takes what the program was started with.
    ///
    /// # Errors
    /// If the operating system has no thread left.
    pub fn start(
        sources: &Sources,
        started: &Loaded,
        database: &Arc<dyn Database>,
        effective: &Arc<EffectiveSettings>,
        observer: &Observer,
    ) -> io::Result<Self> {
        let mut reload = Reload {
            sources: Sources { file_wait: Some(LONGEST_WAIT), ..sources.clone() },
            started: started.clone(),
            database: Arc::downgrade(database),
            effective: Arc::clone(effective),
            warned: started.warnings.clone(),
            observer: observer.clone(),
        };
        let (requests, receiver) = sync_channel(1);
        threads::spawn("reload", move || reload.serve(&receiver))?;
        Ok(Self { requests })
    }

    /// Asks for a reload, and returns at once. One that has not begun yet is enough for all who asked until then.
    pub fn request(&self) {
        let _ = self.requests.try_send(());
    }
}

struct Reload {
    sources: Sources,
    /// What the parts of the program that cannot change were made of.
    started: Loaded,
    /// The thread does not keep it open.
    database: Weak<dyn Database>,
    /// What is shown to operators.
    effective: Arc<EffectiveSettings>,
    /// What was warned of already.
    warned: Vec<String>,
    observer: Observer,
}

impl Reload {
    fn serve(&mut self, requests: &Receiver<()>) {
        while requests.recv().is_ok() {
            let Some(database) = self.database.upgrade() else { return };
            self.reload(database.as_ref());
        }
    }

    /// Reads the settings and secrets, and hands the database what it can take of them. Blocks for as long as reading
    /// some files takes.
    fn reload(&mut self, database: &dyn Database) {
        let loaded = match load(&self.sources) {
            Ok(loaded) => loaded,
            Err(errors) => {
                for error in &errors.0 {
                    self.observer.emit(&Observation::SettingInvalid { reason: error });
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
        if loaded.rust_log.is_none() {
            format::set_level(loaded.settings.log.level);
        }
        self.observer.set_access_log(loaded.settings.log.access);
        self.effective.set(&config::in_force(&self.started, &loaded));
        for warning in loaded.warnings.iter().filter(|warning| !self.warned.contains(warning)) {
            self.observer.emit(&Observation::SettingsWarning(warning));
        }
        let waiting = config::for_a_restart(&self.started, &loaded);
        if !waiting.is_empty() {
            self.observer.emit(&Observation::RestartNeeded { settings: &waiting.join(", ") });
        }
        self.warned = loaded.warnings;
        self.observer.emit(&Observation::SettingsReloaded);
    }
}
