//! Sockets that the service manager has bound for us (`sd_listen_fds(3)`). They stay open while the program is restarted, so
//! that no connection is refused meanwhile.
//!
//! Invariant: every socket that was passed is either used or named in an error.

use std::env;
use std::io;
use std::os::fd::OwnedFd;

use listenfd::ListenFd;

use crate::http::Listener;

/// The names (`FileDescriptorName=`) of the sockets: those of the sections of the settings.
const PUBLIC: &str = "http";
const ADMIN: &str = "admin";

/// The sockets that were passed, by what they are for.
#[derive(Debug, Default)]
pub struct InheritedSockets {
    /// For the public listener.
    pub public: Vec<Listener>,
    /// For the listener of operators.
    pub admin: Vec<Listener>,
}

impl InheritedSockets {
    /// Takes the sockets that were passed. To be called once, before there is a second thread: it takes them out of the
    /// environment too.
    ///
    /// # Errors
    /// If one has a name that stands for nothing, or is not a listening stream socket.
    pub fn take() -> io::Result<Self> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = ListenFd::from_env();
        let mut sockets = Self::default();
        for number in 0..passed.len() {
            // Other programs that pass sockets, as `systemfd` does, give them no names.
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or(PUBLIC);
            let listener = take(&mut passed, number).map_err(|error| {
                let advice = "a socket unit needs ListenStream= and Accept=no";
                io::Error::new(
                    error.kind(),
                    format!("the socket {name:?} that was passed cannot be used: {error}; {advice}"),
                )
            })?;
            match name {
                PUBLIC => sockets.public.push(listener),
                ADMIN => sockets.admin.push(listener),
                other => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        format!(
                            "a socket of the name {other:?} was passed: set FileDescriptorName={PUBLIC} (the public \
                             listener) or FileDescriptorName={ADMIN} in the [Socket] section of its unit"
                        ),
                    ));
                }
            }
        }
        Ok(sockets)
    }
}

fn take(passed: &mut ListenFd, number: usize) -> io::Result<Listener> {
    let socket = match passed.take_tcp_listener(number) {
        Ok(tcp) => tcp.map(OwnedFd::from),
        // It stays where it is.
        Err(_) => passed.take_unix_listener(number)?.map(OwnedFd::from),
    };
    let taken_already = || io::Error::new(io::ErrorKind::NotFound, "it was taken already");
    Listener::inherited(socket.ok_or_else(taken_already)?)
}
