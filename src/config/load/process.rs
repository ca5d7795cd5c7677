//! Variables and flags: what the process was given.
//!
//! Invariant: the value of a flag that is not understood is not repeated, because it may be a secret.

use std::ffi::OsString;

use super::file::Assignment;
use super::names::Names;
use crate::config::error::{ConfigError, Origin};
use crate::config::setting::{Origins, PREFIX, Raw, SettingName};
use crate::config::sources::Sources;

/// Reads the variables that are ours. Those of secrets are read with the secrets.
pub fn environment(
    variables: &[(OsString, OsString)],
    names: &Names,
    errors: &mut Vec<ConfigError>,
) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX) && !names.is_secret(name)) else {
            continue;
        };
        let origin = Origin::Environment(name.to_owned());
        match (names.of_variable(name), value.to_str()) {
            (Some((section, key)), Some(text)) => assignments.push(plain(section, key, text, origin)),
            (Some(_), None) => errors.push(ConfigError::new(origin, "the value of this variable is not UTF-8")),
            (None, value) if is_service_link(name, value) => {}
            (None, _) => errors.push(ConfigError::new(origin, names.unknown_variable(name))),
        }
    }
    assignments
}

/// `RUST_LOG`, unless the level comes from a flag: whoever types one means it.
pub fn rust_log(sources: &Sources, origins: &Origins) -> Option<String> {
    match origins.of(SettingName::new("log", "level")) {
        Origin::Flag(_) => None,
        _ => sources.variable("RUST_LOG").map(|filters| filters.to_string_lossy().into_owned()),
    }
}

/// Kubernetes gives every container variables for the services around it: beside one called `userprofiles`, these are
/// `USERPROFILES_SERVICE_HOST`, `USERPROFILES_PORT=tcp://…`, `USERPROFILES_PORT_80_TCP_ADDR` and so on. They are not
/// meant for us, and nobody can turn them off from in here.
fn is_service_link(name: &str, value: Option<&str>) -> bool {
    let follows_port = |(_, rest): (&str, &str)| rest.starts_with(|first: char| first.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.split_once("_PORT_").is_some_and(follows_port)
        || (name.ends_with("_PORT") && value.is_some_and(|value| value.contains("://")))
}

/// Reads the flags, in the order in which they win.
pub fn flags(sources: &Sources, errors: &mut Vec<ConfigError>) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    for text in &sources.set {
        let name_and_value = text.split_once('=').and_then(|(name, value)| Some((name.split_once('.')?, value)));
        let Some(((section, key), value)) = name_and_value else {
            errors.push(ConfigError::new("--set", "write --set SECTION.KEY=VALUE, such as --set http.workers=64"));
            continue;
        };
        assignments.push(plain(section, key, value, Origin::Flag(format!("--set {section}.{key}"))));
    }
    if let Some(level) = &sources.log_level {
        assignments.push(plain("log", "level", level, Origin::Flag("--log-level".to_owned())));
    }
    if !sources.listen.is_empty() {
        assignments.push(plain("http", "listen", &sources.listen.join(","), Origin::Flag("--listen".to_owned())));
    }
    assignments
}

fn plain(section: &str, key: &str, text: &str, origin: Origin) -> Assignment {
    Assignment { section: section.to_owned(), key: key.to_owned(), raw: Raw::Plain(text.to_owned()), origin }
}
