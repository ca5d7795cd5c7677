//! One listening port of the double: its connections, one thread each, and what is counted about them.
//!
//! Invariant: nothing is kept of a connection that has ended but its counts, so a port can serve any number of them. A
//! handle of an ended thread would keep the thread's stack mapped.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::behaviour::Script;
use super::http::{Request, Requests};
use super::lock;

/// What is done about a request.
pub struct Action {
    /// Sent at once.
    pub bytes: Vec<u8>,
    /// And after that.
    pub then: Then,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next request.
    Keep,
    /// It is closed.
    Close,
    /// It is reset.
    Reset,
    /// Nothing happens until the client closes it.
    Freeze,
}

/// A handler gets a request and which one it is on its connection, counted from 0.
type Handler = dyn Fn(&Request, usize) -> Action + Send + Sync;

/// What was seen on a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortCounts {
    /// Connections that were accepted.
    pub connections: usize,
    /// Of these, open now.
    pub open: usize,
    /// The most that the other side had open at once: one that it has closed is not counted, even if nobody here has
    /// noticed yet.
    pub most_open: usize,
    /// Requests on each connection, in the order of their acceptance.
    pub requests: Vec<usize>,
    /// Requests that came before the one before was answered.
    pub overlapping: usize,
    /// Requests that are being worked on now: read, and no byte of an answer sent.
    pub in_work: usize,
    /// The most that were worked on at once.
    pub most_in_work: usize,
}

impl PortCounts {
    /// All requests.
    pub fn all_requests(&self) -> usize {
        self.requests.iter().sum()
    }
}

/// A port that can be closed and opened again.
pub struct Port {
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    name: &'static str,
    address: SocketAddr,
    handler: Box<Handler>,
    script: Arc<Script>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn count(&self, change: impl FnOnce(&mut PortCounts)) {
        change(&mut lock(&self.state).counts);
        self.script.notify();
    }
}

struct State {
    wanted: Mode,
    actual: Mode,
    /// The far ends of connections that we made ourselves to wake the accepting thread.
    wakers: HashSet<SocketAddr>,
    counts: PortCounts,
    streams: HashMap<usize, TcpStream>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// As a server should.
    Accepting,
    /// It listens, so that clients can connect, and never accepts.
    Deaf,
    /// Nobody listens: connections are refused.
    Closed,
    /// It is over.
    Stopped,
}

impl Port {
    pub fn open(
        name: &'static str,
        script: Arc<Script>,
        handler: impl Fn(&Request, usize) -> Action + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = State {
            wanted: Mode::Accepting,
            actual: Mode::Accepting,
            wakers: HashSet::new(),
            counts: PortCounts::default(),
            streams: HashMap::new(),
        };
        let shared = Arc::new(Shared {
            name,
            address,
            handler: Box::new(handler),
            script,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let its_own = Arc::clone(&shared);
        let thread = Builder::new().name(name.to_owned()).spawn(move || accept(&its_own, listener)).expect("a thread");
        Self { shared, accepting: Mutex::new(Some(thread)) }
    }

    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    pub fn counts(&self) -> PortCounts {
        lock(&self.shared.state).counts.clone()
    }

    /// Closes the listener and all connections: from now on connections are refused.
    pub fn close(&self) {
        self.switch(Mode::Closed);
        self.close_connections();
    }

    /// Listens again on the same port, or accepts again.
    pub fn reopen(&self) {
        self.switch(Mode::Accepting);
    }

    /// Stops accepting: clients can connect and send, and nobody reads.
    pub fn go_deaf(&self) {
        self.switch(Mode::Deaf);
    }

    /// Closes the connections that are open now; new ones are welcome.
    pub fn close_connections(&self) {
        for stream in lock(&self.shared.state).streams.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn stop(&self) {
        self.switch(Mode::Stopped);
        if let Some(thread) = lock(&self.accepting).take() {
            let _ = thread.join();
        }
        self.close_connections();
        let state = lock(&self.shared.state);
        let is_serving = |state: &mut State| state.counts.open > 0;
        drop(self.shared.changed.wait_while(state, is_serving).unwrap_or_else(PoisonError::into_inner));
    }

    /// Sets the mode and waits until it is in force.
    fn switch(&self, mode: Mode) {
        let mut state = lock(&self.shared.state);
        if state.actual == Mode::Accepting && mode != Mode::Accepting {
            // The thread may stand in `accept`. The lock keeps it from looking at the connection before it is noted.
            if let Ok(waker) = TcpStream::connect_timeout(&self.shared.address, Duration::from_secs(5)) {
                state.wakers.extend(waker.local_addr());
            }
        }
        state.wanted = mode;
        self.shared.changed.notify_all();
        let is_pending = |state: &mut State| state.actual != mode;
        drop(self.shared.changed.wait_while(state, is_pending).unwrap_or_else(PoisonError::into_inner));
    }
}

/// The accepting thread: holds the listener, and does what the mode says.
fn accept(shared: &Arc<Shared>, listener: TcpListener) {
    let mut listener = Some(listener);
    loop {
        match obey(shared, &mut listener) {
            Mode::Stopped => return,
            Mode::Accepting => {}
            Mode::Deaf | Mode::Closed => continue,
        }
        let Some(Ok((stream, peer))) = listener.as_ref().map(TcpListener::accept) else { continue };
        let mut state = lock(&shared.state);
        if state.wakers.remove(&peer) {
            continue;
        }
        serve(shared, &mut state, stream);
    }
}

/// Brings about the wanted mode; waits while there is nothing to accept.
fn obey(shared: &Shared, listener: &mut Option<TcpListener>) -> Mode {
    let mut state = lock(&shared.state);
    if state.actual == state.wanted && state.actual != Mode::Accepting {
        let is_same = |state: &mut State| state.actual == state.wanted;
        state = shared.changed.wait_while(state, is_same).unwrap_or_else(PoisonError::into_inner);
    }
    match state.wanted {
        Mode::Closed | Mode::Stopped => {
            *listener = None;
            state.wakers.clear();
        }
        Mode::Accepting | Mode::Deaf if listener.is_none() => {
            *listener = Some(TcpListener::bind(shared.address).expect("the port that it had"));
        }
        Mode::Accepting | Mode::Deaf => {}
    }
    state.actual = state.wanted;
    shared.changed.notify_all();
    state.actual
}

fn serve(shared: &Arc<Shared>, state: &mut State, stream: TcpStream) {
    let Ok(handle) = stream.try_clone() else { return };
    let number = state.counts.connections;
    state.counts.connections += 1;
    state.counts.open += 1;
    state.counts.requests.push(0);
    state.streams.insert(number, handle);
    let open = state.streams.values().filter(|stream| !is_closed_by_peer(stream)).count();
    state.counts.most_open = state.counts.most_open.max(open);
    let its_own = Arc::clone(shared);
    let name = format!("{}-{number}", shared.name);
    let thread = Builder::new().name(name).spawn(move || {
        let open = Open { shared: &its_own, stream: Some(stream), number };
        open.stream.iter().for_each(|stream| converse(&its_own, stream, number));
    });
    if let Err(error) = thread {
        eprintln!("{}: no thread for connection {number}: {error}", shared.name);
        state.forget(number);
    }
}

/// A connection that is being served. Dropping it ends it, also when its thread panics.
struct Open<'a> {
    shared: &'a Shared,
    stream: Option<TcpStream>,
    number: usize,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.forget(self.number);
        // Closed while the lock is held, so that who sees the count sees the end of the connection too.
        self.stream = None;
        drop(state);
        self.shared.changed.notify_all();
        self.shared.script.notify();
    }
}

impl State {
    fn forget(&mut self, number: usize) {
        self.streams.remove(&number);
        self.counts.open -= 1;
    }
}

/// Looks without taking anything out, and without waiting.
fn is_closed_by_peer(stream: &TcpStream) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    match rustix::net::recv(stream, &mut [0_u8; 1][..], flags) {
        Ok((_, bytes)) => bytes == 0,
        Err(error) => error != Errno::AGAIN,
    }
}

/// One connection, request by request.
fn converse(shared: &Shared, mut stream: &TcpStream, number: usize) {
    let _ = stream.set_nodelay(true);
    let mut requests = Requests::new(stream);
    for turn in 0.. {
        let request = match requests.next() {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(error) => {
                if error.kind() == std::io::ErrorKind::InvalidData {
                    shared.script.violation(format!("{}: {error}", shared.name));
                }
                return;
            }
        };
        shared.count(|counts| {
            counts.requests[number] += 1;
            counts.in_work += 1;
            counts.most_in_work = counts.most_in_work.max(counts.in_work);
        });
        let action = (shared.handler)(&request, turn);
        let overlapping = usize::from(requests.has_more());
        // Before the answer goes out: the client may ask again at once.
        shared.count(|counts| {
            counts.in_work -= 1;
            counts.overlapping += overlapping;
        });
        if stream.write_all(&action.bytes).is_err() {
            return;
        }
        match action.then {
            Then::Keep => {}
            Then::Close => {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Then::Reset => {
                let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
                return;
            }
            Then::Freeze => {
                requests.wait_for_close();
                return;
            }
        }
    }
}
