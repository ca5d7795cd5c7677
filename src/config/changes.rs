//! What a reload changes: which settings are taken at once, and which at the next start.
//!
//! Invariant: settings are reported by their names; what this returns holds no value.

use super::load::Loaded;
use super::setting::{Reload, Setting};

/// The settings that are others than those the program was started with, and that only a restart brings about; such as
/// `[http] listen`. Passwords are not among them: they are read again, from wherever they come.
#[must_use]
pub fn for_a_restart(started: &Loaded, now: &Loaded) -> Vec<String> {
    let pairs = settings(started).zip(settings(now));
    pairs
        .filter(|(old, new)| old.value != new.value && old.reload == Reload::AtRestart)
        .map(|(old, _)| old.name.to_string())
        .collect()
}

/// What holds after a reload: the new settings, but for those that only a restart brings about.
#[must_use]
pub fn in_force(started: &Loaded, now: &Loaded) -> Loaded {
    let mut in_force = now.clone();
    let new = in_force.sections.iter_mut().flat_map(|section| &mut section.settings);
    for (old, new) in settings(started).zip(new).filter(|(old, _)| old.reload == Reload::AtRestart) {
        new.value.clone_from(&old.value);
    }
    in_force
}

fn settings(loaded: &Loaded) -> impl Iterator<Item = &Setting> {
    loaded.sections.iter().flat_map(|section| &section.settings)
}

#[cfg(test)]
mod tests {
    use super::super::{Sources, load};
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
    fn what_needs_a_restart_is_not_in_force_before_it() {
        let (started, now) = (loaded(&["http.workers=7"]), loaded(&["http.workers=8", "log.level=debug"]));
        let in_force = in_force(&started, &now);
        let value = |name: &str| {
            let mut all = settings(&in_force).filter(|setting| setting.name.to_string() == name);
            all.next().and_then(|setting| setting.value.clone()).unwrap()
        };
        assert_eq!((value("[http] workers").as_str(), value("[log] level").as_str()), ("7", "\"debug\""));
    }

    #[test]
    fn what_is_taken_at_once() {
        let loaded = loaded(&[]);
        let at_once = settings(&loaded).filter(|setting| setting.reload == Reload::AtOnce);
        let of = ["couchbase", "log"];
        let at_once: Vec<String> = at_once
            .filter(|setting| of.contains(&setting.name.section))
            .map(|setting| setting.name.to_string())
            .collect();
        assert_eq!(
            at_once,
            [
                "[couchbase] password_file",
                "[couchbase] ca_file",
                "[couchbase] client_certificate_file",
                "[couchbase] client_key_file",
                "[couchbase] danger_accept_invalid_certificates",
                "[log] level",
                "[log] access",
            ]
        );
    }
}
