//! TLS in front of a port of the double, as a server ends it: what comes decrypted goes on, and back.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::{HandshakeKind, ServerConfig, ServerConnection};

use super::lock;

/// How long a client may take to close after it was refused.
const LINGER: Duration = Duration::from_secs(5);

/// A port with TLS. Dropping it closes it, once those who are connected have gone.
pub struct Front {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    target: SocketAddr,
    config: Mutex<Arc<ServerConfig>>,
    is_stopped: AtomicBool,
    full: AtomicUsize,
    resumed: AtomicUsize,
}

/// How many handshakes there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshakes {
    /// With certificates.
    pub full: usize,
    /// That took a session up again.
    pub resumed: usize,
}

impl Front {
    /// Opens a free port of 127.0.0.1 in front of `target`.
    pub fn open(target: SocketAddr, config: Arc<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            target,
            config: Mutex::new(config),
            is_stopped: AtomicBool::new(false),
            full: AtomicUsize::new(0),
            resumed: AtomicUsize::new(0),
        });
        let its_own = Arc::clone(&shared);
        let accept = move || {
            for stream in listener.incoming() {
                if its_own.is_stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&its_own)) else { continue };
                let converse = move || {
                    // A client that goes away in the middle is no matter of ours.
                    let _ = shared.converse(&stream);
                    let _ = stream.shutdown(Shutdown::Write);
                    // What it still sends is read, so that no reset destroys the last words.
                    let _ = stream.set_read_timeout(Some(LINGER));
                    let _ = std::io::copy(&mut (&stream), &mut std::io::sink());
                };
                drop(Builder::new().name("double-tls".to_owned()).spawn(converse));
            }
        };
        Builder::new().name("double-tls".to_owned()).spawn(accept).expect("a thread");
        Self { shared, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows another certificate to those who connect from now on, and forgets all sessions.
    pub fn set_config(&self, config: Arc<ServerConfig>) {
        *lock(&self.shared.config) = config;
    }

    /// The handshakes that were completed so far.
    pub fn handshakes(&self) -> Handshakes {
        Handshakes {
            full: self.shared.full.load(Ordering::Relaxed),
            resumed: self.shared.resumed.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn converse(&self, mut client: &TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        let config = Arc::clone(&lock(&self.config));
        let mut tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut client)?;
        }
        match tls.handshake_kind() {
            Some(HandshakeKind::Resumed) => self.resumed.fetch_add(1, Ordering::Relaxed),
            _ => self.full.fetch_add(1, Ordering::Relaxed),
        };
        let mut inner = TcpStream::connect(self.target)?;
        inner.set_nodelay(true)?;
        let mut buffer = vec![0; 16 * 1024];
        let mut is_end = false;
        loop {
            while tls.wants_write() {
                tls.write_tls(&mut client)?;
            }
            // Some of it may have come with the end of the handshake.
            let state = tls.process_new_packets().map_err(std::io::Error::other)?;
            let mut text = vec![0; state.plaintext_bytes_to_read()];
            tls.reader().read_exact(&mut text)?;
            inner.write_all(&text)?;
            if is_end || state.peer_has_closed() {
                return Ok(());
            }
            let [from_client, from_inner] = readable(client, &inner)?;
            if from_client {
                is_end = tls.read_tls(&mut client)? == 0;
            }
            if from_inner {
                let bytes = inner.read(&mut buffer)?;
                if bytes == 0 {
                    tls.send_close_notify();
                    tls.write_tls(&mut client)?;
                    return Ok(());
                }
                tls.writer().write_all(&buffer[..bytes])?;
            }
        }
    }
}

/// Waits until there is something to read on either.
fn readable(one: &TcpStream, other: &TcpStream) -> std::io::Result<[bool; 2]> {
    let mut both = [PollFd::new(one, PollFlags::IN), PollFd::new(other, PollFlags::IN)];
    poll(&mut both, None::<&Timespec>)?;
    Ok([!both[0].revents().is_empty(), !both[1].revents().is_empty()])
}
