//! Which documents are asked for, where, and as whom: what a section of the settings comes to.
//!
//! Invariant: pure. The secrets of another place, or of another user, are never taken over.

use super::auth::LoginConfig;
use super::endpoint::{Endpoint, Security};
use crate::config::{Settings, TlsSettings};

/// What a database takes from new settings; `None` if they name another place or another user, whose secrets are not
/// for this one.
pub type ReloadFrom = dyn Fn(&Settings) -> Option<(LoginConfig, TlsSettings)> + Send + Sync;

/// Which documents are asked for, where, and as whom.
pub struct Plan {
    /// Which documents and where: the middle of [`crate::bucket::Database::describe`].
    pub place: String,
    /// As whom.
    pub login: LoginConfig,
    /// With which certificates.
    pub tls: TlsSettings,
    /// Where, as far as the settings say.
    pub nodes: Vec<Endpoint>,
    /// TLS if any node has it: only then are certificates read.
    pub security: Security,
}

impl Plan {
    /// `documents` says which, as in `the database "users"`.
    #[must_use]
    pub fn new(documents: &str, login: LoginConfig, tls: TlsSettings, nodes: Vec<Endpoint>) -> Self {
        let authorities: Vec<String> = nodes.iter().map(Endpoint::authority).collect();
        let has_tls = nodes.iter().any(|node| node.security == Security::Tls);
        let security = if has_tls { Security::Tls } else { Security::Plain };
        Self { place: format!("{documents} at {}", authorities.join(", ")), login, tls, nodes, security }
    }

    /// What is taken over from a newer plan: nothing if it is for another place or another user.
    #[must_use]
    pub fn reload_from(&self, new: Self) -> Option<(LoginConfig, TlsSettings)> {
        let is_same = self.place == new.place && self.nodes == new.nodes && self.login.scheme == new.login.scheme;
        is_same.then_some((new.login, new.tls))
    }
}
