//! A running listener: what its threads share, how it starts and how it ends.
//!
//! Invariant: once [`Server::start`] has returned, its addresses are bound and answered; once
//! [`Server::finish_drain`] has returned, every request that had been sent completely was answered, or was told that there will be no answer.

mod admission;
mod drain;
mod lookout;
mod responder;
mod watcher;
mod worker;

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};

use self::admission::Lane;
use self::drain::{Drain, InFlight, LAST_WORDS};
use self::lookout::Lookout;
use self::responder::REQUEST_ID_FIELD;
use self::watcher::Watcher;
use self::worker::Worker;
use crate::clock::{self, Deadline};
use crate::http::Service;
use crate::http::connection::Expiry;
use crate::http::limits::Limits;
use crate::http::message::head::Head;
use crate::http::net::Listener;
use crate::http::net::poll::Poller;
use crate::http::net::table::{Table, Wire};
use crate::observe::{Observation, Observer};
use crate::threads::spawn_vital;

/// Workers that look, for each processor: while one of two is in a handler, the other one looks (measured: 4 on two
/// processors answer a tenth more than 2 or 16).
const LOOKING_PER_PROCESSOR: usize = 2;

/// What the threads of one listener share.
pub struct Shared {
    pub service: Service,
    pub limits: Limits,
    /// The fields that are read from a request: the handler's and the listener's own.
    pub reads: Vec<&'static str>,
    pub observer: Observer,
    /// Where the watcher waits.
    pub watch: Arc<Poller>,
    /// Where the workers wait, for connections that become ready and for jobs.
    pub poller: Arc<Poller>,
    pub lookout: Lookout,
    pub table: Arc<Table>,
    pub lane: Lane<LaneRequest>,
    /// Holds each connection once at the most, so it needs no bound of its own.
    jobs: (Sender<Job>, Receiver<Job>),
    drain: OnceLock<Drain>,
    watcher_is_done: (Mutex<bool>, Condvar),
}

/// What a worker is given to do.
pub enum Job {
    /// There is something to read, or room to write; a worker was told so then.
    Ready { wire: Box<Wire>, since: Instant },
    /// Its turn in the lane has come.
    Admitted(LaneRequest),
    /// It stood in line for too long.
    Overdue(LaneRequest),
    /// Its head was not finished in time.
    HeadExpired(Box<Wire>),
    /// There is nothing left to do.
    Stop,
}

/// A request that wants into the lane, with its connection.
pub struct LaneRequest {
    pub wire: Box<Wire>,
    pub head: Head,
    pub since: Instant,
}

/// How many threads a listener has.
#[derive(Clone, Copy, Debug)]
pub struct Workforce {
    /// What its threads are named after.
    pub name: &'static str,
    /// Threads that handle requests.
    pub workers: usize,
    /// How many of them may wait for a database at once; fewer than all of them.
    pub may_wait: usize,
}

impl Workforce {
    /// `workers` threads, two at the least, of which an eighth, and one at the least, never waits for a database.
    #[must_use]
    pub fn new(name: &'static str, workers: usize) -> Self {
        let workers = workers.max(2);
        let kept_free = (workers / 8).max(1);
        Self { name, workers, may_wait: workers - kept_free }
    }
}

/// A running listener.
pub struct Server {
    shared: Arc<Shared>,
    workforce: Workforce,
    in_flight: Vec<Arc<InFlight>>,
    addresses: Vec<String>,
}

impl Shared {
    /// Gives a job to the next worker that looks for one.
    pub fn send(&self, job: Job) {
        // It cannot fail: the receiver lives in here as well.
        let _ = self.jobs.0.send(job);
        self.poller.notify();
    }

    /// A job, if there is one.
    pub fn next_job(&self) -> Option<Job> {
        let job = self.jobs.1.try_recv().ok()?;
        // Several notifications are told as one.
        self.tell_of_jobs();
        Some(job)
    }

    /// Lets another worker know if there is something to do.
    pub fn tell_of_jobs(&self) {
        if self.has_jobs() {
            self.poller.notify();
        }
    }

    /// Ends what is overdue, or has a worker say that it ends.
    pub fn expire(&self, wire: Box<Wire>, now: Instant) {
        match wire.connection.expiry() {
            // What came at the last moment before the end is still answered.
            Expiry::Quietly if self.drain_end().is_some() && wire.connection.is_between_requests() => {
                self.send(Job::Ready { wire, since: now });
            }
            Expiry::Quietly => {}
            Expiry::WithTimeout => self.send(Job::HeadExpired(wire)),
            Expiry::CutOff => self.observer.emit(&Observation::Rejected { reason: "write-timeout" }),
        }
    }

    /// True if somebody is to do something.
    pub fn has_jobs(&self) -> bool {
        !self.jobs.1.is_empty()
    }

    /// The moment by which all work is to be done, so that the last words still go out; `None` while the server stays up.
    pub fn drain_end(&self) -> Option<Deadline> {
        self.drain.get().map(|drain| drain.last_words)
    }

    /// Takes note that no connection is left and none will come.
    pub fn set_watcher_done(&self) {
        *self.watcher_is_done.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.watcher_is_done.1.notify_all();
    }
}

impl Server {
    /// Starts to answer on `listeners`.
    ///
    /// # Errors
    /// If the operating system has no threads, files or memory left.
    pub fn start(
        listeners: Vec<Listener>,
        service: Service,
        limits: Limits,
        workforce: Workforce,
        observer: &Observer,
    ) -> io::Result<Self> {
        let (watch, poller) = (Arc::new(Poller::new()?), Arc::new(Poller::new()?));
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let table = Table::new(limits.max_connections, limits.max_connections_per_address, &watch, clock::now());
        let mut reads = service.reads.to_vec();
        reads.push(REQUEST_ID_FIELD);
        let shared = Arc::new(Shared {
            service,
            limits,
            reads,
            observer: observer.clone(),
            watch,
            poller,
            lookout: Lookout::new(LOOKING_PER_PROCESSOR * processors),
            table,
            lane: Lane::new(workforce.may_wait, limits.queue_timeout),
            jobs: unbounded(),
            drain: OnceLock::new(),
            watcher_is_done: (Mutex::new(false), Condvar::new()),
        });
        let addresses = listeners.iter().map(Listener::address).collect();
        let mut watcher = Watcher::new(Arc::clone(&shared), listeners)?;
        let in_flight: Vec<Arc<InFlight>> = (0..workforce.workers).map(|_| Arc::default()).collect();
        for (number, in_flight) in in_flight.iter().enumerate() {
            let (shared, in_flight) = (Arc::clone(&shared), Arc::clone(in_flight));
            spawn_vital(format!("{}-worker-{number}", workforce.name), move || Worker::new(shared, in_flight).run())?;
        }
        spawn_vital(format!("{}-watcher", workforce.name), move || watcher.run())?;
        Ok(Self { shared, workforce, in_flight, addresses })
    }

    /// Where it listens, with the ports that the operating system chose.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Begins to go down: accepts nothing more, answers what was sent, closes what is idle. Returns at once, so that
    /// several listeners can go down together.
    pub fn begin_drain(&self) {
        let now = clock::now();
        let timeout = self.shared.limits.drain_timeout;
        let drain = Drain {
            last_words: Deadline::after(now, timeout.saturating_sub(LAST_WORDS.min(timeout / 4))),
            end: Deadline::after(now, timeout),
        };
        // A second call finds the drain under way.
        let _ = self.shared.drain.set(drain);
        self.shared.watch.notify();
    }

    /// Begins to go down, if that was not begun yet, and returns when it is done, or `drain_timeout` after it was begun.
    /// The process is to end then: threads that still wait for a database are left behind.
    pub fn finish_drain(&self) {
        self.begin_drain();
        let Some(drain) = self.shared.drain.get() else { return };
        if !self.wait_for_watcher(drain.last_words) {
            let in_line = self.shared.lane.close_line();
            let unanswered = in_line.len()
                + self.in_flight.iter().filter(|record| record.speak_last_words(&self.shared.observer)).count();
            if unanswered > 0 {
                self.shared.observer.emit(&Observation::DrainCutShort { unanswered });
            }
            for request in in_line {
                self.shared.send(Job::Overdue(request));
            }
            self.wait_for_watcher(drain.end);
        }
        (0..self.workforce.workers).for_each(|_| self.shared.send(Job::Stop));
    }

    /// Says whether the watcher was done in time.
    fn wait_for_watcher(&self, deadline: Deadline) -> bool {
        let timeout = deadline.remaining(clock::now());
        let (is_done, condition) = &self.shared.watcher_is_done;
        let guard = is_done.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = condition.wait_timeout_while(guard, timeout, |is_done| !*is_done);
        *outcome.unwrap_or_else(PoisonError::into_inner).0
    }
}
