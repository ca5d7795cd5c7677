//! What a listener serves at the moment, and within which bounds.
//!
//! Invariant: it is replaced as a whole. A request is handled by the application that has planned it; the one in force then
//! completes the answer.

use super::application::Application;
use super::limits::Limits;
use super::proxies::{self, TrustedProxies};

/// The field that carries a request id, in both directions.
pub const REQUEST_ID_FIELD: &str = "x-request-id";

/// What a listener serves, and within which bounds.
pub struct Service {
    /// What answers.
    pub application: Application,
    /// The bounds of each connection.
    pub limits: Limits,
    /// Whose word is taken for who the client is.
    pub trusted_proxies: TrustedProxies,
    /// The fields that are read from a request: those of the application, and our own.
    pub(super) reads: Vec<&'static str>,
}

impl Service {
    /// Returns what serves `application`.
    #[must_use]
    pub fn new(application: Application, limits: Limits, trusted_proxies: TrustedProxies) -> Self {
        let mut reads = application.reads.to_vec();
        reads.push(REQUEST_ID_FIELD);
        if !trusted_proxies.is_empty() {
            reads.extend(proxies::FIELDS);
        }
        Self { application, limits, trusted_proxies, reads }
    }
}
