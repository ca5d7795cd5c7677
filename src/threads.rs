//! Starts threads: every thread of the program has a name and a bounded stack.
//!
//! Invariant: the process never goes on without a thread that everything needs. If such a thread ends otherwise than by
//! returning, the process aborts and says why, so that a supervisor (systemd, say) starts it anew.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Stack of our threads, in bytes. It is address space; only what is used is memory. SQLite and TLS need the most.
const STACK_BYTES: usize = 1024 * 1024;

/// Starts a thread.
///
/// # Errors
/// If the operating system has no thread left.
pub fn spawn<T: Send + 'static>(
    name: impl Into<String>,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.into()).stack_size(STACK_BYTES).spawn(work)
}

/// Starts a thread without which the process is of no use.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_vital(name: impl Into<String>, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let name = name.into();
    spawn(name.clone(), move || {
        let abort = AbortOnDrop { name };
        work();
        std::mem::forget(abort);
    })
}

/// Why [`run_within`] returned nothing.
#[derive(Debug)]
pub enum NotDone {
    /// The time was over first. The work goes on in its thread, and its result is dropped.
    TimedOut,
    /// It panicked.
    Panicked,
    /// There was no thread for it.
    NoThread(io::Error),
}

/// Runs `work` in a thread of its own and waits for its result, for `limit` at most: for calls that block and cannot be
/// given a timeout.
///
/// # Errors
/// [`NotDone`]
pub fn run_within<T: Send + 'static>(
    name: impl Into<String>,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotDone> {
    let (sender, receiver) = mpsc::sync_channel(1);
    spawn(name, move || {
        // It fails if nobody waits any more.
        let _ = sender.send(work());
    })
    .map_err(NotDone::NoThread)?;
    receiver.recv_timeout(limit).map_err(|error| match error {
        RecvTimeoutError::Timeout => NotDone::TimedOut,
        RecvTimeoutError::Disconnected => NotDone::Panicked,
    })
}

struct AbortOnDrop {
    name: String,
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        log::error!("thread {} died, and nothing works without it: aborting", self.name);
        log::logger().flush();
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    /// Says to this test, started a second time as a process of its own, that it is to die.
    const DIES: &str = "USERPROFILES_TEST_VITAL_THREAD_DIES";

    #[test]
    fn the_process_aborts_if_a_vital_thread_panics() {
        if std::env::var_os(DIES).is_some() {
            let thread = spawn_vital("vital".to_owned(), || panic!("as the test wants it")).unwrap();
            let _ = thread.join();
            return;
        }
        let this_test = ["--exact", "threads::tests::the_process_aborts_if_a_vital_thread_panics"];
        let output = Command::new(std::env::current_exe().unwrap()).args(this_test).env(DIES, "1").output().unwrap();
        assert_eq!(output.status.signal(), Some(6), "SIGABRT, not {:?}", output.status);
    }

    #[test]
    fn a_vital_thread_may_end_when_its_work_is_done() {
        spawn_vital("vital".to_owned(), || {}).unwrap().join().unwrap();
    }

    #[test]
    fn work_that_takes_too_long_is_not_waited_for() {
        let (_sender, receiver) = mpsc::channel::<()>();
        let never_done = move || receiver.recv();
        assert!(matches!(run_within("slow", Duration::from_millis(10), never_done), Err(NotDone::TimedOut)));
        assert!(matches!(run_within("quick", Duration::from_secs(60), || 7), Ok(7)));
    }
}
