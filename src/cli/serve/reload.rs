//! HUP: settings and secrets are read again while requests go on, by a thread of its own.
//!
//! Invariant: settings in which anything is wrong change nothing, and the log says what it is. No request fails because
//! of a reload, and neither a signal nor the end of the program waits for one.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};

use super::servers::Servers;
use super::services::Services;
use crate::cli::setup::Setup;
use crate::config::{self, Loaded, Sources, load};
use crate::files::LONGEST_WAIT;
use crate::observe::format::{self, LogFormatter};
use crate::observe::{Observation, Observer};
use crate::systemd::{Notifier, Vitals};
use crate::threads;

/// Reads again what was read at the start, from the same places.
pub struct Reloader {
    /// Dropping it ends the thread.
    requests: SyncSender<()>,
}

impl Reloader {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the operating system has no thread left.
    pub fn start(mut reload: Reload) -> io::Result<Self> {
        let (requests, receiver) = sync_channel(1);
        threads::spawn("reload", move || reload.serve(&receiver))?;
        Ok(Self { requests })
    }

    /// Asks for a reload, and returns at once. One that has not begun yet is enough for all who asked until then.
    pub fn request(&self) {
        let _ = self.requests.try_send(());
    }
}

/// What a reload reads and changes.
pub struct Reload {
    sources: Sources,
    /// What the parts of the program that cannot change were made of.
    started: Loaded,
    services: Services,
    /// The thread does not keep them running.
    servers: Weak<Servers>,
    /// What was warned of already.
    warned: Vec<String>,
    notifier: Notifier,
    log_formatter: LogFormatter,
    observer: Observer,
}

impl Reload {
    /// Takes what the server was started with.
    pub fn new(setup: &Setup, services: Services, servers: &Arc<Servers>, notifier: &Notifier) -> Self {
        let Setup { loaded: started, sources, observer, log_formatter } = setup;
        Self {
            sources: Sources { file_wait: Some(LONGEST_WAIT), ..sources.clone() },
            started: started.clone(),
            services,
            servers: Arc::downgrade(servers),
            warned: started.warnings.clone(),
            notifier: notifier.clone(),
            log_formatter: log_formatter.clone(),
            observer: observer.clone(),
        }
    }

    fn serve(&mut self, requests: &Receiver<()>) {
        while requests.recv().is_ok() {
            let Some(servers) = self.servers.upgrade() else { return };
            self.notifier.reloading();
            match self.reload(&servers) {
                Ok(()) => self.observer.emit(&Observation::SettingsReloaded),
                Err(Refused(reason)) => {
                    self.observer.emit(&Observation::ReloadRefused { reason: &reason });
                }
            }
            self.notifier.ready(&servers.vitals(&self.observer).status());
        }
    }

    /// Reads the settings and secrets and applies them. Blocks for as long as reading some files takes.
    fn reload(&mut self, servers: &Servers) -> Result<(), Refused> {
        let loaded = load(&self.sources).map_err(|errors| {
            for error in &errors.0 {
                self.observer.emit(&Observation::SettingInvalid { reason: error });
            }
            Refused("the settings are as before, because of what is wrong with the new ones".to_owned())
        })?;
        let settings = &loaded.settings;
        // Another database is for a restart, and the one that is in use has no settings then.
        if settings.bucket.database == self.started.settings.bucket.database {
            let outcome = self.services.database().reload(settings);
            outcome.map_err(|error| Refused(format!("the settings are as before: {error}")))?;
        }
        // Nothing can fail from here on.
        self.services.set(settings);
        servers.replace(&self.services, &settings.http);
        self.set_log(&loaded);
        self.services.admin_state().settings.set(&config::in_force(&self.started, &loaded));
        self.report(loaded);
        Ok(())
    }

    fn set_log(&self, loaded: &Loaded) {
        let settings = &loaded.settings.log;
        if loaded.rust_log.is_none() {
            format::set_level(settings.level);
        }
        self.log_formatter.set(settings.format);
        self.observer.set_access_log(settings.access);
    }

    /// Says what is new to be warned of, and what waits for a restart.
    fn report(&mut self, loaded: Loaded) {
        for warning in loaded.warnings.iter().filter(|warning| !self.warned.contains(warning)) {
            self.observer.emit(&Observation::SettingsWarning(warning));
        }
        let waiting = config::for_a_restart(&self.started, &loaded);
        if !waiting.is_empty() {
            self.observer.emit(&Observation::RestartNeeded { settings: &waiting.join(", ") });
        }
        self.warned = loaded.warnings;
    }
}

/// Why a reload changes nothing.
struct Refused(String);
