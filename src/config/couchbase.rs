//! `[couchbase]`, after its connection string has been applied.
//!
//! Invariant: what the connection string says holds only where no file, variable or flag says otherwise, and only if
//! Couchbase is the database.

use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use super::connection_string::{ConnectionString, Verification};
use super::error::{ConfigError, Origin};
use super::secrets::{Found, SecretSource};
use super::value::{Raw, Value};
use super::values::{Values, defect};
use super::{DatabaseName, names};

/// `[couchbase] api`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CouchbaseApi {
    /// The query service.
    Query,
    /// The document endpoint of the cluster manager.
    Documents,
    /// The Data API.
    DataApi,
}

/// `[couchbase] network`: which of a node's addresses are dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// Whichever the seed that answered belongs to.
    Auto,
    /// The addresses by which the nodes know each other.
    Default,
    /// An alternate address by its name; `external` is the usual one.
    Alternate(String),
}

/// `[couchbase]`. What the connection string says holds where no setting says otherwise: these are the settings after
/// that has been applied (to `[bucket]` too, for its timeouts).
#[derive(Clone, Debug)]
pub struct CouchbaseSettings {
    /// `connection_string`: holds no password.
    pub connection_string: ConnectionString,
    /// `bucket`
    pub bucket: String,
    /// `scope`
    pub scope: String,
    /// `collection`
    pub collection: String,
    /// `api`
    pub api: CouchbaseApi,
    /// `network`
    pub network: Network,
    /// Who we are.
    pub login: LoginSettings,
    /// Whom we trust.
    pub tls: TlsSettings,
}

/// Who we are to a database.
#[derive(Clone, Debug)]
pub struct LoginSettings {
    /// `username`; `None`: nothing is sent that says who we are.
    pub username: Option<String>,
    /// From `password_file`, a systemd credential or the environment.
    pub password: Option<SecretString>,
    /// Where the password came from, so that it can be read again.
    pub password_source: SecretSource,
}

/// Whom we trust, and who vouches for us.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// `ca_file`
    pub ca_file: Option<PathBuf>,
    /// `client_certificate_file`; there is a `client_key_file` too, or neither.
    pub client_certificate_file: Option<PathBuf>,
    /// `client_key_file`
    pub client_key_file: Option<PathBuf>,
    /// `danger_accept_invalid_certificates`
    pub verification: Verification,
}

impl CouchbaseSettings {
    pub(super) fn read(
        values: &Values,
        connection_string: ConnectionString,
        secrets: &[Found],
    ) -> Result<Self, ConfigError> {
        let text = |key| values.text("couchbase", key);
        let password =
            secrets.iter().find(|found| found.secret.section == "couchbase" && found.secret.key == "password");
        Ok(Self {
            connection_string,
            bucket: text("bucket")?,
            scope: text("scope")?,
            collection: text("collection")?,
            api: match text("api")?.as_str() {
                "query" => CouchbaseApi::Query,
                "documents" => CouchbaseApi::Documents,
                "data-api" => CouchbaseApi::DataApi,
                _ => return Err(defect("couchbase", "api", "is none")),
            },
            network: match text("network")?.as_str() {
                "auto" => Network::Auto,
                "default" => Network::Default,
                name => Network::Alternate(name.to_owned()),
            },
            login: LoginSettings {
                username: values.optional_text("couchbase", "username"),
                password: password.map(|found| found.value.clone()),
                password_source: password.map(|found| found.source.clone()).unwrap_or_default(),
            },
            tls: TlsSettings {
                ca_file: values.optional_path("couchbase", "ca_file"),
                client_certificate_file: values.optional_path("couchbase", "client_certificate_file"),
                client_key_file: values.optional_path("couchbase", "client_key_file"),
                verification: if values.flag("couchbase", "danger_accept_invalid_certificates")? {
                    Verification::Off
                } else {
                    Verification::On
                },
            },
        })
    }

    pub(super) fn check(&self, values: &Values, errors: &mut Vec<ConfigError>, warnings: &mut Vec<String>) {
        match (&self.tls.client_certificate_file, &self.tls.client_key_file) {
            (Some(_), None) => errors.push(ConfigError::new(
                values.place("couchbase", "client_certificate_file"),
                "[couchbase] client_certificate_file is set without client_key_file: name the key of the certificate too",
            )),
            (None, Some(_)) => errors.push(ConfigError::new(
                values.place("couchbase", "client_key_file"),
                "[couchbase] client_key_file is set without client_certificate_file: name the certificate of the key too",
            )),
            _ => {}
        }
        if self.connection_string.scheme.is_tls() {
            self.check_tls(warnings);
        } else {
            self.check_plain(warnings);
        }
        match (&self.login.username, &self.login.password) {
            (Some(_), None) => warnings.push(
                "[couchbase] username is set and there is no password for it: name a file in [couchbase] \
                 password_file, or set USERPROFILES_COUCHBASE_PASSWORD"
                    .to_owned(),
            ),
            (None, Some(_)) => warnings.push(
                "there is a password for Couchbase and no user: set [couchbase] username, else nothing is sent"
                    .to_owned(),
            ),
            _ => {}
        }
    }

    fn check_tls(&self, warnings: &mut Vec<String>) {
        if self.tls.verification == Verification::Off {
            warnings.push(
                "the certificates of Couchbase are not checked: whoever can redirect a connection reads the password; \
                 name the cluster's own authority in [couchbase] ca_file instead"
                    .to_owned(),
            );
        }
    }

    fn check_plain(&self, warnings: &mut Vec<String>) {
        let keys = [
            (self.tls.ca_file.is_some(), "ca_file"),
            (self.tls.client_certificate_file.is_some(), "client_certificate_file"),
            ((self.tls.verification == Verification::Off), "danger_accept_invalid_certificates"),
        ];
        let idle: Vec<&str> = keys.into_iter().filter_map(|(is_set, key)| is_set.then_some(key)).collect();
        if !idle.is_empty() {
            warnings.push(format!(
                "[couchbase] {} has no effect without TLS: write couchbases:// in [couchbase] connection_string",
                idle.join(", ")
            ));
        }
        let mut exposed: Vec<&str> = self
            .connection_string
            .seeds
            .iter()
            .map(|seed| seed.host.as_str())
            .filter(|host| !is_loopback(host))
            .collect();
        exposed.dedup();
        if self.login.username.is_some() && self.login.password.is_some() && !exposed.is_empty() {
            warnings.push(format!(
                "the password for Couchbase goes over the network to {} as anybody on the way can read it: write \
                 couchbases:// in [couchbase] connection_string",
                exposed.join(", ")
            ));
        }
    }
}

/// True if what is sent to this host stays on this machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        // RFC 6761 §6.3: both are always this machine.
        Err(_) => {
            let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

/// Reads the connection string, and lets what it says hold where no setting says otherwise. A string in which something
/// is wrong is an error only if Couchbase is the database; a password in it always is one.
pub(super) fn apply_connection_string(
    values: &mut Values,
    errors: &mut Vec<ConfigError>,
    warnings: &mut Vec<String>,
) -> ConnectionString {
    let is_used = values.optional_text("bucket", "database").as_deref() == Some(DatabaseName::Couchbase.as_str());
    let text = values.optional_text("couchbase", "connection_string").unwrap_or_default();
    let parsed = match ConnectionString::parse(&text) {
        Ok(parsed) => parsed,
        Err(error) => {
            if is_used || ConnectionString::refuse_login(&text).is_err() {
                let place = values.place("couchbase", "connection_string");
                errors.push(ConfigError::new(place, format!("[couchbase] connection_string: {error}")));
            }
            // There may be a password in it that was not recognised as one, and it could be printed.
            let origin = values.origin("couchbase", "connection_string");
            values.set("couchbase", "connection_string", Value::Text("***".to_owned()), origin);
            return ConnectionString::localhost();
        }
    };
    if is_used {
        warnings.extend(parsed.warnings.iter().map(|warning| format!("[couchbase] connection_string: {warning}")));
        apply(&parsed, values, errors);
    }
    parsed
}

fn apply(parsed: &ConnectionString, values: &mut Values, errors: &mut Vec<ConfigError>) {
    let text_of = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    for (key, text) in [
        ("bucket", parsed.bucket.clone()),
        ("username", parsed.username.clone()),
        ("network", parsed.network.clone()),
        ("ca_file", text_of(&parsed.ca_file)),
        ("client_certificate_file", text_of(&parsed.client_certificate_file)),
        ("client_key_file", text_of(&parsed.client_key_file)),
    ] {
        let Some(text) = text else { continue };
        let checked = names::find("couchbase", key).and_then(|setting| setting.kind.parse(&Raw::Plain(text)));
        match checked {
            Ok(value) => values.set_default("couchbase", key, value, Origin::ConnectionString),
            Err(reason) => {
                let place = values.place("couchbase", "connection_string");
                errors.push(ConfigError::new(place, format!("[couchbase] connection_string: its {key} {reason}")));
            }
        }
    }
    for (key, timeout) in [("operation_timeout", parsed.operation_timeout), ("n1ql_timeout", parsed.n1ql_timeout)] {
        if let Some(timeout) = timeout {
            values.set_default("bucket", key, Value::Duration(timeout), Origin::ConnectionString);
        }
    }
    // A string is copied from place to place, and nobody reads its options again: it takes a setting with an alarming
    // name to do without certificates.
    let is_allowed = values.flag("couchbase", "danger_accept_invalid_certificates").unwrap_or(false);
    if parsed.verification == Verification::Off && !is_allowed {
        let place = values.place("couchbase", "connection_string");
        errors.push(ConfigError::new(
            place,
            "[couchbase] connection_string: ssl=no_verify asks to trust whoever answers, which only [couchbase] \
             danger_accept_invalid_certificates = true allows; write ssl=on, and name the cluster's own authority in \
             [couchbase] ca_file",
        ));
    }
}

/// A sentence.
#[must_use]
pub fn unreadable(path: &std::path::Path, error: &std::io::Error, otherwise: &str) -> String {
    let remedy = match error.kind() {
        std::io::ErrorKind::NotFound => "make it, or correct the path",
        std::io::ErrorKind::PermissionDenied => "give the user that runs this program the right to read it",
        _ => otherwise,
    };
    format!("{} cannot be read ({error}): {remedy}", path.display())
}
