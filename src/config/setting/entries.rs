//! Settings by their names: what each is, what holds for it, and where that came from.
//!
//! Invariant: values are in here as TOML, for printing and comparing only. The program reads the structs of
//! `sections`.

use std::fmt;

use super::kind::{Reload, SecretName};
use crate::config::error::{ConfigError, Origin};

/// How the names of all our variables begin.
pub const PREFIX: &str = "USERPROFILES_";

/// Returns the variable of a setting, or of a secret: `USERPROFILES_HTTP_LISTEN`.
pub fn environment_name(section: &str, key: &str) -> String {
    format!("{PREFIX}{}_{}", section.to_ascii_uppercase(), key.to_ascii_uppercase())
}

/// The name of a setting, which is displayed as `[http] listen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingName {
    pub section: &'static str,
    pub key: &'static str,
}

impl SettingName {
    pub const fn new(section: &'static str, key: &'static str) -> Self {
        Self { section, key }
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.section, self.key)
    }
}

/// A section, and what holds in it.
#[derive(Clone, Debug)]
pub struct Section {
    pub name: &'static str,
    pub help: &'static str,
    /// In the order of the example file.
    pub settings: Vec<Setting>,
}

impl Section {
    pub fn secrets(&self) -> impl Iterator<Item = SecretName> {
        self.settings.iter().filter_map(|setting| setting.secret)
    }
}

/// One setting, and what holds for it.
#[derive(Clone, Debug)]
pub struct Setting {
    pub name: SettingName,
    pub help: &'static str,
    /// What holds, as TOML; `None`: it is unset.
    pub value: Option<String>,
    /// A sensible value, as TOML, where there is no default or where it depends on the machine.
    pub example: Option<String>,
    pub reload: Reload,
    /// The secret whose file the setting names.
    pub secret: Option<SecretName>,
}

/// Where the values came from: all that were set, in their order.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<(String, String, Origin)>);

impl Origins {
    pub fn insert(&mut self, section: impl Into<String>, key: impl Into<String>, origin: Origin) {
        self.0.push((section.into(), key.into(), origin));
    }

    /// Returns where the value of a setting came from.
    pub fn of(&self, name: SettingName) -> Origin {
        let last = self.0.iter().rev().find(|(section, key, _)| section == name.section && key == name.key);
        last.map_or(Origin::Default, |(_, _, origin)| origin.clone())
    }

    /// Returns where to point for what is wrong with a setting whose value may be the default.
    pub fn place(&self, name: SettingName) -> String {
        match self.of(name) {
            Origin::Default => "settings".to_owned(),
            origin => origin.to_string(),
        }
    }
}

/// What was found out about the settings.
#[derive(Debug, Default)]
pub struct Findings {
    pub errors: Vec<ConfigError>,
    /// What works and should be changed.
    pub warnings: Vec<String>,
}

impl Findings {
    pub fn error(&mut self, place: impl fmt::Display, message: impl Into<String>) {
        self.errors.push(ConfigError::new(place, message));
    }

    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }
}
