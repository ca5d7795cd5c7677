//! The thread that accepts connections, and ends those whose deadlines pass.
//!
//! Invariant: it never reads from a connection and never runs a handler, so nothing that a client or a database does
//! keeps it from the next event.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::drain;
use super::{Job, Shared};
use crate::clock;
use crate::http::connection::Connection;
use crate::http::limits::LINGER_TIMEOUT;
use crate::http::net::Listener;
use crate::http::net::poll::{Interest, Ready, Watched};
use crate::http::net::stream::Stream;
use crate::http::net::table::{NoSeat, Wire};
use crate::observe::Observation;

/// How many connections are accepted before deadlines and other listeners get their turn.
const ACCEPTS_PER_TURN: usize = 64;

/// Deadlines that lie closer together than this are looked at together.
const SCAN_GAP: Duration = Duration::from_millis(20);

/// The shortest and the longest pause after the system had no file or memory for a connection.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// A connection that waits for its next request for less than this is not closed to make room for a new one.
const IDLE_BEFORE_EVICTION: Duration = Duration::from_secs(1);

/// The watcher thread's belongings.
pub struct Watcher {
    shared: Arc<Shared>,
    listeners: Vec<Watched<Listener>>,
    accepting: Accepting,
    next_scan: Instant,
}

/// Whether connections are accepted.
#[derive(Clone, Copy, Debug)]
enum Accepting {
    /// Whenever one comes.
    Yes,
    /// When a seat becomes free; at `until` it is asked again whether one can be made free.
    WhenThereIsASeat { until: Instant },
    /// The system has no files or memory left: at `until`, for an episode that began at `since`.
    Later { since: Instant, until: Instant, pause: Duration },
    /// Not any more.
    Never,
}

/// [`Watcher::accepting`] says why.
struct CannotAccept;

impl Watcher {
    /// Takes the listeners over.
    ///
    /// # Errors
    /// If the operating system cannot watch them.
    pub fn new(shared: Arc<Shared>, listeners: Vec<Listener>) -> io::Result<Self> {
        let watch = |(number, listener)| Watched::new(listener, number, Interest::Read, &shared.watch);
        let listeners = listeners.into_iter().enumerate().map(watch).collect::<io::Result<_>>()?;
        Ok(Self { shared, listeners, accepting: Accepting::Yes, next_scan: clock::now() })
    }

    /// Watches until the server has gone down.
    pub fn run(&mut self) {
        let mut ready = Ready::of(self.listeners.len() + 1);
        loop {
            // A wait that fails (it can be interrupted) is a wait that was short.
            let _ = self.shared.watch.wait(&mut ready, self.timeout(clock::now()));
            let now = clock::now();
            if now >= self.next_scan {
                self.scan(now);
            }
            for number in ready.keys() {
                self.accept(number, now);
            }
            let is_draining = self.shared.drain_end().is_some();
            if is_draining {
                self.drain(now);
            }
            self.resume_accepting(now);
            if is_draining && self.shared.table.open() == 0 {
                return self.shared.set_watcher_done();
            }
        }
    }

    /// How long the next wait may take. `None`: there is nothing to be late for.
    fn timeout(&self, now: Instant) -> Option<Duration> {
        // In a drain the last connection may close just after it was asked whether one is open.
        let may_be_late = self.shared.table.open() > 0 || self.shared.drain_end().is_some();
        let scan = may_be_late.then_some(self.next_scan);
        let accept = match self.accepting {
            Accepting::Later { until, .. } | Accepting::WhenThereIsASeat { until } => Some(until),
            Accepting::Yes | Accepting::Never => None,
        };
        [scan, accept].into_iter().flatten().min().map(|at| at.saturating_duration_since(now))
    }

    fn accept(&mut self, number: usize, now: Instant) {
        if self.accept_some(number, ACCEPTS_PER_TURN, now).is_err() {
            return;
        }
        match std::mem::replace(&mut self.accepting, Accepting::Yes) {
            Accepting::Yes | Accepting::Never => self.arm(number, now),
            Accepting::WhenThereIsASeat { .. } => self.arm_all(now),
            Accepting::Later { since, .. } => {
                let after = now.saturating_duration_since(since);
                self.shared.observer.emit(&Observation::AcceptResumed { after });
                self.arm_all(now);
            }
        }
    }

    /// Accepts what is there, `most` connections at the most, and says how many it were. It is an error if no more can
    /// be accepted for now.
    fn accept_some(&mut self, number: usize, most: usize, now: Instant) -> Result<usize, CannotAccept> {
        for count in 0..most {
            let Some(listener) = self.listeners.get(number) else { return Err(CannotAccept) };
            if self.shared.table.is_full() {
                // Whether one more waits is known only once the listener says so again.
                if count > 0 {
                    return Ok(count);
                }
                if !self.make_room(now) {
                    self.accepting = Accepting::WhenThereIsASeat { until: now + self.idle_before_eviction() };
                    return Err(CannotAccept);
                }
            }
            match listener.socket().accept() {
                Ok((stream, peer)) => self.admit(stream, peer, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.pause_accepting(&error, now);
                    return Err(CannotAccept);
                }
            }
        }
        Ok(most)
    }

    fn admit(&mut self, stream: Stream, peer: Option<SocketAddr>, now: Instant) {
        let seat = match self.shared.table.seat(peer) {
            Ok(seat) => seat,
            Err(NoSeat::Full) => return self.shared.observer.emit(&Observation::Rejected { reason: "full" }),
            Err(NoSeat::ShareTaken) => {
                return self.shared.observer.emit(&Observation::Rejected { reason: "address-share" });
            }
        };
        if self.shared.table.open() == 1 {
            self.next_scan = now + self.shortest_wait();
        }
        let parked = self.shared.table.park_new(seat, |seat| {
            let socket = Watched::new(stream, seat.key(), Interest::Read, &self.shared.poller)?;
            Ok(Wire::new(socket, peer, Connection::new(&self.shared.limits, now), seat))
        });
        if parked.is_err() {
            self.shared.observer.emit(&Observation::Rejected { reason: "no-memory" });
        }
    }

    /// Closes the connection that has waited longest for its next request, if that is long enough.
    fn make_room(&self, now: Instant) -> bool {
        let Some(key) = self.shared.table.longest_idle() else { return false };
        let Some(wire) = self.shared.table.take(key) else { return false };
        let waited = self.shared.limits.idle_timeout.saturating_sub(wire.connection.deadline().remaining(now));
        // Its client may have asked meanwhile.
        if !wire.connection.waits_for_request() || waited < self.idle_before_eviction() {
            let interest = if wire.connection.has_output() { Interest::Write } else { Interest::Read };
            self.shared.table.park(wire, interest);
            return false;
        }
        self.shared.observer.emit(&Observation::Rejected { reason: "evicted" });
        true
    }

    fn idle_before_eviction(&self) -> Duration {
        IDLE_BEFORE_EVICTION.min(self.shared.limits.idle_timeout / 2)
    }

    fn pause_accepting(&mut self, error: &io::Error, now: Instant) {
        let (since, pause) = match self.accepting {
            Accepting::Later { since, pause, .. } => (since, (pause * 2).min(ACCEPT_PAUSE.1)),
            _ => {
                self.shared.observer.emit(&Observation::AcceptPaused { error });
                (now, ACCEPT_PAUSE.0)
            }
        };
        self.accepting = Accepting::Later { since, until: now + pause, pause };
    }

    fn resume_accepting(&mut self, now: Instant) {
        match self.accepting {
            Accepting::WhenThereIsASeat { until } if now >= until || !self.shared.table.is_full() => {
                // Which of them has somebody waiting, the poller tells.
                self.accepting = Accepting::Yes;
                self.arm_all(now);
            }
            Accepting::Later { until, .. } if now >= until => {
                (0..self.listeners.len()).for_each(|number| self.accept(number, now));
            }
            Accepting::Yes | Accepting::Never | Accepting::WhenThereIsASeat { .. } | Accepting::Later { .. } => {}
        }
    }

    fn arm_all(&mut self, now: Instant) {
        (0..self.listeners.len()).for_each(|number| self.arm(number, now));
    }

    fn arm(&mut self, number: usize, now: Instant) {
        if let Some(Err(error)) = self.listeners.get(number).map(|listener| listener.arm(Interest::Read)) {
            self.pause_accepting(&error, now);
        }
    }

    /// The shortest time after which a deadline that was set just now can be over.
    fn shortest_wait(&self) -> Duration {
        let limits = &self.shared.limits;
        let waits = [
            limits.first_byte_timeout,
            limits.head_timeout,
            limits.idle_timeout,
            limits.write_timeout,
            limits.queue_timeout,
        ];
        waits.into_iter().fold(LINGER_TIMEOUT, Duration::min).max(SCAN_GAP)
    }

    /// Ends what is overdue, and finds the moment for the next scan: no later than the earliest deadline, nor than one
    /// that a worker may set in the meantime.
    fn scan(&mut self, now: Instant) {
        let (overdue, earliest) = self.shared.table.overdue(now);
        for key in overdue {
            if let Some(wire) = self.shared.table.take_overdue(key, now) {
                self.shared.expire(wire, now);
            }
        }
        for request in self.shared.lane.take_overdue(now) {
            self.shared.send(Job::Overdue(request));
        }
        let wait = if self.shared.drain_end().is_some() { SCAN_GAP } else { self.shortest_wait() };
        let next = [earliest, self.shared.lane.next_overdue()].into_iter().flatten().fold(now + wait, Instant::min);
        self.next_scan = next.max(now + SCAN_GAP);
    }

    /// The first time: takes what the system has accepted for us and closes the listeners. Every time: sees to it that
    /// no parked connection waits past the end.
    fn drain(&mut self, now: Instant) {
        let Some(end) = self.shared.drain_end() else { return };
        if !matches!(self.accepting, Accepting::Never) {
            for number in 0..self.listeners.len() {
                // What cannot be accepted now is refused by the system when the listener closes.
                while self.accept_some(number, usize::MAX, now).is_ok_and(|count| count > 0) {}
            }
            self.accepting = Accepting::Never;
            self.listeners.clear();
        }
        self.shared.table.for_each_parked(|connection| drain::hurry(connection, end, now));
        self.next_scan = self.next_scan.min(now + SCAN_GAP);
    }
}

/// Errors of `accept` that concern the connection that was to be accepted, and not the next one. On Linux those of the
/// network are among them (`accept(2)`, "Error handling").
fn is_of_one_connection(error: &io::Error) -> bool {
    const OF_THE_NETWORK: [Errno; 7] = [
        Errno::PROTO,
        Errno::NETDOWN,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::OPNOTSUPP,
        Errno::NETUNREACH,
    ];
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
        || OF_THE_NETWORK.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
