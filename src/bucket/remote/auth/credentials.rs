//! What proves who we are: the `Authorization` field of HTTP, or what a driver takes.
//!
//! Invariant: pure; the field is marked so that it is not printed, and wiped from memory on drop.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use ureq::http::HeaderValue;
use zeroize::Zeroizing;

use super::login_config::Scheme;
use crate::bucket::BucketError;
use crate::bucket::remote::product::Product;

/// What proves who we are; or nobody.
#[derive(Default)]
pub struct Credentials(Option<Proof>);

enum Proof {
    /// The value of `Authorization`.
    Field(SecretString),
    /// For a driver, which has its own way to send them.
    Password(String, SecretString),
}

impl Credentials {
    /// The credentials of a scheme, or nobody.
    ///
    /// # Errors
    /// [`BucketError::Misconfigured`] for a user without a password or the reverse, for a username that HTTP cannot carry
    /// (RFC 7617: no colon, no control character), and for a key that is not base64.
    pub fn new(product: &Product, scheme: &Scheme, secret: Option<&SecretString>) -> Result<Self, BucketError> {
        match scheme {
            Scheme::Basic { username } => Self::of_pair(product, username.as_deref(), secret, Self::basic),
            Scheme::Driver { username } => {
                Self::of_pair(product, username.as_deref(), secret, |_, username, password| {
                    Ok(Self(Some(Proof::Password(username.to_owned(), password.clone()))))
                })
            }
            Scheme::ApiKey => Self::api_key(product, secret),
        }
    }

    fn api_key(product: &Product, key: Option<&SecretString>) -> Result<Self, BucketError> {
        let is_base64 = |key: &&SecretString| key.expose_secret().bytes().all(is_of_base64);
        match key.filter(is_base64) {
            Some(key) => Ok(Self::of_field(["ApiKey ", key.expose_secret()].concat())),
            None => Err(BucketError::misconfigured(format!(
                "{} must hold the value that {} calls `encoded`: base64, not id:key",
                product.setting("api_key_file"),
                product.name
            ))),
        }
    }

    fn of_field(field: String) -> Self {
        Self(Some(Proof::Field(SecretString::from(field))))
    }

    /// Nobody without a user name, and an error for one half of the pair.
    fn of_pair(
        product: &Product,
        username: Option<&str>,
        password: Option<&SecretString>,
        make: impl Fn(&Product, &str, &SecretString) -> Result<Self, BucketError>,
    ) -> Result<Self, BucketError> {
        match (username, password) {
            (None, None) => Ok(Self::default()),
            (Some(_), None) => Err(BucketError::misconfigured(format!(
                "{} is set, and no password; set password_file",
                product.setting("username")
            ))),
            (None, Some(_)) => Err(BucketError::misconfigured(format!(
                "there is a password for {}; set {} too",
                product.name,
                product.setting("username")
            ))),
            (Some(username), Some(password)) => make(product, username, password),
        }
    }

    fn basic(product: &Product, username: &str, password: &SecretString) -> Result<Self, BucketError> {
        if username.contains(|letter: char| letter == ':' || letter.is_control()) {
            let setting = product.setting("username");
            return Err(BucketError::misconfigured(format!("{setting} cannot hold a colon or a control character")));
        }
        let pair = Zeroizing::new(format!("{username}:{}", password.expose_secret()));
        // The scheme is written exactly so: there are servers that compare its letters.
        let mut field = String::with_capacity("Basic ".len() + pair.len().div_ceil(3) * 4);
        field.push_str("Basic ");
        STANDARD.encode_string(pair.as_bytes(), &mut field);
        Ok(Self::of_field(field))
    }

    /// The value of `Authorization`, marked so that it is not printed.
    #[must_use]
    pub fn authorization(&self) -> Option<HeaderValue> {
        let Some(Proof::Field(field)) = &self.0 else { return None };
        let mut value = HeaderValue::from_str(field.expose_secret()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The user and the password, for a driver.
    #[must_use]
    pub fn username_and_password(&self) -> Option<(&str, &SecretString)> {
        match &self.0 {
            Some(Proof::Password(username, password)) => Some((username, password)),
            Some(Proof::Field(_)) | None => None,
        }
    }

    /// True if nothing is sent that says who we are.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(Proof::Field(own)), Some(Proof::Field(other))) => own.expose_secret() == other.expose_secret(),
            (Some(Proof::Password(user, own)), Some(Proof::Password(other_user, other))) => {
                user == other_user && own.expose_secret() == other.expose_secret()
            }
            _ => false,
        }
    }
}

/// RFC 4648 §4 and §5.
fn is_of_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::remote::test_product::PRODUCT;

    #[test]
    fn the_field_is_that_of_rfc_7617_and_does_not_print() {
        let password = SecretString::from("test123£");
        let scheme = Scheme::Basic { username: Some("test".to_owned()) };
        let value = Credentials::new(&PRODUCT, &scheme, Some(&password)).unwrap().authorization().unwrap();
        assert_eq!(value.to_str().unwrap(), "Basic dGVzdDp0ZXN0MTIzwqM=");
        assert!(!format!("{value:?}").contains("dGVzd"));
    }

    #[test]
    fn a_key_is_sent_as_it_is_and_its_parts_are_refused() {
        let of = |key: &str| Credentials::new(&PRODUCT, &Scheme::ApiKey, Some(&SecretString::from(key)));
        assert_eq!(of("aWQ6a2V5_-+/==").unwrap().authorization().unwrap().to_str().unwrap(), "ApiKey aWQ6a2V5_-+/==");
        for key in ["x:geheim", "a geheim", "a\n"] {
            let reason = of(key).err().unwrap().reason();
            assert!(reason.contains("[toy] api_key_file") && !reason.contains(key), "{reason}");
        }
        assert!(Credentials::new(&PRODUCT, &Scheme::ApiKey, None).is_err());
    }

    #[test]
    fn half_a_login_is_refused_and_none_is_accepted() {
        let password = SecretString::from("p");
        let of = |username: Option<&str>, password| {
            Credentials::new(&PRODUCT, &Scheme::Basic { username: username.map(str::to_owned) }, password)
        };
        assert!(of(None, None).unwrap().is_nobody());
        for (username, password) in
            [(Some("u"), None), (None, Some(&password)), (Some("a:b"), Some(&password)), (Some("a\n"), Some(&password))]
        {
            let outcome = of(username, password);
            assert!(matches!(outcome, Err(BucketError::Misconfigured { .. })));
        }
    }

    #[test]
    fn a_driver_takes_any_username() {
        let scheme = Scheme::Driver { username: Some("a:b".to_owned()) };
        let credentials = Credentials::new(&PRODUCT, &scheme, Some(&SecretString::from("p"))).unwrap();
        let (username, password) = credentials.username_and_password().unwrap();
        assert_eq!((username, password.expose_secret()), ("a:b", "p"));
        assert!(credentials.authorization().is_none() && !credentials.is_nobody());
        assert!(Credentials::new(&PRODUCT, &scheme, None).is_err());
    }
}
