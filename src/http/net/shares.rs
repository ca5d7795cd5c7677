//! How many connections each address has open, or requests under way through proxies, and its limit.
//!
//! Invariant: an address holds at most `max` shares, and one that holds none costs no memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// The open connections of each address.
#[derive(Debug)]
pub struct AddressShares {
    counts: Mutex<HashMap<IpAddr, usize>>,
    max: AtomicUsize,
}

/// One connection or request of an address. Dropping it takes it off the count.
#[derive(Debug)]
pub struct Share {
    shares: Arc<AddressShares>,
    address: IpAddr,
}

/// The address has as many as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareTaken;

impl AddressShares {
    /// Allows each address `max` of them.
    #[must_use]
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default(), max: AtomicUsize::new(max) })
    }

    /// Allows each address `max` from now on.
    pub fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Counts one more for `address`. Returns `None` for addresses that are not counted.
    ///
    /// # Errors
    /// [`ShareTaken`]
    pub fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Option<Share>, ShareTaken> {
        let Some(address) = counted_as(address) else { return Ok(None) };
        let mut counts = self.counts.lock();
        let count = counts.entry(address).or_insert(0);
        if *count >= self.max.load(Ordering::Relaxed) {
            return Err(ShareTaken);
        }
        *count += 1;
        Ok(Some(Share { shares: Arc::clone(self), address }))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.shares.counts.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Returns what an address is counted as: IPv4 as it is, or the /64 network that an IPv6 host has to itself. Loopback and
/// unix sockets (`None`) are not counted, because that is where a proxy connects from.
fn counted_as(address: Option<IpAddr>) -> Option<IpAddr> {
    let address = address?.to_canonical();
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
mod tests {
    use super::*;

    #[test]
    fn whom_a_connection_is_counted_for() {
        for (address, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("10.0.0.1", Some("10.0.0.1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::")),
            ("2001:db8:1:2::", Some("2001:db8:1:2::")),
            ("2001:db8:1:3::", Some("2001:db8:1:3::")),
            ("127.0.0.1", None),
            ("127.9.9.9", None),
            ("::ffff:127.0.0.1", None),
            ("::1", None),
        ] {
            let counted = counted_as(Some(address.parse().unwrap()));
            assert_eq!(counted, expected.map(|key| key.parse().unwrap()), "{address}");
        }
        assert_eq!(counted_as(None), None);
    }

    #[test]
    fn shares_that_nobody_holds_cost_no_memory() {
        let shares = AddressShares::new(1);
        for host in 0..=255_u8 {
            drop(shares.take(Some(IpAddr::from([192, 0, 2, host]))).unwrap());
        }
        assert!(shares.counts.lock().is_empty());
    }
}
