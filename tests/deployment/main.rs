//! The units of systemd and the Debian package, on a machine of their own: a real Debian in a container, where systemd
//! starts, watches, restarts and stops the program.
//!
//! It needs root, `systemd-nspawn`, `debootstrap`, `dpkg-dev`, `lintian` and `cargo-deb`, and fails without them.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

mod cgroup;
mod exposure;
mod machine;
mod package;
mod packages;
mod restart;
mod root;
mod service;
#[path = "../support/mod.rs"]
mod support;
mod waiting;
