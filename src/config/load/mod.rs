//! Loading: defaults < file < environment < flags, and then what can only be checked when all is known.
//!
//! Invariant: everything that is wrong in any source is reported at once, in the order of the sources.

mod connection_string;
mod file;
mod names;
mod process;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::error::ConfigErrors;
use super::sections::Settings;
use super::setting::{Findings, Origins, Secret, SecretReader, Section};
use super::sources::Sources;
use file::Assignment;
use names::Names;

/// Settings that hold, and how they came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What works and should be changed; for the log.
    pub warnings: Vec<String>,
    /// The settings file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// What `RUST_LOG` says in place of `[log] level`; `None` if it is not set, or a flag wins over it.
    pub rust_log: Option<String>,
    /// Every setting as it is printed.
    pub(super) sections: Vec<Section>,
    pub(super) origins: Origins,
    pub(super) secrets: Vec<Secret>,
}

/// Loads the settings. Reads the settings file and the files of the secrets, and nothing else.
///
/// # Errors
/// [`ConfigErrors`] with everything that is wrong in any source.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let names = Names::new();
    let mut draft = Draft::default();
    draft.settings.embedded.follow_state_directory(sources, &mut draft.origins);

    let mut path = None;
    match file::read(sources) {
        Ok(Some((found, text))) => {
            let assignments = file::parse(&found, &text, &names, &mut draft.findings.errors);
            draft.apply(assignments, &names);
            path = Some(found);
        }
        Ok(None) => {}
        Err(error) => draft.findings.errors.push(error),
    }
    let assignments = process::environment(&sources.environment, &names, &mut draft.findings.errors);
    draft.apply(assignments, &names);
    let assignments = process::flags(sources, &mut draft.findings.errors);
    draft.apply(assignments, &names);

    let Draft { mut settings, mut origins, mut findings } = draft;
    connection_string::apply(&mut settings, &mut origins, &mut findings);
    // Before the secrets are read, which replaces the names of their files by where they really came from.
    let sections = settings.sections();
    let mut reader = SecretReader::new(sources, &origins, &mut findings);
    settings.read_secrets(&mut reader);
    let secrets = reader.into_read();
    settings.check(&origins, &mut findings);
    if findings.errors.is_empty() {
        let rust_log = process::rust_log(sources, &origins);
        Ok(Loaded { settings, warnings: findings.warnings, file: path, rust_log, sections, origins, secrets })
    } else {
        Err(ConfigErrors(findings.errors))
    }
}

/// Settings while the layers are put on top of each other.
#[derive(Default)]
struct Draft {
    settings: Settings,
    origins: Origins,
    findings: Findings,
}

impl Draft {
    /// Puts a layer on top. A value that does not pass its check leaves the one before it, so that the checks that
    /// follow can go on.
    fn apply(&mut self, layer: Vec<Assignment>, names: &Names) {
        for Assignment { section, key, raw, origin } in layer {
            match self.settings.set(&section, &key, &raw) {
                Some(Ok(())) => self.origins.insert(section, key, origin),
                Some(Err(reason)) => self.findings.error(origin, format!("[{section}] {key}: {reason}")),
                None => self.findings.error(origin, names.unknown(&section, &key)),
            }
        }
    }
}
