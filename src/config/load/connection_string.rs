//! The connection string of `[couchbase]`: what it says holds where no setting says otherwise.
//!
//! Invariant: a string in which something is wrong is an error only if Couchbase is the database, but for a password in
//! it, which always is one. A string that was not understood is not kept, because there may be a password in it.

use std::path::Path;

use crate::config::connection_string::ConnectionString;
use crate::config::error::Origin;
use crate::config::sections::{BucketSettings, CouchbaseSettings, DatabaseName, Network, Settings};
use crate::config::setting::{BucketName, FilePath, Findings, Kind, Origins, Raw, SettingName, Username, Verification};

const CONNECTION_STRING: SettingName = SettingName::new(CouchbaseSettings::NAME, "connection_string");

/// Reads the connection string, and sets what it says and nothing else has said.
pub fn apply(settings: &mut Settings, origins: &mut Origins, findings: &mut Findings) {
    let is_used = settings.bucket.database == DatabaseName::Couchbase;
    match ConnectionString::parse(&settings.couchbase.written) {
        Ok(parsed) => {
            if is_used {
                let warnings = parsed.warnings.iter().map(|warning| format!("{CONNECTION_STRING}: {warning}"));
                findings.warnings.extend(warnings);
                Options { origins, findings }.apply(&parsed, settings);
            }
            settings.couchbase.connection_string = parsed;
        }
        Err(error) => {
            if is_used || ConnectionString::refuse_login(&settings.couchbase.written).is_err() {
                findings.error(origins.place(CONNECTION_STRING), format!("{CONNECTION_STRING}: {error}"));
            }
            "***".clone_into(&mut settings.couchbase.written);
        }
    }
}

struct Options<'a> {
    origins: &'a mut Origins,
    findings: &'a mut Findings,
}

impl Options<'_> {
    fn apply(&mut self, parsed: &ConnectionString, settings: &mut Settings) {
        let CouchbaseSettings { bucket, login, tls, network, .. } = &mut settings.couchbase;
        self.text::<BucketName>("bucket", parsed.bucket.as_deref(), bucket);
        self.text::<Option<Username>>("username", parsed.username.as_deref(), &mut login.username);
        self.text::<Network>("network", parsed.network.as_deref(), network);
        for (key, path, file) in [
            ("ca_file", &parsed.ca_file, &mut tls.ca_file),
            ("client_certificate_file", &parsed.client_certificate_file, &mut tls.client_certificate_file),
            ("client_key_file", &parsed.client_key_file, &mut tls.client_key_file),
        ] {
            self.text::<Option<FilePath>>(key, path.as_deref().and_then(Path::to_str), file);
        }
        let bucket = &mut settings.bucket;
        self.value(BucketSettings::NAME, "operation_timeout", parsed.operation_timeout, &mut bucket.operation_timeout);
        self.value(BucketSettings::NAME, "n1ql_timeout", parsed.n1ql_timeout, &mut bucket.n1ql_timeout);
        // A string is copied from place to place, and nobody reads its options again: it takes a setting with an
        // alarming name to do without certificates.
        if parsed.verification == Verification::Off && tls.verification == Verification::On {
            self.findings.error(
                self.origins.place(CONNECTION_STRING),
                "[couchbase] connection_string: ssl=no_verify asks to trust whoever answers, which only [couchbase] \
                 danger_accept_invalid_certificates = true allows; write ssl=on, and name the cluster's own authority \
                 in [couchbase] ca_file",
            );
        }
    }

    /// Sets a setting of `[couchbase]` that the string gives as a text.
    fn text<K: Kind>(&mut self, key: &'static str, text: Option<&str>, field: &mut K::Value) {
        match text.map(|text| K::read(&Raw::Plain(text.to_owned()))).transpose() {
            Ok(value) => self.value(CouchbaseSettings::NAME, key, value, field),
            Err(reason) => self
                .findings
                .error(self.origins.place(CONNECTION_STRING), format!("{CONNECTION_STRING}: its {key} {reason}")),
        }
    }

    /// Sets a setting where the string says something and nobody else has.
    fn value<T>(&mut self, section: &'static str, key: &'static str, value: Option<T>, field: &mut T) {
        if let Some(value) = value
            && self.origins.of(SettingName::new(section, key)) == Origin::Default
        {
            *field = value;
            self.origins.insert(section, key, Origin::ConnectionString);
        }
    }
}
