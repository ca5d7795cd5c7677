//! `userprofiles` puts user profiles that live in a NoSQL database on the web.
//!
//! `GET /users/{username}` finds the document `userprofile::{username}` and answers with the public
//! [`User`]; the stored [`UserInDb`] also holds a `hashed_password`, which has no way out of this crate.
//!
//! The path of one request, module by module:
//!
//! bytes → [`http`] → `rouille::Request` → [`api`] → [`get_bucket`] → [`get_user`] → the database →
//! [`Document`] → [`UserInDb`] → [`User`] → `rouille::Response` → bytes.
//!
//! The core is usable without the web part:
//!
//! ```
//! use userprofiles::bucket::embedded::Embedded;
//! use userprofiles::clock::{self, Deadline};
//! use userprofiles::{BucketTimeouts, Username, get_bucket, get_user};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let file = folder.path().join("userprofiles.db");
//! let database = Embedded::create(&file)?;
//! let timeouts = BucketTimeouts::default();
//! let deadline = Deadline::after(clock::now(), timeouts.operation);
//! let mut bucket = get_bucket(&database, &timeouts, deadline)?;
//! let nobody = get_user(bucket.as_mut(), &Username::parse("johndoe")?)?;
//! assert!(nobody.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
// A defect is an error that is reported, not the end of a thread. Tests are excepted in `clippy.toml`.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod admin;
pub mod api;
pub mod bucket;
pub mod cli;
pub mod clock;
pub mod config;
pub mod files;
#[cfg(test)]
mod generated;
mod hex;
pub mod http;
pub mod model;
pub mod observe;
pub mod pages;
pub mod problem;
pub mod systemd;
mod threads;
pub mod users;

pub use bucket::{Bucket, BucketError, BucketTimeouts, Document, get_bucket};
pub use model::{DocumentId, USERPROFILE_DOC_TYPE, User, UserInDb, Username};
pub use users::get_user;
