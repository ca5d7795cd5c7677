//! The poller over Linux's `epoll`, one-shot (`epoll(7)`, `EPOLLONESHOT`).

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

use super::Interest;

/// The key of the notification.
const NOTIFICATION: u64 = u64::MAX;

/// The poller.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
    notification: OwnedFd,
}

/// The result of a wait, reused for the next one.
pub struct Ready {
    events: Vec<epoll::Event>,
}

impl Ready {
    /// Returns room for so many sockets. More that are ready are returned by the next wait, or by that of another thread.
    #[must_use]
    pub fn of(sockets: usize) -> Self {
        Self { events: Vec::with_capacity(sockets) }
    }

    /// Returns the keys of the sockets that became ready.
    pub fn keys(&self) -> impl Iterator<Item = usize> {
        self.events
            .iter()
            .filter_map(|event| usize::try_from(event.data.u64()).ok())
            .filter(|key| *key as u64 != NOTIFICATION)
    }
}

impl Poller {
    /// Returns a poller that watches nothing yet.
    ///
    /// # Errors
    /// If there are no files or memory for it.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let notification = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &notification, EventData::new_u64(NOTIFICATION), EventFlags::IN)?;
        Ok(Self { epoll, notification })
    }

    pub(super) fn add(&self, socket: BorrowedFd, key: usize, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(key as u64), flags(interest))?)
    }

    pub(super) fn arm(&self, socket: BorrowedFd, key: usize, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(key as u64), flags(interest))?)
    }

    pub(super) fn forget(&self, socket: BorrowedFd) {
        // It can only fail for a socket that was not added.
        let _ = epoll::delete(&self.epoll, socket);
    }

    /// Waits until a socket is ready, the poller is notified, or `timeout` is over. Several threads may wait; each
    /// readiness is returned to one of them.
    ///
    /// # Errors
    /// `Interrupted`, by a signal.
    pub fn wait(&self, ready: &mut Ready, timeout: Option<Duration>) -> io::Result<()> {
        ready.events.clear();
        // Rounded up: a wait that ends before its deadline would only be followed by another one.
        let round_up =
            |wait: Duration| if wait.is_zero() { wait } else { wait.saturating_add(Duration::from_micros(999)) };
        let timeout = timeout.map(round_up);
        let timeout = timeout.and_then(|timeout| {
            let seconds = i64::from(u32::try_from(timeout.as_secs()).ok()?);
            Some(Timespec { tv_sec: seconds.min(1_000_000), tv_nsec: i64::from(timeout.subsec_nanos()) })
        });
        epoll::wait(&self.epoll, spare_capacity(&mut ready.events), timeout.as_ref())?;
        if ready.events.iter().any(|event| event.data.u64() == NOTIFICATION) {
            let mut count = [0; 8];
            // It can only fail if nothing is there to be read, and then it was read already.
            let _ = rustix::io::read(&self.notification, &mut count);
        }
        Ok(())
    }

    /// Ends the wait that is under way, or else the next one.
    pub fn notify(&self) {
        // It can only fail if 2^64 - 2 notifications were not read yet.
        let _ = rustix::io::write(&self.notification, &1_u64.to_ne_bytes());
    }
}

fn flags(interest: Interest) -> EventFlags {
    match interest {
        Interest::Read => EventFlags::ONESHOT | EventFlags::IN | EventFlags::RDHUP,
        Interest::Write => EventFlags::ONESHOT | EventFlags::OUT,
    }
}
