//! The one loop that tries again: with new credentials, over a new client, after a pause.
//!
//! What another node may help against, a driver tries by itself: it knows its nodes.
//!
//! Invariant: what is done about a failure follows from its [`Retry`] and the [`Policy`] alone, and nothing outlives
//! the deadline. Callers pass an attempt that may be made more than once.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use super::{Call, ClientIdentity, Native, Reply};
use crate::bucket::remote::{Failure, Retry};
use crate::clock::{self, BackOff, Deadline};
use crate::observe::Observation;

/// Pauses of a batch.
const BACK_OFF: BackOff = BackOff { first: Duration::from_millis(50), longest: Duration::from_secs(5) };

/// How often an operation is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Once: somebody waits for it, and is better off with an error than with a wait that holds a worker.
    Read,
    /// Until the deadline, which is logged once.
    Batch {
        /// What is being done, such as "storing documents".
        what: &'static str,
    },
}

/// Makes attempts until one succeeds or nothing helps any more.
///
/// # Errors
/// The last failure.
pub fn run<N: Native, T: Send + 'static>(
    shared: &Shared<N>,
    deadline: Deadline,
    policy: Policy,
    mut attempt: impl FnMut(Call<N::Client>) -> Reply<T>,
) -> Result<T, Failure> {
    let mut session = shared.access.login.session();
    let mut pauses = 0;
    let retried = |kind| shared.access.observer.emit(&Observation::Retried { kind });
    loop {
        let credentials = Arc::clone(session.credentials());
        let identity =
            ClientIdentity { credentials, tls: shared.access.tls.current(), timeouts: shared.access.timeouts() };
        let failure = match once(shared, &identity, deadline, &mut attempt) {
            Ok(success) => {
                session.accepted();
                return Ok(success);
            }
            Err(failure) => failure,
        };
        let what = match (failure.retry, policy) {
            (Retry::NewCredentials, _) => {
                if session.refused(&failure.error, deadline) {
                    retried("new-credentials");
                    continue;
                }
                return Err(failure);
            }
            (Retry::Never | Retry::NotSent, _) | (_, Policy::Read) => return Err(failure),
            (Retry::Reconnect | Retry::NextNode | Retry::AfterPause, Policy::Batch { what }) => what,
        };
        let left = deadline.remaining(clock::now());
        let pause = BACK_OFF.pause(pauses, fastrand::f64());
        if pause >= left {
            return Err(failure);
        }
        if pauses == 0 {
            let reason = &failure.error;
            shared.access.observer.emit(&Observation::BatchRetried { what, limit: left, reason });
        }
        std::thread::sleep(pause);
        pauses += 1;
        retried("after-pause");
    }
}

/// Makes one attempt.
fn once<N: Native, T: Send + 'static>(
    shared: &Shared<N>,
    identity: &ClientIdentity,
    deadline: Deadline,
    attempt: &mut impl FnMut(Call<N::Client>) -> Reply<T>,
) -> Result<T, Failure> {
    let client = shared.client(identity, deadline)?;
    let call = Call { client: Arc::clone(&client), left: deadline.remaining(clock::now()) };
    let outcome = shared.runtime.run(deadline, shared.access.product.name, attempt(call));
    let outcome = outcome.unwrap_or_else(|error| Err(Failure::of_node(error)));
    if let Err(failure) = &outcome {
        match failure.retry {
            Retry::NewCredentials => shared.client.discard(&client, failure),
            Retry::Reconnect => shared.client.renew(&client),
            Retry::Never | Retry::NotSent | Retry::NextNode | Retry::AfterPause => {}
        }
    }
    outcome
}
