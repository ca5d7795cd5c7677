//! INT, TERM and HUP for commands that write something: a first one waits until nothing is half written, a second one does
//! not.
//!
//! Invariant: while work is shielded a first signal ends nothing; at any other moment it ends the process at once, after
//! a last word to the person who sent it.

use std::ffi::c_int;
use std::process;
use std::sync::Arc;

use anyhow::Context as _;
use parking_lot::Mutex;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use super::exit::{Exit, tell_user};
use crate::threads;

/// The signals that end a command: HUP comes from a terminal that was closed.
pub const FOR_COMMANDS: [c_int; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Whether, and when, the command may be ended by a signal.
pub struct Interruption {
    state: Arc<Mutex<SignalState>>,
    signals: Option<Handle>,
}

impl Drop for Interruption {
    /// Signals are somebody else's from now on.
    fn drop(&mut self) {
        if let Some(signals) = &self.signals {
            signals.close();
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignalState {
    /// A signal may end the process now.
    Free,
    /// Something is being written that should come to its end.
    Shielded,
    /// And a signal has come meanwhile.
    StopRequested,
}

impl Interruption {
    /// Takes no signals: they end the process as they always do.
    #[must_use]
    pub fn none() -> Self {
        Self { state: Arc::new(Mutex::new(SignalState::Free)), signals: None }
    }

    /// Takes these signals for as long as it lives. `before_exit` is called, in another thread, before a signal ends the
    /// process, with this code, while nothing is shielded.
    ///
    /// # Errors
    /// If the operating system gives no thread for it, or does not let signals be taken.
    pub fn watch(taken: &[c_int], exit: Exit, before_exit: impl Fn() + Send + 'static) -> anyhow::Result<Self> {
        let mut interruption = Self::none();
        let state = Arc::clone(&interruption.state);
        let mut signals =
            Signals::new(taken.iter().filter(|signal| !is_ignored(**signal))).context("cannot take signals")?;
        interruption.signals = Some(signals.handle());
        let thread = move || {
            for _ in &mut signals {
                let mut state = state.lock();
                match *state {
                    SignalState::Free => {
                        before_exit();
                        // The state stays locked, so that nothing is begun meanwhile.
                        process::exit(exit as i32);
                    }
                    SignalState::Shielded => {
                        *state = SignalState::StopRequested;
                        tell_user("finishing the current step before stopping; interrupt again to stop immediately");
                    }
                    SignalState::StopRequested => process::exit(Exit::Failed as i32),
                }
            }
        };
        threads::spawn("signals", thread).context("cannot start a thread")?;
        Ok(interruption)
    }

    /// Does something that a first signal is not to cut off.
    pub fn shield<T>(&self, work: impl FnOnce() -> T) -> T {
        *self.state.lock() = SignalState::Shielded;
        let outcome = work();
        let mut state = self.state.lock();
        // Whoever was asked to end has still to be able to say so, and only a second signal may cut that off.
        if *state == SignalState::Shielded {
            *state = SignalState::Free;
        }
        outcome
    }

    /// True if a signal has come while something was shielded: it is time to end.
    #[must_use]
    pub fn stop_requested(&self) -> bool {
        *self.state.lock() == SignalState::StopRequested
    }
}

/// True if whoever started the process wants the signal ignored, as `nohup` does with HUP (proc(5), `SigIgn`).
fn is_ignored(signal: c_int) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    u32::try_from(signal - 1).is_ok_and(|bit| mask.checked_shr(bit).unwrap_or_default() & 1 == 1)
}
