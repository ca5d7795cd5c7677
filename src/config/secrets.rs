//! Passwords and keys: from the environment, from a file of their own, or from a systemd credential.
//!
//! Invariant: a secret is never in a message, never printed, and only read for the database that is in use.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::error::{ConfigError, Origin};
use super::load::Sources;
use super::table::environment_name;
use super::values::Values;

/// A file that is longer than this holds something else.
const LONGEST_SECRET_BYTES: u64 = 16 * 1024;

/// A secret that the program can be given.
#[derive(Debug)]
pub(super) struct Secret {
    pub(super) section: &'static str,
    /// The key that it would have in the file, if it were allowed there.
    pub(super) key: &'static str,
    /// The setting that names its file.
    pub(super) file_key: &'static str,
    /// The name of its systemd credential.
    credential: Option<&'static str>,
}

const CREDENTIAL: Option<&str> = Some("bucket-password");

pub(super) const SECRETS: &[Secret] = &[
    Secret { section: "couchbase", key: "password", file_key: "password_file", credential: CREDENTIAL },
    Secret { section: "mongodb", key: "password", file_key: "password_file", credential: CREDENTIAL },
    Secret { section: "cassandra", key: "password", file_key: "password_file", credential: CREDENTIAL },
    Secret { section: "couchdb", key: "password", file_key: "password_file", credential: CREDENTIAL },
    Secret { section: "arangodb", key: "password", file_key: "password_file", credential: CREDENTIAL },
    Secret { section: "elasticsearch", key: "password", file_key: "password_file", credential: CREDENTIAL },
    Secret { section: "elasticsearch", key: "api_key", file_key: "api_key_file", credential: None },
];

impl Secret {
    pub(super) fn environment_name(&self) -> String {
        environment_name(self.section, self.key)
    }

    /// Where else it can come from, as the end of a sentence.
    pub(super) fn elsewhere(&self) -> String {
        let variable = self.environment_name();
        match self.credential {
            Some(name) => format!("the variable {variable}, or the systemd credential {name}"),
            None => format!("the variable {variable}"),
        }
    }
}

/// The secret that has this name.
pub(super) fn find(section: &str, key: &str) -> Option<&'static Secret> {
    SECRETS.iter().find(|secret| secret.section == section && secret.key == key)
}

/// A secret that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) secret: &'static Secret,
    pub(super) origin: Origin,
    pub(super) value: SecretString,
    pub(super) source: SecretSource,
}

/// Where a secret came from, for those who want it again because it may have been changed since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SecretSource {
    /// From where it cannot change while the program runs: the environment.
    #[default]
    Fixed,
    /// A file: the one that a setting names, or a systemd credential.
    File(PathBuf),
}

impl SecretSource {
    /// Reads the secret as it is now; `None` if it cannot have changed. Blocks for as long as reading a small file takes.
    ///
    /// # Errors
    /// A sentence that names the file and says what to do, without anything of the secret.
    pub fn read(&self) -> Result<Option<SecretString>, String> {
        match self {
            Self::Fixed => Ok(None),
            Self::File(path) => of_file(path).and_then(|text| checked(&text)).map(Some),
        }
    }
}

/// Reads the secrets of one database. The environment wins over the file, and the file over the credential; a warning
/// tells what was not used.
pub(super) fn read(
    database: &str,
    values: &Values,
    sources: &Sources,
    errors: &mut Vec<ConfigError>,
    warnings: &mut Vec<String>,
) -> Vec<Found> {
    let mut all_found = Vec::new();
    for secret in SECRETS.iter().filter(|secret| secret.section == database) {
        let mut places = places(secret, values, sources).into_iter();
        let Some(first) = places.next() else { continue };
        for unused in places {
            warnings.push(format!(
                "[{}] {} is also in {}, which is not used: {} wins",
                secret.section,
                secret.key,
                unused.origin(),
                first.origin()
            ));
        }
        match first.read().and_then(|text| checked(&text)) {
            Ok(value) => all_found.push(Found { secret, origin: first.origin(), value, source: first.source() }),
            Err(reason) => errors.push(ConfigError::new(first.blame(secret, values), reason)),
        }
    }
    all_found
}

/// A place that a secret can be read from.
enum Place {
    Variable { name: String, value: std::ffi::OsString },
    File(PathBuf),
    Credential { name: &'static str, path: PathBuf },
}

/// The places where a secret is, the one that wins first.
fn places(secret: &Secret, values: &Values, sources: &Sources) -> Vec<Place> {
    let mut places = Vec::new();
    let name = secret.environment_name();
    if let Some(value) = sources.variable(&name) {
        places.push(Place::Variable { name, value: value.to_owned() });
    }
    if let Some(path) = values.optional_path(secret.section, secret.file_key) {
        places.push(Place::File(path));
    }
    let folder = sources.variable("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
    if let (Some(name), Some(folder)) = (secret.credential, folder) {
        let path = Path::new(folder).join(name);
        // A service has credentials for other things too: only one of this name is meant.
        if path.exists() {
            places.push(Place::Credential { name, path });
        }
    }
    places
}

impl Place {
    fn origin(&self) -> Origin {
        match self {
            Self::Variable { name, .. } => Origin::Environment(name.clone()),
            Self::File(path) => Origin::SecretFile(path.clone()),
            Self::Credential { name, .. } => Origin::Credential(name),
        }
    }

    fn source(&self) -> SecretSource {
        match self {
            Self::Variable { .. } => SecretSource::Fixed,
            Self::File(path) | Self::Credential { path, .. } => SecretSource::File(path.clone()),
        }
    }

    /// Where to point if it cannot be read.
    fn blame(&self, secret: &Secret, values: &Values) -> String {
        match self {
            Self::File(_) => values.place(secret.section, secret.file_key),
            _ => self.origin().to_string(),
        }
    }

    fn read(&self) -> Result<Zeroizing<String>, String> {
        match self {
            Self::Variable { value, .. } => of_variable(value),
            Self::File(path) | Self::Credential { path, .. } => of_file(path),
        }
    }
}

fn of_variable(value: &OsStr) -> Result<Zeroizing<String>, String> {
    match value.to_str() {
        Some("") => Err("the variable is empty: unset it, or put the secret into it".to_owned()),
        Some(text) => Ok(Zeroizing::new(text.to_owned())),
        None => Err("the variable is not UTF-8: put the secret into a file".to_owned()),
    }
}

fn of_file(path: &Path) -> Result<Zeroizing<String>, String> {
    let shown = path.display();
    let mut bytes = Zeroizing::new(Vec::new());
    let read = File::open(path).and_then(|file| file.take(LONGEST_SECRET_BYTES + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "make it, or correct the path",
            io::ErrorKind::PermissionDenied => "give the user that runs this program the right to read it",
            _ => "name a plain file that holds the secret and nothing else",
        };
        return Err(format!("{shown} cannot be read ({error}): {remedy}"));
    }
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_SECRET_BYTES) {
        return Err(format!(
            "{shown} has more than {LONGEST_SECRET_BYTES} bytes: name a file that holds the secret alone"
        ));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| format!("{shown} is not UTF-8: write the secret into it as plain text"))?;
    // Editors and `echo` end a file with one line break, which nobody means.
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err(format!("{shown} is empty: write the secret into it"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// Neither Basic authentication (RFC 7617 section 2) nor a header field can carry control characters.
fn checked(text: &str) -> Result<SecretString, String> {
    if text.chars().any(char::is_control) {
        return Err(
            "the secret has a line break or another control character in it: it must be one line, and nothing \
                    else"
                .to_owned(),
        );
    }
    Ok(SecretString::from(text))
}
