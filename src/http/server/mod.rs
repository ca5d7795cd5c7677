//! A running listener: how it starts and how it ends.
//!
//! Invariant: once [`Server::start`] has returned, its addresses are bound and answered; once [`Server::finish_drain`] has
//! returned, every request that had been received completely was answered, with 503 if need be.

mod acceptor;
mod admission;
mod drain;
mod responder;
mod shared;
mod watcher;
mod work_queue;
mod worker;

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;

use self::admission::Admission;
use self::drain::{DrainDeadlines, InFlight};
use self::responder::Responder;
use self::shared::{Job, ListenerState, QueuedRequest, Task};
use self::watcher::Watcher;
use self::work_queue::WorkQueue;
use self::worker::Worker;
use super::limits::Limits;
use super::net::Listener;
use super::net::poll::Poller;
use super::net::table::Table;
use super::service::Service;
use crate::clock;
use crate::config::ListenAddress;
use crate::observe::metrics::HttpGauges;
use crate::observe::{Observation, Observer};
use crate::threads::spawn_vital;

/// Workers that poll, for each processor: while one of two is in a handler, the other one polls (measured: 4 on two
/// processors answer a tenth more than 2 or 16).
const POLLING_PER_PROCESSOR: usize = 2;

/// How many threads a listener has.
#[derive(Clone, Copy, Debug)]
pub struct Workforce {
    /// What its threads are named after.
    pub name: &'static str,
    /// Threads that handle requests.
    pub workers: usize,
    /// How many of them may be in blocking handlers at once; fewer than all of them.
    pub blocking: usize,
}

impl Workforce {
    /// Returns `workers` threads, two at least, of which an eighth, and one at least, never block.
    #[must_use]
    pub fn new(name: &'static str, workers: usize) -> Self {
        let workers = workers.max(2);
        let kept_free = (workers / 8).max(1);
        Self { name, workers, blocking: workers - kept_free }
    }
}

/// A handle that reports the current gauges of a listener.
#[derive(Clone)]
pub struct Monitor(Arc<ListenerState>);

impl Monitor {
    /// Returns the numbers of connections and requests. Scans the table of connections.
    #[must_use]
    pub fn gauges(&self) -> HttpGauges {
        let (table, (running, queued, max_running)) = (&self.0.table, self.0.admission.occupancy());
        let waiting = table.waiting();
        HttpGauges {
            active: table.open().saturating_sub(waiting),
            waiting,
            max_connections: table.capacity(),
            running,
            queued,
            max_running,
        }
    }
}

/// A running listener.
pub struct Server {
    shared: Arc<ListenerState>,
    in_flight: Vec<Arc<InFlight>>,
    addresses: Vec<ListenAddress>,
    /// Those of them that this process has bound.
    bound_addresses: Vec<ListenAddress>,
}

impl Server {
    /// Starts to answer on `listeners`.
    ///
    /// # Errors
    /// If the operating system has no threads, files or memory left.
    pub fn start(
        listeners: Vec<Listener>,
        service: Service,
        workforce: Workforce,
        observer: &Observer,
    ) -> io::Result<Self> {
        let (watch, poller) = (Arc::new(Poller::new()?), Arc::new(Poller::new()?));
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let limits = service.limits;
        let shared = Arc::new(ListenerState {
            service: ArcSwap::from_pointee(service),
            observer: observer.clone(),
            table: Table::new(limits.max_connections, limits.max_connections_per_address, &watch, clock::now()),
            watch,
            queue: WorkQueue::new(poller, POLLING_PER_PROCESSOR * processors),
            admission: Admission::new(workforce.blocking, limits.queue_timeout),
            drain: OnceLock::new(),
            is_drained: Default::default(),
        });
        let addresses = listeners.iter().map(Listener::address).collect();
        let bound = listeners.iter().filter(|listener| !listener.outlives_process());
        let bound_addresses = bound.map(Listener::address).collect();
        let mut watcher = Watcher::new(Arc::clone(&shared), listeners)?;
        let in_flight: Vec<Arc<InFlight>> = (0..workforce.workers).map(|_| Arc::default()).collect();
        for (number, in_flight) in in_flight.iter().enumerate() {
            let (shared, in_flight) = (Arc::clone(&shared), Arc::clone(in_flight));
            spawn_vital(format!("{}-worker-{number}", workforce.name), move || Worker::new(shared, in_flight).run())?;
        }
        spawn_vital(format!("{}-watcher", workforce.name), move || watcher.run())?;
        Ok(Self { shared, in_flight, addresses, bound_addresses })
    }

    /// Returns where it listens, with the ports that the operating system chose.
    #[must_use]
    pub fn addresses(&self) -> &[ListenAddress] {
        &self.addresses
    }

    /// Returns those addresses that this process has bound itself.
    #[must_use]
    pub fn bound_addresses(&self) -> &[ListenAddress] {
        &self.bound_addresses
    }

    /// Returns how long a drain that begins now may take.
    #[must_use]
    pub fn drain_timeout(&self) -> Duration {
        self.shared.limits().drain_timeout
    }

    /// Returns a handle that reports its current gauges.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor(Arc::clone(&self.shared))
    }

    /// Serves something else from the next request on. Requests that are being answered are not affected; neither are
    /// deadlines that were set already.
    pub fn replace(&self, service: Service) {
        let Limits { queue_timeout, max_connections, max_connections_per_address, .. } = service.limits;
        self.shared.admission.set_queue_timeout(queue_timeout, clock::now());
        self.shared.table.set_limits(max_connections, max_connections_per_address);
        self.shared.service.store(Arc::new(service));
    }

    /// Begins to go down: accepts nothing more, answers what was received, closes what is idle. Returns at once, so that
    /// several listeners can go down together.
    pub fn begin_drain(&self) {
        // A second call finds the drain under way.
        let _ = self.shared.drain.set(DrainDeadlines::new(clock::now(), self.shared.limits().drain_timeout));
        self.shared.watch.notify();
    }

    /// Begins to go down, if that was not begun yet, and returns when it is done, or `drain_timeout` after it was begun.
    /// The process is to end then: threads in blocking handlers are left behind.
    pub fn finish_drain(&self) {
        self.begin_drain();
        let Some(drain) = self.shared.drain.get() else { return };
        if !self.shared.wait_until_drained(drain.work) {
            self.answer_unfinished();
            self.shared.wait_until_drained(drain.end);
        }
        self.shared.queue.close();
    }

    /// Answers the requests whose handlers have not returned, and those that wait to be admitted.
    fn answer_unfinished(&self) {
        let queued = self.shared.admission.close_queue();
        let mut responder = Responder::new(Arc::clone(&self.shared));
        let pending = self.in_flight.iter().filter_map(|in_flight| in_flight.take());
        let answered = pending.map(|pending| responder.answer_unfinished(pending)).filter(|is_answered| *is_answered);
        let unanswered = queued.len() + answered.count();
        responder.report();
        if unanswered > 0 {
            self.shared.observer.emit(&Observation::DrainCutShort { unanswered });
        }
        for QueuedRequest { connection, request } in queued {
            self.shared.queue.push(Job { connection, task: Task::Reject(request) });
        }
    }
}
