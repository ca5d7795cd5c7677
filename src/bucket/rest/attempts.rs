//! The one loop that tries again: on another node, over a new connection, with new credentials, after a pause.
//!
//! Invariant: what is done about a failure follows from its [`Retry`], its [`ErrorScope`] and the [`Policy`] alone. No
//! attempt and no pause outlives the deadline of the link. Callers pass an attempt that may be made more than once.

use std::time::Duration;

use super::node_link::NodeLink;
use super::nodes::Candidates;
use super::nodes::health::FailureAge;
use super::protocol::Exchange;
use crate::bucket::BucketTimeouts;
use crate::bucket::remote::Endpoint;
use crate::bucket::remote::failure::{ErrorScope, Failure, Retry};
use crate::clock::{self, BackOff};
use crate::observe::Observation;

/// How long and how often one operation is tried.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// One node's share of the time, where there is another node.
    attempt_timeout: Duration,
    back_off: BackOff,
    limit: RetryLimit,
}

/// What an operation does while every node fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RetryLimit {
    /// It fails: at once in an outage that lasts, and else after so many pauses. A client is better off with an error
    /// than with a wait that holds a worker.
    Pauses { most: u32 },
    /// It goes on until its deadline, and this is logged once.
    Deadline { what: &'static str },
}

impl Policy {
    /// For a request that somebody waits for. Busy clusters and nodes that restart need a moment.
    #[must_use]
    pub fn read(timeouts: &BucketTimeouts) -> Self {
        Self {
            attempt_timeout: timeouts.attempt,
            back_off: BackOff { first: Duration::from_millis(25), longest: Duration::from_millis(200) },
            limit: RetryLimit::Pauses { most: 4 },
        }
    }

    /// For one call of a batch. `what` is being done, such as "storing documents".
    #[must_use]
    pub fn batch(timeouts: &BucketTimeouts, what: &'static str) -> Self {
        Self {
            attempt_timeout: timeouts.batch,
            back_off: BackOff { first: Duration::from_millis(50), longest: Duration::from_secs(5) },
            limit: RetryLimit::Deadline { what },
        }
    }
}

/// Makes attempts until one succeeds or nothing helps any more.
///
/// # Errors
/// The last failure.
pub fn run<T>(
    link: &mut NodeLink,
    policy: &Policy,
    mut attempt: impl FnMut(&mut dyn Exchange) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let cluster = link.cluster().clone();
    let mut session = cluster.access.login.session();
    let mut round = Round::default();
    let mut second_opinion = SecondOpinion::NotAsked;
    let mut pauses = 0;
    let retried = |kind| cluster.access.observer.emit(&Observation::Retried { kind });
    loop {
        session.wait_for_admission(link.deadline).map_err(Failure::lasting)?;
        round.tried.push(link.node().clone());
        let candidates = match second_opinion {
            // A second opinion is not worth the whole time: the first node has answered already.
            SecondOpinion::AskedAfter(..) => Candidates::All,
            SecondOpinion::NotAsked | SecondOpinion::Shared => policy.candidates(&round.tried),
        };
        let outcome = link.attempt(candidates, policy.attempt_timeout, session.credentials(), &mut attempt);
        let failure = match outcome {
            Ok(success) => {
                session.accepted();
                if let SecondOpinion::AskedAfter(node, first) = &second_opinion {
                    link.node_erred(node, &first.error);
                }
                return Ok(success);
            }
            Err(failure) => failure,
        };
        if failure.retry != Retry::NewCredentials {
            session.answered_with_error(&failure);
            session.attempt_ended();
        }
        let Some(failure) = second_opinion.on(failure, link, &round.tried) else {
            retried("second-opinion");
            continue;
        };
        match failure.retry {
            Retry::Never | Retry::NotSent => return Err(failure),
            Retry::NewCredentials => {
                if session.refused(&failure.error, link.deadline) {
                    retried("new-credentials");
                    continue;
                }
                return Err(failure);
            }
            Retry::Reconnect if !round.has_reconnected => {
                round.has_reconnected = true;
                link.reconnect();
                retried("reconnect");
                continue;
            }
            Retry::NextNode | Retry::Reconnect => {
                round.has_new_failure |= link.node_failed() != FailureAge::Lasting;
                if !link.deadline.is_over(clock::now()) && link.switch_to_untried(&round.tried) {
                    retried("next-node");
                    continue;
                }
            }
            Retry::AfterPause => round.has_new_failure = true,
        }
        let Some(pause) = policy.pause(pauses, &round).filter(|pause| *pause < link.deadline.remaining(clock::now()))
        else {
            return Err(failure);
        };
        if let (RetryLimit::Deadline { what }, 0) = (policy.limit, pauses) {
            let limit = link.deadline.remaining(clock::now());
            cluster.access.observer.emit(&Observation::BatchRetried { what, limit, reason: &failure.error });
        }
        std::thread::sleep(pause);
        pauses += 1;
        round = Round::default();
        if !link.switch_or_stay() && matches!(policy.limit, RetryLimit::Pauses { .. }) {
            return Err(failure);
        }
        retried("after-pause");
    }
}

/// Whether another node was asked what one had answered with an error that may be its own. That is done once, so that an
/// error of the whole cluster costs two requests and not one for each node.
enum SecondOpinion {
    NotAsked,
    /// After this node had failed like this.
    AskedAfter(Endpoint, Failure),
    /// The other node was no better.
    Shared,
}

impl SecondOpinion {
    /// Switches to another node for a failure that asks for it, and returns `None` then; else the failure that counts: where
    /// the other node is no better, that of the first.
    fn on(&mut self, failure: Failure, link: &mut NodeLink, tried: &[Endpoint]) -> Option<Failure> {
        match std::mem::replace(self, Self::Shared) {
            Self::NotAsked if failure.scope == ErrorScope::Node && !link.deadline.is_over(clock::now()) => {
                let node = link.node().clone();
                if !link.switch_to_untried(tried) {
                    return Some(failure);
                }
                *self = Self::AskedAfter(node, failure);
                None
            }
            Self::NotAsked => {
                *self = Self::NotAsked;
                Some(failure)
            }
            Self::AskedAfter(..) if failure.scope == ErrorScope::Cluster && failure.is_an_answer() => Some(failure),
            Self::AskedAfter(_, first) => {
                if failure.retry == Retry::NextNode {
                    link.node_failed();
                }
                Some(first)
            }
            Self::Shared => Some(failure),
        }
    }
}

/// What was tried since the last pause.
#[derive(Default)]
struct Round {
    tried: Vec<Endpoint>,
    has_reconnected: bool,
    /// A node failed that did not fail before, or asked for a pause: that may be over soon.
    has_new_failure: bool,
}

impl Policy {
    /// Which nodes an attempt leaves time for, after these were tried.
    fn candidates<'a>(&self, tried: &'a [Endpoint]) -> Candidates<'a> {
        match self.limit {
            RetryLimit::Pauses { .. } => Candidates::Untried(tried),
            // A node that refuses now may be back before one that is frozen answers.
            RetryLimit::Deadline { .. } => Candidates::All,
        }
    }

    /// The next pause, after so many were made; `None`: no further attempt.
    fn pause(&self, pauses: u32, round: &Round) -> Option<Duration> {
        let is_worth_it = match self.limit {
            RetryLimit::Pauses { most } => pauses < most && round.has_new_failure,
            RetryLimit::Deadline { .. } => true,
        };
        is_worth_it.then(|| self.back_off.pause(pauses, fastrand::f64()))
    }
}

#[cfg(test)]
mod tests;
