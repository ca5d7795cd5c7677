//! The sockets on which connections are accepted: bound once, at the start, by this process or by a service manager.
//!
//! Invariant: a bound listener is non-blocking, and so is every stream that it accepts.

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::sockopt::socket_acceptconn;
use rustix::process::umask;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::config::ListenAddress;
use crate::files::FileIdentity;

/// How many connections the operating system keeps ready for `accept`.
const BACKLOG: i32 = 4096;

/// A listening socket, TCP or unix.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    owner: Owner,
}

/// Who has bound a socket, and ends it.
#[derive(Debug)]
enum Owner {
    /// This process, with the file of a unix socket.
    Process { _file: Option<SocketFile> },
    /// The service manager, which keeps it open.
    ServiceManager,
}

/// The file of a unix socket. Dropping this removes it, unless it is another one's by then.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: FileIdentity,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: Self::identity(path)? })
    }

    fn identity(path: &Path) -> io::Result<FileIdentity> {
        fs::symlink_metadata(path).map(|metadata| FileIdentity::of(&metadata))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A successor may have bound its own under the name. Nothing is lost if it cannot be removed: the next start
        // removes a dead socket.
        if Self::identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What became of one listen address.
#[derive(Debug)]
pub struct Bound {
    /// A socket for each address that this machine has.
    pub listeners: Vec<Listener>,
    /// Addresses of a name that this machine lacks, such as `[::1]` where IPv6 is off, with the system's words.
    pub skipped: Vec<(SocketAddr, io::Error)>,
}

/// Binds one listen address. A name can have several addresses, each of which gets a socket.
///
/// # Errors
/// The operating system's error, with the address and what to do.
pub fn bind(address: &ListenAddress, unix_mode: u32) -> io::Result<Bound> {
    match address {
        ListenAddress::Tcp(text) => bind_tcp(text),
        ListenAddress::Unix(path) => {
            bind_unix(path, unix_mode).map(|listener| Bound { listeners: vec![listener], skipped: Vec::new() })
        }
    }
}

fn bind_tcp(text: &str) -> io::Result<Bound> {
    let with_advice = |error: io::Error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "another program listens there; stop it, or choose another address",
            io::ErrorKind::AddrNotAvailable => "this machine has no such address; `ip address` lists those that it has",
            io::ErrorKind::PermissionDenied => "ports below 1024 need CAP_NET_BIND_SERVICE",
            _ => "write it as ADDRESS:PORT",
        };
        io::Error::new(error.kind(), format!("cannot listen on {text}: {error}; {advice}"))
    };
    let mut bound = Bound { listeners: Vec::new(), skipped: Vec::new() };
    for address in text.to_socket_addrs().map_err(with_advice)? {
        match listen_tcp(address) {
            Ok(listener) => bound.listeners.push(listener),
            Err(error) if is_missing(&error) => bound.skipped.push((address, error)),
            Err(error) => return Err(with_advice(error)),
        }
    }
    match bound.skipped.pop() {
        Some((_, error)) if bound.listeners.is_empty() => Err(with_advice(error)),
        last => {
            bound.skipped.extend(last);
            Ok(bound)
        }
    }
}

/// True if this machine lacks the address, or speaks no protocol of its kind.
fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || Errno::from_io_error(error).is_some_and(|number| number == Errno::AFNOSUPPORT)
}

fn listen_tcp(address: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server must not wait for the last connections of its predecessor to be forgotten.
    socket.set_reuse_address(true)?;
    if let SocketAddr::V6(v6) = address {
        // `[::]` is every address of the machine, of either family, whatever the system's default is.
        socket.set_only_v6(!v6.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(Listener { socket, owner: Owner::Process { _file: None } })
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<Listener> {
    let with_advice = |error: io::Error| {
        let advice = match error.kind() {
            io::ErrorKind::NotFound => "; make its folder, or name a socket in a folder that exists",
            io::ErrorKind::PermissionDenied => "; let this program write to its folder",
            _ => "",
        };
        io::Error::new(error.kind(), format!("cannot listen on unix:{}: {error}{advice}", path.display()))
    };
    remove_dead_socket(path).map_err(with_advice)?;
    // Not for a moment may it be open to more than `mode` says. Nothing else makes files while the addresses are bound.
    let others = umask(Mode::from_raw_mode(!mode & 0o777));
    let bound = UnixListener::bind(path);
    umask(others);
    let listener = bound.map_err(with_advice)?;
    let file = SocketFile::of(path).map_err(with_advice)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(with_advice)?;
    listener.set_nonblocking(true)?;
    Ok(Listener { socket: OwnedFd::from(listener).into(), owner: Owner::Process { _file: Some(file) } })
}

/// Removes the socket of a server that was killed. A socket on which another process accepts is left alone, and so is a
/// file of another kind.
fn remove_dead_socket(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name, and it is not a socket"))
        }
        Ok(_) => match connect_at_once(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            // Whoever listens there may be too busy to accept.
            Ok(()) | Err(_) => {
                Err(io::Error::new(io::ErrorKind::AddrInUse, "another program listens there; stop it first"))
            }
        },
    }
}

/// Connects without waiting: a listener whose queue is full would let us wait for ever.
fn connect_at_once(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

impl Listener {
    /// Takes over a listening socket of a service manager. It is left as it is found when the listener is dropped.
    ///
    /// # Errors
    /// If it is not listening.
    pub fn inherited(socket: OwnedFd) -> io::Result<Self> {
        if !socket_acceptconn(&socket)? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
        }
        let socket = Socket::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self { socket, owner: Owner::ServiceManager })
    }

    /// Returns true if connections can wait in its queue after this process has ended.
    #[must_use]
    pub fn outlives_process(&self) -> bool {
        matches!(self.owner, Owner::ServiceManager)
    }

    /// Accepts one connection that is ready. The client's address is `None` on a unix socket.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; else see `accept(2)`.
    pub fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        let (stream, peer) = self.socket.accept()?;
        ioctl_fionbio(&stream, true)?;
        let peer = peer.as_socket();
        if peer.is_some() {
            // Answers are one `write` each: there is nothing that waiting could join them with. It can only fail if the
            // peer is gone again, which whoever reads will see.
            let _ = stream.set_tcp_nodelay(true);
        }
        Ok((stream, peer))
    }

    /// Returns where it listens, with the port that the operating system chose.
    #[must_use]
    pub fn address(&self) -> ListenAddress {
        let address = self.socket.local_addr().ok();
        let tcp = address.as_ref().and_then(SockAddr::as_socket);
        match (tcp, address.as_ref().and_then(SockAddr::as_pathname)) {
            (Some(address), _) => ListenAddress::Tcp(address.to_string()),
            (None, Some(path)) => ListenAddress::Unix(path.to_owned()),
            // A unix socket without a file: there is nothing to connect to by a path.
            (None, None) => ListenAddress::Tcp("?".to_owned()),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
