//! What all connections to one database share.
//!
//! Invariant: it is only read; what changes in it has a lock of its own.

use std::sync::Arc;

use super::nodes::{Discovery, Nodes};
use super::protocol::Protocol;
use crate::bucket::remote::access::Access;

/// The nodes of one database, and how to ask them.
pub struct Cluster {
    /// How they are reached.
    pub access: Access,
    /// What they are asked, and what their responses mean.
    pub protocol: Box<dyn Protocol>,
    /// Which of them can be asked.
    pub nodes: Arc<Nodes>,
    /// Which there are.
    pub discovery: Arc<dyn Discovery>,
}
