//! A request as one write, where `ureq` makes two: one for its head, one for its body.
//!
//! Each write wakes the peer's thread and costs a segment on the way; for requests as short as ours that is a good part
//! of an exchange.
//!
//! Invariant: bytes go out in their order, all of them before an answer is waited for, and are wiped here once they did.

use std::fmt;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use zeroize::{Zeroize, Zeroizing};

/// Wraps what the connectors before it have opened.
#[derive(Debug)]
pub struct Coalesce;

impl<In: Transport> Connector<In> for Coalesce {
    type Out = Coalescing<In>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| Coalescing::new(inner, details.config.output_buffer_size())))
    }
}

/// A connection that holds output back until input is waited for, or until there is more of it than it has room for.
pub struct Coalescing<T> {
    inner: T,
    /// Never grows beyond its first capacity, so that no copy of it is left anywhere. It holds the login.
    held: Zeroizing<Vec<u8>>,
}

impl<T: Transport> Coalescing<T> {
    fn new(inner: T, room: usize) -> Self {
        Self { inner, held: Zeroizing::new(Vec::with_capacity(room)) }
    }

    fn flush(&mut self, timeout: NextTimeout) -> Result<(), Error> {
        let outcome = send(&mut self.inner, &self.held, timeout);
        self.held.as_mut_slice().zeroize();
        self.held.clear();
        outcome
    }
}

fn send(inner: &mut impl Transport, bytes: &[u8], timeout: NextTimeout) -> Result<(), Error> {
    if bytes.is_empty() {
        return Ok(());
    }
    inner.buffers().output()[..bytes.len()].copy_from_slice(bytes);
    let outcome = inner.transmit_output(bytes.len(), timeout);
    inner.buffers().output()[..bytes.len()].zeroize();
    outcome
}

impl<T: Transport> Transport for Coalescing<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let output = self.inner.buffers().output();
        let room = self.held.capacity().min(output.len());
        if self.held.len() + amount <= room {
            self.held.extend_from_slice(&output[..amount]);
            output[..amount].zeroize();
            return Ok(());
        }
        // The buffer holds what comes next, and what is held has to go out first.
        let next = Zeroizing::new(output[..amount].to_vec());
        self.flush(timeout)?;
        send(&mut self.inner, &next, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.flush(timeout)?;
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Without the bytes.
impl<T> fmt::Debug for Coalescing<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Coalescing").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::unversioned::transport::LazyBuffers;

    const ROOM: usize = 8;

    /// Records each write, and an empty one for each time that input is waited for.
    #[derive(Debug)]
    struct Recorder {
        buffers: LazyBuffers,
        writes: Vec<Vec<u8>>,
    }

    impl Transport for Recorder {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
            let bytes = self.buffers.output()[..amount].to_vec();
            self.writes.push(bytes);
            Ok(())
        }

        fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
            self.writes.push(Vec::new());
            Ok(true)
        }

        fn is_open(&mut self) -> bool {
            true
        }
    }

    /// What goes out when these pieces are sent one after the other, each list before an answer is waited for.
    fn written(requests: &[&[&str]]) -> Vec<String> {
        let inner = Recorder { buffers: LazyBuffers::new(ROOM, ROOM), writes: Vec::new() };
        let mut transport = Coalescing::new(inner, ROOM);
        for request in requests {
            for piece in *request {
                transport.buffers().output()[..piece.len()].copy_from_slice(piece.as_bytes());
                transport.transmit_output(piece.len(), NextTimeout::default()).unwrap();
            }
            transport.await_input(NextTimeout::default()).unwrap();
        }
        assert_eq!(transport.held.capacity(), ROOM);
        assert_eq!(transport.inner.buffers.output(), [0; ROOM], "the last bytes were not wiped");
        transport.inner.writes.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect()
    }

    #[test]
    fn what_has_room_goes_out_as_one_and_nothing_changes_its_place() {
        for (requests, expected) in [
            (&[&["head", "body"][..]][..], &["headbody", ""][..]),
            (&[&["head"], &["a", "b"]], &["head", "", "ab", ""]),
            (&[&["head", "-body"]], &["head", "-body", ""]),
            (&[&["head", "-body", "", "x"]], &["head", "-body", "x", ""]),
            (&[&["12345678", "12345678", "9"]], &["12345678", "12345678", "9", ""]),
            (&[&[], &[""]], &["", ""]),
        ] {
            assert_eq!(written(requests), expected, "{requests:?}");
        }
    }
}
