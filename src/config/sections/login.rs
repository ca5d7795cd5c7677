//! Who we are to a database: settings that the sections of all databases over a network share.

use secrecy::SecretString;

use crate::config::setting::{Findings, PASSWORD, PasswordFile, SecretReader, Username, is_loopback, section};

section! {
    /// Who we are to a database.
    pub struct LoginSettings {
        /// The user to log in as, who needs the right to read the documents only (and to write them for `import`).
        /// Unset: nothing is sent that says who we are.
        pub username: Option<Username>; example "userprofiles",
        /// A file that holds the password and nothing else; one line break at its end is cut. A systemd credential
        /// called bucket-password or the environment (USERPROFILES_..._PASSWORD) serve as well. A password never stands
        /// in this file or in a flag, where others could read it.
        pub password_source as "password_file": PasswordFile; example "/run/secrets/{section}-password",
    }
    derived {
        /// From where `password_source` says. `None` too where the database is not the one that is in use.
        pub password: Option<SecretString>,
    }
}

impl LoginSettings {
    pub(super) fn read_password(&mut self, section: &'static str, reader: &mut SecretReader<'_>) {
        reader.read(section, PASSWORD, &mut self.password_source, &mut self.password);
    }

    /// Warns of half a login.
    pub(super) fn check(&self, section: &str, findings: &mut Findings) {
        match (&self.username, &self.password) {
            (Some(_), None) => findings.warn(format!(
                "[{section}] username is set and there is no password for it: name a file in [{section}] \
                 password_file, or set USERPROFILES_{}_PASSWORD",
                section.to_ascii_uppercase()
            )),
            (None, Some(_)) => findings.warn(format!(
                "there is a password for [{section}] and no user: set [{section}] username, else nothing is sent"
            )),
            _ => {}
        }
    }

    /// Warns of a password that goes to these hosts without TLS; `remedy` says what to write for TLS.
    pub(super) fn check_exposure<'a>(
        &self,
        section: &str,
        hosts: impl Iterator<Item = &'a str>,
        remedy: &str,
        findings: &mut Findings,
    ) {
        let mut exposed: Vec<&str> = hosts.filter(|host| !is_loopback(host)).collect();
        exposed.dedup();
        if self.username.is_some() && self.password.is_some() && !exposed.is_empty() {
            findings.warn(format!(
                "the password for [{section}] is sent to {} without TLS, where anyone on the network path can read it: {remedy}",
                exposed.join(", ")
            ));
        }
    }
}
