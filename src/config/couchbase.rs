//! `[couchbase]`, after its connection string has been applied.
//!
//! Invariant: what the connection string says holds only where no file, variable or flag says otherwise, and only if
//! Couchbase is the database.

use std::path::PathBuf;

use secrecy::SecretString;

use super::connection_string::{ConnectionString, Verification};
use super::error::{ConfigError, Origin};
use super::secrets::Found;
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
    /// `username`; `None`: nothing is sent that says who we are.
    pub username: Option<String>,
    /// From `password_file`, a systemd credential or the environment. `None` too where Couchbase is not the database.
    pub password: Option<SecretString>,
    /// `api`
    pub api: CouchbaseApi,
    /// `ca_file`
    pub ca_file: Option<PathBuf>,
    /// `network`
    pub network: Network,
    /// `danger_accept_invalid_certificates`
    pub danger_accept_invalid_certificates: bool,
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
            username: values.optional_text("couchbase", "username"),
            password: password.map(|found| found.value.clone()),
            api: match text("api")?.as_str() {
                "query" => CouchbaseApi::Query,
                "documents" => CouchbaseApi::Documents,
                "data-api" => CouchbaseApi::DataApi,
                _ => return Err(defect("couchbase", "api", "is none")),
            },
            ca_file: values.optional_path("couchbase", "ca_file"),
            network: match text("network")?.as_str() {
                "auto" => Network::Auto,
                "default" => Network::Default,
                name => Network::Alternate(name.to_owned()),
            },
            danger_accept_invalid_certificates: values.flag("couchbase", "danger_accept_invalid_certificates")?,
        })
    }

    pub(super) fn check(&self, warnings: &mut Vec<String>) {
        match (&self.username, &self.password) {
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
        if self.danger_accept_invalid_certificates {
            warnings.push(
                "the certificates of Couchbase are not checked: whoever can redirect a connection reads the password; \
                 name the cluster's own authority in [couchbase] ca_file instead"
                    .to_owned(),
            );
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
    let ca_file = parsed.ca_file.as_ref().map(|path| path.to_string_lossy().into_owned());
    for (key, text) in [
        ("bucket", parsed.bucket.as_ref()),
        ("username", parsed.username.as_ref()),
        ("network", parsed.network.as_ref()),
        ("ca_file", ca_file.as_ref()),
    ] {
        let Some(text) = text else { continue };
        let checked = names::find("couchbase", key).and_then(|setting| setting.kind.parse(&Raw::Plain(text.clone())));
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
    if parsed.verification == Verification::Off {
        let key = "danger_accept_invalid_certificates";
        values.set_default("couchbase", key, Value::Flag(true), Origin::ConnectionString);
    }
}
