//! The poller over the `polling` crate, for systems other than Linux.

#![allow(unsafe_code, reason = "polling's `add` is unsafe; see `Poller::add`")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use polling::{Event, Events};

use super::Interest;

/// The poller.
#[derive(Debug)]
pub struct Poller(polling::Poller);

/// What one wait has told. Used again for each wait.
pub struct Ready(Events);

impl Ready {
    /// Room for the outcome of a wait.
    #[must_use]
    pub fn new() -> Self {
        Self(Events::new())
    }

    /// The keys of the sockets that became ready.
    pub fn keys(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|event| event.key)
    }
}

impl Poller {
    /// A poller that watches nothing yet.
    ///
    /// # Errors
    /// If there are no files or memory for it.
    pub fn new() -> io::Result<Self> {
        polling::Poller::new().map(Self)
    }

    pub(super) fn add(&self, socket: BorrowedFd, key: usize, interest: Interest) -> io::Result<()> {
        // SAFETY: `polling` asks that the source be deleted from the poller before it is dropped. Only `Watched` calls this
        // (and the test beside it): it owns the socket, gives it out by shared reference only, and forgets it when dropped.
        unsafe { self.0.add(socket.as_raw_fd(), event(key, interest)) }
    }

    pub(super) fn arm(&self, socket: BorrowedFd, key: usize, interest: Interest) -> io::Result<()> {
        self.0.modify(socket, event(key, interest))
    }

    pub(super) fn forget(&self, socket: BorrowedFd) {
        // It can only fail for a socket that was not added.
        let _ = self.0.delete(socket);
    }

    /// Waits until a socket is ready, the poller is notified, or `timeout` is over. To be called by one thread.
    ///
    /// # Errors
    /// `Interrupted`, by a signal.
    pub fn wait(&self, ready: &mut Ready, timeout: Option<Duration>) -> io::Result<()> {
        ready.0.clear();
        self.0.wait(&mut ready.0, timeout).map(|_| ())
    }

    /// Ends the wait that is under way, or else the next one.
    pub fn notify(&self) {
        // It can only fail if the system has no memory for it; the next wait has a timeout then.
        let _ = self.0.notify();
    }
}

fn event(key: usize, interest: Interest) -> Event {
    match interest {
        Interest::Read => Event::readable(key),
        Interest::Write => Event::writable(key),
    }
}
