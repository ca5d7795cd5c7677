//! `[mongodb]`

use super::login::LoginSettings;
use super::tls::VerifiedTls;
use crate::config::setting::{Findings, MongodbUri, Text, mongodb_uri_has_tls, section};

section! {
    /// For [bucket] database = "mongodb".
    pub struct MongodbSettings in "mongodb" {
        /// mongodb://host1,host2/?option=value, or mongodb+srv://. No user name and password in it. What it says of read
        /// preference, read concern, replica set, timeouts and pools holds.
        pub uri: MongodbUri = "mongodb://127.0.0.1:27017".to_owned(),
        /// The database: named as the program, for want of a better name.
        pub database: Text = "userprofiles".to_owned(),
        /// The collection: named likewise.
        pub collection: Text = "userprofiles".to_owned(),
        /// Who we are to the database.
        pub login: LoginSettings,
        /// Whom we trust, and who vouches for us.
        pub tls: VerifiedTls,
    }
}

impl MongodbSettings {
    pub(super) fn check(&self, findings: &mut Findings) {
        if !mongodb_uri_has_tls(&self.uri) {
            self.tls.check_unused(Self::NAME, "write tls=true in [mongodb] uri", findings);
        }
    }
}
