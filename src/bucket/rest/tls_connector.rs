//! `rustls` under `ureq`: the step of a connection that follows TCP.
//!
//! Invariant: all connections of a database use one configuration, so that none of them loads authorities and each can
//! take up a session of another. (`ureq`'s own step makes a configuration for each client that sets timeouts by
//! request, as ours do, and panics on a certificate that does not fit its key.)

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use ureq::Error;
use ureq::unversioned::transport::time::{Duration as Span, Instant as Moment};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use crate::bucket::remote::tls::Tls;

/// Puts TLS on connections to `https://`, and leaves the others as they are.
#[derive(Debug)]
pub struct TlsConnector(Arc<Tls>);

impl TlsConnector {
    /// Dials with whatever configuration holds at that moment.
    #[must_use]
    pub fn new(tls: Arc<Tls>) -> Self {
        Self(tls)
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport<In>>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        let Some(configuration) = self.0.current().filter(|_| details.needs_tls()) else {
            return Ok(Some(Either::A(transport)));
        };
        let host = details.uri.host().ok_or(Error::HostNotFound)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| Error::Tls("the host cannot stand in a certificate"))?;
        let connection = ClientConnection::new(Arc::clone(&configuration.rustls), name).map_err(wrapped)?;
        let mut socket = TransportAdapter::new(transport, Arc::clone(&details.current_time));
        socket.set_timeout(left_for_handshake(details));
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        let mut transport = TlsTransport { connection, socket, buffers };
        transport.connection.complete_io(&mut transport.socket)?;
        Ok(Some(Either::B(transport)))
    }
}

/// What TCP left of the time for connecting.
fn left_for_handshake(details: &ConnectionDetails) -> NextTimeout {
    let spent = match ((details.current_time)(), details.now) {
        (Moment::Exact(now), Moment::Exact(start)) => now.saturating_duration_since(start),
        _ => Duration::ZERO,
    };
    let after = match details.timeout.after {
        Span::Exact(limit) => Span::Exact(limit.saturating_sub(spent)),
        never @ Span::NotHappening => never,
    };
    NextTimeout { after, ..details.timeout }
}

/// A connection with TLS on it.
pub struct TlsTransport<In: Transport> {
    connection: ClientConnection,
    socket: TransportAdapter<In>,
    buffers: LazyBuffers,
}

impl<In: Transport> TlsTransport<In> {
    fn send(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut self.socket)? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Error> {
        self.connection.read_tls(&mut self.socket)?;
        self.connection.process_new_packets().map(drop).map_err(|error| {
            // Says to the other side why, if it can still be told.
            let _ = self.send();
            wrapped(error)
        })
    }

    /// A server that refuses us after its handshake says why and closes: a write may find the connection closed before
    /// anybody has read the reason.
    fn reason_for(&mut self, broken: io::Error) -> Error {
        let broken = Error::from(broken);
        if matches!(broken, Error::Timeout(_)) {
            return broken;
        }
        match self.receive() {
            Err(reason) if cause(&reason).is_some() => reason,
            _ => broken,
        }
    }
}

impl<In: Transport> Transport for TlsTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.socket.set_timeout(timeout);
        let mut sent = 0;
        while sent < amount {
            sent += self.connection.writer().write(&self.buffers.output()[sent..amount])?;
            if let Err(error) = self.send() {
                return Err(self.reason_for(error));
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.socket.set_timeout(timeout);
        loop {
            match self.connection.reader().read(self.buffers.input_append_buf()) {
                Ok(bytes) => {
                    self.buffers.input_appended(bytes);
                    return Ok(bytes > 0);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            self.send()?;
            self.receive()?;
        }
    }

    fn is_open(&mut self) -> bool {
        self.socket.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl<In: Transport> fmt::Debug for TlsTransport<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").field("over", &self.socket.get_ref()).finish_non_exhaustive()
    }
}

/// The failure of TLS that a failure of `ureq` is, if it is one. It comes inside a failed read or write.
#[must_use]
pub fn cause(error: &Error) -> Option<&rustls::Error> {
    let Error::Io(error) = error else { return None };
    error.get_ref()?.downcast_ref()
}

fn wrapped(error: rustls::Error) -> Error {
    Error::Io(io::Error::new(ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_tls_is_found_in_a_failed_read() {
        let inner = rustls::Error::HandshakeNotComplete;
        let wrapped = Error::Io(io::Error::new(io::ErrorKind::InvalidData, inner.clone()));
        assert_eq!(cause(&wrapped), Some(&inner));
        assert_eq!(cause(&Error::Io(io::ErrorKind::InvalidData.into())), None);
        assert_eq!(cause(&Error::HostNotFound), None);
    }
}
