//! The poller over the `polling` crate, for systems other than Linux.

#![allow(unsafe_code, reason = "polling's `add` is unsafe; see `Poller::add`")]

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use parking_lot::Mutex;
use polling::{Event, Events};

use super::Interest;

/// The poller.
#[derive(Debug)]
pub struct Poller {
    polling: polling::Poller,
    /// Held while a thread waits: `polling` lets one wait, and returns to others at once as if nothing were ready.
    turn: Mutex<()>,
}

/// The result of a wait, reused for the next one.
pub struct Ready(Events);

impl Ready {
    /// Returns room for so many sockets. More that are ready are returned by the next wait, or by that of another thread.
    #[must_use]
    pub fn of(sockets: usize) -> Self {
        Self(Events::with_capacity(NonZeroUsize::new(sockets).unwrap_or(NonZeroUsize::MIN)))
    }

    /// Returns the keys of the sockets that became ready.
    pub fn keys(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|event| event.key)
    }
}

impl Poller {
    /// Returns a poller that watches nothing yet.
    ///
    /// # Errors
    /// If there are no files or memory for it.
    pub fn new() -> io::Result<Self> {
        Ok(Self { polling: polling::Poller::new()?, turn: Mutex::new(()) })
    }

    pub(super) fn add(&self, socket: BorrowedFd, key: usize, interest: Interest) -> io::Result<()> {
        // SAFETY: `polling` asks that the source be deleted from the poller before it is dropped. Only `Watched` calls this
        // (and the test beside it): it owns the socket, gives it out by shared reference only, and forgets it when dropped.
        unsafe { self.polling.add(socket.as_raw_fd(), event(key, interest)) }
    }

    pub(super) fn arm(&self, socket: BorrowedFd, key: usize, interest: Interest) -> io::Result<()> {
        self.polling.modify(socket, event(key, interest))
    }

    pub(super) fn forget(&self, socket: BorrowedFd) {
        // It can only fail for a socket that was not added.
        let _ = self.polling.delete(socket);
    }

    /// Waits until a socket is ready, the poller is notified, or `timeout` is over. Several threads may wait; each
    /// readiness is returned to one of them. The time that a thread waits for others does not count.
    ///
    /// # Errors
    /// `Interrupted`, by a signal.
    pub fn wait(&self, ready: &mut Ready, timeout: Option<Duration>) -> io::Result<()> {
        ready.0.clear();
        let _turn = self.turn.lock();
        self.polling.wait(&mut ready.0, timeout).map(|_| ())
    }

    /// Ends the wait that is under way, or else the next one.
    pub fn notify(&self) {
        // It can only fail if the system has no memory for it.
        let _ = self.polling.notify();
    }
}

fn event(key: usize, interest: Interest) -> Event {
    match interest {
        Interest::Read => Event::readable(key),
        Interest::Write => Event::writable(key),
    }
}
