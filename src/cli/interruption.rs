//! INT and TERM for commands that write something: a first one waits until nothing is half written, a second one does
//! not.
//!
//! Invariant: while work is shielded a first signal ends nothing; at any other moment it ends the process at once, after
//! a last word to the person who sent it.

use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Exit, complain};
use crate::threads;

/// Whether, and when, the command may be ended by a signal.
pub struct Interruption {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A signal may end the process now.
    Free,
    /// Something is being written that should come to its end.
    Shielded,
    /// And a signal has come meanwhile.
    Asked,
}

impl Interruption {
    /// Takes no signals: they end the process as they always do.
    #[must_use]
    pub fn none() -> Self {
        Self { state: Arc::new(Mutex::new(State::Free)) }
    }

    /// Takes INT and TERM from now on, to the end of the process. `farewell` is called, in another thread, before a
    /// signal ends the process while nothing is shielded.
    ///
    /// # Errors
    /// If the operating system gives no thread for it, or does not let signals be taken.
    pub fn watch(farewell: impl Fn() + Send + 'static) -> anyhow::Result<Self> {
        let interruption = Self::none();
        let state = Arc::clone(&interruption.state);
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot take signals")?;
        let thread = move || {
            for _ in &mut signals {
                let mut state = lock(&state);
                match *state {
                    State::Free => {
                        farewell();
                        // The state stays locked, so that nothing is begun meanwhile.
                        process::exit(Exit::Failed as i32);
                    }
                    State::Shielded => {
                        *state = State::Asked;
                        complain("stopping once this is stored; interrupt once more to stop at once");
                    }
                    State::Asked => process::exit(Exit::Failed as i32),
                }
            }
        };
        threads::spawn("signals", thread).context("cannot start a thread")?;
        Ok(interruption)
    }

    /// Does something that a first signal is not to cut off.
    pub fn shield<T>(&self, work: impl FnOnce() -> T) -> T {
        *lock(&self.state) = State::Shielded;
        let outcome = work();
        let mut state = lock(&self.state);
        // Whoever was asked to end has still to be able to say so, and only a second signal may cut that off.
        if *state == State::Shielded {
            *state = State::Free;
        }
        outcome
    }

    /// True if a signal has come while something was shielded: it is time to end.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *lock(&self.state) == State::Asked
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
