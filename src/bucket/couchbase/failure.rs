//! Why an exchange with a node gave nothing, and what may help.
//!
//! Invariant: pure. What is done about a failure follows from its [`Remedy`] alone, never from its words.

use crate::bucket::BucketError;

/// A failed exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it is to the rest of the program, if nothing helps.
    pub error: BucketError,
    /// What may help. Everything that is retried is a read, or a write that may be done twice.
    pub remedy: Remedy,
}

/// What may help against a failure (facts of the database's SDKs: which conditions they retry, and how).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing: another try would end in the same way.
    None,
    /// Nothing, and the node was not even asked: nothing is known about it.
    Unasked,
    /// A new connection to the same node: the kept one had been closed, and nothing is known about the node.
    Redial,
    /// Another node, at once: this one is out of reach, too slow, or on its way down.
    AnotherNode,
    /// The same or another node after a while: the cluster is busy, or in a transient state.
    Later,
    /// The secrets as they are now: the ones that we have are refused.
    NewLogin,
}

impl Failure {
    /// A failure that nothing helps against.
    #[must_use]
    pub fn lasting(error: BucketError) -> Self {
        Self { error, remedy: Remedy::None }
    }

    /// A failure that kept us from asking.
    #[must_use]
    pub fn unasked(error: BucketError) -> Self {
        Self { error, remedy: Remedy::Unasked }
    }

    /// A failure of the node that was asked.
    #[must_use]
    pub fn of_node(error: BucketError) -> Self {
        Self { error, remedy: Remedy::AnotherNode }
    }

    /// True if it shows that the node answers, whatever it answered.
    #[must_use]
    pub fn is_an_answer(&self) -> bool {
        !matches!(self.remedy, Remedy::AnotherNode | Remedy::Redial | Remedy::Unasked)
    }

    /// An answer that ended before it was whole: the node, or something on the way, gave up in the middle of it.
    #[must_use]
    pub fn cut_short(peer: &str) -> Self {
        Self::of_node(BucketError::Unavailable { reason: format!("the answer of {peer} ends in its middle") })
    }

    /// An answer to something else. Answers mixed up by something in between would show one user's profile to another.
    /// That is no matter of waiting: somebody has to find it, so it is a misconfiguration and not an outage.
    #[must_use]
    pub fn not_what_was_asked(peer: &str, what: &str) -> Self {
        Self::lasting(BucketError::Misconfigured {
            reason: format!(
                "{peer} did not answer what it was asked: {what}; look for a proxy or a cache between it and this \
                 program"
            ),
        })
    }

    /// The same failure with another remedy.
    #[must_use]
    pub fn with(self, remedy: Remedy) -> Self {
        Self { remedy, ..self }
    }
}
