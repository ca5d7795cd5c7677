//! Printing: the example file, and the settings that hold.
//!
//! Invariant: what is printed can be loaded again as it stands, and holds no secret.

use std::fmt::Write as _;

use super::error::Origin;
use super::load::Loaded;
use super::table::{Default, SECTIONS, Setting};
use super::value::Raw;

const WIDTH: usize = 100;

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
    for section in SECTIONS {
        text.push('\n');
        comment(&mut text, section.help);
        line(&mut text, format_args!("[{}]", section.name));
        for setting in section.settings {
            text.push('\n');
            let note =
                if matches!(setting.default, Default::Unset(_)) { " Below is an example, not a default." } else { "" };
            comment(&mut text, &format!("{}{note}", setting.help));
            line(&mut text, format_args!("# {} = {}", setting.key, example_value(setting)));
        }
    }
    text
}

/// The default as TOML; where there is none, something sensible.
fn example_value(setting: &Setting) -> String {
    let (Default::Is(text) | Default::Unset(text)) = setting.default;
    let value = setting.kind.parse(&Raw::Plain(text.to_owned()));
    value.map_or_else(|reason| reason, |value| value.to_toml())
}

/// The settings that hold, as TOML, each with where it came from. Secrets are `***`, and behind a `#`, because they
/// must not stand in a file.
#[must_use]
pub fn effective(loaded: &Loaded) -> String {
    let mut text = String::new();
    match &loaded.file {
        Some(path) => line(&mut text, format_args!("# settings file: {}", escaped(&path.to_string_lossy()))),
        None => line(&mut text, format_args!("# settings file: none")),
    }
    for section in SECTIONS {
        line(&mut text, format_args!("\n[{}]", section.name));
        for entry in loaded.values.entries().iter().filter(|entry| entry.setting.section == section.name) {
            let key = entry.setting.key;
            match &entry.value {
                Some(value) => assignment(&mut text, &format!("{key} = {}", value.to_toml()), &entry.origin),
                None => line(&mut text, format_args!("# {key} is unset")),
            }
        }
        for found in loaded.secrets.iter().filter(|found| found.secret.section == section.name) {
            assignment(&mut text, &format!("# {} = \"***\"", found.secret.key), &found.origin);
        }
    }
    text
}

/// One setting; where it is the default, that goes without saying.
fn assignment(text: &mut String, setting: &str, origin: &Origin) {
    match origin {
        Origin::Default => line(text, format_args!("{setting}")),
        origin => line(text, format_args!("{setting}  # {}", escaped(&origin.to_string()))),
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

    use super::super::{file, load, names, table};
    use super::*;
    use crate::config::Sources;

    fn sources(file: &Path) -> Sources {
        Sources { config: Some(file.to_owned()), ..Sources::default() }
    }

    fn load_text(text: &str) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, text).unwrap();
        load(&sources(&file)).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// Without the lines that tell where something came from.
    fn settings_only(text: &str) -> String {
        let lines = text.lines().skip(1).map(|line| line.split("  # ").next().unwrap_or_default());
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
        assert_eq!(settings_only(&effective(&loaded)), settings_only(&effective(&nothing)));
        assert!(loaded.values.entries().iter().all(|entry| entry.origin == Origin::Default));
        assert_eq!(loaded.warnings, Vec::<String>::new());
    }

    #[test]
    fn every_setting_of_the_example_can_be_uncommented() {
        let example = example();
        let mut given = Vec::new();
        let mut section = "";
        for line in example.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            }
            let assignment = line
                .strip_prefix("# ")
                .filter(|rest| rest.split_once(" = ").is_some_and(|(key, _)| names::find(section, key).is_ok()));
            if let Some(assignment) = assignment {
                let mut errors = Vec::new();
                let found = file::parse(Path::new("x"), &format!("[{section}]\n{assignment}"), &mut errors);
                assert_eq!(errors, []);
                given.extend(found);
            }
        }
        assert_eq!(given.len(), table::all().count());
        for given in given {
            let setting = names::find(&given.section, &given.key).unwrap();
            let value = setting.kind.parse(&given.raw).unwrap_or_else(|reason| panic!("{setting} {reason}"));
            let (Default::Is(text) | Default::Unset(text)) = setting.default;
            assert_eq!(Ok(value), setting.kind.parse(&Raw::Plain(text.to_owned())), "{setting}");
        }
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
        let printed = effective(&first);
        let second = load_text(&printed);
        assert_eq!(settings_only(&effective(&second)), settings_only(&printed));
        assert!(printed.contains("workers = 3  # "), "{printed}");
        assert!(printed.contains("head_timeout = \"1500ms\""), "{printed}");
    }
}
