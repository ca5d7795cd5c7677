//! `serve`: puts the parts together, runs until a signal, and takes them down in order.
//!
//! Invariant: by the time it says that it listens, every address is bound and answered.

mod initial_import;
mod listeners;
mod reload;
mod servers;
mod services;
mod vitals;

use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use self::initial_import::InitialImport;
use self::reload::{Reload, Reloader};
use self::servers::Servers;
use self::services::Services;
use super::Exit;
use super::setup::Setup;
use crate::admin::AdminState;
use crate::bucket::BucketTimeouts;
use crate::bucket::driver::IfMissing;
use crate::bucket::drivers;
use crate::bucket::rest::path_segment::segment;
use crate::http::Workforce;
use crate::model::DocumentId;
use crate::observe::{Observation, Observer};
use crate::systemd::{InheritedSockets, Notifier, Supervision};

/// Serves until TERM or INT. At HUP, the settings come from the same sources again.
///
/// # Errors
/// What keeps it from starting, with what to do about it.
pub fn run(setup: &Setup, sockets: InheritedSockets, import_file: Option<&OsStr>) -> anyhow::Result<Exit> {
    let Setup { loaded, observer, .. } = setup;
    let settings = &loaded.settings;
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot take signals")?;
    let notifier = Notifier::new(observer);
    notifier.status("opening the database");
    let database = drivers::open(settings, IfMissing::Create, observer)?;
    let mut example = None;
    if let Some(file) = import_file {
        notifier.status("importing");
        match initial_import::run(file, database.as_ref(), &BucketTimeouts::from(&settings.bucket), observer)? {
            InitialImport::Done { example: stored } => example = stored,
            InitialImport::Interrupted => return Ok(Exit::Done),
        }
    } else if database.is_new() {
        observer.emit(&Observation::DatabaseIsNew { description: &database.describe() });
    }
    let workforce = Workforce::new("http", usize::from(settings.http.workers));
    let admin = AdminState::new(loaded);
    let services = Services::new(Arc::clone(&database), settings, workforce, admin, observer);
    let listeners = listeners::open(sockets, settings, observer)?;
    observer.emit(&Observation::DatabaseOpened { database: database.name(), description: &database.describe() });

    let servers = Arc::new(Servers::start(listeners, &services, &settings.http, workforce, observer)?);
    listeners::report(servers.public.addresses(), servers.admin_addresses(), observer);
    if let Some(username) = example.as_ref().and_then(DocumentId::username) {
        listeners::suggest_request(servers.public.addresses(), &segment(username).to_string(), observer);
    }

    let reload = Reload::new(setup, services, &servers, &notifier);
    let reloader = Reloader::start(reload).context("cannot start threads")?;
    let outcome = supervise(&servers, &notifier, observer).and_then(|supervision| {
        let outcome = wait_for_the_end(&mut signals, &reloader);
        drop(supervision);
        outcome
    });
    servers.drain(&notifier, observer);
    outcome.map(|()| Exit::Done)
}

/// Notifies the service manager, if there is one, that the server serves, and from time to time that it still does.
fn supervise(servers: &Servers, notifier: &Notifier, observer: &Observer) -> anyhow::Result<Option<Supervision>> {
    if !notifier.is_used() {
        return Ok(None);
    }
    let vitals = Box::new(servers.vitals(observer));
    let public = servers.own_address().context("the public listener has no address")?;
    let supervision = Supervision::start(notifier.clone(), public, servers.bound_addresses(), vitals, observer);
    Ok(Some(supervision.context("the server does not start")?))
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
