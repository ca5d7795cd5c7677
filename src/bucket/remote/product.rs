//! What is particular to a product in names and sentences.
//!
//! Invariant: pure data. Each sentence that a user reads takes its names from here.

use std::time::Duration;

/// A database product.
#[derive(Debug)]
pub struct Product {
    /// Its name in a sentence.
    pub name: &'static str,
    /// Its section of the settings, without brackets.
    pub section: &'static str,
    /// The setting of that section that names its hosts.
    pub hosts: &'static str,
    /// What to do when it refuses a login.
    pub login: LoginPolicy,
    /// What to tell an operator.
    pub advice: Advice,
}

impl Product {
    /// A setting of its section, as it is written in a sentence: `[section] key`.
    #[must_use]
    pub fn setting(&self, key: &str) -> String {
        format!("[{}] {key}", self.section)
    }

    /// The setting that names its hosts.
    #[must_use]
    pub fn hosts_setting(&self) -> String {
        self.setting(self.hosts)
    }
}

/// Ends of sentences that say what to do. Each begins in lower case and has no full stop.
#[derive(Debug)]
pub struct Advice {
    /// After a refused login (HTTP status 401).
    pub wrong_login: &'static str,
    /// After a refused read (HTTP status 403).
    pub missing_right: &'static str,
    /// For a password that is sent without TLS.
    pub use_tls: &'static str,
    /// For a port that does not speak TLS.
    pub no_tls: &'static str,
    /// For an address at which nobody listens.
    pub not_listening: &'static str,
    /// For a certificate of other names than the host: where else names can be changed, in parentheses, or nothing.
    pub other_names: &'static str,
    /// For a protocol that reads single documents only.
    pub no_batches: &'static str,
}

/// How often a refused login is tried again while a password is being changed (see `auth::rotation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginPolicy {
    /// How long a login that worked may be refused before the refusal is final.
    pub patience: Duration,
    /// From one reading of the secret to the next, at least.
    pub read_interval: Duration,
    /// From one attempt with a refused secret to the next, over all requests: a server may count them.
    pub probe_interval: Duration,
    /// The rule by which the server locks accounts, if it does. Then a secret that is not known to be accepted is
    /// sent by one request at a time, and the refusals of all secrets together stay below the rule.
    pub lockout: Option<Lockout>,
}

impl LoginPolicy {
    /// For a server that does not lock accounts.
    pub const FOLLOW_ROTATION: Self = Self {
        patience: Duration::from_secs(2),
        read_interval: Duration::from_millis(100),
        probe_interval: Duration::from_millis(75),
        lockout: None,
    };

    /// For a server that locks an account after so many refusals within this time.
    #[must_use]
    pub const fn avoid_lockout(refusals: u32, window: Duration) -> Self {
        Self { lockout: Some(Lockout { refusals, window }), ..Self::FOLLOW_ROTATION }
    }
}

/// So many refusals within this time lock an account, whatever the passwords were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// The refusal that locks.
    pub refusals: u32,
    /// From the first of them to the last.
    pub window: Duration,
}

impl Lockout {
    /// The refusals in the window up to which a refused secret is sent again: one is left for a new secret, and the
    /// next would lock.
    #[must_use]
    pub const fn resend_limit(self) -> u32 {
        self.refusals - 2
    }

    /// From one attempt with a refused secret to the next.
    #[must_use]
    pub fn pause(self) -> Duration {
        self.window / self.resend_limit()
    }
}
