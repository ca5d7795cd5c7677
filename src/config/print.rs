//! Printing: the example file, and the settings that hold.
//!
//! Invariant: what is printed can be loaded again as it stands, and holds no secret.

use std::fmt::Write as _;

use super::error::Origin;
use super::load::Loaded;
use super::sections::{DatabaseName, Settings};
use super::setting::{Reload, Section};

const WIDTH: usize = 100;

/// Marks a setting that a running program does not change.
const RESTART: &str = "[restart]";

const PREFACE: &str = "The settings of userprofiles. Every setting stands here with its default, behind a #: take the # \
     away to change one. Settings come from, each over the one before: the defaults; this file (--config FILE, else \
     config/userprofiles.toml, else /etc/userprofiles/userprofiles.toml); the environment ([http] listen is \
     USERPROFILES_HTTP_LISTEN, and so on; lists are separated by commas there); flags (--set http.listen=:8000). Times \
     are written \"250ms\", \"30s\", \"5m\" or \"1h\". `userprofiles config` prints what holds, and why.";

/// The example file: every section and every setting, with its default and why it is that. As no setting in it is set,
/// it changes nothing. `config/userprofiles.toml` is this text.
#[must_use]
pub fn example() -> String {
    let mut text = String::new();
    comment(&mut text, PREFACE);
    for section in Settings::default().sections() {
        text.push('\n');
        comment(&mut text, section.help);
        line(&mut text, format_args!("[{}]", section.name));
        for setting in section.settings {
            text.push('\n');
            let note = if setting.example.is_some() { " Below is an example, not a default." } else { "" };
            comment(&mut text, &format!("{}{note}", setting.help));
            let value = setting.example.or(setting.value).unwrap_or_default();
            line(&mut text, format_args!("# {} = {value}", setting.name.key));
        }
    }
    text
}

/// Which sections are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionsShown {
    /// All but those of databases that are not in use.
    InUse,
    /// All.
    All,
}

/// The sections that are printed.
pub(super) fn sections(loaded: &Loaded, shown: SectionsShown) -> impl Iterator<Item = &Section> {
    let in_use = loaded.settings.bucket.database.as_str();
    let is_of_another =
        move |name: &str| name != in_use && DatabaseName::ALL.iter().any(|other| other.as_str() == name);
    loaded.sections.iter().filter(move |section| shown == SectionsShown::All || !is_of_another(section.name))
}

/// The settings that hold, as TOML, each with where it came from, and whether a change of it waits for a restart. Secrets
/// are `***`, and behind a `#`, because they must not be in a file.
#[must_use]
pub fn effective(loaded: &Loaded, shown: SectionsShown) -> String {
    let mut text = String::new();
    match &loaded.file {
        Some(path) => line(&mut text, format_args!("# settings file: {}", escaped(&path.to_string_lossy()))),
        None => line(&mut text, format_args!("# settings file: none")),
    }
    line(&mut text, format_args!("# {RESTART}: a change waits for a restart; HUP brings the others about"));
    for section in sections(loaded, shown) {
        line(&mut text, format_args!("\n[{}]", section.name));
        for setting in &section.settings {
            let key = setting.name.key;
            let origin = loaded.origins.of(setting.name);
            match &setting.value {
                Some(value) => assignment(&mut text, &format!("{key} = {value}"), &origin, setting.reload),
                None => assignment(&mut text, &format!("# {key} is unset"), &origin, setting.reload),
            }
        }
        if let ("log", Some(filters)) = (section.name, &loaded.rust_log) {
            line(&mut text, format_args!("# in place of level, RUST_LOG: {}", escaped(filters)));
        }
        for secret in loaded.secrets.iter().filter(|secret| secret.section == section.name) {
            assignment(&mut text, &format!("# {} = \"***\"", secret.key), &secret.origin, secret.reload());
        }
    }
    text
}

/// One setting. Where it is the default, that goes without saying.
fn assignment(text: &mut String, setting: &str, origin: &Origin, reload: Reload) {
    let origin = match origin {
        Origin::Default => None,
        origin => Some(escaped(&origin.to_string())),
    };
    let restart = (reload == Reload::AtRestart).then(|| RESTART.to_owned());
    let notes: Vec<String> = origin.into_iter().chain(restart).collect();
    if notes.is_empty() {
        line(text, format_args!("{setting}"));
    } else {
        line(text, format_args!("{setting}  # {}", notes.join(" ")));
    }
}

/// A path may hold a line break, which would end the comment.
fn escaped(shown: &str) -> String {
    shown.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{content}");
}

/// Wraps words into lines that begin with `# `.
fn comment(text: &mut String, words: &str) {
    let mut width = 0;
    for word in words.split_whitespace() {
        if width > 0 && width + 1 + word.len() > WIDTH {
            text.push('\n');
            width = 0;
        }
        if width == 0 {
            text.push('#');
            width = 1;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + word.len();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::setting::Setting;
    use super::super::{Sources, load};
    use super::*;

    fn sources(file: &Path) -> Sources {
        Sources { config: Some(file.to_owned()), ..Sources::default() }
    }

    fn load_text(text: &str) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, text).unwrap();
        load(&sources(&file)).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn settings(loaded: &Loaded) -> impl Iterator<Item = &Setting> {
        loaded.sections.iter().flat_map(|section| &section.settings)
    }

    /// Without the lines that tell where something came from.
    fn settings_only(text: &str) -> String {
        let lines = text.lines().skip(2).map(|line| line.split("  # ").next().unwrap_or_default());
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_file_in_the_repository_is_the_example() {
        let committed = include_str!("../../config/userprofiles.toml");
        assert!(committed == example(), "write it again: userprofiles config --example > config/userprofiles.toml");
    }

    #[test]
    fn the_example_changes_nothing() {
        let nothing = load(&Sources { search: Vec::new(), ..Sources::default() }).unwrap();
        let loaded = load_text(&example());
        assert_eq!(
            settings_only(&effective(&loaded, SectionsShown::All)),
            settings_only(&effective(&nothing, SectionsShown::All))
        );
        assert!(settings(&loaded).all(|setting| loaded.origins.of(setting.name) == Origin::Default));
        assert_eq!(loaded.warnings, Vec::<String>::new());
    }

    /// A default and an example too pass the check of their own setting, and mean what was printed.
    #[test]
    fn every_setting_of_the_example_can_be_uncommented() {
        let nothing = load_text("");
        let example = example();
        let (mut section, mut uncommented) = ("", Vec::new());
        for line in example.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            }
            let Some((key, value)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(" = ")) else { continue };
            let Some(setting) =
                settings(&nothing).find(|setting| (setting.name.section, setting.name.key) == (section, key))
            else {
                continue;
            };
            let loaded = load_text(&format!("[{section}]\n{key} = {value}"));
            assert!(matches!(loaded.origins.of(setting.name), Origin::File { line: 2, .. }), "{}", setting.name);
            let held = settings(&loaded).find(|held| held.name == setting.name).unwrap();
            assert_eq!(held.value.as_deref(), Some(value), "{}", setting.name);
            assert_eq!(setting.value.as_deref().unwrap_or(value), value, "{}", setting.name);
            uncommented.push(setting.name);
        }
        let all: Vec<_> = settings(&nothing).map(|setting| setting.name).collect();
        assert_eq!(uncommented, all);
        let is_twice = |(at, name)| all[..at].contains(name);
        assert!(!all.iter().enumerate().any(is_twice), "a name is there twice");
    }

    #[test]
    fn lines_of_the_example_are_short() {
        for line in example().lines() {
            assert!(line.chars().count() <= 120, "{line}");
        }
    }

    #[test]
    fn what_is_printed_can_be_loaded_again() {
        let first = load_text(
            "[http]\nlisten = [\":8000\", \"unix:/tmp/a \\\"b\\\".sock\"]\nworkers = 3\nhead_timeout = \"1500ms\"\n\
             [admin]\nlisten = \"off\"\n[log]\nlevel = \"debug\"\n[couchbase]\nscope = \"s\"",
        );
        let printed = effective(&first, SectionsShown::All);
        let second = load_text(&printed);
        assert_eq!(settings_only(&effective(&second, SectionsShown::All)), settings_only(&printed));
        assert!(printed.contains("workers = 3  # "), "{printed}");
        assert!(printed.contains("head_timeout = \"1500ms\""), "{printed}");
    }
}
