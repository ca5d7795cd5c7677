//! Files that hold one secret each, and the settings that name them.
//!
//! Invariant: nothing of a secret is in a message.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::kind::{Kind, Reload, SecretName};
use super::raw::Raw;
use super::texts::FilePath;
use crate::config::error::unreadable;
use crate::files::{self, FileReader};

/// A file that is longer than this holds something else.
const LONGEST_SECRET_BYTES: u64 = 16 * 1024;

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
    /// Reads the secret as it is now, within `limit`; `None` if it cannot have changed.
    ///
    /// # Errors
    /// A sentence that names the file and says what to do, without anything of the secret.
    pub fn read(&self, reader: &FileReader, limit: Duration) -> Result<Option<SecretString>, String> {
        match self {
            Self::Fixed => Ok(None),
            Self::File(path) => of_bytes(path, reader.read(path, LONGEST_SECRET_BYTES, limit)).map(Some),
        }
    }
}

/// The password of a database.
pub const PASSWORD: SecretName =
    SecretName { key: "password", file_key: "password_file", credential: Some("bucket-password") };

/// A key in place of user name and password.
pub const API_KEY: SecretName = SecretName { key: "api_key", file_key: "api_key_file", credential: None };

/// The settings that name the file of a secret; without one, the secret may still come from elsewhere.
macro_rules! secret_files {
    ($($(#[$about:meta])* $name:ident: $secret:expr,)*) => {$(
        $(#[$about])*
        pub enum $name {}

        impl Kind for $name {
            type Value = SecretSource;
            const RELOAD: Reload = Reload::AtOnce;
            const SECRET: Option<SecretName> = Some($secret);

            fn read(raw: &Raw) -> Result<SecretSource, String> {
                FilePath::read(raw).map(SecretSource::File)
            }

            fn to_toml(source: &SecretSource) -> Option<String> {
                match source {
                    SecretSource::Fixed => None,
                    SecretSource::File(path) => FilePath::to_toml(path),
                }
            }
        }
    )*};
}

secret_files! {
    /// `password_file`
    PasswordFile: PASSWORD,
    /// `api_key_file`
    ApiKeyFile: API_KEY,
}

/// Reads a secret out of a file: for as long as that takes, or within a limit.
pub fn of_file(path: &Path, limit: Option<Duration>) -> Result<SecretString, String> {
    of_bytes(path, files::read_within(path, LONGEST_SECRET_BYTES, limit))
}

fn of_bytes(path: &Path, read: io::Result<Zeroizing<Vec<u8>>>) -> Result<SecretString, String> {
    let shown = path.display();
    let bytes =
        read.map_err(|error| unreadable(path, &error, "name a plain file that holds the secret and nothing else"))?;
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
    checked(text)
}

/// Refuses what neither Basic authentication (RFC 7617 section 2) nor a header field can carry: control characters.
pub fn checked(text: &str) -> Result<SecretString, String> {
    if text.chars().any(char::is_control) {
        return Err("the secret has a line break or another control character in it: it must be one line, and \
                    nothing else"
            .to_owned());
    }
    Ok(SecretString::from(text))
}
