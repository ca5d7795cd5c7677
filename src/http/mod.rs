//! A web server that can stand on the open network, with rouille's `Request` and `Response` between it and what it serves.
//!
//! The path of a request through the files: `net/listener`, `server/watcher`, `server/acceptor` (accept) → `net/table`,
//! `net/poll` (until there is something to read) → `server/work_queue`, `server/worker` (reads what was received) →
//! `connection` (what is next?) → `message/head`, `message/framing`, `message/grammar` (is it a request, within `limits`?
//! else `message/refusal`) → the plan of the [`Application`] → `server/admission` (a handler that may block needs a place)
//! → `server/responder` (the handler, then `message/encode`) → one `write`, and back to the table.
//!
//! Invariant: a thread works only while there is something to read or to write. Connections that are idle or half sent
//! wait in the poller and cost a buffer; every wait for a client has a deadline. Nothing here knows of users.

mod application;
pub mod client;
pub mod connection;
mod context;
pub mod limits;
pub mod message;
mod net;
pub mod proxies;
mod server;
mod service;

pub use application::{Application, Class, Completer, Fields, Handler, Plan, Planner};
pub use context::{NO_ROUTE, ProblemView, RequestContext};
pub use limits::Limits;
pub use message::grammar::{has_valid_triplets, path_of};
pub use net::{Listener, bind, clamp_connections};
pub use proxies::TrustedProxies;
pub use server::{Monitor, Server, Workforce};
pub use service::Service;
