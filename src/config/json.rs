//! The settings that hold as a JSON document, for scripts: `userprofiles config --format json`.
//!
//! Invariant: no secret is in it; where there is one, its value is `***`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::load::Loaded;
use super::print::{SectionsShown, sections};
use super::setting::{Reload, Section};

/// What stands for the value of a secret.
const HIDDEN: &str = "***";

/// The document. Its `settings` are found by section and key.
#[derive(Debug, Serialize)]
pub struct SettingsDocument<'a> {
    /// The settings file that was read.
    file: Option<String>,
    /// What holds in place of `[log] level`.
    rust_log: Option<&'a str>,
    settings: BTreeMap<&'static str, BTreeMap<&'static str, SettingDocument>>,
}

#[derive(Debug, Serialize)]
struct SettingDocument {
    /// `null`: it is unset.
    value: Value,
    /// Such as `default`, `x.toml:7`, or the name of a variable.
    origin: String,
    /// Whether a running program goes on with what it was started with.
    needs_restart: bool,
}

/// The settings that hold, each with where it came from, and whether a change of it waits for a restart.
#[must_use]
pub fn effective_json(loaded: &Loaded, shown: SectionsShown) -> SettingsDocument<'_> {
    let settings = sections(loaded, shown).map(|section| (section.name, documents(loaded, section))).collect();
    let file = loaded.file.as_ref().map(|path| path.display().to_string());
    SettingsDocument { file, rust_log: loaded.rust_log.as_deref(), settings }
}

fn documents(loaded: &Loaded, section: &Section) -> BTreeMap<&'static str, SettingDocument> {
    let settings = section.settings.iter().map(|setting| {
        let document = SettingDocument {
            value: setting.value.as_deref().map_or(Value::Null, json_of_toml),
            origin: loaded.origins.of(setting.name).to_string(),
            needs_restart: setting.reload == Reload::AtRestart,
        };
        (setting.name.key, document)
    });
    let secrets = loaded.secrets.iter().filter(|secret| secret.section == section.name).map(|secret| {
        let value = Value::from(HIDDEN);
        let needs_restart = secret.reload() == Reload::AtRestart;
        (secret.key, SettingDocument { value, origin: secret.origin.to_string(), needs_restart })
    });
    settings.chain(secrets).collect()
}

/// A value of our own writing; if TOML did not take it back, its text would be told.
fn json_of_toml(value: &str) -> Value {
    let document = toml::from_str::<BTreeMap<String, Value>>(&format!("value = {value}"));
    document.ok().and_then(|mut document| document.remove("value")).unwrap_or_else(|| Value::from(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Sources, load};
    use super::*;

    #[test]
    fn every_setting_has_its_value_its_origin_and_its_moment() {
        let set = ["http.workers=7", "http.listen=:8000,unix:/tmp/x", "bucket.database=couchbase"];
        let variable = |(name, value): (&str, &str)| (name.into(), value.into());
        let environment =
            [("USERPROFILES_COUCHBASE_USERNAME", "u"), ("USERPROFILES_COUCHBASE_PASSWORD", "secret-marker")];
        let sources = Sources {
            set: set.map(str::to_owned).to_vec(),
            environment: environment.map(variable).to_vec(),
            search: Vec::new(),
            ..Sources::default()
        };
        let loaded = load(&sources).unwrap();
        let document = serde_json::to_value(effective_json(&loaded, SectionsShown::InUse)).unwrap();
        assert_eq!((&document["file"], &document["rust_log"]), (&Value::Null, &Value::Null));
        let settings = &document["settings"];
        assert_eq!(settings["http"]["workers"]["value"], 7);
        assert_eq!(settings["http"]["workers"]["origin"], "--set http.workers");
        assert_eq!(settings["http"]["listen"]["value"], json!(["0.0.0.0:8000", "unix:/tmp/x"]));
        assert_eq!(settings["http"]["listen"]["needs_restart"], true);
        assert_eq!(settings["log"]["level"], json!({"value": "info", "origin": "default", "needs_restart": false}));
        let password = &settings["couchbase"]["password"];
        let origin = "USERPROFILES_COUCHBASE_PASSWORD";
        assert_eq!(*password, json!({"value": "***", "origin": origin, "needs_restart": true}));
        assert!(!document.to_string().contains("secret-marker"), "{document}");
        assert!(settings.get("mongodb").is_none() && settings.get("embedded").is_none(), "{document}");
        let all = serde_json::to_value(effective_json(&loaded, SectionsShown::All)).unwrap();
        assert!(all["settings"].get("mongodb").is_some(), "{all}");
    }
}
