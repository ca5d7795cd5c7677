//! The login of a database as it is now, shared by all its connections.
//!
//! Invariant: when a refused login is tried again, and with what, is decided in `rotation`; here are the secrets, the clock
//! and the waiting. Nobody waits past a deadline, and secrets are read without holding the lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::credentials::Credentials;
use super::login_config::{LoginConfig, Scheme};
use super::rotation::{Action, Admission, Attempts, Episode, Rotation, SecretVersion, Source};
use crate::bucket::BucketError;
use crate::bucket::remote::failure::{Failure, Retry};
use crate::bucket::remote::product::Product;
use crate::clock::{self, Deadline};
use crate::config::SecretSource;
use crate::files::{FileReader, LONGEST_WAIT};
use crate::observe::{Observation, Observer};

/// From one warning of a refused login to the next, at least: one node of several can refuse what the others accept.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The login of a database.
pub struct Login {
    product: &'static Product,
    scheme: Scheme,
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
    /// The error of the last refusal, for requests that are not to provoke another one.
    refusal: Option<BucketError>,
}

impl Login {
    /// What the settings say.
    ///
    /// # Errors
    /// As [`Credentials::new`].
    pub fn new(product: &'static Product, config: &LoginConfig, observer: &Observer) -> Result<Self, BucketError> {
        let first = Credentials::new(product, &config.scheme, config.secret.as_ref())?;
        let source = config.source.clone();
        let state = LoginState {
            rotation: Rotation::new(SecretVersion(0), kind(&source), product.login),
            source,
            reader: FileReader::default(),
            known: vec![(SecretVersion(0), Arc::new(first))],
            next: 1,
            is_unreadable: false,
            warned_at: None,
            is_end_unlogged: false,
            refusal: None,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Ok(Self { product, scheme: config.scheme.clone(), state, changed, observer: observer.clone() })
    }

    /// Who we are, as in `as "reader"`.
    #[must_use]
    pub fn identity(&self) -> String {
        self.scheme.to_string()
    }

    /// The user, if there is one.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        match &self.scheme {
            Scheme::Basic { username } | Scheme::Driver { username } => username.as_deref(),
            Scheme::ApiKey => None,
        }
    }

    /// The credentials that new requests use.
    #[must_use]
    pub fn credentials(&self) -> Arc<Credentials> {
        self.state.lock().current().1
    }

    /// The credentials of requests that only find out whether a node answers: nobody's, where refusals lock an account and
    /// it is not known that they are accepted.
    #[must_use]
    pub fn credentials_of_probe(&self) -> Arc<Credentials> {
        let state = self.state.lock();
        let (version, credentials) = state.current();
        let are_safe = self.product.login.lockout.is_none() || state.rotation.is_settled_on(version);
        if are_safe { credentials } else { Arc::default() }
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
    pub fn reload(&self, config: &LoginConfig) -> Result<(), BucketError> {
        // Another user may have other rights: that is for a restart.
        if config.scheme != self.scheme {
            return Ok(());
        }
        let credentials = Credentials::new(self.product, &config.scheme, config.secret.as_ref())?;
        let mut state = self.state.lock();
        let version = state.version_of(credentials);
        state.rotation.replace(version, kind(&config.source));
        if state.source != config.source {
            // A read of the other file may be stuck.
            state.source = config.source.clone();
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
        LoginSession {
            login: self,
            version,
            credentials,
            attempts: Attempts::default(),
            trial: Trial::None,
            sent_at: None,
        }
    }

    fn accepted(&self, version: SecretVersion, sent_at: Option<Instant>) {
        let mut state = self.state.lock();
        if state.rotation.is_settled_on(version) {
            return;
        }
        let is_end = state.rotation.accepted(version, sent_at);
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
        error: &BucketError,
        (attempts, trial): (&mut Attempts, &mut Trial),
        deadline: Deadline,
    ) -> Option<(SecretVersion, Arc<Credentials>)> {
        self.observer.emit(&Observation::LoginAttemptRefused);
        let mut state = self.state.lock();
        let now = clock::now();
        state.refusal = Some(error.clone());
        if std::mem::replace(trial, Trial::None) == Trial::Running {
            state.rotation.trial_ended();
            self.changed.notify_all();
        }
        let is_quiet = state.warned_at.is_some_and(|at| now.saturating_duration_since(at) < WARNING_INTERVAL);
        if state.rotation.refused(version, attempts, now) == Episode::Begins && !is_quiet {
            state.warned_at = Some(now);
            state.is_end_unlogged = true;
            MutexGuard::unlocked(&mut state, || {
                self.observer.emit(&Observation::LoginRefused { product: self.product.name });
            });
        }
        self.next(&mut state, attempts, deadline)
    }

    fn next(
        &self,
        state: &mut MutexGuard<'_, LoginState>,
        attempts: &mut Attempts,
        deadline: Deadline,
    ) -> Option<(SecretVersion, Arc<Credentials>)> {
        loop {
            let now = clock::now();
            if deadline.is_over(now) {
                return None;
            }
            match state.rotation.next(attempts, now) {
                Action::Use(version) => return Some(state.get(version)),
                Action::GiveUp => return None,
                Action::Read => self.read(state, deadline),
                Action::Wait(until) => {
                    self.changed.wait_until(state, until.min(deadline.instant()));
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
                    .map(|password| Credentials::new(self.product, &self.scheme, Some(&password)))
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
    trial: Trial,
    /// When the credentials were sent last, where refusals lock an account.
    sent_at: Option<Instant>,
}

/// Whether the attempt under way is the one that finds out whether a secret is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    None,
    Running,
}

impl Drop for LoginSession<'_> {
    fn drop(&mut self) {
        self.attempt_ended();
    }
}

impl LoginSession<'_> {
    /// Waits until the credentials may be sent, until `deadline` at most: where refusals lock an account, one request finds
    /// out whether a new secret is accepted, and a refused one is not sent again for a while.
    ///
    /// # Errors
    /// The error of the last refusal, if the credentials must not be sent; [`BucketError::Timeout`].
    pub fn wait_for_admission(&mut self, deadline: Deadline) -> Result<(), BucketError> {
        let login = self.login;
        if login.product.login.lockout.is_none() || self.credentials.is_nobody() {
            return Ok(());
        }
        let mut state = login.state.lock();
        loop {
            let now = clock::now();
            self.sent_at = Some(now);
            match state.rotation.admit(self.version, now) {
                Admission::Send => return Ok(()),
                Admission::SendOnTrial => {
                    self.trial = Trial::Running;
                    return Ok(());
                }
                Admission::Wait if deadline.is_over(now) => {
                    let reason = "no answer came in time that says whether the login is accepted";
                    return Err(BucketError::timeout(reason));
                }
                Admission::Wait => {
                    login.changed.wait_until(&mut state, deadline.instant());
                }
                Admission::HeldBack => {
                    state.rotation.held_back(self.version, &mut self.attempts, now);
                    let Some(next) = login.next(&mut state, &mut self.attempts, deadline) else {
                        let refused = || BucketError::misconfigured("the login was refused");
                        return Err(state.refusal.clone().unwrap_or_else(refused));
                    };
                    (self.version, self.credentials) = next;
                }
            }
        }
    }

    /// Records that an attempt has ended, with whatever outcome.
    pub fn attempt_ended(&mut self) {
        if std::mem::replace(&mut self.trial, Trial::None) == Trial::Running {
            self.login.state.lock().rotation.trial_ended();
            self.login.changed.notify_all();
        }
    }

    /// The credentials to use now.
    #[must_use]
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Records that the database accepted them.
    pub fn accepted(&self) {
        self.login.accepted(self.version, self.sent_at);
    }

    /// Records that the database answered with an error. Where refusals lock an account, that is an acceptance if the error is
    /// one of the product's own that follows the login, so that others need not wait for one.
    pub fn answered_with_error(&self, failure: &Failure) {
        let is_behind_the_login =
            failure.details.code.is_some() && matches!(failure.retry, Retry::Never | Retry::AfterPause);
        if self.login.product.login.lockout.is_some() && is_behind_the_login {
            self.accepted();
        }
    }

    /// Records that the database refused them with this error. True if there are credentials to try now, after waiting for
    /// them until `deadline` at most; false if the refusal is final.
    #[must_use]
    pub fn refused(&mut self, error: &BucketError, deadline: Deadline) -> bool {
        if self.credentials.is_nobody() {
            return false;
        }
        match self.login.after_refusal(self.version, error, (&mut self.attempts, &mut self.trial), deadline) {
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
