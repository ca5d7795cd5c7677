//! What the two listeners serve, made from the settings: at the start, and again at each reload.
//!
//! Invariant: requests that are under way keep what they began with, and bucket connections that are kept open stay open
//! unless what holds for them has changed.

use std::sync::Arc;
use std::time::Duration;

use crate::admin::{Admin, AdminState, READY_TIMEOUT};
use crate::api::Api;
use crate::bucket::{BucketPool, Database, PoolOptions};
use crate::config::{HttpSettings, Settings};
use crate::http::{Limits, Monitor, Service, TrustedProxies, Workforce, clamp_connections};
use crate::observe::{Observation, Observer};

/// Those who ask `/ready` while others wait for it get the same answer.
const ADMIN_QUEUE_TIMEOUT: Duration = READY_TIMEOUT.saturating_add(Duration::from_secs(1));

/// Connections that operators and their tools may have.
const ADMIN_CONNECTIONS: usize = 64;

/// The files of one embedded bucket connection: SQLite's database, its log, and the log's index.
const FILES_PER_BUCKET: usize = 3;

/// Makes what the listeners serve.
pub struct Services {
    buckets: Arc<BucketPool>,
    /// Fixed at the start.
    workforce: Workforce,
    admin: Arc<AdminState>,
    limits: Limits,
    observer: Observer,
}

impl Services {
    /// Makes them for the first time.
    pub fn new(
        database: Arc<dyn Database>,
        settings: &Settings,
        workforce: Workforce,
        admin: AdminState,
        observer: &Observer,
    ) -> Self {
        let options = pool_options(settings, workforce);
        let limits = limits(&settings.http, &options);
        report_limit(&settings.http, limits, observer);
        let buckets = Arc::new(BucketPool::new(database, options, observer));
        Self { buckets, workforce, admin: Arc::new(admin), limits, observer: observer.clone() }
    }

    /// Takes other settings. Those that are fixed at the start are not looked at.
    pub fn set(&mut self, settings: &Settings) {
        let options = pool_options(settings, self.workforce);
        let limits = limits(&settings.http, &options);
        if limits.max_connections != self.limits.max_connections {
            report_limit(&settings.http, limits, &self.observer);
        }
        self.limits = limits;
        self.buckets = self.buckets.set_options(options);
    }

    /// Returns what the public listener serves.
    pub fn public(&self, settings: &HttpSettings) -> Service {
        let api = Api::new(Arc::clone(&self.buckets), settings, &self.observer);
        Service::new(api.into_application(), self.limits, TrustedProxies::new(&settings.trusted_proxies))
    }

    /// Returns what the listener of operators serves; `public` is the other listener.
    pub fn admin(&self, public: Monitor) -> Service {
        let limits = Limits { max_connections: ADMIN_CONNECTIONS, queue_timeout: ADMIN_QUEUE_TIMEOUT, ..self.limits };
        let admin = Admin::new(Arc::clone(&self.buckets), public, Arc::clone(&self.admin), &self.observer);
        Service::new(admin.into_application(), limits, TrustedProxies::default())
    }

    /// Returns the database.
    pub fn database(&self) -> &dyn Database {
        self.buckets.database()
    }

    /// Returns what the listener of operators knows.
    pub fn admin_state(&self) -> &AdminState {
        &self.admin
    }
}

/// Unless a setting says otherwise, there are as many bucket connections as requests that may wait for one.
fn pool_options(settings: &Settings, workforce: Workforce) -> PoolOptions {
    let blocking = u32::try_from(workforce.blocking).unwrap_or(u32::MAX);
    PoolOptions::new(&settings.bucket, blocking)
}

fn limits(settings: &HttpSettings, options: &PoolOptions) -> Limits {
    let other_files = options.max_connections as usize * FILES_PER_BUCKET + ADMIN_CONNECTIONS;
    let max_connections = clamp_connections(settings.max_connections as usize, other_files);
    Limits { max_connections, ..Limits::from(settings) }
}

fn report_limit(settings: &HttpSettings, limits: Limits, observer: &Observer) {
    let (wanted, fitting) = (settings.max_connections as usize, limits.max_connections);
    if fitting < wanted {
        observer.emit(&Observation::ConnectionsLimited { wanted, fitting });
    }
}
