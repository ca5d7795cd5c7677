//! Waiting for sockets to become ready.
//!
//! Invariant: a socket is watched from [`Watched::new`] until it is dropped, when the poller forgets it first. Each
//! readiness is returned once; the next one only after [`Watched::arm`].
//!
//! On Linux this is `epoll` itself, one system call a wait. Elsewhere it is the `polling` crate, which would do on Linux
//! too: with four more system calls a wait, which is a fifth of a request when there is one client.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;

#[cfg(target_os = "linux")]
pub use epoll::{Poller, Ready};
#[cfg(not(target_os = "linux"))]
pub use portable::{Poller, Ready};

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// What a socket is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read, or connections to accept.
    Read,
    /// Room for bytes to write.
    Write,
}

/// A socket that a poller watches under a key.
#[derive(Debug)]
pub struct Watched<S: AsFd> {
    socket: S,
    key: usize,
    poller: Arc<Poller>,
}

impl<S: AsFd> Watched<S> {
    /// Has the poller watch a socket.
    ///
    /// # Errors
    /// If the operating system cannot watch one more.
    pub fn new(socket: S, key: usize, interest: Interest, poller: &Arc<Poller>) -> io::Result<Self> {
        poller.add(socket.as_fd(), key, interest)?;
        Ok(Self { socket, key, poller: Arc::clone(poller) })
    }

    /// Has the poller return the socket once, when it becomes ready or if it is so already.
    ///
    /// # Errors
    /// Only if the operating system has no memory for it.
    pub fn arm(&self, interest: Interest) -> io::Result<()> {
        self.poller.arm(self.socket.as_fd(), self.key, interest)
    }

    /// Returns the socket.
    #[must_use]
    pub fn socket(&self) -> &S {
        &self.socket
    }
}

impl<S: AsFd> Drop for Watched<S> {
    fn drop(&mut self) {
        self.poller.forget(self.socket.as_fd());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;

    const NONE: [usize; 0] = [];

    /// The same life of a socket, on either implementation.
    macro_rules! returns_each_readiness_once {
        ($implementation:ident) => {
            let poller = $implementation::Poller::new().unwrap();
            let mut ready = $implementation::Ready::of(8);
            let mut keys = |timeout_ms| {
                poller.wait(&mut ready, Some(Duration::from_millis(timeout_ms))).unwrap();
                ready.keys().collect::<Vec<usize>>()
            };
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            poller.add(ours.as_fd(), 7, Interest::Read).unwrap();
            assert_eq!(keys(0), NONE);
            theirs.write_all(b"x").unwrap();
            assert_eq!(keys(5000), [7]);
            assert_eq!(keys(0), NONE, "it is returned once");
            poller.arm(ours.as_fd(), 7, Interest::Read).unwrap();
            assert_eq!(keys(5000), [7], "it is so already");
            poller.arm(ours.as_fd(), 7, Interest::Write).unwrap();
            assert_eq!(keys(5000), [7]);
            assert_eq!(keys(0), NONE);
            poller.notify();
            assert_eq!(keys(60_000), NONE, "a notification ends a wait, and has no key");
            assert_eq!(keys(0), NONE);
            poller.arm(ours.as_fd(), 7, Interest::Read).unwrap();
            poller.forget(ours.as_fd());
            assert_eq!(keys(0), NONE);
        };
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn epoll_returns_each_readiness_once() {
        returns_each_readiness_once!(epoll);
    }

    #[test]
    fn the_portable_poller_returns_each_readiness_once() {
        returns_each_readiness_once!(portable);
    }
}
