//! The status line of a running server, for the service manager.
//!
//! Invariant: one line, with nothing in it that the log may not have.

use std::time::{Duration, SystemTime};

use crate::clock;
use crate::config::DatabaseName;
use crate::http::Monitor;
use crate::observe::Observer;
use crate::observe::metrics::HttpGauges;
use crate::systemd::Vitals;

/// A failure of the database matters for as long as this.
const RECENT: Duration = Duration::from_secs(60);

/// The vitals of a server.
pub struct ServerVitals {
    pub public: Monitor,
    pub database: DatabaseName,
    pub observer: Observer,
}

impl Vitals for ServerVitals {
    fn status(&self) -> String {
        let failure = self.observer.recent().of_database();
        let failure = failure.as_ref().map(|failure| (failure.at, failure.reason.as_str()));
        let mut line = status_line(self.database, &self.public.gauges(), self.answers(), failure, clock::wall());
        if self.observer.recent().of_reload().is_some() {
            line.push_str("; the last reload was refused, see the log");
        }
        line
    }

    fn is_full(&self) -> bool {
        let gauges = self.public.gauges();
        gauges.active + gauges.waiting >= gauges.max_connections
    }

    fn answers(&self) -> u64 {
        self.observer.metrics().answers()
    }
}

fn status_line(
    database: DatabaseName,
    gauges: &HttpGauges,
    answers: u64,
    failure: Option<(SystemTime, &str)>,
    now: SystemTime,
) -> String {
    let database = database.as_str();
    let recent = failure.and_then(|(at, reason)| {
        let age = now.duration_since(at).unwrap_or_default();
        (age < RECENT)
            .then(|| format!("last failed {} s ago: {}", age.as_secs(), reason.replace(char::is_control, " ")))
    });
    let state = recent.unwrap_or_else(|| "no recent failure".to_owned());
    let (open, running) = (gauges.active + gauges.waiting, gauges.running + gauges.queued);
    format!(
        "serving; {open} connections, {running} requests waiting for the database, {answers} answered; {database}: {state}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recent_failure_is_what_matters() {
        let gauges = HttpGauges { active: 1, waiting: 2, max_connections: 9, running: 3, queued: 4, max_running: 5 };
        let now = clock::wall();
        let line = |age_s| {
            let failure = (now - Duration::from_secs(age_s), "refused\nby it");
            status_line(DatabaseName::Couchbase, &gauges, 7, Some(failure), now)
        };
        let expected = "serving; 3 connections, 7 requests waiting for the database, 7 answered; couchbase: ";
        assert_eq!(line(3), format!("{expected}last failed 3 s ago: refused by it"));
        assert_eq!(line(60), format!("{expected}no recent failure"));
    }
}
