//! What a service manager (systemd, or another one that speaks its protocols) gives us and is told by us.
//!
//! Invariant: without a service manager nothing here does anything; what it cannot be told ends nothing.

mod notifier;
mod sockets;
mod supervision;

pub use notifier::Notifier;
pub use sockets::InheritedSockets;
pub use supervision::{Supervision, Vitals};
