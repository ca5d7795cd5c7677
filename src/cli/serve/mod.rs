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
use crate::admin::EffectiveSettings;
use crate::bucket::BucketTimeouts;
use crate::bucket::driver::IfMissing;
use crate::bucket::drivers;
use crate::bucket::rest::path_segment::segment;
use crate::config::{Loaded, Sources};
use crate::http::Workforce;
use crate::model::DocumentId;
use crate::observe::format::LogFormatter;
use crate::observe::{Observation, Observer};
use crate::systemd::{Notifier, Supervision};

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
        match initial_import::run(file, database.as_ref(), &BucketTimeouts::from(&settings.bucket), observer)? {
            InitialImport::Done { example: stored } => example = stored,
            InitialImport::Interrupted => return Ok(Exit::Done),
        }
    } else if database.is_new() {
        observer.emit(&Observation::DatabaseIsNew { description: &database.describe() });
    }
    let workforce = Workforce::new("http", usize::from(settings.http.workers));
    let effective = Arc::new(EffectiveSettings::new(loaded));
    let services = Services::new(Arc::clone(&database), settings, workforce, effective, observer);
    let listeners = listeners::open(settings, observer)?;
    observer.emit(&Observation::DatabaseOpened { database: database.name(), description: &database.describe() });

    let servers = Arc::new(Servers::start(listeners, &services, &settings.http, workforce, observer)?);
    listeners::report(servers.public.addresses(), servers.admin_addresses(), observer);
    if let Some(username) = example.as_ref().and_then(DocumentId::username) {
        listeners::suggest_request(servers.public.addresses(), &segment(username).to_string(), observer);
    }

    let reload = Reload::new(sources, loaded, services, &servers, &notifier, (log_formatter, observer));
    let reloader = Reloader::start(reload).context("cannot start threads")?;
    let supervision = supervise(&servers, &notifier, observer)?;
    wait_for_the_end(&mut signals, &reloader)?;
    drop(supervision);
    notifier.stopping("shutting down: answering the requests that were received");
    servers.drain(observer);
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
