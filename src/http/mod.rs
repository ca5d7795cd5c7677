//! Bytes in, bytes out: a listener that can stand on the open network, with rouille's `Request` and `Response` for what
//! comes between.
//!
//! The path of a request through the files: `socket`, `watcher` (accept) → `table`, `poll` (until there is something
//! to read) → `lookout`, `worker` (reads what is there) → `connection` (what state is this?) → `head`, `framing`,
//! `grammar` (is it a request, within `limits`? else `refusal`) → `lane` (may it wait for a database?) → the
//! [`Service`]'s handler → `answer` → one `write`, and back to the table.
//!
//! Invariant: a thread works only while there is something to read or to write. Connections that are idle or half sent
//! wait in the poller and cost a buffer; every wait has a deadline. Nothing here knows of users.

pub mod connection;
mod context;
pub mod limits;
pub mod message;
mod net;
mod server;

pub use context::RequestContext;
pub use limits::Limits;
pub use message::grammar::{has_valid_triplets, path_of};
pub use net::{Listener, bind, clamp_connections};
pub use server::{Server, Workforce};

/// What a listener serves.
pub struct Service {
    /// The names of the fields that the handler reads, in lower case; it sees no others.
    pub reads: &'static [&'static str],
    /// Whether a request may wait for something. Gets the method and the target.
    pub lane: fn(&str, &str) -> LaneChoice,
    /// The handler.
    pub handle: Box<Handler>,
}

/// What answers a request.
pub type Handler = dyn Fn(&rouille::Request, &RequestContext) -> rouille::Response + Send + Sync;

/// Whether a request may wait for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneChoice {
    /// It is answered from memory.
    Quick,
    /// It may wait for a database.
    Waiting,
}
