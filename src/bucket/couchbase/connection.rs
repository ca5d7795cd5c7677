//! One bucket connection: whom it asks, and what it does when that fails.
//!
//! Invariant: at most one connection to one node is open; no attempt and no pause outlives the deadline; only what may
//! be done twice is tried again, and how is decided by the [`Remedy`] of the failure alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bulk::{self, Carrier};
use super::failure::{Failure, Remedy};
use super::health::{Choice, News};
use super::node::NodeClient;
use super::topology::Endpoint;
use super::transport::{MAX_IDLE_AGE, Reply};
use super::way::{Answer, Reading, Remarks, Request};
use super::{Shared, prober, retry};
use crate::bucket::{Bucket, BucketError, BucketTimeouts, Document, Exchange, Listed, NewDocument, Trace};
use crate::clock::{self, Deadline};
use crate::model::DocumentId;
use crate::observe::{Observation, Observer};

/// How long a kept connection stays with its node where there are several, before chance shortens it: nodes that come
/// back, or join, get their part of the load again.
const LONGEST_STAY: Duration = Duration::from_secs(60);

/// A [`Bucket`] in a cluster.
pub struct Connection {
    shared: Arc<Shared>,
    timeouts: BucketTimeouts,
    client: NodeClient,
    leaves_at: Instant,
    deadline: Deadline,
    trace: Trace,
    /// What was remarked at the last exchange for this request, which was with the client's node.
    last: Option<Remarks>,
}

impl Connection {
    /// Chooses a node. Dials nothing yet: the first read does.
    ///
    /// # Errors
    /// What the discovery of the cluster failed with; [`BucketError::Timeout`] if the deadline came before its end; why
    /// no node can be asked.
    pub fn open(shared: &Arc<Shared>, timeouts: &BucketTimeouts, deadline: Deadline) -> Result<Self, BucketError> {
        let node = loop {
            match shared.nodes.choose(&[]) {
                Choice::Node(node) => break node,
                Choice::AllSilent(error) => return Err(error),
                Choice::Unknown | Choice::NoneLeft => shared.discovery.wait_for_topology(deadline)?,
            }
        };
        Ok(Self {
            client: NodeClient::new(Arc::clone(shared), node, timeouts),
            shared: Arc::clone(shared),
            timeouts: *timeouts,
            leaves_at: clock::now() + LONGEST_STAY.mul_f64(0.5 + 0.5 * fastrand::f64()),
            deadline,
            trace: Trace::default(),
            last: None,
        })
    }

    fn read(&mut self, id: &DocumentId) -> Result<Answer, BucketError> {
        let mut tried: Vec<Endpoint> = Vec::new();
        let mut pauses = 0;
        let mut is_news = false;
        loop {
            tried.push(self.client.node().clone());
            let Failure { error, remedy } = match self.attempt(id, &tried) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            match remedy {
                Remedy::None | Remedy::Unasked | Remedy::NewLogin => return Err(error),
                Remedy::AnotherNode | Remedy::Redial => {
                    is_news |= self.node_failed();
                    if !self.deadline.is_over(clock::now()) && self.turn_to_another(&tried) {
                        continue;
                    }
                    // In an outage that goes on, nobody is kept waiting.
                    if !std::mem::take(&mut is_news) {
                        return Err(error);
                    }
                }
                Remedy::Later => {}
            }
            let now = clock::now();
            let Some(pause) = retry::pause(pauses, fastrand::f64(), now, self.deadline) else { return Err(error) };
            std::thread::sleep(pause);
            pauses += 1;
            tried.clear();
            if !self.turn_around() {
                return Err(error);
            }
        }
    }

    /// One exchange with the node of the moment, the last of those `tried`.
    fn attempt(&mut self, id: &DocumentId, tried: &[Endpoint]) -> Result<Answer, Failure> {
        let start = clock::now();
        let node = self.client.node().clone();
        let (outstanding, others) = self.shared.nodes.begin(&node, tried);
        let deadline = retry::attempt_deadline(start, self.deadline, self.timeouts.attempt, others);
        let Reading { outcome, remarks } = self.client.read(id, deadline, &self.trace);
        drop(outstanding);
        self.last = Some(remarks);
        if outcome.as_ref().map_or_else(Failure::is_an_answer, |_| true) {
            self.shared.nodes.answered(&node, clock::now().saturating_duration_since(start));
        }
        outcome
    }

    /// Has the failed node looked after, and the list of nodes too: it may have been replaced. True if that is news.
    fn node_failed(&self) -> bool {
        self.shared.discovery.poke();
        let news = self.shared.nodes.failed(self.client.node(), || prober::start(&self.shared, &self.timeouts));
        news != News::Old
    }

    /// Turns to a node that was not tried yet. False if there is none, or if no node is worth a try.
    fn turn_to_another(&mut self, tried: &[Endpoint]) -> bool {
        let Choice::Node(node) = self.shared.nodes.choose(tried) else { return false };
        if node != *self.client.node() {
            self.client = NodeClient::new(Arc::clone(&self.shared), node, &self.timeouts);
        }
        true
    }

    /// Turns to another node, or stays with this one if there is no other. False if no node is worth a try.
    fn turn_around(&mut self) -> bool {
        let last = [self.client.node().clone()];
        self.turn_to_another(&last) || self.turn_to_another(&[])
    }
}

/// For batches and lists.
impl Carrier for Connection {
    fn deadline(&self) -> Deadline {
        self.deadline
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }

    fn observer(&self) -> &Observer {
        &self.shared.observer
    }

    fn peer(&self) -> &str {
        self.client.peer()
    }

    /// A node that stands still is not to have all of the time where there is another; but a batch takes long.
    fn attempt_deadline(&self) -> Deadline {
        let others = self.shared.nodes.others(std::slice::from_ref(self.client.node()));
        retry::attempt_deadline(clock::now(), self.deadline, self.timeouts.n1ql, others)
    }

    fn send(&mut self, request: &Request, deadline: Deadline, max_body_bytes: usize) -> Result<Reply, Failure> {
        self.client.ask(request, deadline, max_body_bytes)
    }

    /// A new connection, to another node where that may help.
    fn recover(&mut self, remedy: Remedy) {
        if remedy == Remedy::Redial {
            return self.client.redial();
        }
        if remedy == Remedy::AnotherNode {
            self.node_failed();
        }
        self.turn_around();
    }
}

impl Bucket for Connection {
    fn get(&mut self, id: &DocumentId) -> Result<Option<Document>, BucketError> {
        let answer = self.read(id)?;
        for code in answer.warnings {
            let meaning = self.shared.way.warning(code);
            self.shared.observer.emit(&Observation::DatabaseWarned { code, meaning });
        }
        Ok(answer.document)
    }

    fn upsert(&mut self, documents: &[NewDocument]) -> Result<(), BucketError> {
        let shared = Arc::clone(&self.shared);
        bulk::store(shared.way.as_ref(), self, documents)
    }

    fn list(&mut self, after: Option<&DocumentId>, most: usize) -> Result<Vec<Listed>, BucketError> {
        let shared = Arc::clone(&self.shared);
        bulk::list(shared.way.as_ref(), self, after, most)
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    fn set_trace(&mut self, trace: &Trace) {
        self.trace.clone_from(trace);
        self.last = None;
    }

    fn last_exchange(&self) -> Option<Exchange<'_>> {
        self.last.as_ref().map(|remarks| Exchange {
            node: self.client.authority(),
            code: remarks.code.as_deref(),
            elapsed: remarks.elapsed,
            execution: remarks.execution,
        })
    }

    fn is_fresh(&self, idle_since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(idle_since) <= MAX_IDLE_AGE
            && self.client.is_current()
            && self.shared.nodes.is_as_good_as_any(self.client.node())
            && (now < self.leaves_at || !self.shared.nodes.has_several())
    }
}
