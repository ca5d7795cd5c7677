//! Who we are to the database.
//!
//! Invariant: nothing here prints the password or its encoding, and both are wiped from memory on drop.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use ureq::http::HeaderValue;
use zeroize::Zeroizing;

use crate::bucket::BucketError;

/// A user and the `Authorization` field that proves it; or nobody.
pub struct Credentials {
    username: Option<String>,
    authorization: Option<SecretString>,
}

impl Credentials {
    /// Takes what the settings say.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for one without the other, and for a username that HTTP cannot carry (RFC 7617:
    /// no colon, no control character).
    pub fn new(username: Option<&str>, password: Option<&SecretString>) -> Result<Self, BucketError> {
        let misconfigured = |reason: &str| BucketError::Misconfigured { reason: reason.to_owned() };
        match (username, password) {
            (None, None) => Ok(Self { username: None, authorization: None }),
            (Some(_), None) => Err(misconfigured("[couchbase] username is set, and no password; set password_file")),
            (None, Some(_)) => Err(misconfigured("there is a password for Couchbase; set [couchbase] username too")),
            (Some(username), Some(_)) if username.contains(|letter: char| letter == ':' || letter.is_control()) => {
                Err(misconfigured("[couchbase] username cannot hold a colon or a control character"))
            }
            (Some(username), Some(password)) => {
                let pair = Zeroizing::new(format!("{username}:{}", password.expose_secret()));
                // The scheme is written exactly so: the cluster manager compares its letters.
                let mut field = String::with_capacity("Basic ".len() + pair.len().div_ceil(3) * 4);
                field.push_str("Basic ");
                STANDARD.encode_string(pair.as_bytes(), &mut field);
                Ok(Self { username: Some(username.to_owned()), authorization: Some(SecretString::from(field)) })
            }
        }
    }

    /// `[couchbase] username`
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The value of `Authorization`, marked so that nobody prints it.
    #[must_use]
    pub fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(self.authorization.as_ref()?.expose_secret()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_that_of_rfc_7617_and_does_not_print() {
        let password = SecretString::from("test123£");
        let value = Credentials::new(Some("test"), Some(&password)).unwrap().authorization().unwrap();
        assert_eq!(value.to_str().unwrap(), "Basic dGVzdDp0ZXN0MTIzwqM=");
        assert!(!format!("{value:?}").contains("dGVzd"));
    }

    #[test]
    fn half_a_login_is_refused_and_none_is_taken() {
        let password = SecretString::from("p");
        assert!(Credentials::new(None, None).unwrap().authorization().is_none());
        for (username, password) in
            [(Some("u"), None), (None, Some(&password)), (Some("a:b"), Some(&password)), (Some("a\n"), Some(&password))]
        {
            assert!(matches!(Credentials::new(username, password), Err(BucketError::Misconfigured { .. })));
        }
    }
}
