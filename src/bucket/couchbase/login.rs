//! Who we are to the database, also while the password is being changed.
//!
//! Invariant: nothing here prints the password or its encoding, and both are wiped from memory on drop. When a refused
//! login is tried again, and with what, is decided in `rotation`; here are the secrets, the clock and the waiting.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use ureq::http::HeaderValue;
use zeroize::Zeroizing;

use super::rotation::{Edition, Rotation, Source, Step, Tries, Turn};
use crate::bucket::BucketError;
use crate::clock::{self, Deadline};
use crate::config::{CouchbaseSettings, SecretSource};
use crate::observe::{Observation, Observer};

/// A user and the `Authorization` field that proves it; or nobody.
pub struct Credentials {
    authorization: Option<SecretString>,
}

impl Credentials {
    /// Takes what the settings say.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for one without the other, and for a username that HTTP cannot carry (RFC 7617:
    /// no colon, no control character).
    pub fn new(username: Option<&str>, password: Option<&SecretString>) -> Result<Self, BucketError> {
        let misconfigured = |reason: &str| BucketError::Misconfigured { reason: reason.to_owned() };
        match (username, password) {
            (None, None) => Ok(Self { authorization: None }),
            (Some(_), None) => Err(misconfigured("[couchbase] username is set, and no password; set password_file")),
            (None, Some(_)) => Err(misconfigured("there is a password for Couchbase; set [couchbase] username too")),
            (Some(username), Some(_)) if username.contains(|letter: char| letter == ':' || letter.is_control()) => {
                Err(misconfigured("[couchbase] username cannot hold a colon or a control character"))
            }
            (Some(username), Some(password)) => {
                let pair = Zeroizing::new(format!("{username}:{}", password.expose_secret()));
                // The scheme is written exactly so: the cluster manager compares its letters.
                let mut field = String::with_capacity("Basic ".len() + pair.len().div_ceil(3) * 4);
                field.push_str("Basic ");
                STANDARD.encode_string(pair.as_bytes(), &mut field);
                Ok(Self { authorization: Some(SecretString::from(field)) })
            }
        }
    }

    /// The value of `Authorization`, marked so that nobody prints it.
    #[must_use]
    pub fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(self.authorization.as_ref()?.expose_secret()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn is_same_as(&self, other: &Self) -> bool {
        self.authorization.as_ref().map(ExposeSecret::expose_secret)
            == other.authorization.as_ref().map(ExposeSecret::expose_secret)
    }
}

/// The login of a cluster as it is now. It is shared by all connections.
pub struct Login {
    username: Option<String>,
    state: Mutex<State>,
    changed: Condvar,
    observer: Observer,
}

struct State {
    rotation: Rotation,
    source: SecretSource,
    /// Those that the rotation knows.
    held: Vec<(Edition, Arc<Credentials>)>,
    next: u64,
    /// That the secret could not be read was said since it could be the last time.
    is_unreadable: bool,
    /// When it was last said that a login is refused, and whether its end is still to be said.
    told_at: Option<Instant>,
    is_end_untold: bool,
}

/// From one warning of a refused login to the next, at least: one node of several can refuse what the others take.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

impl Login {
    /// Takes what the settings say.
    ///
    /// # Errors
    /// As [`Credentials::new`].
    pub fn new(settings: &CouchbaseSettings, observer: &Observer) -> Result<Self, BucketError> {
        let first = Credentials::new(settings.username.as_deref(), settings.password.as_ref())?;
        Ok(Self::beginning_with(first, settings.username.clone(), settings.password_source.clone(), observer))
    }

    /// Without a login.
    #[cfg(test)]
    pub fn nobody() -> Self {
        Self::beginning_with(Credentials { authorization: None }, None, SecretSource::Fixed, &Observer::default())
    }

    fn beginning_with(first: Credentials, username: Option<String>, source: SecretSource, observer: &Observer) -> Self {
        let state = State {
            rotation: Rotation::new(Edition(0), kind(&source)),
            source,
            held: vec![(Edition(0), Arc::new(first))],
            next: 1,
            is_unreadable: false,
            told_at: None,
            is_end_untold: false,
        };
        Self { username, state: Mutex::new(state), changed: Condvar::new(), observer: observer.clone() }
    }

    /// `[couchbase] username`
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The credentials of the moment.
    #[must_use]
    pub fn credentials(&self) -> Arc<Credentials> {
        self.lock().current().1
    }

    /// True if there is a password that is sent with each request.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.lock().current().1.authorization.is_some()
    }

    /// Takes the password of new settings, and where it came from. Requests that are on their way are not disturbed.
    ///
    /// # Errors
    /// As [`Credentials::new`]; then all is as before.
    pub fn reload(&self, settings: &CouchbaseSettings) -> Result<(), BucketError> {
        // Another user may have other rights: that is for a restart.
        if settings.username != self.username {
            return Ok(());
        }
        let credentials = Credentials::new(settings.username.as_deref(), settings.password.as_ref())?;
        let mut state = self.lock();
        let edition = state.edition_of(credentials);
        state.rotation.replace(edition, kind(&settings.password_source));
        state.source = settings.password_source.clone();
        state.forget();
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Does `attempt` with the login of the moment, and again with others if the database refuses it and there is reason
    /// to hope: see `rotation`. Never waits past the deadline.
    ///
    /// # Errors
    /// What the last attempt failed with.
    pub fn with<T, E>(
        &self,
        deadline: Deadline,
        is_refusal: impl Fn(&E) -> bool,
        mut attempt: impl FnMut(&Credentials) -> Result<T, E>,
    ) -> Result<T, E> {
        let (mut edition, mut credentials) = self.lock().current();
        let mut tries = Tries::default();
        loop {
            let outcome = attempt(&credentials);
            match &outcome {
                Ok(_) => self.accepted(edition),
                Err(error) if is_refusal(error) && credentials.authorization.is_some() => {
                    if let Some(next) = self.after_refusal(edition, &mut tries, deadline) {
                        (edition, credentials) = next;
                        continue;
                    }
                }
                Err(_) => {}
            }
            return outcome;
        }
    }

    fn accepted(&self, edition: Edition) {
        let mut state = self.lock();
        if state.rotation.is_settled_on(edition) {
            return;
        }
        let is_end = state.rotation.accepted(edition);
        let is_to_be_told = is_end && std::mem::take(&mut state.is_end_untold);
        state.forget();
        drop(state);
        self.changed.notify_all();
        if is_to_be_told {
            self.observer.emit(&Observation::Note(format_args!("Couchbase takes the login again")));
        }
    }

    /// What to try next; `None`: the refusal stands.
    fn after_refusal(
        &self,
        edition: Edition,
        tries: &mut Tries,
        deadline: Deadline,
    ) -> Option<(Edition, Arc<Credentials>)> {
        let mut state = self.lock();
        let now = clock::now();
        let is_quiet = state.told_at.is_some_and(|at| now.saturating_duration_since(at) < WARNING_INTERVAL);
        if state.rotation.refused(edition, tries, now) == Turn::Begins && !is_quiet {
            state.told_at = Some(now);
            state.is_end_untold = true;
            drop(state);
            self.observer.emit(&Observation::Warning(format_args!(
                "Couchbase refuses the login that it took until now; if its password is being changed, that will pass"
            )));
            state = self.lock();
        }
        loop {
            let now = clock::now();
            if deadline.is_over(now) {
                return None;
            }
            match state.rotation.next(tries, now) {
                Step::Use(edition) => return Some(state.get(edition)),
                Step::GiveUp => return None,
                Step::Read => state = self.read(state),
                Step::Wait(until) => {
                    let wait =
                        Deadline::after(now, until.saturating_duration_since(now)).earlier(deadline).remaining(now);
                    state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    /// Reads the secret, without keeping the others from their work.
    fn read<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let source = state.source.clone();
        drop(state);
        let found = source.read().and_then(|password| {
            password
                .map(|password| Credentials::new(self.username.as_deref(), Some(&password)))
                .transpose()
                .map_err(|error| error.to_string())
        });
        let mut state = self.lock();
        let mut complaint = None;
        match found {
            // A HUP may have named another source meanwhile: what it says is newer.
            Ok(Some(credentials)) if state.source == source => {
                let edition = state.edition_of(credentials);
                state.rotation.was_read(Some(edition));
                state.is_unreadable = false;
            }
            Ok(_) => state.rotation.was_read(None),
            Err(reason) => {
                state.rotation.was_read(None);
                complaint = (!std::mem::replace(&mut state.is_unreadable, true)).then_some(reason);
            }
        }
        state.forget();
        self.changed.notify_all();
        if let Some(reason) = complaint {
            drop(state);
            self.observer.emit(&Observation::Warning(format_args!(
                "the password for Couchbase cannot be read again, and the one from before is used: {reason}"
            )));
            state = self.lock();
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is made in one go.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn current(&self) -> (Edition, Arc<Credentials>) {
        self.get(self.rotation.current())
    }

    fn get(&self, edition: Edition) -> (Edition, Arc<Credentials>) {
        let found = self.held.iter().find(|(held, _)| *held == edition).or_else(|| self.held.last());
        // There is always one: `forget` keeps what the rotation knows.
        found.cloned().unwrap_or_else(|| (edition, Arc::new(Credentials { authorization: None })))
    }

    /// The number of these credentials: an old one if they are known.
    fn edition_of(&mut self, credentials: Credentials) -> Edition {
        if let Some((edition, _)) = self.held.iter().find(|(_, held)| held.is_same_as(&credentials)) {
            return *edition;
        }
        let edition = Edition(self.next);
        self.next = self.next.wrapping_add(1);
        self.held.push((edition, Arc::new(credentials)));
        edition
    }

    fn forget(&mut self) {
        let Self { held, rotation, .. } = self;
        held.retain(|(edition, _)| rotation.is_known(*edition));
    }
}

fn kind(source: &SecretSource) -> Source {
    match source {
        SecretSource::Fixed => Source::Fixed,
        SecretSource::File(_) => Source::Readable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_that_of_rfc_7617_and_does_not_print() {
        let password = SecretString::from("test123£");
        let value = Credentials::new(Some("test"), Some(&password)).unwrap().authorization().unwrap();
        assert_eq!(value.to_str().unwrap(), "Basic dGVzdDp0ZXN0MTIzwqM=");
        assert!(!format!("{value:?}").contains("dGVzd"));
    }

    #[test]
    fn half_a_login_is_refused_and_none_is_taken() {
        let password = SecretString::from("p");
        assert!(Credentials::new(None, None).unwrap().authorization().is_none());
        for (username, password) in
            [(Some("u"), None), (None, Some(&password)), (Some("a:b"), Some(&password)), (Some("a\n"), Some(&password))]
        {
            assert!(matches!(Credentials::new(username, password), Err(BucketError::Misconfigured { .. })));
        }
    }
}
