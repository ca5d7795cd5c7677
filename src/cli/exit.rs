//! How a command ends: its exit code, and what is told to the person who typed it.
//!
//! Invariant: what is told goes to standard error, so that standard output has what was asked for and nothing else.

use std::io::{self, Write};

/// How a command ended; the numbers are the exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked.
    Done = 0,
    /// It failed: the database, a file, an address.
    Failed = 1,
    /// It was asked wrongly: usage or settings.
    Usage = 2,
    /// `get`: there is no such user.
    NoSuchUser = 3,
    /// `import`, `export`: some documents were left out, and the others are done.
    SomeRejected = 4,
}

/// Tells the person at the terminal what is wrong. If standard error is closed, the exit code still says it.
pub(super) fn tell_user(message: &str) {
    let _ = writeln!(io::stderr(), "userprofiles: {message}");
}
