//! TLS to the nodes: whom we trust, who we are, and the one configuration that all connections share.
//!
//! `material` makes a configuration out of files, `connector` puts it under `ureq`, and `meaning` says what a failure of
//! it is and what to do.
//!
//! Invariant: the files are read when the program starts and when it is told to (HUP), never for a request. A
//! configuration is only ever replaced by one that could be made in full.

mod connector;
mod material;
mod meaning;

pub use connector::TlsConnector;
pub use meaning::{Fault, cause};

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ClientConfig;

use super::topology::Security;
use crate::bucket::BucketError;
use crate::config::CouchbaseSettings;

/// What the connections of one cluster share about TLS.
pub struct Tls {
    /// `None`: there is no TLS, now and for as long as the program runs.
    held: Option<RwLock<Arc<Configuration>>>,
}

/// One configuration, and what the sentences about its failures need to know of it.
pub struct Configuration {
    pub(super) rustls: Arc<ClientConfig>,
    trust: Trust,
    identity: Identity,
}

/// Who vouches for the nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trust {
    /// The authorities of the operating system.
    System,
    /// Those of `[couchbase] ca_file`.
    File(PathBuf),
    /// Nobody has to: `[couchbase] danger_accept_invalid_certificates`.
    Anybody,
}

/// Who vouches for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// Nobody: we have no certificate.
    None,
    /// The authority of our certificate.
    Certificate,
}

impl Tls {
    /// What the settings say: nothing is read for a scheme without TLS.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] if a file cannot be used, with what to do about it.
    pub fn new(settings: &CouchbaseSettings) -> Result<Self, BucketError> {
        if !settings.connection_string.scheme.is_tls() {
            return Ok(Self { held: None });
        }
        Ok(Self { held: Some(RwLock::new(Arc::new(Configuration::read(settings)?))) })
    }

    /// No TLS.
    #[cfg(test)]
    pub fn none() -> Self {
        Self { held: None }
    }

    /// Whether nodes are dialled with TLS.
    #[must_use]
    pub fn security(&self) -> Security {
        if self.held.is_some() { Security::Tls } else { Security::Plain }
    }

    /// The configuration of the moment; `None` where there is no TLS. Costs next to nothing.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Configuration>> {
        self.held.as_ref().map(|held| Arc::clone(&held.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Reads the files again, for [`Tls::replace`]; `None` where there is no TLS.
    ///
    /// # Errors
    /// As [`Tls::new`].
    pub fn read_again(&self, settings: &CouchbaseSettings) -> Result<Option<Configuration>, BucketError> {
        self.held.as_ref().map(|_| Configuration::read(settings)).transpose()
    }

    /// Takes another configuration for the connections that are opened from now on.
    pub fn replace(&self, configuration: Configuration) {
        if let Some(held) = &self.held {
            *held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(configuration);
        }
    }

    /// What a failure of TLS is to us.
    #[must_use]
    pub fn fault(&self, error: &rustls::Error) -> Fault {
        self.current().map_or_else(
            || meaning::of(error, &Trust::System, Identity::None),
            |current| meaning::of(error, &current.trust, current.identity),
        )
    }
}

impl Configuration {
    fn read(settings: &CouchbaseSettings) -> Result<Self, BucketError> {
        let rustls = material::client_config(settings).map_err(|reason| BucketError::Misconfigured { reason })?;
        let trust = match (settings.danger_accept_invalid_certificates, &settings.ca_file) {
            (true, _) => Trust::Anybody,
            (false, Some(path)) => Trust::File(path.clone()),
            (false, None) => Trust::System,
        };
        let identity = if settings.client_certificate_file.is_some() { Identity::Certificate } else { Identity::None };
        Ok(Self { rustls: Arc::new(rustls), trust, identity })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("security", &self.security()).finish_non_exhaustive()
    }
}
