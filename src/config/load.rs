//! Loading: defaults < file < environment < flags, and then what can only be checked when all is known.
//!
//! Invariant: [`load`] reads nothing of the process itself. Everything comes in by [`Sources`], so that a test, and a
//! reload after HUP, see what they are given.

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::error::{ConfigError, ConfigErrors, Origin};
use super::file::{self, Given};
use super::secrets::{self, Found, SECRETS};
use super::value::{Raw, Value};
use super::values::Values;
use super::{Settings, couchbase, names, table};

/// Where settings come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// `--config`
    pub config: Option<PathBuf>,
    /// The files that are looked for where there is no `--config`; the first that is there is read.
    pub search: Vec<PathBuf>,
    /// The variables of the process.
    pub environment: Vec<(OsString, OsString)>,
    /// `--set SECTION.KEY=VALUE`, as they were written, in their order; the last one wins.
    pub set: Vec<String>,
    /// `--log-level`; wins over a `--set`.
    pub log_level: Option<String>,
    /// `--listen`; likewise. Several addresses are separated by commas.
    pub listen: Option<String>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            config: None,
            search: vec![
                PathBuf::from("config/userprofiles.toml"),
                PathBuf::from("/etc/userprofiles/userprofiles.toml"),
            ],
            environment: Vec::new(),
            set: Vec::new(),
            log_level: None,
            listen: None,
        }
    }
}

impl Sources {
    /// The environment of this process as it is now, with what its flags said.
    #[must_use]
    pub fn of_process(
        config: Option<PathBuf>,
        set: Vec<String>,
        log_level: Option<String>,
        listen: Option<String>,
    ) -> Self {
        Self { config, set, log_level, listen, environment: std::env::vars_os().collect(), ..Self::default() }
    }

    /// The value of a variable; the last one, if it is there twice.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }
}

/// Settings that hold, and how they came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What works and should be changed; for the log.
    pub warnings: Vec<String>,
    /// The settings file that was read, if there was one.
    pub file: Option<PathBuf>,
    pub(super) values: Values,
    pub(super) secrets: Vec<Found>,
}

/// Loads the settings. Reads the settings file and the files of the secrets, and nothing else.
///
/// # Errors
/// [`ConfigErrors`] with everything that is wrong in any source.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let mut values = Values::defaults()?;
    derive_embedded_path(&mut values, sources);

    let mut path = None;
    match file::read(sources.config.as_deref(), &sources.search) {
        Ok(Some((found, text))) => {
            apply(file::parse(&found, &text, &mut errors), &mut values, &mut errors);
            path = Some(found);
        }
        Ok(None) => {}
        Err(error) => errors.push(error),
    }
    apply(environment(&sources.environment, &mut errors), &mut values, &mut errors);
    apply(flags(sources, &mut errors), &mut values, &mut errors);

    let connection_string = couchbase::apply_connection_string(&mut values, &mut errors, &mut warnings);
    let database = values.text("bucket", "database")?;
    let secrets = secrets::read(&database, &values, sources, &mut errors, &mut warnings);
    let settings = Settings::read(&values, connection_string, &secrets)?;
    settings.check(&values, &mut errors, &mut warnings);
    if errors.is_empty() {
        Ok(Loaded { settings, warnings, file: path, values, secrets })
    } else {
        Err(ConfigErrors(errors))
    }
}

/// A value that does not pass its check leaves the one before it, so that the checks that follow can go on.
fn apply(given: Vec<Given>, values: &mut Values, errors: &mut Vec<ConfigError>) {
    for Given { section, key, raw, origin } in given {
        match names::find(&section, &key) {
            Ok(setting) => match setting.kind.parse(&raw) {
                Ok(value) => values.set(&section, &key, value, origin),
                Err(reason) => errors.push(ConfigError::new(origin, format!("{setting}: {reason}"))),
            },
            Err(reason) => errors.push(ConfigError::new(origin, reason)),
        }
    }
}

/// systemd sets `STATE_DIRECTORY` for a service with `StateDirectory=`; several are separated by colons.
fn derive_embedded_path(values: &mut Values, sources: &Sources) {
    let state = sources.variable("STATE_DIRECTORY").and_then(OsStr::to_str).unwrap_or_default();
    let first = state.split(':').next().unwrap_or_default();
    let (path, origin) = if first.is_empty() {
        (PathBuf::from("data/userprofiles.db"), Origin::Default)
    } else {
        (Path::new(first).join("userprofiles.db"), Origin::Environment("STATE_DIRECTORY".to_owned()))
    };
    values.set("embedded", "path", Value::Text(path.to_string_lossy().into_owned()), origin);
}

fn environment(variables: &[(OsString, OsString)], errors: &mut Vec<ConfigError>) -> Vec<Given> {
    let mut given = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(table::PREFIX)) else { continue };
        if SECRETS.iter().any(|secret| secret.environment_name() == name) {
            continue;
        }
        let origin = Origin::Environment(name.to_owned());
        let setting = table::all().find(|setting| setting.environment_name() == name);
        match (setting, value.to_str()) {
            (Some(setting), Some(text)) => given.push(Given {
                section: setting.section.to_owned(),
                key: setting.key.to_owned(),
                raw: Raw::Plain(text.to_owned()),
                origin,
            }),
            (Some(_), None) => errors.push(ConfigError::new(origin, "the value of this variable is not UTF-8")),
            (None, value) if is_service_link(name, value) => {}
            (None, _) => errors.push(ConfigError::new(origin, unknown_variable(name))),
        }
    }
    given
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

fn unknown_variable(name: &str) -> String {
    let known: Vec<String> = table::all()
        .map(table::Setting::environment_name)
        .chain(SECRETS.iter().map(secrets::Secret::environment_name))
        .collect();
    // Without what they all have in common, which would make everything look near.
    let name = name.strip_prefix(table::PREFIX).unwrap_or(name);
    match names::nearest(name, known.iter().filter_map(|name| name.strip_prefix(table::PREFIX))) {
        Some(near) => format!("there is no setting for this variable; did you mean {}{near}?", table::PREFIX),
        None => "there is no setting for this variable: unset it. [http] listen is USERPROFILES_HTTP_LISTEN, and so on"
            .to_owned(),
    }
}

fn flags(sources: &Sources, errors: &mut Vec<ConfigError>) -> Vec<Given> {
    let mut given = Vec::new();
    for text in &sources.set {
        let name_and_value = text.split_once('=').and_then(|(name, value)| Some((name.split_once('.')?, value)));
        let Some(((section, key), value)) = name_and_value else {
            // It is not repeated: it may be a secret that was meant for elsewhere.
            errors.push(ConfigError::new("--set", "write --set SECTION.KEY=VALUE, such as --set http.workers=64"));
            continue;
        };
        given.push(flag(section, key, value, format!("--set {section}.{key}")));
    }
    if let Some(level) = &sources.log_level {
        given.push(flag("log", "level", level, "--log-level".to_owned()));
    }
    if let Some(listen) = &sources.listen {
        given.push(flag("http", "listen", listen, "--listen".to_owned()));
    }
    given
}

fn flag(section: &str, key: &str, value: &str, shown: String) -> Given {
    Given {
        section: section.to_owned(),
        key: key.to_owned(),
        raw: Raw::Plain(value.to_owned()),
        origin: Origin::Flag(shown),
    }
}
