//! What a reload changes: which settings are taken at once, and which at the next start.
//!
//! Invariant: settings are told by their names; no value is in what this answers.

use super::load::Loaded;

/// The settings that a running program takes. Passwords are read again too, from wherever they come.
const TAKEN_AT_ONCE: &[(&str, &str)] = &[
    ("couchbase", "password_file"),
    ("couchbase", "ca_file"),
    ("couchbase", "client_certificate_file"),
    ("couchbase", "client_key_file"),
    ("couchbase", "danger_accept_invalid_certificates"),
    ("log", "level"),
];

/// The settings that are others than those the program was started with, and that only a restart brings about; such as
/// `[http] listen`.
#[must_use]
pub fn for_a_restart(started: &Loaded, now: &Loaded) -> Vec<String> {
    let pairs = started.values.entries().iter().zip(now.values.entries());
    pairs
        .filter(|(old, new)| old.value != new.value)
        .filter(|(old, _)| !TAKEN_AT_ONCE.iter().any(|(section, key)| old.setting.is(section, key)))
        .map(|(old, _)| old.setting.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Sources, load, names};
    use super::*;

    fn loaded(set: &[&str]) -> Loaded {
        let set = set.iter().map(ToString::to_string).collect();
        load(&Sources { search: Vec::new(), set, ..Sources::default() }).unwrap()
    }

    #[test]
    fn what_needs_a_restart_is_named_and_the_rest_is_not() {
        let started = loaded(&["http.workers=7", "couchbase.scope=s"]);
        for (set, expected) in [
            (&["http.workers=7", "couchbase.scope=s"][..], &[][..]),
            (&["couchbase.scope=s"], &["[http] workers"]),
            (&["http.workers=7", "couchbase.scope=s", "http.listen=:1"], &["[http] listen"]),
            (&["http.workers=7", "couchbase.scope=s", "log.level=debug", "couchbase.ca_file=/x"], &[]),
            (
                &["http.workers=8", "couchbase.username=u"],
                &["[http] workers", "[couchbase] scope", "[couchbase] username"],
            ),
        ] {
            assert_eq!(for_a_restart(&started, &loaded(set)), expected, "{set:?}");
        }
    }

    #[test]
    fn what_is_taken_at_once_are_settings_that_there_are() {
        for (section, key) in TAKEN_AT_ONCE {
            assert!(names::find(section, key).is_ok(), "[{section}] {key}");
        }
    }
}
