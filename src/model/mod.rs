//! What a user profile is: as it is stored ([`UserInDb`]), as it is shown ([`User`]), and how it is named
//! ([`Username`], [`DocumentId`]).
//!
//! Invariant: this module never does I/O, and nothing in it turns a [`UserInDb`] into text.

mod id;
mod profile;

pub use id::{DocumentId, InvalidUsername, MAX_USERNAME_BYTES, Username};
pub use profile::{CheckedProfile, InvalidDocument, MAX_DOCUMENT_BYTES, check};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The document type of a user profile: the first part of its id, and the default of its `type`.
pub const USERPROFILE_DOC_TYPE: &str = "userprofile";

/// What a client gets. The four members come in this order, nulls included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name under which the profile is found.
    pub username: String,
    /// Where to write to, unchecked.
    #[cfg_attr(test, schema(required = true))]
    pub email: Option<String>,
    /// The name as the person writes it.
    #[cfg_attr(test, schema(required = true))]
    pub full_name: Option<String>,
    /// True for an account that was switched off; it is answered all the same.
    #[cfg_attr(test, schema(required = true))]
    pub disabled: Option<bool>,
}

/// What is stored. It can be read with [`UserInDb::from_json`] and turned into a [`User`], and no more: the hash
/// has no way out.
///
/// ```
/// # let text = br#"{"username":"johndoe","hashed_password":"not a real hash"}"#;
/// let stored = userprofiles::UserInDb::from_json(text)?.ok_or("an empty document")?;
/// let public = userprofiles::User::from(stored);
/// assert_eq!(
///     serde_json::to_string(&public)?,
///     r#"{"username":"johndoe","email":null,"full_name":null,"disabled":null}"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The same lines without the step to [`User`] do not compile:
///
/// ```compile_fail,E0277
/// # let text = br#"{"username":"johndoe","hashed_password":"not a real hash"}"#;
/// let stored = userprofiles::UserInDb::from_json(text)?.ok_or("an empty document")?;
/// serde_json::to_string(&stored)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Nor does printing it with `{}`:
///
/// ```compile_fail,E0277
/// # let text = br#"{"username":"johndoe","hashed_password":"not a real hash"}"#;
/// let stored = userprofiles::UserInDb::from_json(text)?.ok_or("an empty document")?;
/// println!("{stored}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `{:?}` compiles, because tests need it, and prints `[REDACTED]` in place of the hash.
#[derive(Debug)]
pub struct UserInDb {
    /// See [`User::username`].
    pub username: String,
    /// See [`User::email`].
    pub email: Option<String>,
    /// See [`User::full_name`].
    pub full_name: Option<String>,
    /// See [`User::disabled`].
    pub disabled: Option<bool>,
    /// The document type, [`USERPROFILE_DOC_TYPE`] unless the document says otherwise.
    pub doc_type: String,
    /// The password hash: redacted in `Debug`, wiped from memory on drop, read only through `expose_secret`.
    pub hashed_password: SecretString,
}

impl From<UserInDb> for User {
    fn from(stored: UserInDb) -> Self {
        Self { username: stored.username, email: stored.email, full_name: stored.full_name, disabled: stored.disabled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_redacts_the_hash() {
        let stored = UserInDb::from_json(br#"{"username":"a","hashed_password":"marker-4711"}"#).unwrap().unwrap();
        let printed = format!("{stored:?}");
        assert!(!printed.contains("marker-4711"), "{printed}");
        assert!(printed.contains("REDACTED"), "{printed}");
    }

    /// Does not compile if the type has the trait: then two implementations of a trait fit it, and which one is meant is
    /// unknown. (The examples of [`UserInDb`] that must not compile could fail to for another reason.)
    macro_rules! assert_not_implemented {
        ($type:ty: $($trait:path),+) => {$({
            trait Fits<Marker> {
                fn check() {}
            }
            struct Implemented;
            impl<T: ?Sized> Fits<()> for T {}
            impl<T: ?Sized + $trait> Fits<Implemented> for T {}
            <$type as Fits<_>>::check();
        })+};
    }

    #[test]
    fn a_stored_user_cannot_be_turned_into_text() {
        assert_not_implemented!(UserInDb: serde::Serialize, std::fmt::Display, ToString, Into<String>, Into<Vec<u8>>);
        assert_not_implemented!(secrecy::SecretString: serde::Serialize, std::fmt::Display);
    }
}
