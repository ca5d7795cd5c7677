//! The page `docs/reference/settings.md`: every setting, as the sections declare it.
//!
//! Invariant: compiled for tests only. Nothing is on the page but what `section!` says.

use std::fmt::Write as _;

use super::sections::Settings;
use super::setting::{Reload, Section, Setting, environment_name};
use crate::generated;

const PREFACE: &str = "\
<!-- Generated from src/config/sections: USERPROFILES_UPDATE_GENERATED=1 cargo test --lib writes it. -->

# Settings

Defaults, then the settings file, then the environment, then flags: each layer wins over the one before. The settings file is
the one that `--config` names, else `config/userprofiles.toml`, else `/etc/userprofiles/userprofiles.toml`. As a flag, a
setting is `--set SECTION.KEY=VALUE`. Durations are written `\"250ms\"`, `\"30s\"`, `\"5m\"` or `\"1h\"`; in the environment and in
flags without the quotes, and lists with commas between their items.

`userprofiles config` prints what holds and where it comes from, `userprofiles config --example` all of this as a settings
file. A setting that HUP changes is taken without a restart when the settings are read again
([signals](signals.md)); one that needs a restart waits for it, and the log says so.
";

/// The page.
fn page() -> String {
    let mut text = PREFACE.to_owned();
    for section in Settings::default().sections() {
        add_section(&mut text, &section);
    }
    text
}

fn add_section(text: &mut String, section: &Section) {
    write!(text, "\n## [{}]\n\n{}\n", section.name, section.help.trim()).unwrap();
    for setting in &section.settings {
        add_setting(text, setting);
    }
}

fn add_setting(text: &mut String, setting: &Setting) {
    let name = setting.name;
    let value = match (&setting.example, &setting.value) {
        (Some(example), Some(_)) => format!("its default depends on the machine, for example `{example}`"),
        (Some(example), None) => format!("unset, for example `{example}`"),
        (None, Some(default)) => format!("default `{default}`"),
        (None, None) => "unset".to_owned(),
    };
    let taken = match setting.reload {
        Reload::AtOnce => "HUP changes it",
        Reload::AtRestart => "needs a restart",
    };
    let variable = environment_name(name.section, name.key);
    write!(text, "\n### {name}\n\n`{variable}` · {value} · {taken}\n\n{}\n", setting.help.trim()).unwrap();
    if let Some(secret) = setting.secret {
        let variable = environment_name(name.section, secret.key);
        let credential = secret.credential.map(|name| format!(", or the systemd credential `{name}`"));
        write!(text, "\nThe secret itself: `{variable}`{}.\n", credential.unwrap_or_default()).unwrap();
    }
}

#[test]
fn the_page_in_the_documentation_is_this_one() {
    generated::assert_file("docs/reference/settings.md", &page());
}
