//! The two listeners of a server, from their start to their end.
//!
//! Invariant: they are started and drained together, and the public one is there for as long as the other one.

use anyhow::Context;

use super::listeners::Listeners;
use super::services::Services;
use super::vitals::ServerVitals;
use crate::config::{DatabaseName, HttpSettings, ListenAddress};
use crate::http::{Server, Workforce};
use crate::observe::{Observation, Observer};
use crate::systemd::Notifier;

/// One answers at any time, while the others wait for the database to say `/ready`.
const ADMIN_WORKERS: usize = 4;

/// The two listeners.
pub struct Servers {
    pub public: Server,
    /// None if it is off.
    pub admin: Option<Server>,
    database: DatabaseName,
}

impl Servers {
    /// Starts to answer.
    ///
    /// # Errors
    /// If the operating system has no threads, files or memory left.
    pub fn start(
        Listeners { public, admin }: Listeners,
        services: &Services,
        settings: &HttpSettings,
        workforce: Workforce,
        observer: &Observer,
    ) -> anyhow::Result<Self> {
        let cannot_start = "cannot start threads";
        let public = Server::start(public, services.public(settings), workforce, observer).context(cannot_start)?;
        let admin = match admin {
            listeners if listeners.is_empty() => None,
            listeners => {
                let (service, workforce) = (services.admin(public.monitor()), Workforce::new("admin", ADMIN_WORKERS));
                let observer = observer.for_operators();
                Some(Server::start(listeners, service, workforce, &observer).context(cannot_start)?)
            }
        };
        Ok(Self { public, admin, database: services.database().name() })
    }

    /// Serves what `services` make of other settings.
    pub fn replace(&self, services: &Services, settings: &HttpSettings) {
        self.public.replace(services.public(settings));
        if let Some(admin) = &self.admin {
            admin.replace(services.admin(self.public.monitor()));
        }
    }

    /// Returns where the admin listener listens.
    pub fn admin_addresses(&self) -> &[ListenAddress] {
        self.admin.as_ref().map_or(&[], Server::addresses)
    }

    /// Returns the address of the public listener at which the program reaches itself best: a unix socket can be reached
    /// whatever network the service manager leaves it.
    pub fn own_address(&self) -> Option<&ListenAddress> {
        let public = self.public.addresses();
        public.iter().find(|address| matches!(address, ListenAddress::Unix(_))).or(public.first())
    }

    /// Returns the addresses that the program has bound itself.
    pub fn bound_addresses(&self) -> impl Iterator<Item = &ListenAddress> {
        let admin = self.admin.iter().flat_map(Server::bound_addresses);
        self.public.bound_addresses().iter().chain(admin)
    }

    /// Returns what the service manager is told.
    pub fn vitals(&self, observer: &Observer) -> ServerVitals {
        ServerVitals { public: self.public.monitor(), database: self.database, observer: observer.clone() }
    }

    /// Answers what was received and ends, within the drain timeout.
    pub fn drain(&self, notifier: &Notifier, observer: &Observer) {
        observer.emit(&Observation::Draining { limit: self.public.drain_timeout() });
        let both = [Some(&self.public), self.admin.as_ref()];
        both.iter().flatten().for_each(|server| server.begin_drain());
        notifier.stopping("shutting down: answering the requests that were received");
        both.iter().flatten().for_each(|server| server.finish_drain());
        observer.emit(&Observation::Stopped);
    }
}
