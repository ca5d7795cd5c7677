//! The client that all connections of a database use.
//!
//! Invariant: one client is opened at a time, and none again within [`INTERVAL`] of the last attempt with the same
//! identity; who asks meanwhile gets the client as it is, or the failure of that attempt. Nobody waits past a
//! deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::ClientIdentity;
use crate::bucket::BucketError;
use crate::bucket::remote::Failure;
use crate::clock::{self, Deadline};

/// From one opening of a client to the next, at least.
const INTERVAL: Duration = Duration::from_secs(1);

/// The client that all connections of a database use.
pub struct SharedClient<C> {
    state: Mutex<ClientState<C>>,
    changed: Condvar,
}

struct ClientState<C> {
    open: Option<OpenClient<C>>,
    is_opening: bool,
    /// The last attempts to open one, one an identity, as long as they forbid another.
    attempts: Vec<Attempt>,
}

struct OpenClient<C> {
    identity: ClientIdentity,
    client: Arc<C>,
    /// It is to be replaced, and used until then.
    is_stale: bool,
}

struct Attempt {
    identity: ClientIdentity,
    /// When it began; when it failed, if it did.
    at: Instant,
    /// Why it failed, or why its client was given up.
    failure: Option<Failure>,
}

impl<C> ClientState<C> {
    /// The attempt that forbids another one with the same identity.
    fn recent(&self, identity: &ClientIdentity) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.identity.is(identity))
    }

    fn forget_attempts(&mut self, now: Instant) {
        self.attempts.retain(|attempt| now < attempt.at + INTERVAL);
    }

    fn record(&mut self, identity: ClientIdentity, failure: Option<Failure>) {
        self.attempts.retain(|attempt| !attempt.identity.is(&identity));
        self.attempts.push(Attempt { identity, at: clock::now(), failure });
    }
}

impl<C> Default for SharedClient<C> {
    fn default() -> Self {
        let state = ClientState { open: None, is_opening: false, attempts: Vec::new() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<C> SharedClient<C> {
    /// The client of an identity. If there is none, or a better one is due, `open` is called: it starts to open one,
    /// and returns at once; [`SharedClient::opened`] takes the outcome.
    ///
    /// # Errors
    /// The failure of the last opening, if another one would come too early; [`BucketError::Timeout`] if the deadline
    /// came first.
    pub fn get(&self, identity: &ClientIdentity, deadline: Deadline, open: impl Fn()) -> Result<Arc<C>, Failure> {
        let mut state = self.state.lock();
        loop {
            let now = clock::now();
            state.forget_attempts(now);
            let current = state.open.as_ref().filter(|current| current.identity.is(identity));
            let is_outdated =
                |current: &OpenClient<C>| current.is_stale || current.identity.timeouts != identity.timeouts;
            let is_wanted = current.is_none_or(is_outdated);
            let client = current.map(|current| Arc::clone(&current.client));
            if is_wanted && !state.is_opening {
                match (state.recent(identity), &client) {
                    (None, _) => {
                        state.is_opening = true;
                        state.record(identity.clone(), None);
                        open();
                    }
                    (Some(Attempt { failure: Some(failure), .. }), None) => {
                        let failure = failure.clone();
                        return Err(Failure { error: failure.error.of_another_request(), ..failure });
                    }
                    (Some(_), _) => {}
                }
            }
            match client {
                Some(client) => return Ok(client),
                None if deadline.is_over(now) => {
                    return Err(Failure::lasting(BucketError::timeout("no connection was opened in time")));
                }
                None => {
                    let until =
                        if state.is_opening { deadline.instant() } else { deadline.instant().min(now + INTERVAL) };
                    self.changed.wait_until(&mut state, until);
                }
            }
        }
    }

    /// Takes the outcome of an opening.
    pub fn opened(&self, identity: ClientIdentity, outcome: Result<C, Failure>) {
        let mut state = self.state.lock();
        state.is_opening = false;
        let replaced = match outcome {
            Ok(client) => state.open.replace(OpenClient { identity, client: Arc::new(client), is_stale: false }),
            Err(failure) => {
                state.record(identity, Some(failure));
                None
            }
        };
        drop(state);
        self.changed.notify_all();
        // Closing it may take a moment.
        drop(replaced);
    }

    /// Records that another client is better than this one, which can still be used until then.
    pub fn renew(&self, client: &Arc<C>) {
        if let Some(open) = self.state.lock().open.as_mut().filter(|open| Arc::ptr_eq(&open.client, client)) {
            open.is_stale = true;
        }
    }

    /// Gives a client up because of a failure that another one, opened at once, would have too.
    pub fn discard(&self, client: &Arc<C>, failure: &Failure) {
        let mut state = self.state.lock();
        let Some(discarded) = state.open.take_if(|open| Arc::ptr_eq(&open.client, client)) else { return };
        state.record(discarded.identity.clone(), Some(failure.clone()));
        drop(state);
        drop(discarded);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::bucket::BucketTimeouts;
    use crate::bucket::ErrorKind;

    fn identity() -> ClientIdentity {
        ClientIdentity { credentials: Arc::default(), tls: None, timeouts: BucketTimeouts::default() }
    }

    fn soon() -> Deadline {
        Deadline::after(clock::now(), Duration::from_millis(20))
    }

    fn refused() -> Failure {
        Failure::of_node(BucketError::unavailable("refused"))
    }

    /// The client, by an opening that ends like this; and how many openings there were.
    fn get(
        shared: &SharedClient<u8>,
        identity: &ClientIdentity,
        outcome: Option<&Result<u8, Failure>>,
    ) -> (Result<u8, ErrorKind>, u32) {
        let openings = Cell::new(0);
        let has_ended = |shared: &SharedClient<u8>| {
            if let (1, Some(outcome)) = (openings.get(), outcome) {
                shared.opened(identity.clone(), outcome.clone());
            }
        };
        let first =
            shared.get(identity, Deadline::after(clock::now(), Duration::ZERO), || openings.set(openings.get() + 1));
        let got = match first {
            Err(failure) if failure.error.kind() == ErrorKind::Timeout => {
                has_ended(shared);
                shared.get(identity, soon(), || openings.set(openings.get() + 1))
            }
            first => {
                has_ended(shared);
                first
            }
        };
        (got.map(|client| *client).map_err(|failure| failure.error.kind()), openings.get())
    }

    #[test]
    fn one_is_opened_and_kept() {
        let (shared, me) = (SharedClient::default(), identity());
        assert_eq!(get(&shared, &me, Some(&Ok(1))), (Ok(1), 1));
        assert_eq!(get(&shared, &me, Some(&Ok(2))), (Ok(1), 0));
        let other = identity();
        assert_eq!(get(&shared, &other, Some(&Ok(3))), (Ok(3), 1), "of other credentials");
    }

    #[test]
    fn a_failure_is_told_for_a_while_and_not_met_again() {
        let (shared, me) = (SharedClient::default(), identity());
        assert_eq!(get(&shared, &me, Some(&Err(refused()))), (Err(ErrorKind::Unavailable), 1));
        assert_eq!(get(&shared, &me, Some(&Ok(1))), (Err(ErrorKind::Unavailable), 0));
        let other = identity();
        assert_eq!(get(&shared, &other, Some(&Ok(2))), (Ok(2), 1), "other credentials may be accepted");
    }

    #[test]
    fn nobody_waits_past_a_deadline_for_an_opening() {
        let (shared, me) = (SharedClient::<u8>::default(), identity());
        assert_eq!(get(&shared, &me, None), (Err(ErrorKind::Timeout), 1));
    }

    #[test]
    fn a_stale_client_is_used_until_there_is_another() {
        let (shared, me) = (SharedClient::default(), identity());
        assert_eq!(get(&shared, &me, Some(&Ok(1))), (Ok(1), 1));
        let client = shared.get(&me, soon(), || {}).unwrap();
        shared.renew(&client);
        assert_eq!(get(&shared, &me, Some(&Ok(2))), (Ok(1), 0), "too early");
        shared.state.lock().attempts.iter_mut().for_each(|attempt| attempt.at -= INTERVAL);
        assert_eq!(get(&shared, &me, Some(&Err(refused()))), (Ok(1), 1), "it goes on if the new one fails");
        shared.state.lock().attempts.iter_mut().for_each(|attempt| attempt.at -= INTERVAL);
        assert_eq!(get(&shared, &me, Some(&Ok(2))), (Ok(1), 1));
        assert_eq!(get(&shared, &me, None), (Ok(2), 0));
    }

    #[test]
    fn a_failure_that_took_long_is_told_too() {
        let (shared, me) = (SharedClient::<u8>::default(), identity());
        assert_eq!(get(&shared, &me, None), (Err(ErrorKind::Timeout), 1));
        shared.state.lock().attempts.iter_mut().for_each(|attempt| attempt.at -= INTERVAL);
        shared.opened(me.clone(), Err(refused()));
        assert_eq!(get(&shared, &me, None), (Err(ErrorKind::Unavailable), 0));
    }

    #[test]
    fn each_of_two_identities_is_tried_once() {
        let (shared, me, other) = (SharedClient::default(), identity(), identity());
        for expected in [1, 0, 0] {
            for who in [&me, &other] {
                assert_eq!(get(&shared, who, Some(&Err(refused()))), (Err(ErrorKind::Unavailable), expected));
            }
        }
    }

    #[test]
    fn a_discarded_client_is_gone_with_its_failure() {
        let (shared, me) = (SharedClient::default(), identity());
        assert_eq!(get(&shared, &me, Some(&Ok(1))), (Ok(1), 1));
        let client = shared.get(&me, soon(), || {}).unwrap();
        shared.discard(&client, &refused());
        shared.discard(&client, &Failure::too_large());
        assert_eq!(get(&shared, &me, Some(&Ok(2))), (Err(ErrorKind::Unavailable), 0));
        shared.state.lock().attempts.iter_mut().for_each(|attempt| attempt.at -= INTERVAL);
        assert_eq!(get(&shared, &me, Some(&Ok(2))), (Ok(2), 1));
    }
}
