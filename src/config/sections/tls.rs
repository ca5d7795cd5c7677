//! Whom we trust, and who vouches for us: settings that the sections of all databases over a network share.

use crate::config::setting::{
    About, Field, FilePath, Findings, Origins, Raw, Reloaded, Setting, SettingName, Verification, section,
};

section! {
    /// Whom we trust, and who vouches for us.
    pub struct TlsSettings {
        /// Certificates (PEM) of the authorities that the database's certificate must come from. Unset: those that this
        /// machine trusts.
        pub ca_file: Reloaded<Option<FilePath>>; example "/etc/userprofiles/{section}-ca.pem",
        /// A certificate (PEM, with the authorities between) that says to the database who we are, in place of user name
        /// and password or beside them. Only with TLS; HUP reads it again.
        pub client_certificate_file: Reloaded<Option<FilePath>>; example "/etc/userprofiles/{section}-client.pem",
        /// Its private key (PEM, without a passphrase).
        pub client_key_file: Reloaded<Option<FilePath>>; example "/etc/userprofiles/{section}-client.key",
        /// true: certificates are not checked, and whoever can redirect a connection reads the password. For a test
        /// cluster with a certificate of its own, ca_file is the better way.
        pub verification as "danger_accept_invalid_certificates": Reloaded<Verification>,
    }
}

const DANGER: &str = "danger_accept_invalid_certificates";

/// [`TlsSettings`] of a database whose certificates are always verified: the dangerous setting is not one of its.
pub enum VerifiedTls {}

impl Field for VerifiedTls {
    type Value = TlsSettings;

    fn set(value: &mut TlsSettings, own: &str, key: &str, raw: &Raw) -> Option<Result<(), String>> {
        if key == DANGER { None } else { TlsSettings::set(value, own, key, raw) }
    }

    fn describe(value: &TlsSettings, about: &About, settings: &mut Vec<Setting>) {
        TlsSettings::describe(value, about, settings);
        settings.retain(|setting| setting.name.key != DANGER);
    }
}

impl TlsSettings {
    /// Refuses a certificate without its key, and a key without its certificate.
    pub(super) fn check(&self, section: &'static str, origins: &Origins, findings: &mut Findings) {
        let (set, missing, remedy) = match (&self.client_certificate_file, &self.client_key_file) {
            (Some(_), None) => ("client_certificate_file", "client_key_file", "name the key of the certificate too"),
            (None, Some(_)) => ("client_key_file", "client_certificate_file", "name the certificate of the key too"),
            _ => return,
        };
        let name = SettingName::new(section, set);
        findings.error(origins.place(name), format!("{name} is set without {missing}: {remedy}"));
    }

    /// Warns of settings without effect, because there is no TLS; `remedy` says what to write for TLS.
    pub(super) fn check_unused(&self, section: &str, remedy: &str, findings: &mut Findings) {
        let keys = [
            (self.ca_file.is_some(), "ca_file"),
            (self.client_certificate_file.is_some(), "client_certificate_file"),
            (self.verification == Verification::Off, DANGER),
        ];
        let unused: Vec<&str> = keys.into_iter().filter_map(|(is_set, key)| is_set.then_some(key)).collect();
        if !unused.is_empty() {
            findings.warn(format!("[{section}] {} has no effect without TLS: {remedy}", unused.join(", ")));
        }
    }
}
