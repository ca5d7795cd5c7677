//! Spares reads most of what locking the file costs, while they come thick.
//!
//! `SQLite` takes a lock on the file for each read and gives it back: two system calls, which all threads of a process
//! make one after the other, and which take longer than the read itself. Connections of one process share that lock:
//! while one of them has it, the others only count (`SQLite`, `os_unix.c`, `unixShmLock`). So a thread of its own has
//! it for all of them, by way of a read transaction that nobody reads from (measured: a read takes 1.5 in place of
//! 3.5 µs, and with two threads at it 3 in place of 7).
//!
//! Invariant: reads see what they would see without it, because each begins a transaction of its own; and no
//! transaction is kept longer than [`TERM`], because what is written meanwhile stays in the log.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use crate::threads;

/// How long one transaction is kept: a hundred a second cost nothing that could be measured, and a writer that waits
/// for readers to let go of the log waits longer than this.
const TERM: Duration = Duration::from_millis(10);

/// After so many reads the thread is called, if it sleeps. Where reads are rare, so is the call.
const READS_PER_CALL: usize = 64;

/// With fewer reads than this in a term, the thread goes to sleep.
const READS_PER_TERM: usize = 16;

/// The thread, and what it is to do.
pub(super) struct SharedLock {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    reads: AtomicUsize,
    is_asleep: AtomicBool,
    is_over: AtomicBool,
}

impl SharedLock {
    /// Starts the thread. `keeper` is its own from now on, and is closed when this is dropped.
    ///
    /// # Errors
    /// If the operating system has no thread left.
    pub(super) fn start(keeper: Connection) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let its_own = Arc::clone(&shared);
        let thread = threads::spawn("embedded-lock", move || run(&its_own, keeper))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Records that a read is about to begin.
    pub(super) fn record_read(&self) {
        let reads = self.shared.reads.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if reads.is_multiple_of(READS_PER_CALL) && self.shared.is_asleep.swap(false, Ordering::Relaxed) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for SharedLock {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.wake();
        // A thread that panicked (a defect of ours) has closed its connection all the same.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A call that comes between two looks is not lost: `park` returns at once after an `unpark` that came before it.
fn run(shared: &Shared, mut keeper: Connection) {
    loop {
        shared.is_asleep.store(true, Ordering::Relaxed);
        // The call may have come, and been used up, during the last term.
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        thread::park();
        while !shared.is_over.load(Ordering::Relaxed) {
            let before = shared.reads.load(Ordering::Relaxed);
            // A file that cannot be read is for the readers to tell of.
            let is_kept = keep_for_a_term(&mut keeper).is_ok();
            let reads = shared.reads.load(Ordering::Relaxed).wrapping_sub(before);
            if !is_kept || reads < READS_PER_TERM {
                break;
            }
        }
    }
}

fn keep_for_a_term(keeper: &mut Connection) -> rusqlite::Result<()> {
    let transaction = keeper.transaction()?;
    // A transaction has its lock from its first read on.
    transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    thread::park_timeout(TERM);
    Ok(())
}
