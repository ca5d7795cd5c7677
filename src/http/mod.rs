//! Bytes in, bytes out: a listener that can stand on the open network, with rouille's `Request` and `Response` for what
//! comes between.
//!
//! The path of a request through the files: `net/listener`, `server/watcher`, `server/acceptor` (accept) → `net/table`,
//! `net/poll` (until there is something to read) → `server/work_queue`, `server/worker` (reads what was received) →
//! `connection` (what is next?) → `message/head`, `message/framing`, `message/grammar` (is it a request, within `limits`?
//! else `message/refusal`) → `server/admission` (a handler that may block needs a place) → `server/responder` (the handler
//! of the [`Service`], then `message/encode`) → one `write`, and back to the table.
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
    /// Whether the handler may block. Gets the method and the target.
    pub class: fn(&str, &str) -> Class,
    /// The handler.
    pub handle: Box<Handler>,
}

/// What answers a request.
pub type Handler = dyn Fn(&rouille::Request, &RequestContext) -> rouille::Response + Send + Sync;

/// Whether a handler may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It answers from memory.
    Immediate,
    /// It may wait for a database.
    Blocking,
}
