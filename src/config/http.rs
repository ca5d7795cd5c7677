//! `[http]` and `[admin]`: the two listeners.
//!
//! Invariant: no timeout is zero, and every number is at least one.

use std::time::Duration;

use super::error::ConfigError;
use super::listen::ListenAddress;
use super::values::{Values, defect};

/// `[http]`: the public listener.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// `listen`; at least one.
    pub listen: Vec<ListenAddress>,
    /// `unix_mode`: the permission bits of a unix socket.
    pub unix_mode: u32,
    /// `workers`: how many threads handle requests.
    pub workers: u16,
    /// `max_connections`
    pub max_connections: u32,
    /// `max_connections_per_address`
    pub max_connections_per_address: u32,
    /// `first_byte_timeout`
    pub first_byte_timeout: Duration,
    /// `head_timeout`
    pub head_timeout: Duration,
    /// `idle_timeout`
    pub idle_timeout: Duration,
    /// `write_timeout`
    pub write_timeout: Duration,
    /// `queue_timeout`
    pub queue_timeout: Duration,
    /// `drain_timeout`
    pub drain_timeout: Duration,
    /// `cache_control`
    pub cache_control: String,
    /// `cors_allow_origins`
    pub cors_allow_origins: Vec<String>,
    /// `docs`: `/docs` and `/openapi.json` are served.
    pub docs: bool,
}

impl HttpSettings {
    pub(super) fn read(values: &Values) -> Result<Self, ConfigError> {
        let duration = |key| values.duration("http", key);
        let workers = u16::try_from(values.count("http", "workers")?);
        Ok(Self {
            listen: values.listeners("http", "listen")?,
            unix_mode: values.mode("http", "unix_mode")?,
            workers: workers.map_err(|_| defect("http", "workers", "is too large"))?,
            max_connections: values.count("http", "max_connections")?,
            max_connections_per_address: values.count("http", "max_connections_per_address")?,
            first_byte_timeout: duration("first_byte_timeout")?,
            head_timeout: duration("head_timeout")?,
            idle_timeout: duration("idle_timeout")?,
            write_timeout: duration("write_timeout")?,
            queue_timeout: duration("queue_timeout")?,
            drain_timeout: duration("drain_timeout")?,
            cache_control: values.text("http", "cache_control")?,
            cors_allow_origins: values.list("http", "cors_allow_origins")?,
            docs: values.flag("http", "docs")?,
        })
    }

    pub(super) fn check(&self, values: &Values, errors: &mut Vec<ConfigError>) {
        let origins = &self.cors_allow_origins;
        if origins.len() > 1 && origins.iter().any(|origin| origin == "*") {
            errors.push(ConfigError::new(
                values.place("http", "cors_allow_origins"),
                "[http] cors_allow_origins: \"*\" allows every origin already: write it alone, or leave it out",
            ));
        }
    }
}

/// `[admin]`: the listener for operators.
#[derive(Clone, Debug)]
pub struct AdminSettings {
    /// `listen`; `None` is `"off"`.
    pub listen: Option<ListenAddress>,
}

impl AdminSettings {
    pub(super) fn read(values: &Values) -> Result<Self, ConfigError> {
        Ok(Self { listen: values.listeners("admin", "listen")?.into_iter().next() })
    }

    pub(super) fn check(&self, http: &HttpSettings, values: &Values, errors: &mut Vec<ConfigError>) {
        let Some(listen) = &self.listen else { return };
        if http.listen.iter().any(|public| public.collides_with(listen)) {
            errors.push(ConfigError::new(
                values.place("admin", "listen"),
                format!("[admin] listen is {listen}, which is [http] listen too: give it another port, or \"off\""),
            ));
        }
    }
}
