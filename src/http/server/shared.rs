//! What the threads of one listener share.
//!
//! Invariant: nothing here blocks, except [`ListenerState::wait_until_drained`].

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex};

use super::admission::Admission;
use super::drain::DrainDeadlines;
use super::work_queue::WorkQueue;
use crate::clock::{self, Deadline};
use crate::http::application::Plan;
use crate::http::connection::Expiry;
use crate::http::limits::Limits;
use crate::http::message::head::Head;
use crate::http::net::poll::Poller;
use crate::http::net::shares::Share;
use crate::http::net::table::{OpenConnection, Table};
use crate::http::service::Service;
use crate::observe::{Observation, Observer};

/// What the threads of one listener share.
pub struct ListenerState {
    /// What is served. A reload replaces it.
    pub service: ArcSwap<Service>,
    pub observer: Observer,
    /// The poller of the watcher.
    pub watch: Arc<Poller>,
    pub table: Arc<Table>,
    /// Holds each connection once at most, so it needs no bound of its own.
    pub queue: WorkQueue<Job>,
    pub admission: Admission<QueuedRequest>,
    pub drain: OnceLock<DrainDeadlines>,
    /// Whether the last connection of a drain was closed.
    pub is_drained: (Mutex<bool>, Condvar),
}

/// What a worker is to do for a connection.
pub struct Job {
    pub connection: Box<OpenConnection>,
    pub task: Task,
}

/// See [`Job`].
pub enum Task {
    /// Serve it: it became ready at this moment.
    Serve(Instant),
    /// Answer a request that was admitted.
    Answer(PlannedRequest),
    /// Reject a request that has waited for admission for too long.
    Reject(PlannedRequest),
    /// Answer that the head was not finished in time.
    RefuseHead,
}

/// A complete request and how it is going to be answered.
pub struct PlannedRequest {
    pub head: Head,
    pub plan: Plan,
    /// When it was received.
    pub since: Instant,
    /// Its part of what the address of its client may have, if a proxy has forwarded it.
    pub share: Option<Share>,
}

/// A request that waits for admission, with its connection.
pub struct QueuedRequest {
    pub connection: Box<OpenConnection>,
    pub request: PlannedRequest,
}

impl ListenerState {
    /// Returns the bounds in force.
    pub fn limits(&self) -> Limits {
        self.service.load().limits
    }

    /// Takes a connection that became ready, as a job. Returns `None` if another thread has it. What has arrived is read
    /// even if its deadline has just passed: the process may have stood still meanwhile. A connection that is still not
    /// done then is ended by the next scan.
    pub fn claim(&self, key: usize) -> Option<Job> {
        let connection = self.table.take(key)?;
        Some(Job { connection, task: Task::Serve(clock::now()) })
    }

    /// Ends a connection whose deadline is over, or has a worker answer that.
    pub fn expire(&self, connection: Box<OpenConnection>, now: Instant) {
        match connection.state.expiry() {
            // A request that was received at the last moment before the end is still answered.
            Expiry::Quietly if self.drain_deadline().is_some() && connection.state.is_between_requests() => {
                self.queue.push(Job { connection, task: Task::Serve(now) });
            }
            Expiry::Quietly => {}
            Expiry::WithTimeout => self.queue.push(Job { connection, task: Task::RefuseHead }),
            Expiry::CutOff => self.observer.emit(&Observation::Rejected { reason: "write-timeout" }),
        }
    }

    /// Returns the moment by which requests are to be answered; `None` unless the server is going down.
    pub fn drain_deadline(&self) -> Option<Deadline> {
        self.drain.get().map(|drain| drain.work)
    }

    /// Records that no connection is left and none will be accepted.
    pub fn set_drained(&self) {
        *self.is_drained.0.lock() = true;
        self.is_drained.1.notify_all();
    }

    /// Waits until no connection is left. Returns false if that takes longer than until `deadline`.
    pub fn wait_until_drained(&self, deadline: Deadline) -> bool {
        let mut is_drained = self.is_drained.0.lock();
        self.is_drained.1.wait_while_until(&mut is_drained, |is_drained| !*is_drained, deadline.instant());
        *is_drained
    }
}
