//! Sockets: binding, accepted streams, waiting for them to become ready, and the table of open connections.
//!
//! Invariant: nothing here blocks but the poller's wait, and nothing here reads a request.

mod file_limit;
mod listener;
pub(super) mod poll;
pub(super) mod shares;
pub(super) mod table;

pub use file_limit::clamp_connections;
pub use listener::{Listener, bind};
