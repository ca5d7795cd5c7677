//! TLS to the nodes: whom we trust, who we are, and the one configuration that all connections share.
//!
//! `material` makes a configuration from files, and `meaning` says what a failure of it means and what to do.
//!
//! Invariant: the files are read at start-up and at a reload (HUP), never for a request. A configuration is only ever
//! replaced by one that could be made in full.

mod material;
mod meaning;

pub use material::Pem;
pub use meaning::Fault;

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ClientConfig;

use crate::bucket::BucketError;
use crate::bucket::remote::Security;
use crate::bucket::remote::product::Product;
use crate::config::{TlsSettings, Verification};

/// What the connections of one database share about TLS.
pub struct Tls {
    product: &'static Product,
    /// `None`: there is no TLS, now and for as long as the program runs.
    held: Option<RwLock<Arc<Configuration>>>,
}

/// One configuration, and what the sentences about its failures need to know of it.
pub struct Configuration {
    /// For those who connect.
    pub rustls: Arc<ClientConfig>,
    /// What it was made of, for a driver that takes files.
    pub pem: Pem,
    trust: Trust,
    identity: Identity,
}

/// Who vouches for the nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trust {
    /// The authorities of the operating system.
    System,
    /// Those of `ca_file`.
    File(PathBuf),
    /// Nobody has to: certificates are not verified.
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
    /// What the settings say: no file is read where no node is reached over TLS.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] if a file cannot be used, with what to do about it.
    pub fn new(product: &'static Product, settings: &TlsSettings, security: Security) -> Result<Self, BucketError> {
        let held = match security {
            Security::Plain => None,
            Security::Tls => Some(RwLock::new(Arc::new(Configuration::read(product, settings)?))),
        };
        Ok(Self { product, held })
    }

    /// Whose nodes are connected to.
    #[must_use]
    pub fn product(&self) -> &'static Product {
        self.product
    }

    /// Whether nodes are connected to with TLS.
    #[must_use]
    pub fn security(&self) -> Security {
        if self.held.is_some() { Security::Tls } else { Security::Plain }
    }

    /// True if we have a certificate to show.
    #[must_use]
    pub fn has_client_certificate(&self) -> bool {
        self.current().is_some_and(|configuration| configuration.identity == Identity::Certificate)
    }

    /// False if certificates are accepted without being verified.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.current().is_none_or(|current| current.trust != Trust::Anybody)
    }

    /// The configuration of the moment; `None` where there is no TLS. Costs next to nothing.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Configuration>> {
        self.held.as_ref().map(|held| Arc::clone(&held.read()))
    }

    /// Reads the files again, for [`Tls::replace`]; `None` where there is no TLS.
    ///
    /// # Errors
    /// As [`Tls::new`].
    pub fn read_again(&self, settings: &TlsSettings) -> Result<Option<Configuration>, BucketError> {
        self.held.as_ref().map(|_| Configuration::read(self.product, settings)).transpose()
    }

    /// Replaces the configuration for the connections that are opened from now on.
    pub fn replace(&self, configuration: Configuration) {
        if let Some(held) = &self.held {
            *held.write() = Arc::new(configuration);
        }
    }

    /// What a failure of TLS means for us.
    #[must_use]
    pub fn fault(&self, error: &rustls::Error) -> Fault {
        self.current().map_or_else(
            || meaning::of(error, &Trust::System, Identity::None, self.product),
            |current| meaning::of(error, &current.trust, current.identity, self.product),
        )
    }
}

impl Configuration {
    fn read(product: &Product, settings: &TlsSettings) -> Result<Self, BucketError> {
        let (rustls, pem) = material::client_config(product, settings).map_err(BucketError::misconfigured)?;
        let trust = match (settings.verification, &settings.ca_file) {
            (Verification::Off, _) => Trust::Anybody,
            (Verification::On, Some(path)) => Trust::File(path.clone()),
            (Verification::On, None) => Trust::System,
        };
        let identity = if settings.client_certificate_file.is_some() { Identity::Certificate } else { Identity::None };
        Ok(Self { rustls: Arc::new(rustls), pem, trust, identity })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("security", &self.security()).finish_non_exhaustive()
    }
}
