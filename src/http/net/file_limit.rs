//! How many connections the operating system allows this process.
//!
//! Invariant: with the number that is returned, running out of files while accepting is out of reach, unless the limit
//! is so low that not even the fewest connections fit under it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that the process needs besides connections: log, pollers, listeners, libraries.
const OWN_FILES: u64 = 32;

/// The server starts with this many connections even if the limit is lower.
const FEWEST_CONNECTIONS: usize = 8;

/// Raises the limit of open files as far as it is allowed, and returns how many connections fit under it besides
/// `other_files` (the files of bucket connections): `wanted`, or fewer.
#[must_use]
pub fn clamp_connections(wanted: usize, other_files: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // If it is not allowed to be raised, it is what it was.
    let _ = setrlimit(Resource::Nofile, raised);
    connections_under(getrlimit(Resource::Nofile).current, wanted, other_files)
}

fn connections_under(limit: Option<u64>, wanted: usize, other_files: usize) -> usize {
    let Some(limit) = limit else { return wanted };
    let free = limit.saturating_sub(OWN_FILES).saturating_sub(other_files as u64);
    usize::try_from(free).unwrap_or(usize::MAX).clamp(FEWEST_CONNECTIONS.min(wanted), wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_get_what_files_leave() {
        assert_eq!(connections_under(None, 100, 10), 100);
        assert_eq!(connections_under(Some(1024), 100, 10), 100);
        assert_eq!(connections_under(Some(100), 1000, 10), 58);
        assert_eq!(connections_under(Some(16), 1000, 10), 8);
        assert_eq!(connections_under(Some(1024), 4, 10), 4);
    }
}
