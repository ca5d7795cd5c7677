//! Notifications to the service manager (`sd_notify(3)`): ready, reloading, stopping, alive, and a line of status.
//!
//! Invariant: a notification that cannot be sent is logged once and changes nothing else.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::observe::{Observation, Observer};

/// Sends notifications to the service manager. Without one (`$NOTIFY_SOCKET` is unset) each call does nothing.
#[derive(Clone)]
pub struct Notifier {
    observer: Observer,
    state: Arc<NotifierState>,
}

#[derive(Default)]
struct NotifierState {
    /// It was logged that notifications fail.
    has_failed: AtomicBool,
    /// It was reported that the program goes down, and nothing that other threads report holds any more.
    is_stopping: AtomicBool,
}

impl Notifier {
    /// Returns a notifier.
    #[must_use]
    pub fn new(observer: &Observer) -> Self {
        Self { observer: observer.clone(), state: Arc::default() }
    }

    /// Returns true if there is a service manager to notify.
    #[must_use]
    pub fn is_used(&self) -> bool {
        std::env::var_os("NOTIFY_SOCKET").is_some()
    }

    /// Returns how long the service manager waits for a sign of life at most (`WatchdogSec=`), if it wants one.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }

    /// Reports what it is doing, for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.send(&[NotifyState::Status(status)]);
    }

    /// Reports that it serves: after the start, and again after each reload.
    pub fn ready(&self, status: &str) {
        self.send(&[NotifyState::Status(status), NotifyState::Ready]);
    }

    /// Reports that a reload has begun. The time tells the service manager which of its requests is meant
    /// (`systemd.service(5)`, `Type=notify-reload`).
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now, NotifyState::Status("reloading the settings")]),
            Err(error) => self.report(&error),
        }
    }

    /// Reports that it is going down. It is the last report.
    pub fn stopping(&self, status: &str) {
        self.send(&[NotifyState::Stopping, NotifyState::Status(status)]);
        self.state.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Reports that it is alive.
    pub fn alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState]) {
        if self.state.is_stopping.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = sd_notify::notify(states) {
            self.report(&error);
        }
    }

    fn report(&self, error: &io::Error) {
        if !self.state.has_failed.swap(true, Ordering::Relaxed) {
            self.observer.emit(&Observation::NotificationFailed { error });
        }
    }
}
