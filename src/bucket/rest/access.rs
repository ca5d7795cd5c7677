//! How the nodes of one database are reached: as whom, over which TLS, within which timeouts.
//!
//! Invariant: shared by all that talk to these nodes, and only read.

use std::sync::Arc;

use super::auth::{Login, LoginConfig};
use super::client::names::Names;
use super::nodes::Security;
use super::product::Product;
use super::tls::Tls;
use crate::bucket::{BucketError, BucketTimeouts};
use crate::config::TlsSettings;
use crate::observe::Observer;

/// How nodes are reached. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    /// Whose nodes they are.
    pub product: &'static Product,
    /// As whom.
    pub login: Arc<Login>,
    /// Over which TLS, where there is any.
    pub tls: Arc<Tls>,
    /// At which addresses.
    pub names: Arc<Names>,
    /// Within which timeouts.
    pub timeouts: BucketTimeouts,
    /// Where observations are reported.
    pub observer: Observer,
}

impl Access {
    /// Who we are, as in `as "reader"`.
    #[must_use]
    pub fn identity(&self) -> String {
        let is_certificate_alone = !self.login.has_password() && self.tls.has_client_certificate();
        if is_certificate_alone { "by a client certificate".to_owned() } else { self.login.identity() }
    }

    /// What the settings say. `security` is [`Security::Tls`] if any node is reached over TLS: only then are the files of
    /// certificates read.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for half a login, and for a file that cannot be used.
    pub fn new(
        product: &'static Product,
        (login, tls): (&LoginConfig, &TlsSettings),
        security: Security,
        timeouts: BucketTimeouts,
        observer: &Observer,
    ) -> Result<Self, BucketError> {
        Ok(Self {
            product,
            login: Arc::new(Login::new(product, login, observer)?),
            tls: Arc::new(Tls::new(product, tls, security)?),
            names: Arc::default(),
            timeouts,
            observer: observer.clone(),
        })
    }
}
