//! The units of systemd.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

mod exposure;
#[path = "../support/mod.rs"]
mod support;
mod waiting;
