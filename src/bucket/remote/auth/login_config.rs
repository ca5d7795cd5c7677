//! Who we are to a database, as the settings say.
//!
//! Invariant: pure; the secret is not printed.

use std::fmt;

use secrecy::SecretString;

use crate::config::{LoginSettings, SecretSource};

/// Who we are to a database.
#[derive(Clone, Debug)]
pub struct LoginConfig {
    /// How that is said.
    pub scheme: Scheme,
    /// What proves it, as it was read.
    pub secret: Option<SecretString>,
    /// Where that is read again.
    pub source: SecretSource,
}

/// How requests say who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// User name and password (RFC 7617); without a user name: nobody.
    Basic {
        /// The user.
        username: Option<String>,
    },
    /// User name and password, in whatever way a driver sends them; without a user name: nobody.
    Driver {
        /// The user.
        username: Option<String>,
    },
    /// A key in place of both: the value that the database calls `encoded`.
    ApiKey,
}

impl LoginConfig {
    /// Who we are to a database with a driver of its own.
    #[must_use]
    pub fn for_driver(settings: &LoginSettings) -> Self {
        Self { scheme: Scheme::Driver { username: settings.username.clone() }, ..Self::from(settings) }
    }
}

impl From<&LoginSettings> for LoginConfig {
    fn from(settings: &LoginSettings) -> Self {
        Self {
            scheme: Scheme::Basic { username: settings.username.clone() },
            secret: settings.password.clone(),
            source: settings.password_source.clone(),
        }
    }
}

impl fmt::Display for Scheme {
    /// As in `as "reader"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { username: Some(username) } | Self::Driver { username: Some(username) } => {
                write!(f, "as {username:?}")
            }
            Self::Basic { username: None } | Self::Driver { username: None } => f.write_str("without a login"),
            Self::ApiKey => f.write_str("with an API key"),
        }
    }
}
