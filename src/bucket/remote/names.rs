//! The addresses of the hosts of one database, shared by all its connections.
//!
//! Invariant: for each host one look-up at most is under way, whose result all who wait for it share; addresses are
//! used for `LONGEST_AGE`, and not after a connection to one of them has failed.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::clock::{self, Deadline};
use crate::threads;

/// For how long addresses are used. A host that moves is followed within this time even if nothing fails.
const LONGEST_AGE: Duration = Duration::from_secs(10);

type LookUp = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Addresses that were found, and look-ups under way.
pub struct Names {
    lookups: Mutex<HashMap<String, Arc<Lookup>>>,
    look_up: Arc<LookUp>,
}

/// Why there are no addresses.
#[derive(Debug)]
pub enum NotFound {
    /// The time was over first. The look-up goes on, and who asks later gets its result.
    TimedOut,
    /// The system's own words, or that there is no thread.
    Failed(io::Error),
}

struct Lookup {
    outcome: Mutex<Option<Outcome>>,
    done: Condvar,
}

#[derive(Clone)]
enum Outcome {
    /// At this moment.
    Found(Vec<IpAddr>, Instant),
    Failed(ErrorKind, String),
}

impl Default for Names {
    fn default() -> Self {
        Self::with(|host| Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    pub(in crate::bucket) fn with(look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self { lookups: Mutex::default(), look_up: Arc::new(look_up) }
    }

    /// Returns the addresses of a host, for which it waits for `wait` at most.
    ///
    /// # Errors
    /// [`NotFound`]
    pub fn addresses(&self, host: &str, wait: Duration) -> Result<Vec<IpAddr>, NotFound> {
        let until = Deadline::after(clock::now(), wait).instant();
        let lookup = self.current(host).map_err(NotFound::Failed)?;
        let mut outcome = lookup.outcome.lock();
        loop {
            match outcome.clone() {
                Some(Outcome::Found(addresses, _)) => return Ok(addresses),
                Some(Outcome::Failed(kind, reason)) => return Err(NotFound::Failed(io::Error::new(kind, reason))),
                None if lookup.done.wait_until(&mut outcome, until).timed_out() => return Err(NotFound::TimedOut),
                None => {}
            }
        }
    }

    /// Records that a connection to an address of the host failed: the next one asks the system again. A look-up
    /// under way goes on, for those who ask later.
    pub fn forget(&self, host: &str) {
        let mut lookups = self.lookups.lock();
        if lookups.get(host).is_some_and(|lookup| lookup.outcome.lock().is_some()) {
            lookups.remove(host);
        }
    }

    /// The look-up that counts now: one under way, one that is recent, or a new one.
    fn current(&self, host: &str) -> io::Result<Arc<Lookup>> {
        let now = clock::now();
        let mut lookups = self.lookups.lock();
        lookups.retain(|_, lookup| lookup.is_current(now));
        if let Some(lookup) = lookups.get(host) {
            return Ok(Arc::clone(lookup));
        }
        let lookup = Arc::new(Lookup { outcome: Mutex::new(None), done: Condvar::new() });
        let (its_own, ask, name) = (Arc::clone(&lookup), Arc::clone(&self.look_up), host.to_owned());
        threads::spawn("bucket-names", move || {
            let outcome = match ask(&name) {
                Ok(addresses) => Outcome::Found(addresses, clock::now()),
                Err(error) => Outcome::Failed(error.kind(), error.to_string()),
            };
            *its_own.outcome.lock() = Some(outcome);
            its_own.done.notify_all();
        })?;
        lookups.insert(host.to_owned(), Arc::clone(&lookup));
        Ok(lookup)
    }
}

impl Lookup {
    fn is_current(&self, now: Instant) -> bool {
        match &*self.outcome.lock() {
            None => true,
            Some(Outcome::Found(_, at)) => now.saturating_duration_since(*at) < LONGEST_AGE,
            Some(Outcome::Failed(..)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const AMPLE: Duration = Duration::from_secs(60);

    /// A system that has an address for `known` alone, and how often it was asked.
    fn counted() -> (Names, Arc<AtomicUsize>) {
        let count = Arc::<AtomicUsize>::default();
        let its_own = Arc::clone(&count);
        let names = Names::with(move |host| {
            its_own.fetch_add(1, Ordering::Relaxed);
            if host == "known" { Ok(vec![[192, 0, 2, 7].into()]) } else { Err(io::Error::other("no such host")) }
        });
        (names, count)
    }

    #[test]
    fn a_host_is_looked_up_once_until_a_connection_to_it_fails() {
        let (names, count) = counted();
        for _ in 0..100 {
            assert_eq!(names.addresses("known", AMPLE).unwrap(), [IpAddr::from([192, 0, 2, 7])]);
        }
        assert_eq!(count.load(Ordering::Relaxed), 1);
        names.forget("known");
        names.addresses("known", AMPLE).unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_failure_is_told_and_not_remembered() {
        let (names, count) = counted();
        for turn in 1..=2 {
            let Err(NotFound::Failed(error)) = names.addresses("unknown", AMPLE) else { panic!("found") };
            assert_eq!(error.to_string(), "no such host");
            assert_eq!(count.load(Ordering::Relaxed), turn);
        }
    }

    #[test]
    fn who_waits_at_once_shares_one_look_up_and_who_gives_up_leaves_it_to_others() {
        let (sender, receiver) = mpsc::channel::<()>();
        let (receiver, count) = (Mutex::new(receiver), Arc::<AtomicUsize>::default());
        let its_own = Arc::clone(&count);
        let names = Names::with(move |_| {
            its_own.fetch_add(1, Ordering::Relaxed);
            let _ = receiver.lock().recv();
            Ok(vec![[192, 0, 2, 7].into()])
        });
        assert!(matches!(names.addresses("slow", Duration::ZERO), Err(NotFound::TimedOut)));
        names.forget("slow");
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..8).map(|_| scope.spawn(|| names.addresses("slow", AMPLE))).collect();
            sender.send(()).unwrap();
            for one in waiting {
                assert_eq!(one.join().unwrap().unwrap().len(), 1);
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn addresses_that_are_old_are_looked_up_again() {
        let found_at = |age| Lookup {
            outcome: Mutex::new(Some(Outcome::Found(Vec::new(), clock::now().checked_sub(age).unwrap()))),
            done: Condvar::new(),
        };
        assert!(found_at(LONGEST_AGE / 2).is_current(clock::now()));
        assert!(!found_at(LONGEST_AGE).is_current(clock::now()));
    }
}
