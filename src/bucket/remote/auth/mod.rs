//! Who we are to a database, also while a password is being changed.
//!
//! Invariant: nothing here prints a secret or its encoding, and both are wiped from memory on drop.

mod credentials;
mod login;
mod login_config;
mod rotation;

pub use credentials::Credentials;
pub use login::{Login, LoginSession};
pub use login_config::{LoginConfig, Scheme};
