//! `serve`: puts the parts together, runs until a signal, and takes them down in order.
//!
//! Invariant: by the time it says that it listens, every address is bound and answered.

use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::Exit;
use super::import::{self, ImportSource};
use super::interruption::Interruption;
use super::reload::Reloader;
use crate::admin::{Admin, EffectiveSettings, READY_TIMEOUT};
use crate::api::Api;
use crate::bucket::driver::IfMissing;
use crate::bucket::drivers;
use crate::bucket::rest::path_segment::segment;
use crate::bucket::{BucketPool, BucketTimeouts};
use crate::config::{HttpSettings, ListenAddress, Loaded, Settings, Sources};
use crate::http::{Limits, Listener, Server, Workforce, bind, clamp_connections};
use crate::model::DocumentId;
use crate::observe::{Observation, Observer};

/// One answers at any time, while the others wait for the database to say `/ready`.
const ADMIN_WORKERS: usize = 4;

/// Those who ask `/ready` while others wait for it get the same answer.
const ADMIN_QUEUE_TIMEOUT: Duration = READY_TIMEOUT.saturating_add(Duration::from_secs(1));

/// Where the addresses of the admin listener are, and how to change them.
const ADMIN_LISTEN: &str = "[admin] listen (--set admin.listen=ADDRESS)";

/// Connections that operators and their tools may have.
const ADMIN_CONNECTIONS: usize = 64;

/// The files of one embedded bucket connection: SQLite's database, its log, and the log's index.
const FILES_PER_BUCKET: usize = 3;

/// Serves until TERM or INT. At HUP, the settings come from `sources` again.
///
/// # Errors
/// What keeps it from starting, with what to do about it.
pub fn run(
    loaded: &Loaded,
    sources: &Sources,
    import_file: Option<&OsStr>,
    observer: &Observer,
) -> anyhow::Result<Exit> {
    let settings = &loaded.settings;
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot take signals")?;
    let database = drivers::open(settings, IfMissing::Create, observer)?;
    let mut example = None;
    if let Some(file) = import_file {
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
    let max_buckets = bucket_connections(settings, workforce);
    let limits = limits(&settings.http, max_buckets, observer);
    let public_listeners = bind_all("[http] listen (--listen)", &settings.http.listen, settings, observer)?;
    let admin_listeners = bind_all(ADMIN_LISTEN, settings.admin.listen.as_slice(), settings, observer)?;
    let description = &database.describe();
    observer.emit(&Observation::DatabaseOpened { database: database.name(), description });
    let buckets = Arc::new(BucketPool::new(Arc::clone(&database), &settings.bucket, max_buckets, observer));

    let api = Api::new(Arc::clone(&buckets), &settings.http, observer).into_application();
    let public = Server::start(public_listeners, api, limits, workforce, observer).context("cannot start threads")?;
    let admin_limits = Limits { max_connections: ADMIN_CONNECTIONS, queue_timeout: ADMIN_QUEUE_TIMEOUT, ..limits };
    let effective = Arc::new(EffectiveSettings::new(loaded));
    let admin_application = Admin::new(buckets, public.monitor(), Arc::clone(&effective), observer).into_application();
    let admin_workforce = Workforce::new("admin", ADMIN_WORKERS);
    let admin = match admin_listeners {
        listeners if listeners.is_empty() => None,
        listeners => Some(
            Server::start(listeners, admin_application, admin_limits, admin_workforce, &observer.for_operators())
                .context("cannot start threads")?,
        ),
    };
    report_addresses(public.addresses(), admin.as_ref().map_or(&[], Server::addresses), observer);
    if let Some(username) = example.as_ref().and_then(DocumentId::username) {
        suggest_request(public.addresses(), &segment(username).to_string(), observer);
    }

    let reloader = Reloader::start(sources, loaded, &database, &effective, observer).context("cannot start threads")?;
    wait_for_the_end(&mut signals, &reloader)?;
    observer.emit(&Observation::Draining { limit: limits.drain_timeout });
    let servers = [Some(&public), admin.as_ref()];
    servers.iter().flatten().for_each(|server| server.begin_drain());
    servers.iter().flatten().for_each(|server| server.finish_drain());
    observer.emit(&Observation::Stopped);
    Ok(Exit::Done)
}

/// As many bucket connections as requests that may wait for one, unless a setting says otherwise.
fn bucket_connections(settings: &Settings, workforce: Workforce) -> u32 {
    let blocking = u32::try_from(workforce.blocking).unwrap_or(u32::MAX);
    settings.bucket.max_connections.unwrap_or(blocking)
}

fn limits(settings: &HttpSettings, max_buckets: u32, observer: &Observer) -> Limits {
    let wanted = settings.max_connections as usize;
    let other_files = max_buckets as usize * FILES_PER_BUCKET + ADMIN_CONNECTIONS;
    let fitting = clamp_connections(wanted, other_files);
    if fitting < wanted {
        observer.emit(&Observation::ConnectionsLimited { wanted, fitting });
    }
    Limits { max_connections: fitting, ..Limits::from(settings) }
}

/// `setting` is the one that has the addresses, and how to change it.
fn bind_all(
    setting: &str,
    addresses: &[ListenAddress],
    settings: &Settings,
    observer: &Observer,
) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        let bound = bind(address, settings.http.unix_mode).with_context(|| setting.to_owned())?;
        for (skipped, error) in bound.skipped {
            let reason = &format_args!("{address} is also {skipped}, which this machine lacks ({error})");
            observer.emit(&Observation::AddressSkipped { setting, reason });
        }
        listeners.extend(bound.listeners);
    }
    Ok(listeners)
}

fn report_addresses(public: &[String], admin: &[String], observer: &Observer) {
    for address in public {
        observer.emit(&Observation::Listening { url: &as_url(address) });
    }
    for address in admin {
        observer.emit(&Observation::AdminListening { url: &as_url(address) });
    }
}

/// How to ask for a user, where it is known that there is one.
fn suggest_request(public: &[String], username: &str, observer: &Observer) {
    let Some(address) = public.first() else { return };
    let command = match address.strip_prefix("unix:") {
        Some(path) => format!("curl --unix-socket {path} http://localhost/users/{username}"),
        None => format!("curl -i {}/users/{username}", as_url(address)),
    };
    observer.emit(&Observation::TryCommand { command: &command });
}

fn as_url(address: &str) -> String {
    if address.starts_with("unix:") { address.to_owned() } else { format!("http://{address}") }
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
