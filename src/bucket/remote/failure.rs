//! Why an exchange with a node gave nothing, and what may help.
//!
//! Invariant: pure. What is done about a failure follows from its [`Retry`] alone, never from its words.

use crate::bucket::{BucketError, Details};
use crate::model::{DocumentId, InvalidDocument};

/// A failed exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it is to the rest of the program, if nothing helps.
    pub error: BucketError,
    /// What may help. Everything that is tried again is a read, or a write that may be done twice.
    pub retry: Retry,
    /// Whether another node may answer otherwise.
    pub scope: ErrorScope,
    /// What the node said about its work.
    pub details: Details,
}

/// What may help against a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing: another attempt would end in the same way.
    Never,
    /// Nothing, and the request was not sent: nothing is known about the node.
    NotSent,
    /// A new connection to the same node: the kept one had been closed, and nothing is known about the node.
    Reconnect,
    /// Another node, at once: this one is out of reach, too slow, or shutting down.
    NextNode,
    /// The same or another node after a pause: the cluster is busy, or in a transient state.
    AfterPause,
    /// The secrets as they are now: the ones that were sent are refused.
    NewCredentials,
}

/// Whose error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorScope {
    /// Every node would answer so; or this one did not answer, which its [`Retry`] says.
    Cluster,
    /// Perhaps of this node alone: one other node is asked before anybody is told.
    Node,
}

/// Which error a code of a product means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// 500 until somebody changes something.
    Misconfigured,
    /// 503: later it may be well.
    Unavailable,
    /// 504.
    Timeout,
    /// The document is over the size that can be read.
    TooLarge,
}

impl Meaning {
    /// The error, with a reason where it has one.
    #[must_use]
    pub fn error(self, reason: String) -> BucketError {
        match self {
            Self::Misconfigured => BucketError::Misconfigured { reason },
            Self::Unavailable => BucketError::Unavailable { reason },
            Self::Timeout => BucketError::Timeout { reason },
            Self::TooLarge => BucketError::InvalidDocument(InvalidDocument::TooLarge),
        }
    }
}

impl Failure {
    /// A failure without details.
    #[must_use]
    pub fn new(error: BucketError, retry: Retry) -> Self {
        Self { error, retry, scope: ErrorScope::Cluster, details: Details::default() }
    }

    /// A failure that nothing helps against.
    #[must_use]
    pub fn lasting(error: BucketError) -> Self {
        Self::new(error, Retry::Never)
    }

    /// A document, or a page of documents, that is too large to be read.
    #[must_use]
    pub fn too_large() -> Self {
        Self::lasting(BucketError::InvalidDocument(InvalidDocument::TooLarge))
    }

    /// A failure before anything was sent.
    #[must_use]
    pub fn not_sent(error: BucketError) -> Self {
        Self::new(error, Retry::NotSent)
    }

    /// A failure of the node that was asked.
    #[must_use]
    pub fn of_node(error: BucketError) -> Self {
        Self::new(error, Retry::NextNode)
    }

    /// True if it shows that the node answers, whatever it answered.
    #[must_use]
    pub fn is_an_answer(&self) -> bool {
        !matches!(self.retry, Retry::NextNode | Retry::Reconnect | Retry::NotSent)
    }

    /// A response that ended before it was complete: the node, or something on the way, gave up in the middle of it.
    #[must_use]
    pub fn cut_short(peer: &str) -> Self {
        Self::of_node(BucketError::unavailable(format!("the answer of {peer} was cut off")))
    }

    /// A response to something else. Responses mixed up by something in between would show one user's profile to
    /// another. Waiting does not help: somebody has to find it, so it is a misconfiguration and not an outage.
    #[must_use]
    pub fn not_what_was_asked(peer: &str, what: &str) -> Self {
        Self::lasting(BucketError::misconfigured(format!(
            "{peer} did not answer what it was asked: {what}; look for a proxy or a cache between it and this program"
        )))
    }

    /// The same failure, of this document among others.
    #[must_use]
    pub fn about(self, id: &DocumentId) -> Self {
        let error = self.error.map_reason(|reason| format!("{reason} (it is the document {:?})", id.as_str()));
        Self { error, ..self }
    }

    /// The same failure with another [`Retry`].
    #[must_use]
    pub fn with(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// The same failure with another [`ErrorScope`].
    #[must_use]
    pub fn in_scope(self, scope: ErrorScope) -> Self {
        Self { scope, ..self }
    }

    /// The same failure with these details.
    #[must_use]
    pub fn with_details(self, details: Details) -> Self {
        Self { details, ..self }
    }
}
