//! `serve`: puts the parts together, runs until a signal, and takes them down in order.
//!
//! Invariant: by the time it says that it listens, every address is bound and answered.

mod listeners;
mod reload;
mod services;
mod vitals;

use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use self::listeners::Listeners;
use self::reload::{Reload, Reloader};
use self::services::Services;
use self::vitals::ServerVitals;
use super::Exit;
use super::import::{self, ImportSource};
use super::interruption::Interruption;
use crate::admin::EffectiveSettings;
use crate::bucket::BucketTimeouts;
use crate::bucket::driver::IfMissing;
use crate::bucket::drivers;
use crate::bucket::rest::path_segment::segment;
use crate::config::{DatabaseName, ListenAddress, Loaded, Sources};
use crate::http::{Server, Workforce};
use crate::model::DocumentId;
use crate::observe::format::LogFormatter;
use crate::observe::{Observation, Observer};
use crate::systemd::{Notifier, Supervision};

/// One answers at any time, while the others wait for the database to say `/ready`.
const ADMIN_WORKERS: usize = 4;

/// The two listeners of a server.
struct Servers {
    public: Server,
    /// None if it is off.
    admin: Option<Server>,
    database: DatabaseName,
}

impl Servers {
    fn vitals(&self, observer: &Observer) -> ServerVitals {
        ServerVitals { public: self.public.monitor(), database: self.database, observer: observer.clone() }
    }

    /// Returns the addresses at which the program can reach itself, the best one of the public listener first: a unix socket
    /// can be reached whatever network the service manager leaves it.
    fn own_addresses(&self) -> Vec<ListenAddress> {
        let public = self.public.addresses();
        let first = public.iter().find(|address| address.starts_with("unix:")).or(public.first());
        let admin = self.admin.iter().flat_map(Server::bound_addresses);
        let bound = self.public.bound_addresses().chain(admin);
        let all = first.into_iter().chain(bound.filter(|address| Some(*address) != first));
        all.filter_map(|address| ListenAddress::parse(address).ok()).collect()
    }
}

/// Serves until TERM or INT. At HUP, the settings come from `sources` again.
///
/// # Errors
/// What keeps it from starting, with what to do about it.
pub fn run(
    loaded: &Loaded,
    sources: &Sources,
    import_file: Option<&OsStr>,
    (log_formatter, observer): (LogFormatter, &Observer),
) -> anyhow::Result<Exit> {
    let settings = &loaded.settings;
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot take signals")?;
    let notifier = Notifier::new(observer);
    notifier.status("opening the database");
    let database = drivers::open(settings, IfMissing::Create, observer)?;
    let mut example = None;
    if let Some(file) = import_file {
        notifier.status("importing");
        let timeouts = BucketTimeouts::from(&settings.bucket);
        // A signal between two batches ends it at once, also while it waits for a slow pipe.
        let interruption = {
            let observer = observer.clone();
            Interruption::watch(&[SIGTERM, SIGINT], Exit::Done, move || {
                observer.emit(&Observation::Stopped);
                log::logger().flush();
            })?
        };
        let outcome = import::run(database.as_ref(), &timeouts, &ImportSource::from_argument(file), &interruption);
        let outcome = match outcome {
            Err(error) if interruption.stop_requested() => {
                observer.emit(&Observation::ImportInterrupted { reason: &format_args!("{error:#}") });
                observer.emit(&Observation::Stopped);
                return Ok(Exit::Done);
            }
            outcome => outcome?,
        };
        observer.emit(&Observation::Imported { rejected: outcome.rejected, summary: &outcome });
        example = outcome.example;
    } else if database.is_new() {
        observer.emit(&Observation::DatabaseIsNew { description: &database.describe() });
    }
    let workforce = Workforce::new("http", usize::from(settings.http.workers));
    let effective = Arc::new(EffectiveSettings::new(loaded));
    let services = Services::new(Arc::clone(&database), settings, workforce, effective, observer);
    let Listeners { public, admin } = listeners::open(settings, observer)?;
    let description = &database.describe();
    observer.emit(&Observation::DatabaseOpened { database: database.name(), description });

    let public =
        Server::start(public, services.public(&settings.http), workforce, observer).context("cannot start threads")?;
    let admin = match admin {
        listeners if listeners.is_empty() => None,
        listeners => {
            let (service, workforce) = (services.admin(public.monitor()), Workforce::new("admin", ADMIN_WORKERS));
            let observer = observer.for_operators();
            Some(Server::start(listeners, service, workforce, &observer).context("cannot start threads")?)
        }
    };
    let servers = Arc::new(Servers { public, admin, database: database.name() });
    let (public, admin) = (&servers.public, servers.admin.as_ref());
    listeners::report(public.addresses(), admin.map_or(&[], Server::addresses), observer);
    if let Some(username) = example.as_ref().and_then(DocumentId::username) {
        listeners::suggest_request(public.addresses(), &segment(username).to_string(), observer);
    }

    let reload = Reload::new(sources, loaded, services, &servers, &notifier, (log_formatter, observer));
    let reloader = Reloader::start(reload).context("cannot start threads")?;
    let supervision = supervise(&servers, &notifier, observer)?;
    wait_for_the_end(&mut signals, &reloader)?;
    drop(supervision);
    notifier.stopping("shutting down: answering the requests that were received");
    observer.emit(&Observation::Draining { limit: public.drain_timeout() });
    let both = [Some(public), admin];
    both.iter().flatten().for_each(|server| server.begin_drain());
    both.iter().flatten().for_each(|server| server.finish_drain());
    observer.emit(&Observation::Stopped);
    Ok(Exit::Done)
}

/// Notifies the service manager, if there is one, that the server serves, and from time to time that it still does.
fn supervise(servers: &Servers, notifier: &Notifier, observer: &Observer) -> anyhow::Result<Option<Supervision>> {
    if !notifier.is_used() {
        return Ok(None);
    }
    let vitals = Box::new(servers.vitals(observer));
    let supervision = Supervision::start(notifier.clone(), &servers.own_addresses(), vitals, observer);
    Ok(Some(supervision.context("the server does not answer itself, so it does not start")?))
}

/// Returns at the first TERM or INT. From then on, a second one ends the process at once.
fn wait_for_the_end(signals: &mut Signals, reloader: &Reloader) -> anyhow::Result<()> {
    for signal in signals.forever() {
        if signal == SIGHUP {
            reloader.request();
            continue;
        }
        for signal in [SIGTERM, SIGINT] {
            flag::register_conditional_shutdown(signal, Exit::Failed as i32, Arc::new(AtomicBool::new(true)))
                .context("cannot take signals")?;
        }
        break;
    }
    Ok(())
}
