//! Threads that everything needs.
//!
//! Invariant: the process never lives on deaf. If such a thread ends otherwise than by being asked to, the process
//! aborts and says why, so that whoever watches it (systemd, say) starts it anew.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Stack of our threads, in bytes. It is address space; only what is used is memory. SQLite and TLS need the most.
const STACK_BYTES: usize = 1024 * 1024;

/// Starts a thread without which the process is of no use.
///
/// # Errors
/// If the operating system has no thread left.
pub fn spawn_vital(name: String, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.clone()).stack_size(STACK_BYTES).spawn(move || {
        let watch = AbortOnDrop { name };
        work();
        std::mem::forget(watch);
    })
}

struct AbortOnDrop {
    name: String,
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        log::error!("thread {} died, and nothing works without it: aborting", self.name);
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
        let this_test = ["--exact", "http::threads::tests::the_process_aborts_if_a_vital_thread_panics"];
        let output = Command::new(std::env::current_exe().unwrap()).args(this_test).env(DIES, "1").output().unwrap();
        assert_eq!(output.status.signal(), Some(6), "SIGABRT, not {:?}", output.status);
    }

    #[test]
    fn a_vital_thread_may_end_when_its_work_is_done() {
        spawn_vital("vital".to_owned(), || {}).unwrap().join().unwrap();
    }
}
