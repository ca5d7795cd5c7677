//! The login of a database as it is now, shared by all its connections.
//!
//! Invariant: when a refused login is tried again, and with what, is decided in `rotation`; here are the secrets, the clock
//! and the waiting. Nobody waits past a deadline, and secrets are read without holding the lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::credentials::Credentials;
use super::rotation::{Action, Attempts, Episode, Rotation, SecretVersion, Source};
use crate::bucket::BucketError;
use crate::bucket::rest::product::Product;
use crate::clock::{self, Deadline};
use crate::config::{LoginSettings, SecretSource};
use crate::files::{FileReader, LONGEST_WAIT};
use crate::observe::{Observation, Observer};

/// From one warning of a refused login to the next, at least: one node of several can refuse what the others accept.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The login of a database.
pub struct Login {
    product: &'static Product,
    username: Option<String>,
    state: Mutex<LoginState>,
    changed: Condvar,
    observer: Observer,
}

struct LoginState {
    rotation: Rotation,
    source: SecretSource,
    /// Reads it.
    reader: FileReader,
    /// Those that the rotation knows.
    known: Vec<(SecretVersion, Arc<Credentials>)>,
    next: u64,
    /// It was logged that the secret cannot be read, and it could not be read since.
    is_unreadable: bool,
    /// When it was last logged that the login is refused.
    warned_at: Option<Instant>,
    /// It was logged that the login is refused, and not yet that it is accepted again.
    is_end_unlogged: bool,
}

impl Login {
    /// What the settings say.
    ///
    /// # Errors
    /// As [`Credentials::new`].
    pub fn new(product: &'static Product, settings: &LoginSettings, observer: &Observer) -> Result<Self, BucketError> {
        let first = Credentials::new(product, settings.username.as_deref(), settings.password.as_ref())?;
        let source = settings.password_source.clone();
        let state = LoginState {
            rotation: Rotation::new(SecretVersion(0), kind(&source), product.login),
            source,
            reader: FileReader::default(),
            known: vec![(SecretVersion(0), Arc::new(first))],
            next: 1,
            is_unreadable: false,
            warned_at: None,
            is_end_unlogged: false,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Ok(Self { product, username: settings.username.clone(), state, changed, observer: observer.clone() })
    }

    /// The user.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The credentials that new requests use.
    #[must_use]
    pub fn credentials(&self) -> Arc<Credentials> {
        self.state.lock().current().1
    }

    /// True if there is a password, which is sent with each request.
    #[must_use]
    pub fn has_password(&self) -> bool {
        !self.credentials().is_nobody()
    }

    /// Applies the password of new settings, and where it came from. Requests under way are not disturbed.
    ///
    /// # Errors
    /// As [`Credentials::new`]; then all is as before.
    pub fn reload(&self, settings: &LoginSettings) -> Result<(), BucketError> {
        // Another user may have other rights: that is for a restart.
        if settings.username != self.username {
            return Ok(());
        }
        let credentials = Credentials::new(self.product, settings.username.as_deref(), settings.password.as_ref())?;
        let mut state = self.state.lock();
        let version = state.version_of(credentials);
        state.rotation.replace(version, kind(&settings.password_source));
        if state.source != settings.password_source {
            // A read of the other file may be stuck.
            state.source = settings.password_source.clone();
            state.reader = FileReader::default();
        }
        state.forget();
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Begins the attempts of one request with the credentials of the moment.
    #[must_use]
    pub fn session(&self) -> LoginSession<'_> {
        let (version, credentials) = self.state.lock().current();
        LoginSession { login: self, version, credentials, attempts: Attempts::default() }
    }

    fn accepted(&self, version: SecretVersion) {
        let mut state = self.state.lock();
        if state.rotation.is_settled_on(version) {
            return;
        }
        let is_end = state.rotation.accepted(version);
        let is_to_be_logged = is_end && std::mem::take(&mut state.is_end_unlogged);
        state.forget();
        drop(state);
        self.changed.notify_all();
        if is_to_be_logged {
            self.observer.emit(&Observation::LoginAccepted { product: self.product.name });
        }
    }

    /// What to try next; `None`: the refusal is final.
    fn after_refusal(
        &self,
        version: SecretVersion,
        attempts: &mut Attempts,
        deadline: Deadline,
    ) -> Option<(SecretVersion, Arc<Credentials>)> {
        let mut state = self.state.lock();
        let now = clock::now();
        let is_quiet = state.warned_at.is_some_and(|at| now.saturating_duration_since(at) < WARNING_INTERVAL);
        if state.rotation.refused(version, attempts, now) == Episode::Begins && !is_quiet {
            state.warned_at = Some(now);
            state.is_end_unlogged = true;
            MutexGuard::unlocked(&mut state, || {
                self.observer.emit(&Observation::LoginRefused { product: self.product.name });
            });
        }
        loop {
            let now = clock::now();
            if deadline.is_over(now) {
                return None;
            }
            match state.rotation.next(attempts, now) {
                Action::Use(version) => return Some(state.get(version)),
                Action::GiveUp => return None,
                Action::Read => self.read(&mut state, deadline),
                Action::Wait(until) => {
                    self.changed.wait_until(&mut state, until.min(deadline.instant()));
                }
            }
        }
    }

    /// Reads the secret, with the lock released meanwhile.
    fn read(&self, state: &mut MutexGuard<'_, LoginState>, deadline: Deadline) {
        let (source, reader) = (state.source.clone(), state.reader.clone());
        let limit = deadline.remaining(clock::now()).min(LONGEST_WAIT);
        let found = MutexGuard::unlocked(state, || {
            source.read(&reader, limit).and_then(|password| {
                password
                    .map(|password| Credentials::new(self.product, self.username.as_deref(), Some(&password)))
                    .transpose()
                    .map_err(|error| error.to_string())
            })
        });
        let mut complaint = None;
        match found {
            // A HUP may have named another source meanwhile: what it says is newer.
            Ok(Some(credentials)) if state.source == source => {
                let version = state.version_of(credentials);
                state.rotation.was_read(Some(version));
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
            MutexGuard::unlocked(state, || {
                let product = self.product.name;
                self.observer.emit(&Observation::SecretUnreadable { product, reason: &reason });
            });
        }
    }
}

/// The attempts of one request to log in.
pub struct LoginSession<'a> {
    login: &'a Login,
    version: SecretVersion,
    credentials: Arc<Credentials>,
    attempts: Attempts,
}

impl LoginSession<'_> {
    /// The credentials to use now.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Records that the database accepted them.
    pub fn accepted(&self) {
        self.login.accepted(self.version);
    }

    /// Records that the database refused them. True if there are credentials to try now, after waiting for them until
    /// `deadline` at most; false if the refusal is final.
    #[must_use]
    pub fn refused(&mut self, deadline: Deadline) -> bool {
        if self.credentials.is_nobody() {
            return false;
        }
        match self.login.after_refusal(self.version, &mut self.attempts, deadline) {
            Some((version, credentials)) => {
                (self.version, self.credentials) = (version, credentials);
                true
            }
            None => false,
        }
    }
}

impl LoginState {
    fn current(&self) -> (SecretVersion, Arc<Credentials>) {
        self.get(self.rotation.current())
    }

    fn get(&self, version: SecretVersion) -> (SecretVersion, Arc<Credentials>) {
        let found = self.known.iter().find(|(known, _)| *known == version).or_else(|| self.known.last());
        // There is always one: `forget` keeps what the rotation knows.
        found.cloned().unwrap_or_else(|| (version, Arc::default()))
    }

    /// The version of these credentials: an old one if they are known.
    fn version_of(&mut self, credentials: Credentials) -> SecretVersion {
        if let Some((version, _)) = self.known.iter().find(|(_, known)| known.is_same_as(&credentials)) {
            return *version;
        }
        let version = SecretVersion(self.next);
        self.next = self.next.wrapping_add(1);
        self.known.push((version, Arc::new(credentials)));
        version
    }

    fn forget(&mut self) {
        let Self { known, rotation, .. } = self;
        known.retain(|(version, _)| rotation.is_known(*version));
    }
}

fn kind(source: &SecretSource) -> Source {
    match source {
        SecretSource::Fixed => Source::Fixed,
        SecretSource::File(_) => Source::Readable,
    }
}
