//! What a reload changes: which settings are taken at once, and which at the next start.
//!
//! Invariant: settings are reported by their names; what this returns holds no value.

use super::load::Loaded;
use super::sections::DatabaseName;
use super::setting::{Reload, Section, Setting};

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

/// What holds after a reload: what the program was started with, but for the settings that are taken at once. Those of a
/// database whose place or user has changed wait for the restart with them.
#[must_use]
pub fn in_force(started: &Loaded, now: &Loaded) -> Loaded {
    let mut in_force = started.clone();
    for (section, new) in in_force.sections.iter_mut().zip(&now.sections) {
        let waits = is_database(section) && differs_for_a_restart(section, new);
        if waits {
            continue;
        }
        let pairs = section.settings.iter_mut().zip(&new.settings);
        for (setting, new) in pairs.filter(|(setting, _)| setting.reload == Reload::AtOnce) {
            setting.value.clone_from(&new.value);
            in_force.origins.insert(new.name.section, new.name.key, now.origins.of(new.name));
        }
        in_force.secrets.retain(|secret| secret.section != section.name);
        in_force.secrets.extend(now.secrets.iter().filter(|secret| secret.section == section.name).cloned());
    }
    in_force
}

fn is_database(section: &Section) -> bool {
    DatabaseName::ALL.iter().any(|name| name.as_str() == section.name)
}

fn differs_for_a_restart(old: &Section, new: &Section) -> bool {
    let mut pairs = old.settings.iter().zip(&new.settings);
    pairs.any(|(old, new)| old.value != new.value && old.reload == Reload::AtRestart)
}

fn settings(loaded: &Loaded) -> impl Iterator<Item = &Setting> {
    loaded.sections.iter().flat_map(|section| &section.settings)
}

#[cfg(test)]
mod tests {
    use super::super::{SectionsShown, Sources, effective, load};
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
        let started = loaded(&["http.workers=7"]);
        let now = loaded(&["http.workers=8", "log.level=debug", "bucket.database=couchbase", "couchbase.bucket=b"]);
        let shown = effective(&in_force(&started, &now), SectionsShown::InUse);
        for line in [
            "workers = 7  # --set http.workers",
            "level = \"debug\"  # --set log.level",
            "database = \"embedded\"  # [restart]\n",
        ] {
            assert!(shown.contains(line), "{line} in {shown}");
        }
        assert!(shown.contains("[embedded]") && !shown.contains("[couchbase]"), "{shown}");
    }

    #[test]
    fn certificates_of_another_place_wait_with_it() {
        let place = ["bucket.database=couchdb", "couchdb.urls=http://a:5984", "couchdb.ca_file=/old"];
        let started = loaded(&place);
        let shown = |now: &[&str]| effective(&in_force(&started, &loaded(now)), SectionsShown::InUse);
        assert!(shown(&[place[0], place[1], "couchdb.ca_file=/new"]).contains("ca_file = \"/new\""));
        let another_place = shown(&[place[0], "couchdb.urls=http://b:5984", "couchdb.ca_file=/new"]);
        assert!(
            another_place.contains("ca_file = \"/old\"") && another_place.contains("http://a:5984"),
            "{another_place}"
        );
    }

    #[test]
    fn addresses_threads_and_the_choice_of_the_database_wait() {
        let loaded = loaded(&[]);
        let waiting = settings(&loaded).filter(|setting| setting.reload == Reload::AtRestart);
        let of = ["http", "admin", "bucket", "embedded", "couchbase", "log"];
        let waiting: Vec<String> = waiting
            .filter(|setting| of.contains(&setting.name.section))
            .map(|setting| setting.name.to_string())
            .collect();
        assert_eq!(
            waiting,
            [
                "[http] listen",
                "[http] unix_mode",
                "[http] workers",
                "[admin] listen",
                "[bucket] database",
                "[embedded] path",
                "[couchbase] connection_string",
                "[couchbase] bucket",
                "[couchbase] scope",
                "[couchbase] collection",
                "[couchbase] username",
                "[couchbase] api",
                "[couchbase] network",
            ]
        );
    }
}
