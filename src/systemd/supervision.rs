//! The self-check of a service: as long as a request through the public listener is answered, the service manager gets a
//! sign of life, and beside it a line that says how things are.
//!
//! Invariant: a listener that does not answer gets no sign of life sent for it, and the service manager then restarts the
//! program (`WatchdogSec=`). What the database does has no part in it: a restart would not mend it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::Notifier;
use crate::config::ListenAddress;
use crate::http::client;
use crate::observe::{Observation, Observer};
use crate::threads;

/// How often the line of status is renewed where no sign of life is wanted more often.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// What is known of the program from inside.
pub trait Vitals: Send {
    /// Returns the line of status.
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
    /// Returns once each of `addresses` has answered; from then on checks the first one, which is the public listener's.
    ///
    /// # Errors
    /// If one does not answer, or the operating system has no thread left.
    pub fn start(
        notifier: Notifier,
        addresses: &[ListenAddress],
        vitals: Box<dyn Vitals>,
        observer: &Observer,
    ) -> io::Result<Self> {
        let self_check = SelfCheck { request_id: Arc::from(observer.hide_own_requests()) };
        let watchdog = notifier.watchdog_interval();
        // A service manager waits for as long as `watchdog`, and a sign of life may be late once.
        let interval = watchdog.map_or(STATUS_INTERVAL, |interval| (interval / 2).min(STATUS_INTERVAL));
        let timeout = watchdog.map_or(STATUS_INTERVAL, |interval| interval / 4);
        for address in addresses {
            self_check.ask(address, timeout).map_err(|error| {
                io::Error::new(error.kind(), format!("{address} was bound and does not answer this program: {error}"))
            })?;
        }
        notifier.ready(&vitals.status());
        let (stop, stopped) = sync_channel(0);
        let watched = watchdog.and(addresses.first().cloned());
        let observer = observer.clone();
        threads::spawn("supervision", move || {
            let mut answers = vitals.answers();
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                notifier.status(&vitals.status());
                let Some(address) = &watched else { continue };
                match self_check.ask(address, timeout) {
                    Ok(()) => notifier.alive(),
                    // While all connections are taken, the answers that others get show that it works.
                    Err(_) if vitals.is_full() && vitals.answers() > answers => notifier.alive(),
                    Err(error) => observer.emit(&Observation::SelfCheckFailed { address, error: &error }),
                }
                answers = vitals.answers();
            }
        })?;
        Ok(Self { _stop: stop })
    }
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
