//! `[mongodb]`

use super::login::LoginSettings;
use super::tls::VerifiedTls;
use crate::config::setting::{MongodbUri, Text, section};

section! {
    /// For [bucket] database = "mongodb".
    pub struct MongodbSettings in "mongodb" {
        /// mongodb://host1,host2/?option=value, or mongodb+srv://. No user name and password in it.
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
