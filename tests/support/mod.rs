//! What the black-box tests share: the real binary on ports of its own, and clients that see every byte.
//!
//! Each test program uses a part of it.
#![allow(dead_code, reason = "each test program uses a part of what is here")]
#![allow(clippy::disallowed_methods, reason = "the rule about clocks and threads is for the program")]

pub mod client;
pub mod left_out;
pub mod load;
pub mod process;
pub mod server;
