//! All open connections: how many there may be, which of them wait for their client, and until when.
//!
//! Invariant: a connection either waits here or is owned by one thread. A slot is free again only after its socket was
//! closed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::Socket;

use super::poll::{Interest, Poller, Watched};
use super::shares::{AddressShares, Share};
use crate::http::connection::Connection;

/// A connection with its socket and its slot. Fields are dropped in this order: the socket before the slot.
#[derive(Debug)]
pub struct OpenConnection {
    /// The socket. Its only other owner is the record of a request in flight.
    pub socket: Arc<Watched<Socket>>,
    /// The client's address; `None` on a unix socket.
    pub peer: Option<SocketAddr>,
    /// The state of the protocol.
    pub state: Connection,
    /// Its right to be open.
    pub slot: Slot,
}

/// The table of connections.
#[derive(Debug)]
pub struct Table {
    epoch: Instant,
    /// One for each connection that was ever open at once with the others; the number of each is a key.
    entries: boxcar::Vec<Entry>,
    slots: Mutex<Slots>,
    shares: Arc<AddressShares>,
    /// The poller is to be notified when a slot becomes free.
    is_awaited: AtomicBool,
    /// The poller of the thread that accepts.
    watch: Arc<Poller>,
}

#[derive(Debug)]
struct Slots {
    capacity: usize,
    taken: usize,
    /// The keys that are taken no more.
    free: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    waiting: Mutex<Option<Box<OpenConnection>>>,
    /// In milliseconds since `epoch`; [`NO_DEADLINE`] while no connection waits. Read without the lock.
    deadline_ms: AtomicU64,
}

const NO_DEADLINE: u64 = u64::MAX;

/// The right to one connection. Dropping it makes room for another one.
#[derive(Debug)]
pub struct Slot {
    table: Arc<Table>,
    key: usize,
    share: Option<Share>,
}

/// Why there is no slot for a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    /// All are taken.
    Full,
    /// Its address has as many connections as it may have.
    ShareTaken,
}

impl Table {
    /// Returns an empty table. `watch` is notified of a free slot if [`Table::is_full`] was true before. Deadlines are
    /// counted from `now`.
    #[must_use]
    pub fn new(max_connections: usize, max_per_address: usize, watch: &Arc<Poller>, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            epoch: now,
            entries: boxcar::Vec::new(),
            slots: Mutex::new(Slots { capacity: max_connections, taken: 0, free: Vec::new() }),
            shares: AddressShares::new(max_per_address),
            is_awaited: AtomicBool::new(false),
            watch: Arc::clone(watch),
        })
    }

    /// Takes a slot for a connection that counts for `address`, if for any.
    ///
    /// # Errors
    /// [`NoSlot`] says why there is none.
    pub fn take_slot(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Slot, NoSlot> {
        let key = self.take_key().ok_or(NoSlot::Full)?;
        let mut slot = Slot { table: Arc::clone(self), key, share: None };
        slot.share = self.shares.take(address).map_err(|_| NoSlot::ShareTaken)?;
        Ok(slot)
    }

    fn take_key(&self) -> Option<usize> {
        let mut slots = self.slots.lock();
        if slots.taken >= slots.capacity {
            return None;
        }
        slots.taken += 1;
        let new_entry = || Entry { waiting: Mutex::new(None), deadline_ms: AtomicU64::new(NO_DEADLINE) };
        Some(slots.free.pop().unwrap_or_else(|| self.entries.push(new_entry())))
    }

    /// Changes how many connections there may be. Those that are too many stay until they end.
    pub fn set_limits(&self, max_connections: usize, max_per_address: usize) {
        self.slots.lock().capacity = max_connections;
        self.shares.set_max(max_per_address);
        // Whoever waits for a free slot may find one.
        self.watch.notify();
    }

    /// Leaves a connection here until it becomes ready or its deadline comes. If the operating system cannot watch it,
    /// it is closed.
    pub fn insert(&self, connection: Box<OpenConnection>, interest: Interest) {
        let entry = &self.entries[connection.slot.key];
        // Once the socket is armed, another thread may come for the connection; the lock makes it wait until it is here.
        let mut waiting = entry.waiting.lock();
        if connection.socket.arm(interest).is_ok() {
            entry.deadline_ms.store(self.deadline_ms(&connection.state), Ordering::Release);
            *waiting = Some(connection);
        }
    }

    /// Makes a connection in a slot and leaves it here. Its socket is armed from the start, so a thread that takes it at
    /// once has to wait until it is made.
    ///
    /// # Errors
    /// What making it failed with.
    pub fn insert_new(&self, slot: Slot, make: impl FnOnce(Slot) -> io::Result<OpenConnection>) -> io::Result<()> {
        let entry = &self.entries[slot.key];
        let mut waiting = entry.waiting.lock();
        let connection = make(slot)?;
        entry.deadline_ms.store(self.deadline_ms(&connection.state), Ordering::Release);
        *waiting = Some(Box::new(connection));
        Ok(())
    }

    /// Takes out the connection that waits under a key.
    #[must_use]
    pub fn take(&self, key: usize) -> Option<Box<OpenConnection>> {
        self.take_if(key, |_| true)
    }

    /// Takes out the connection that waits under a key if its deadline is over. A worker may have had it, and moved the
    /// deadline, since [`Table::overdue`] found it.
    #[must_use]
    pub fn take_overdue(&self, key: usize, now: Instant) -> Option<Box<OpenConnection>> {
        let now_ms = self.to_ms(now);
        self.take_if(key, |deadline_ms| deadline_ms <= now_ms)
    }

    fn take_if(&self, key: usize, is_wanted: impl FnOnce(u64) -> bool) -> Option<Box<OpenConnection>> {
        let entry = self.entries.get(key)?;
        let mut waiting = entry.waiting.lock();
        let connection = waiting.take_if(|_| is_wanted(entry.deadline_ms.load(Ordering::Acquire)))?;
        // Under the lock, and only if a connection was there: the next one may be inserted at any moment.
        entry.deadline_ms.store(NO_DEADLINE, Ordering::Release);
        Some(connection)
    }

    /// Returns the keys of the connections whose deadline is over, and the earliest deadline of the others that wait.
    #[must_use]
    pub fn overdue(&self, now: Instant) -> (Vec<usize>, Option<Instant>) {
        let now_ms = self.to_ms(now);
        let mut overdue = Vec::new();
        let mut earliest_ms = NO_DEADLINE;
        for (key, entry) in &self.entries {
            match entry.deadline_ms.load(Ordering::Acquire) {
                NO_DEADLINE => {}
                deadline_ms if deadline_ms <= now_ms => overdue.push(key),
                deadline_ms => earliest_ms = earliest_ms.min(deadline_ms),
            }
        }
        let earliest = (earliest_ms != NO_DEADLINE).then(|| self.epoch + Duration::from_millis(earliest_ms));
        (overdue, earliest)
    }

    /// Changes each connection that waits, and with it its deadline.
    pub fn for_each_waiting(&self, mut change: impl FnMut(&mut Connection)) {
        for (_, entry) in &self.entries {
            let mut waiting = entry.waiting.lock();
            if let Some(connection) = waiting.as_mut() {
                change(&mut connection.state);
                entry.deadline_ms.store(self.deadline_ms(&connection.state), Ordering::Release);
            }
        }
    }

    /// Returns the key of the connection that has been idle for longest, if any is idle.
    #[must_use]
    pub fn longest_idle(&self) -> Option<usize> {
        let idle_since = |(key, entry): (usize, &Entry)| {
            let waiting = entry.waiting.lock();
            Some((waiting.as_ref()?.state.idle_since()?, key))
        };
        self.entries.iter().filter_map(idle_since).min().map(|(_, key)| key)
    }

    /// Returns the shares of the addresses.
    #[must_use]
    pub fn shares(&self) -> &Arc<AddressShares> {
        &self.shares
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn open(&self) -> usize {
        self.slots.lock().taken
    }

    /// Returns the number of connections that may be open.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.lock().capacity
    }

    /// Returns the number of connections that wait for their client.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let waits = |(_, entry): &(usize, &Entry)| entry.deadline_ms.load(Ordering::Relaxed) != NO_DEADLINE;
        self.entries.iter().filter(waits).count()
    }

    /// Returns true while every slot is taken. Then the watch is notified as soon as one becomes free.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let is_full = || {
            let slots = self.slots.lock();
            slots.taken >= slots.capacity
        };
        if !is_full() {
            return false;
        }
        // Checked again after the notification was asked for, or a slot that became free in between would go unnoticed.
        self.is_awaited.store(true, Ordering::SeqCst);
        is_full()
    }

    fn deadline_ms(&self, state: &Connection) -> u64 {
        self.to_ms(state.deadline().instant())
    }

    fn to_ms(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.epoch).as_millis()).unwrap_or(NO_DEADLINE - 1)
    }
}

impl Slot {
    /// Returns its number, which is also the key of its socket in the poller.
    #[must_use]
    pub fn key(&self) -> usize {
        self.key
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let table = &self.table;
        // First of all: the next connection of this address may take the slot at once.
        self.share = None;
        let mut slots = table.slots.lock();
        slots.taken -= 1;
        slots.free.push(self.key);
        drop(slots);
        if table.is_awaited.swap(false, Ordering::SeqCst) {
            table.watch.notify();
        }
    }
}

#[cfg(test)]
mod tests;
