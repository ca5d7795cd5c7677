//! The grammar of HTTP/1.1: from bytes to the head of a request, and from a response to bytes.
//!
//! Invariant: pure. Nothing here knows a socket, a clock or a handler.

pub(super) mod encode;
pub mod framing;
pub(super) mod grammar;
pub mod head;
pub mod refusal;
pub(super) mod request_id;
