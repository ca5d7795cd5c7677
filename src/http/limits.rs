//! The bounds of every connection: how large, how many, how long.
//!
//! Invariant: whatever the listener waits for or stores is bounded by something in this file.

use std::time::Duration;

use crate::config::HttpSettings;

/// The largest head, in bytes, its empty line included. Larger: 431.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The longest request line, in bytes, without its line end. Longer: 414. RFC 9112 §3 asks for 8000 at least.
pub const MAX_REQUEST_LINE_BYTES: usize = 8 * 1024;

/// The most field lines in a head. More: 431.
pub const MAX_FIELDS: usize = 100;

/// How much of what a client still sends is read and thrown away after an answer that ends its connection, so that it
/// sees the answer and not a reset (RFC 9112 §9.6).
pub const MAX_LINGER_BYTES: usize = 256 * 1024;

/// How long that may take.
pub const LINGER_TIMEOUT: Duration = Duration::from_millis(500);

/// How many requests of one connection a worker answers before others get their turn.
pub const MAX_REQUESTS_PER_TURN: usize = 32;

/// How many bytes of answers may wait for one `write`. Past that they go out before the next request is looked at.
pub const MAX_BATCH_BYTES: usize = 64 * 1024;

/// The settings among the bounds (`[http]`).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From `accept` to the first byte. Over: closed without a word.
    pub first_byte_timeout: Duration,
    /// From the first byte of a head to its last. Over: 408.
    pub head_timeout: Duration,
    /// From an answer to the next request. Over: closed without a word.
    pub idle_timeout: Duration,
    /// From the moment when an answer is ready to its last byte. Over: cut off.
    pub write_timeout: Duration,
    /// From a complete head to a worker, and to the place in the lane that it needs. Over: 503.
    pub queue_timeout: Duration,
    /// From TERM to the end.
    pub drain_timeout: Duration,
    /// Connections at once.
    pub max_connections: usize,
    /// Connections of one address at once.
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
