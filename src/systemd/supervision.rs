//! The self-check of a service: as long as a request through the public listener is answered, the service manager gets a
//! watchdog ping, and beside it a status line.
//!
//! Invariant: no ping is sent for a listener that neither answers a request of our own nor, while all its connections are
//! taken, those of others; the service manager then restarts the program (`WatchdogSec=`). What the database does has no
//! part in it: a restart would not mend it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::Notifier;
use crate::config::ListenAddress;
use crate::http::client;
use crate::observe::{Observation, Observer};
use crate::threads;

/// How often the status line is renewed where no ping is wanted more often, and how long the first answers may take.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// What is known of the program from inside.
pub trait Vitals: Send {
    /// Returns the status line.
    fn status(&self) -> String;

    /// Returns true if all connections that may be open are open, so that a self-check has to wait in the queue of the
    /// operating system.
    fn is_full(&self) -> bool;

    /// Returns the number of answers so far.
    fn answers(&self) -> u64;
}

/// The self-check of a service. Dropping it ends it.
pub struct Supervision {
    _stop: SyncSender<()>,
}

impl Supervision {
    /// Returns once `public`, an address of the public listener, and each of `others` have answered; from then on checks
    /// `public`.
    ///
    /// # Errors
    /// If one does not answer, or the operating system has no thread left.
    pub fn start<'a>(
        notifier: Notifier,
        public: &'a ListenAddress,
        others: impl Iterator<Item = &'a ListenAddress>,
        vitals: Box<dyn Vitals>,
        observer: &Observer,
    ) -> io::Result<Self> {
        let self_check = SelfCheck { request_id: Arc::from(observer.hide_own_requests()) };
        for address in std::iter::once(public).chain(others) {
            self_check.ask(address, STATUS_INTERVAL).map_err(|error| not_reachable(address, &error))?;
        }
        notifier.ready(&vitals.status());
        let (stop, stopped) = sync_channel(0);
        let watchdog = notifier.watchdog_interval();
        // After a check that has timed out there is time for another one before the service manager has waited for as long as
        // `watchdog`.
        let interval = watchdog.map_or(STATUS_INTERVAL, |watchdog| (watchdog / 4).min(STATUS_INTERVAL));
        let (public, observer) = (public.clone(), observer.clone());
        threads::spawn("supervision", move || {
            let mut answers = vitals.answers();
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                notifier.status(&vitals.status());
                let Some(watchdog) = watchdog else { continue };
                match self_check.ask(&public, watchdog / 5) {
                    Ok(()) => notifier.alive(),
                    // While all connections are taken, the answers that others get show that it works.
                    Err(_) if vitals.is_full() && vitals.answers() > answers => notifier.alive(),
                    Err(error) => observer.emit(&Observation::SelfCheckFailed { address: &public, error: &error }),
                }
                answers = vitals.answers();
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

fn not_reachable(address: &ListenAddress, error: &io::Error) -> io::Error {
    let advice = "under PrivateNetwork= or RestrictAddressFamilies=AF_UNIX, the socket unit needs a unix socket too, such as \
                  ListenStream=/run/userprofiles/http.sock";
    io::Error::new(error.kind(), format!("{address} does not answer this program itself: {error}; {advice}"))
}

struct SelfCheck {
    request_id: Arc<str>,
}

impl SelfCheck {
    /// Any answer shows that the listener works.
    fn ask(&self, address: &ListenAddress, timeout: Duration) -> io::Result<()> {
        client::ask(address, ("OPTIONS", "/"), Some(&self.request_id), timeout).map(drop)
    }
}
