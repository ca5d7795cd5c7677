//! Accepts connections: as long as there are slots for them, and files and memory.
//!
//! Invariant: a failure of `accept` is waited out and never ends the accepting; only a drain does.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::Socket;

use super::shared::ListenerState;
use crate::clock::BackOff;
use crate::http::connection::Connection;
use crate::http::net::Listener;
use crate::http::net::poll::{Interest, Watched};
use crate::http::net::table::{NoSlot, OpenConnection};
use crate::observe::Observation;

/// How many connections of one listener are accepted before others, and deadlines, are looked after.
const ACCEPTS_PER_TURN: usize = 64;

/// The pauses after the system had no file or memory for a connection.
const ACCEPT_PAUSE: BackOff = BackOff { first: Duration::from_millis(10), longest: Duration::from_secs(1) };

/// How long a connection must have been idle to be closed for a new one.
const IDLE_BEFORE_EVICTION: Duration = Duration::from_secs(1);

/// The listening sockets of one listener.
pub struct Acceptor {
    shared: Arc<ListenerState>,
    listeners: Vec<Watched<Listener>>,
    accepting: Accepting,
}

/// Whether connections are accepted.
#[derive(Clone, Copy, Debug)]
enum Accepting {
    /// They are.
    Yes,
    /// All slots are taken. At `retry_at` a connection may have been idle for long enough to be closed.
    WhenSlotIsFree { retry_at: Instant },
    /// Since `since` the system has no files or memory left.
    Paused { since: Instant, retry_at: Instant, failures: u32 },
    /// The server is going down.
    Stopped,
}

/// [`Acceptor::accepting`] says why.
struct CannotAccept;

impl Acceptor {
    /// Takes the listeners over.
    ///
    /// # Errors
    /// If the operating system cannot watch them.
    pub fn new(shared: Arc<ListenerState>, listeners: Vec<Listener>) -> io::Result<Self> {
        let watch = |(number, listener)| Watched::new(listener, number, Interest::Read, &shared.watch);
        let listeners = listeners.into_iter().enumerate().map(watch).collect::<io::Result<_>>()?;
        Ok(Self { shared, listeners, accepting: Accepting::Yes })
    }

    /// Accepts what one listener has ready.
    pub fn accept(&mut self, number: usize, now: Instant) {
        if self.accept_some(number, ACCEPTS_PER_TURN, now).is_err() {
            return;
        }
        match std::mem::replace(&mut self.accepting, Accepting::Yes) {
            Accepting::Yes | Accepting::Stopped => self.arm(number, now),
            Accepting::WhenSlotIsFree { .. } => self.arm_all(now),
            Accepting::Paused { since, .. } => {
                let after = now.saturating_duration_since(since);
                self.shared.observer.emit(&Observation::AcceptResumed { after });
                self.arm_all(now);
            }
        }
    }

    /// Returns when [`Acceptor::resume`] is worth another try; `None` if it need not be called.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        match self.accepting {
            Accepting::Paused { retry_at, .. } | Accepting::WhenSlotIsFree { retry_at } => Some(retry_at),
            Accepting::Yes | Accepting::Stopped => None,
        }
    }

    /// Accepts again if what kept it from doing so may be over.
    pub fn resume(&mut self, now: Instant) {
        match self.accepting {
            Accepting::WhenSlotIsFree { retry_at } if now >= retry_at || !self.shared.table.is_full() => {
                self.accepting = Accepting::Yes;
                self.arm_all(now);
            }
            Accepting::Paused { retry_at, .. } if now >= retry_at => {
                (0..self.listeners.len()).for_each(|number| self.accept(number, now));
            }
            _ => {}
        }
    }

    /// Accepts what the system has accepted already, but for what a successor can accept, and closes the listeners.
    pub fn stop(&mut self, now: Instant) {
        if matches!(self.accepting, Accepting::Stopped) {
            return;
        }
        for number in 0..self.listeners.len() {
            if self.listeners[number].socket().outlives_process() {
                continue;
            }
            // What cannot be accepted now is refused by the system when the listener closes.
            while self.accept_some(number, usize::MAX, now).is_ok_and(|count| count > 0) {}
        }
        self.accepting = Accepting::Stopped;
        self.listeners.clear();
    }

    /// Accepts at most `most` connections that are ready, and returns how many there were.
    fn accept_some(&mut self, number: usize, most: usize, now: Instant) -> Result<usize, CannotAccept> {
        for count in 0..most {
            let Some(listener) = self.listeners.get(number) else { return Err(CannotAccept) };
            // Several have to go where fewer are allowed than there were.
            while self.shared.table.is_full() {
                // Whether another one is ready is known only once the poller says so again.
                if count > 0 {
                    return Ok(count);
                }
                if !self.make_room(now) {
                    self.accepting = Accepting::WhenSlotIsFree { retry_at: now + self.idle_before_eviction() };
                    return Err(CannotAccept);
                }
            }
            match listener.socket().accept() {
                Ok((stream, peer)) => self.open(stream, peer, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    self.pause(&error, now);
                    return Err(CannotAccept);
                }
            }
        }
        Ok(most)
    }

    fn open(&self, stream: Socket, peer: Option<SocketAddr>, now: Instant) {
        let service = self.shared.service.load();
        let is_proxy = service.trusted_proxies.trusts(peer);
        // What comes through a proxy is counted for its clients, request by request.
        let address = peer.map(|peer| peer.ip()).filter(|_| !is_proxy);
        let taken = match self.shared.table.take_slot(address) {
            // Whoever is on this machine is not counted, as on loopback: the program's own checks come from here, too.
            Err(NoSlot::ShareTaken) if is_of_this_machine(&stream, peer) => self.shared.table.take_slot(None),
            taken => taken,
        };
        let slot = match taken {
            Ok(slot) => slot,
            Err(NoSlot::Full) => return self.reject("full"),
            Err(NoSlot::ShareTaken) => return self.reject("address-share"),
        };
        let inserted = self.shared.table.insert_new(slot, |slot| {
            let socket = Watched::new(stream, slot.key(), Interest::Read, self.shared.queue.poller())?;
            let state = Connection::new(&service.limits, now);
            Ok(OpenConnection { socket: Arc::new(socket), peer, state, slot })
        });
        if inserted.is_err() {
            self.reject("no-memory");
        }
    }

    /// Closes the connection that has been idle for longest, if that is long enough.
    fn make_room(&self, now: Instant) -> bool {
        let Some(key) = self.shared.table.longest_idle() else { return false };
        let Some(connection) = self.shared.table.take(key) else { return false };
        // Its client may have sent a request meanwhile.
        let idle_since = connection.state.idle_since();
        if idle_since.is_none_or(|since| now.saturating_duration_since(since) < self.idle_before_eviction()) {
            let interest = if connection.state.has_output() { Interest::Write } else { Interest::Read };
            self.shared.table.insert(connection, interest);
            return false;
        }
        self.reject("evicted");
        true
    }

    fn idle_before_eviction(&self) -> Duration {
        IDLE_BEFORE_EVICTION.min(self.shared.limits().idle_timeout / 2)
    }

    fn reject(&self, reason: &'static str) {
        self.shared.observer.emit(&Observation::Rejected { reason });
    }

    fn pause(&mut self, error: &io::Error, now: Instant) {
        let (since, failures) = match self.accepting {
            Accepting::Paused { since, failures, .. } => (since, failures.saturating_add(1)),
            _ => {
                self.shared.observer.emit(&Observation::AcceptPaused { error });
                (now, 0)
            }
        };
        let retry_at = now + ACCEPT_PAUSE.pause(failures, fastrand::f64());
        self.accepting = Accepting::Paused { since, retry_at, failures };
    }

    fn arm_all(&mut self, now: Instant) {
        (0..self.listeners.len()).for_each(|number| self.arm(number, now));
    }

    fn arm(&mut self, number: usize, now: Instant) {
        if let Some(Err(error)) = self.listeners.get(number).map(|listener| listener.arm(Interest::Read)) {
            self.pause(&error, now);
        }
    }
}

/// Returns true if both ends of a connection have the same address.
fn is_of_this_machine(stream: &Socket, peer: Option<SocketAddr>) -> bool {
    let own = stream.local_addr().ok().and_then(|address| address.as_socket());
    own.zip(peer).is_some_and(|(own, peer)| own.ip() == peer.ip())
}

/// Returns true for errors of `accept` that concern the connection that was to be accepted, and not the next one. On Linux
/// those of the network are among them (`accept(2)`, "Error handling").
fn concerns_one_connection(error: &io::Error) -> bool {
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
