//! The values that hold, each with where it came from.
//!
//! Invariant: there is one entry for each setting of the table, in its order.

use std::path::PathBuf;
use std::time::Duration;

use super::error::{ConfigError, Origin};
use super::listen::ListenAddress;
use super::table::{self, Default, Setting};
use super::value::{Raw, Value};

/// One setting and what holds for it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) setting: &'static Setting,
    /// `None`: unset.
    pub(super) value: Option<Value>,
    pub(super) origin: Origin,
}

/// What holds for every setting.
#[derive(Clone, Debug)]
pub(super) struct Values(Vec<Entry>);

impl Values {
    /// The defaults.
    ///
    /// # Errors
    /// A default of the table that does not pass its own check: a defect of the program, which a test would find.
    pub(super) fn defaults() -> Result<Self, ConfigError> {
        table::all()
            .map(|setting| {
                let value = match setting.default {
                    Default::Unset(_) => None,
                    Default::Is(text) => {
                        let raw = Raw::Plain(text.to_owned());
                        Some(setting.kind.parse(&raw).map_err(|reason| defect(setting.section, setting.key, &reason))?)
                    }
                };
                Ok(Entry { setting, value, origin: Origin::Default })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Every entry, in the order of the table.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Sets a value, over whatever was there.
    pub(super) fn set(&mut self, section: &str, key: &str, value: Value, origin: Origin) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.setting.is(section, key)) {
            entry.value = Some(value);
            entry.origin = origin;
        }
    }

    /// Sets a value where nobody has said anything.
    pub(super) fn set_default(&mut self, section: &str, key: &str, value: Value, origin: Origin) {
        if self.origin(section, key) == Origin::Default {
            self.set(section, key, value, origin);
        }
    }

    /// Where the value of a setting came from.
    pub(super) fn origin(&self, section: &str, key: &str) -> Origin {
        let entry = self.0.iter().find(|entry| entry.setting.is(section, key));
        entry.map_or(Origin::Default, |entry| entry.origin.clone())
    }

    /// Where to point for what is wrong with a setting whose value may be the default.
    pub(super) fn place(&self, section: &str, key: &str) -> String {
        match self.origin(section, key) {
            Origin::Default => "settings".to_owned(),
            origin => origin.to_string(),
        }
    }

    fn get(&self, section: &str, key: &str) -> Option<&Value> {
        self.0.iter().find(|entry| entry.setting.is(section, key)).and_then(|entry| entry.value.as_ref())
    }

    pub(super) fn optional_text(&self, section: &str, key: &str) -> Option<String> {
        match self.get(section, key) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    pub(super) fn optional_path(&self, section: &str, key: &str) -> Option<PathBuf> {
        self.optional_text(section, key).map(PathBuf::from)
    }

    pub(super) fn optional_count(&self, section: &str, key: &str) -> Option<u32> {
        match self.get(section, key) {
            Some(Value::Count(count)) => Some(*count),
            _ => None,
        }
    }

    pub(super) fn text(&self, section: &str, key: &str) -> Result<String, ConfigError> {
        self.optional_text(section, key).ok_or_else(|| defect(section, key, "is not a text"))
    }

    pub(super) fn count(&self, section: &str, key: &str) -> Result<u32, ConfigError> {
        self.optional_count(section, key).ok_or_else(|| defect(section, key, "is not a number"))
    }

    pub(super) fn flag(&self, section: &str, key: &str) -> Result<bool, ConfigError> {
        match self.get(section, key) {
            Some(Value::Flag(flag)) => Ok(*flag),
            _ => Err(defect(section, key, "is not true or false")),
        }
    }

    pub(super) fn duration(&self, section: &str, key: &str) -> Result<Duration, ConfigError> {
        match self.get(section, key) {
            Some(Value::Duration(duration)) => Ok(*duration),
            _ => Err(defect(section, key, "is not a duration")),
        }
    }

    pub(super) fn list(&self, section: &str, key: &str) -> Result<Vec<String>, ConfigError> {
        match self.get(section, key) {
            Some(Value::List(list)) => Ok(list.clone()),
            _ => Err(defect(section, key, "is not a list")),
        }
    }

    pub(super) fn listeners(&self, section: &str, key: &str) -> Result<Vec<ListenAddress>, ConfigError> {
        match self.get(section, key) {
            Some(Value::Listeners(addresses)) => Ok(addresses.clone()),
            _ => Err(defect(section, key, "is not an address")),
        }
    }

    pub(super) fn mode(&self, section: &str, key: &str) -> Result<u32, ConfigError> {
        match self.get(section, key) {
            Some(Value::Mode(mode)) => Ok(*mode),
            _ => Err(defect(section, key, "is not a mode")),
        }
    }
}

/// The table and its user disagree: not the operator's fault.
pub(super) fn defect(section: &str, key: &str, reason: &str) -> ConfigError {
    ConfigError::new("settings", format!("[{section}] {key} {reason} (a defect of this program: please report it)"))
}
