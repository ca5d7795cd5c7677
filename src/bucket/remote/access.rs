//! How the nodes of one database are reached: as whom, over which TLS, within which timeouts.
//!
//! Invariant: shared by all that talk to these nodes, and only read.

use std::sync::Arc;

use super::auth::{Login, LoginConfig};
use super::endpoint::Security;
use super::names::Names;
use super::product::Product;
use super::tls::Tls;
use crate::bucket::{BucketError, BucketTimeouts};
use crate::config::TlsSettings;
use crate::observe::{Observation, Observer};

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
    /// Where a database is and how it is reached, for the line at start-up. `place` is which documents, and where.
    #[must_use]
    pub fn describe(&self, place: &str) -> String {
        let security = match self.tls.security() {
            Security::Plain => "without TLS",
            Security::Tls => "with TLS",
        };
        format!("{}, {place}, {}, {security}", self.product.name, self.identity())
    }

    /// Applies what new settings say; `None` if they name another place or another user, whose secrets are not for
    /// this one.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for a file or a secret that cannot be used; then all is as before.
    pub fn reload(&self, new: Option<(LoginConfig, TlsSettings)>) -> Result<(), BucketError> {
        let Some((login, tls)) = new else {
            let (section, place) = (self.product.section, self.product.hosts);
            self.observer.emit(&Observation::ReloadPostponed { section, place });
            return Ok(());
        };
        // First what can fail, and then what cannot: half of it must not be applied.
        let configuration = self.tls.read_again(&tls)?;
        self.login.reload(&login)?;
        if let Some(configuration) = configuration {
            self.tls.replace(configuration);
        }
        Ok(())
    }

    /// Who we are, as in `as "reader"`.
    #[must_use]
    pub fn identity(&self) -> String {
        let is_certificate_alone = !self.login.has_password() && self.tls.has_client_certificate();
        if is_certificate_alone { "by a client certificate".to_owned() } else { self.login.identity() }
    }

    /// What the settings say. `security` is [`Security::Tls`] if any node is reached over TLS: only then are the
    /// files of certificates read.
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
