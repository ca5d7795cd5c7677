//! The thread that has connections accepted, and ends those whose deadlines are over.
//!
//! Invariant: it never reads from a connection and never runs a handler, so nothing that a client or a database does
//! delays it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::acceptor::Acceptor;
use super::drain;
use super::shared::{Job, ListenerState, QueuedRequest, Task};
use crate::clock;
use crate::http::limits::LINGER_TIMEOUT;
use crate::http::net::Listener;
use crate::http::net::poll::Ready;

/// The shortest time between two scans of the deadlines.
const SCAN_GAP: Duration = Duration::from_millis(20);

/// A scan that comes this late shows that the process stood still (a suspended machine, SIGSTOP), and not that it was busy.
const STOOD_STILL: Duration = Duration::from_millis(500);

/// What the watcher thread owns.
pub struct Watcher {
    shared: Arc<ListenerState>,
    acceptor: Acceptor,
    next_scan: Instant,
}

impl Watcher {
    /// Takes the listeners over.
    ///
    /// # Errors
    /// If the operating system cannot watch them.
    pub fn new(shared: Arc<ListenerState>, listeners: Vec<Listener>) -> io::Result<Self> {
        let acceptor = Acceptor::new(Arc::clone(&shared), listeners)?;
        Ok(Self { shared, acceptor, next_scan: clock::now() })
    }

    /// Watches until the server has gone down.
    pub fn run(&mut self) {
        let mut ready = Ready::of(8);
        loop {
            // A wait that fails (a signal can interrupt it) is a wait that was short.
            let _ = self.shared.watch.wait(&mut ready, self.timeout(clock::now()));
            let now = clock::now();
            if now >= self.next_scan + STOOD_STILL {
                // What arrived meanwhile is read first: its senders were not late.
                self.next_scan = now + STOOD_STILL / 2;
            } else if now >= self.next_scan {
                self.scan(now);
            }
            for number in ready.keys() {
                self.acceptor.accept(number, now);
            }
            let is_draining = self.shared.drain_deadline().is_some();
            if is_draining {
                self.drain(now);
            }
            self.acceptor.resume(now);
            if is_draining && self.shared.table.open() == 0 {
                return self.shared.set_drained();
            }
        }
    }

    /// Returns how long the next wait may take; `None` for as long as nothing happens.
    fn timeout(&self, now: Instant) -> Option<Duration> {
        // In a drain the last connection may close just after it was counted.
        let has_deadlines = self.shared.table.open() > 0 || self.shared.drain_deadline().is_some();
        let scan = has_deadlines.then_some(self.next_scan);
        [scan, self.acceptor.retry_at()].into_iter().flatten().min().map(|at| at.saturating_duration_since(now))
    }

    /// Ends what is overdue, and sets the next scan: no later than the earliest deadline, nor than one that a worker may
    /// set in the meantime.
    fn scan(&mut self, now: Instant) {
        let (overdue, earliest) = self.shared.table.overdue(now);
        for key in overdue {
            if let Some(connection) = self.shared.table.take_overdue(key, now) {
                self.shared.expire(connection, now);
            }
        }
        for QueuedRequest { connection, request } in self.shared.admission.take_overdue(now) {
            self.shared.queue.push(Job { connection, task: Task::Reject(request) });
        }
        let wait = if self.shared.drain_deadline().is_some() { SCAN_GAP } else { self.shortest_wait() };
        let next =
            [earliest, self.shared.admission.next_overdue()].into_iter().flatten().fold(now + wait, Instant::min);
        self.next_scan = next.max(now + SCAN_GAP);
    }

    /// Returns the shortest time after which a deadline that was just set can be over.
    fn shortest_wait(&self) -> Duration {
        let limits = self.shared.limits();
        let waits = [
            limits.first_byte_timeout,
            limits.head_timeout,
            limits.idle_timeout,
            limits.write_timeout,
            limits.queue_timeout,
        ];
        waits.into_iter().fold(LINGER_TIMEOUT, Duration::min).max(SCAN_GAP)
    }

    /// Stops accepting, and lets no connection in the table wait past the end. Called again and again, because workers
    /// put connections back meanwhile.
    fn drain(&mut self, now: Instant) {
        let Some(end) = self.shared.drain_deadline() else { return };
        self.acceptor.stop(now);
        self.shared.table.for_each_waiting(|connection| drain::cap_deadlines(connection, end, now));
        self.next_scan = self.next_scan.min(now + SCAN_GAP);
    }
}
