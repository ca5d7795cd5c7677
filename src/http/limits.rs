//! The bounds of every connection: how large, how many, how long.
//!
//! Invariant: everything that the listener waits for or stores is bounded by a value in this file.

use std::time::Duration;

use crate::config::HttpSettings;

/// The largest head, in bytes, its empty line included. Larger: 431.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The longest request line, in bytes, without its line end. Longer: 414. RFC 9112 §3 asks for 8000 at least.
pub const MAX_REQUEST_LINE_BYTES: usize = 8 * 1024;

/// The most field lines in a head. More: 431.
pub const MAX_FIELDS: usize = 100;

/// How much a client may still send after an answer that ends its connection. It is read and discarded, so that the client
/// sees the answer and not a reset (RFC 9112 §9.6).
pub const MAX_LINGER_BYTES: usize = 256 * 1024;

/// How long it may take for that.
pub const LINGER_TIMEOUT: Duration = Duration::from_millis(500);

/// How many requests of one connection a worker answers before it serves others.
pub const MAX_REQUESTS_PER_TURN: usize = 32;

/// How many bytes of answers may wait for one `write`. Beyond that they are sent before the next request is read.
pub const MAX_BATCH_BYTES: usize = 64 * 1024;

/// The settings among the bounds (`[http]`).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From `accept` to the first byte. Over: closed without an answer.
    pub first_byte_timeout: Duration,
    /// From the first byte of a head to its last. Over: 408.
    pub head_timeout: Duration,
    /// From an answer to the next request. Over: closed without an answer.
    pub idle_timeout: Duration,
    /// From the moment when an answer is ready to its last byte. Over: cut off.
    pub write_timeout: Duration,
    /// From a complete head to a worker, and to the admission of a blocking request. Over: 503.
    pub queue_timeout: Duration,
    /// From TERM to the end.
    pub drain_timeout: Duration,
    /// Open connections.
    pub max_connections: usize,
    /// Open connections of one address.
    pub max_connections_per_address: usize,
}

impl From<&HttpSettings> for Limits {
    fn from(settings: &HttpSettings) -> Self {
        Self {
            first_byte_timeout: settings.first_byte_timeout,
            head_timeout: settings.head_timeout,
            idle_timeout: settings.idle_timeout,
            write_timeout: settings.write_timeout,
            queue_timeout: settings.queue_timeout,
            drain_timeout: settings.drain_timeout,
            max_connections: settings.max_connections as usize,
            max_connections_per_address: settings.max_connections_per_address as usize,
        }
    }
}
