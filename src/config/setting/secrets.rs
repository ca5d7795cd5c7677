//! Passwords and keys: from the environment, from a file of their own, or from a systemd credential.
//!
//! Invariant: a secret is never in a message and never printed. Whoever has a section reads its secrets, for the
//! database that is in use and no other.

use std::ffi::OsStr;
use std::path::Path;

use secrecy::SecretString;

use super::entries::{Findings, Origins, SettingName, environment_name};
use super::kind::{Reload, SecretName};
use super::secret_file::{SecretSource, checked, of_file};
use crate::config::error::Origin;
use crate::config::sources::Sources;
use crate::files;

/// A secret that was read: where it belongs and where it came from.
#[derive(Clone, Debug)]
pub struct Secret {
    pub section: &'static str,
    /// The key that it would have there.
    pub key: &'static str,
    pub origin: Origin,
}

impl Secret {
    /// When another value takes effect: the environment of a process never changes, and systemd copies a credential when it
    /// starts the service.
    pub fn reload(&self) -> Reload {
        match self.origin {
            Origin::Environment(_) | Origin::Credential(_) => Reload::AtRestart,
            _ => Reload::AtOnce,
        }
    }
}

/// Reads secrets, and keeps account of them.
pub struct SecretReader<'a> {
    sources: &'a Sources,
    origins: &'a Origins,
    findings: &'a mut Findings,
    read: Vec<Secret>,
}

impl<'a> SecretReader<'a> {
    pub fn new(sources: &'a Sources, origins: &'a Origins, findings: &'a mut Findings) -> Self {
        Self { sources, origins, findings, read: Vec::new() }
    }

    pub fn into_read(self) -> Vec<Secret> {
        self.read
    }

    /// Reads a secret into the two fields of its section. The environment wins over the file, and the file over the
    /// credential; a warning tells what was not used.
    pub fn read(
        &mut self,
        section: &'static str,
        name: SecretName,
        source: &mut SecretSource,
        value: &mut Option<SecretString>,
    ) {
        let mut places = self.places(section, name, source).into_iter();
        let Some((origin, found)) = places.next() else { return };
        for (unused, _) in places {
            self.findings
                .warn(format!("[{section}] {} is also in {unused}, which is not used: {origin} wins", name.key));
        }
        let secret = match &found {
            SecretSource::File(path) => of_file(path, self.sources.file_wait),
            SecretSource::Fixed => {
                of_variable(self.sources.variable(&environment_name(section, name.key)).unwrap_or_default())
            }
        };
        match (secret, &origin) {
            (Ok(secret), _) => {
                if let SecretSource::File(path) = &found
                    && let Some(warning) = files::exposure(path)
                {
                    self.findings.warn(format!("[{section}] {}: {warning}", name.file_key));
                }
                (*value, *source) = (Some(secret), found);
                self.read.push(Secret { section, key: name.key, origin });
            }
            (Err(reason), Origin::SecretFile(_)) => {
                self.findings.error(self.origins.place(SettingName::new(section, name.file_key)), reason);
            }
            (Err(reason), origin) => self.findings.error(origin, reason),
        }
    }

    /// Returns the places where a secret is, the one that wins first.
    fn places(&self, section: &str, name: SecretName, source: &SecretSource) -> Vec<(Origin, SecretSource)> {
        let mut places = Vec::new();
        let variable = environment_name(section, name.key);
        if self.sources.variable(&variable).is_some() {
            places.push((Origin::Environment(variable), SecretSource::Fixed));
        }
        if let SecretSource::File(path) = source {
            places.push((Origin::SecretFile(path.clone()), source.clone()));
        }
        let folder = self.sources.variable("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
        if let (Some(credential), Some(folder)) = (name.credential, folder) {
            let path = Path::new(folder).join(credential);
            // A service has credentials for other things too: only one of this name is meant.
            if path.exists() {
                places.push((Origin::Credential(credential), SecretSource::File(path)));
            }
        }
        places
    }
}

fn of_variable(value: &OsStr) -> Result<SecretString, String> {
    match value.to_str() {
        Some("") => Err("the variable is empty: unset it, or put the secret into it".to_owned()),
        Some(text) => checked(text),
        None => Err("the variable is not UTF-8: put the secret into a file".to_owned()),
    }
}
