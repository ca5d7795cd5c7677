//! How the nodes of one database are reached: as whom, over which TLS, within which timeouts.
//!
//! Invariant: shared by all that talk to these nodes, and changed by a reload only.

use std::sync::Arc;

use arc_swap::ArcSwap;

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
    /// Within which timeouts. A reload replaces them.
    timeouts: Arc<ArcSwap<BucketTimeouts>>,
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

    /// Applies what new settings say; no login if they name another place or another user, whose secrets are not for this
    /// one.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for a file or a secret that cannot be used; then all is as before.
    pub fn reload(
        &self,
        timeouts: BucketTimeouts,
        login: Option<(LoginConfig, TlsSettings)>,
    ) -> Result<(), BucketError> {
        // First what can fail, and then what cannot: half of it must not be applied.
        match login {
            Some((login, tls)) => {
                let configuration = self.tls.read_again(&tls)?;
                self.login.reload(&login)?;
                if let Some(configuration) = configuration {
                    self.tls.replace(configuration);
                }
            }
            None => {
                let (section, place) = (self.product.section, self.product.hosts);
                self.observer.emit(&Observation::ReloadPostponed { section, place });
            }
        }
        self.timeouts.store(Arc::new(timeouts));
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
            timeouts: Arc::new(ArcSwap::from_pointee(timeouts)),
            observer: observer.clone(),
        })
    }

    /// Returns the timeouts in force.
    #[must_use]
    pub fn timeouts(&self) -> BucketTimeouts {
        **self.timeouts.load()
    }
}
