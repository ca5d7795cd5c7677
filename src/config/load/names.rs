//! Names that are not known, and the nearest that are.
//!
//! Invariant: no value is ever repeated here, only names.

use crate::config::sections::Settings;
use crate::config::setting::{PREFIX, SecretName, Section, Setting, environment_name, nearest};

/// The names of all settings.
pub struct Names(Vec<Section>);

impl Names {
    /// The names of the settings that the program has.
    pub fn new() -> Self {
        Self(Settings::default().sections())
    }

    fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.0.iter().flat_map(|section| &section.settings)
    }

    /// Every secret, with its section.
    fn secrets(&self) -> impl Iterator<Item = (&'static str, SecretName)> {
        self.0.iter().flat_map(|section| section.secrets().map(|secret| (section.name, secret)))
    }

    /// True if there is a section of this name.
    pub fn has_section(&self, name: &str) -> bool {
        self.0.iter().any(|section| section.name == name)
    }

    /// Returns the section and the key of the setting that a variable is for.
    pub fn of_variable(&self, variable: &str) -> Option<(&'static str, &'static str)> {
        let mut names = self.settings().map(|setting| (setting.name.section, setting.name.key));
        names.find(|(section, key)| environment_name(section, key) == variable)
    }

    /// True if this is the variable of a secret.
    pub fn is_secret(&self, variable: &str) -> bool {
        self.secrets().any(|(section, secret)| environment_name(section, secret.key) == variable)
    }

    /// The sentence for a setting that does not exist; for a secret where no secret belongs too.
    pub fn unknown(&self, section: &str, key: &str) -> String {
        if let Some((_, secret)) = self.secrets().find(|(known, secret)| *known == section && secret.key == key) {
            let credential = secret.credential.map(|name| format!(", or the systemd credential {name}"));
            return format!(
                "[{section}] {key} is a secret and does not belong here: put it into a file of its own and name that \
                 file in [{section}] {}, or use the variable {}{}",
                secret.file_key,
                environment_name(section, key),
                credential.unwrap_or_default()
            );
        }
        match self.0.iter().find(|known| known.name == section) {
            Some(known) => self.unknown_key(known, key),
            None => self.unknown_section(section),
        }
    }

    /// The sentence for a section that does not exist; for a setting outside any section too.
    pub fn unknown_section(&self, section: &str) -> String {
        let homes = self.settings().filter(|setting| setting.name.key == section);
        let homes: Vec<String> = homes.map(|setting| setting.name.to_string()).collect();
        if !homes.is_empty() {
            return format!("{section} stands in no section: write {}", homes.join(" or "));
        }
        let known: Vec<&str> = self.0.iter().map(|known| known.name).collect();
        match nearest(section, known.iter().copied()) {
            Some(near) => format!("[{section}] is not a section; did you mean [{near}]?"),
            None => format!("[{section}] is not a section; the sections are: {}", known.join(", ")),
        }
    }

    fn unknown_key(&self, section: &Section, key: &str) -> String {
        let known: Vec<&str> = section.settings.iter().map(|setting| setting.name.key).collect();
        let hint = if let Some(elsewhere) = self.settings().find(|setting| setting.name.key == key) {
            format!("did you mean {}?", elsewhere.name)
        } else if let Some(near) = nearest(key, known.iter().copied()) {
            format!("did you mean {near}?")
        } else {
            format!("the settings there are: {}", known.join(", "))
        };
        format!("[{}] {key} is not a setting; {hint}", section.name)
    }

    /// The sentence for a variable that begins as ours do and is none.
    pub fn unknown_variable(&self, variable: &str) -> String {
        let settings = self.settings().map(|setting| (setting.name.section, setting.name.key));
        let secrets = self.secrets().map(|(section, secret)| (section, secret.key));
        // Without what they all have in common, which would make everything look near.
        let bare = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
        let known: Vec<String> =
            settings.chain(secrets).map(|(section, key)| bare(&environment_name(section, key))).collect();
        match nearest(&bare(variable), known.iter().map(String::as_str)) {
            Some(near) => format!("there is no setting for this variable; did you mean {PREFIX}{near}?"),
            None => "there is no setting for this variable: unset it. [http] listen is USERPROFILES_HTTP_LISTEN, and \
                     so on"
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let names = Names::new();
        for (section, key, expected) in [
            ("http", "lisen", "did you mean listen?"),
            ("http", "max_conections", "did you mean max_connections?"),
            ("htpp", "listen", "did you mean [http]?"),
            ("http", "operation_timeout", "did you mean [bucket] operation_timeout?"),
            ("log", "colour", "the settings there are: level, format"),
            ("nonsense", "x", "the sections are: http, admin"),
            ("level", "", "write [log] level"),
            ("couchbase", "password", "password_file, or use the variable USERPROFILES_COUCHBASE_PASSWORD"),
            ("elasticsearch", "api_key", "USERPROFILES_ELASTICSEARCH_API_KEY"),
        ] {
            let error = names.unknown(section, key);
            assert!(error.contains(expected), "{section}.{key}: {error}");
        }
        assert_eq!(names.of_variable("USERPROFILES_HTTP_LISTEN"), Some(("http", "listen")));
    }
}
