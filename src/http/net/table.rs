//! All open connections: who may have one, where those wait that nobody works on, and until when.
//!
//! Invariant: a connection is either parked here or owned by one thread. A seat is free again only after its socket was
//! closed.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::poll::{Interest, Poller, Watched};
use super::stream::Stream;
use crate::http::connection::Connection;

/// One connection, with its socket and its seat. Fields are dropped in this order: the socket before the seat.
#[derive(Debug)]
pub struct Wire {
    /// The socket; shared with nobody but the record of what is in flight.
    pub socket: Arc<Watched<Stream>>,
    /// Who is at the other end; `None` on a unix socket.
    pub peer: Option<SocketAddr>,
    /// Its state.
    pub connection: Connection,
    /// Its place in the table.
    seat: Seat,
}

impl Wire {
    /// A new connection on a seat.
    #[must_use]
    pub fn new(socket: Watched<Stream>, peer: Option<SocketAddr>, connection: Connection, seat: Seat) -> Self {
        Self { socket: Arc::new(socket), peer, connection, seat }
    }
}

/// The table of connections.
#[derive(Debug)]
pub struct Table {
    epoch: Instant,
    slots: Box<[Slot]>,
    free: Mutex<Vec<usize>>,
    /// No key at or above this was ever given out.
    used_keys: AtomicUsize,
    open: AtomicUsize,
    per_address: Mutex<HashMap<IpAddr, usize>>,
    max_per_address: usize,
    /// Somebody wants to know when a seat becomes free.
    is_awaited: AtomicBool,
    /// Where that somebody waits.
    watch: Arc<Poller>,
}

#[derive(Debug)]
struct Slot {
    parked: Mutex<Option<Box<Wire>>>,
    /// In milliseconds since `epoch`; [`NO_DEADLINE`] while nothing is parked. Read without the lock.
    deadline_ms: AtomicU64,
}

const NO_DEADLINE: u64 = u64::MAX;

/// A place in the table. Dropping it makes it free.
#[derive(Debug)]
pub struct Seat {
    table: Arc<Table>,
    key: usize,
    share: Option<IpAddr>,
}

/// Why there is no seat for a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSeat {
    /// All are taken.
    Full,
    /// Its address has its share already.
    ShareTaken,
}

impl Table {
    /// An empty table. `watch` is notified when a seat becomes free that somebody waits for; `now` is the moment from which
    /// it counts.
    #[must_use]
    pub fn new(max_connections: usize, max_per_address: usize, watch: &Arc<Poller>, now: Instant) -> Arc<Self> {
        let slot = |_| Slot { parked: Mutex::new(None), deadline_ms: AtomicU64::new(NO_DEADLINE) };
        Arc::new(Self {
            epoch: now,
            slots: (0..max_connections).map(slot).collect(),
            free: Mutex::new((0..max_connections).rev().collect()),
            used_keys: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            per_address: Mutex::new(HashMap::new()),
            max_per_address,
            is_awaited: AtomicBool::new(false),
            watch: Arc::clone(watch),
        })
    }

    /// Takes a seat for a connection from `peer`.
    ///
    /// # Errors
    /// [`NoSeat`] says why there is none.
    pub fn seat(self: &Arc<Self>, peer: Option<SocketAddr>) -> Result<Seat, NoSeat> {
        let key = locked(&self.free).pop().ok_or(NoSeat::Full)?;
        let mut seat = Seat { table: Arc::clone(self), key, share: None };
        self.open.fetch_add(1, Ordering::AcqRel);
        self.used_keys.fetch_max(key + 1, Ordering::AcqRel);
        if let Some(address) = share_key(peer) {
            let mut per_address = locked(&self.per_address);
            let count = per_address.entry(address).or_insert(0);
            if *count >= self.max_per_address {
                drop(per_address);
                return Err(NoSeat::ShareTaken);
            }
            *count += 1;
            seat.share = Some(address);
        }
        Ok(seat)
    }

    /// Leaves a connection here until it becomes ready or its deadline comes. If the operating system cannot watch it,
    /// it is closed.
    pub fn park(&self, wire: Box<Wire>, interest: Interest) {
        let slot = &self.slots[wire.seat.key];
        // The lock is held until the socket is armed: once it is, somebody may come for the connection at any time.
        let mut parked = locked(&slot.parked);
        let wire = self.put(slot, &mut parked, wire);
        if wire.socket.arm(interest).is_err() {
            slot.deadline_ms.store(NO_DEADLINE, Ordering::Release);
            *parked = None;
        }
    }

    /// Makes a connection on a seat and leaves it here. Its socket is armed from the start, so whoever comes for it at once
    /// has to wait until it is made.
    ///
    /// # Errors
    /// What making it failed with.
    pub fn park_new(&self, seat: Seat, make: impl FnOnce(Seat) -> io::Result<Wire>) -> io::Result<()> {
        let slot = &self.slots[seat.key];
        let mut parked = locked(&slot.parked);
        let wire = make(seat)?;
        self.put(slot, &mut parked, Box::new(wire));
        Ok(())
    }

    fn put<'a>(&self, slot: &Slot, parked: &'a mut Option<Box<Wire>>, wire: Box<Wire>) -> &'a mut Box<Wire> {
        slot.deadline_ms.store(self.to_ms(wire.connection.deadline().instant()), Ordering::Release);
        parked.insert(wire)
    }

    /// Takes out what is parked under a key.
    #[must_use]
    pub fn take(&self, key: usize) -> Option<Box<Wire>> {
        self.take_if(key, |_| true)
    }

    /// Takes out what is parked under a key, if its deadline is over: a worker may have had it since that was found.
    #[must_use]
    pub fn take_overdue(&self, key: usize, now: Instant) -> Option<Box<Wire>> {
        let now_ms = self.to_ms(now);
        self.take_if(key, |deadline_ms| deadline_ms <= now_ms)
    }

    fn take_if(&self, key: usize, is_wanted: impl FnOnce(u64) -> bool) -> Option<Box<Wire>> {
        let slot = self.slots.get(key)?;
        let mut parked = locked(&slot.parked);
        let wire = parked.take_if(|_| is_wanted(slot.deadline_ms.load(Ordering::Acquire)))?;
        // Under the lock, and only if there was something: the next one may be parked at any moment.
        slot.deadline_ms.store(NO_DEADLINE, Ordering::Release);
        Some(wire)
    }

    /// The keys of parked connections whose deadline is over, and the earliest deadline among the others.
    #[must_use]
    pub fn overdue(&self, now: Instant) -> (Vec<usize>, Option<Instant>) {
        let now_ms = self.to_ms(now);
        let mut overdue = Vec::new();
        let mut earliest_ms = NO_DEADLINE;
        for (key, slot) in self.used_slots().enumerate() {
            match slot.deadline_ms.load(Ordering::Acquire) {
                NO_DEADLINE => {}
                deadline_ms if deadline_ms <= now_ms => overdue.push(key),
                deadline_ms => earliest_ms = earliest_ms.min(deadline_ms),
            }
        }
        let earliest = (earliest_ms != NO_DEADLINE).then(|| self.epoch + Duration::from_millis(earliest_ms));
        (overdue, earliest)
    }

    /// Changes the connections that are parked, and with them their deadlines.
    pub fn for_each_parked(&self, mut change: impl FnMut(&mut Connection)) {
        for slot in self.used_slots() {
            let mut parked = locked(&slot.parked);
            if let Some(wire) = parked.as_mut() {
                change(&mut wire.connection);
                slot.deadline_ms.store(self.to_ms(wire.connection.deadline().instant()), Ordering::Release);
            }
        }
    }

    /// The key of the connection that has waited longest for its next request, if any waits for one.
    #[must_use]
    pub fn longest_idle(&self) -> Option<usize> {
        let idle_since = |(key, slot): (usize, &Slot)| {
            let parked = locked(&slot.parked);
            let wire = parked.as_ref()?;
            wire.connection.waits_for_request().then(|| (wire.connection.deadline(), key))
        };
        self.used_slots().enumerate().filter_map(idle_since).min().map(|(_, key)| key)
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// True while every seat is taken. Then the watch is notified as soon as one becomes free.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let is_full = || locked(&self.free).is_empty();
        if !is_full() {
            return false;
        }
        // Asked again after it was said that somebody waits, or a seat that became free in between is never told of.
        self.is_awaited.store(true, Ordering::SeqCst);
        is_full()
    }

    fn used_slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().take(self.used_keys.load(Ordering::Acquire))
    }

    fn to_ms(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.epoch).as_millis()).unwrap_or(NO_DEADLINE - 1)
    }
}

impl Seat {
    /// Its number, which is also the key of its socket.
    #[must_use]
    pub fn key(&self) -> usize {
        self.key
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let table = &self.table;
        if let Some(address) = self.share {
            let mut per_address = locked(&table.per_address);
            if let Some(count) = per_address.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    per_address.remove(&address);
                }
            }
        }
        locked(&table.free).push(self.key);
        table.open.fetch_sub(1, Ordering::AcqRel);
        if table.is_awaited.swap(false, Ordering::SeqCst) {
            table.watch.notify();
        }
    }
}

/// Nothing under these locks can panic half-way, so a poisoned one holds no half-made state.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a share of connections is counted by: an IPv4 address, or the /64 that an IPv6 host has to itself. `None`: peers
/// that are not counted, because a proxy sits there (loopback, unix sockets).
fn share_key(peer: Option<SocketAddr>) -> Option<IpAddr> {
    let address = peer?.ip().to_canonical();
    if address.is_loopback() {
        return None;
    }
    match address {
        IpAddr::V4(_) => Some(address),
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            segments[4..].fill(0);
            Some(IpAddr::V6(segments.into()))
        }
    }
}

#[cfg(test)]
mod tests;
