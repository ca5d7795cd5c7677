//! Writes log lines to standard error in a thread of its own, so that nothing waits for the log: a journal that hangs, or a
//! pipe that nobody reads, costs lines and no request.
//!
//! Invariant: [`LogQueue::push`] never waits for standard error. What is queued is bounded; what did not fit is counted,
//! and the count is logged once lines are taken again.

use std::io::Write;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use crate::clock::{self, Deadline};
use crate::threads;

/// Access lines are dropped while this much is queued, in bytes; other lines have as much again.
const CAPACITY_BYTES: usize = 1024 * 1024;

/// After each write the thread lets lines gather for so long. Under load that is one system call for hundreds of lines, and
/// no worker has to wake it.
const GATHER: Duration = Duration::from_millis(5);

/// How long the end of the process waits for its last lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether a line may be dropped before others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// A line for each answer.
    Access,
    /// Any other.
    Other,
}

/// Lines on their way to standard error.
#[derive(Default)]
pub struct LogQueue {
    state: Mutex<QueueState>,
    wake: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct QueueState {
    lines: Vec<u8>,
    dropped: u64,
    /// The thread waits to be woken.
    is_idle: bool,
    is_writing: bool,
}

impl LogQueue {
    /// Starts the thread. `notice` makes the line that tells how many lines were dropped.
    ///
    /// # Errors
    /// If the operating system has no thread left.
    pub fn start(
        output: impl Write + Send + 'static,
        notice: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let queue = Arc::<Self>::default();
        let its_own = Arc::clone(&queue);
        threads::spawn("log", move || its_own.write_all(output, notice))?;
        Ok(queue)
    }

    /// Queues a line, or drops it if there is no room.
    pub fn push(&self, line: &str, importance: Importance) {
        let mut state = self.lock();
        let capacity = match importance {
            Importance::Access => CAPACITY_BYTES,
            Importance::Other => 2 * CAPACITY_BYTES,
        };
        if state.lines.len() + line.len() > capacity {
            state.dropped += 1;
            return;
        }
        state.lines.extend_from_slice(line.as_bytes());
        if mem::take(&mut state.is_idle) {
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Waits until all that was queued is written, for [`FLUSH_TIMEOUT`] at most.
    pub fn flush(&self) {
        let deadline = Deadline::after(clock::now(), FLUSH_TIMEOUT);
        let mut state = self.lock();
        while !state.lines.is_empty() || state.is_writing {
            let left = deadline.remaining(clock::now());
            if left.is_zero() {
                return;
            }
            state = self.written.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn write_all(&self, mut output: impl Write, notice: impl Fn(u64) -> String) {
        let mut lines = Vec::new();
        loop {
            self.take(&mut lines);
            // If nobody reads, or the disk is full, there is nowhere to say so.
            let _ = output.write_all(&lines).and_then(|()| output.flush());
            lines.clear();
            lines.shrink_to(CAPACITY_BYTES);
            {
                let mut state = self.lock();
                state.is_writing = false;
                let dropped = mem::take(&mut state.dropped);
                if dropped > 0 {
                    // Whatever the room: it is one line for all of them.
                    state.lines.extend_from_slice(notice(dropped).as_bytes());
                }
            }
            self.written.notify_all();
            thread::sleep(GATHER);
        }
    }

    /// Waits for lines, and takes all.
    fn take(&self, lines: &mut Vec<u8>) {
        let mut state = self.lock();
        while state.lines.is_empty() {
            state.is_idle = true;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_idle = false;
        state.is_writing = true;
        mem::swap(&mut state.lines, lines);
    }

    /// Nothing under this lock can panic.
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Takes each write once it is allowed to.
    struct Slow {
        allowed: Receiver<()>,
        written: Sender<String>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.allowed.recv();
            let _ = self.written.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_waits_for_a_log_that_hangs_and_what_is_dropped_is_counted() {
        let (allow, allowed) = channel();
        let (sender, written) = channel();
        let queue = LogQueue::start(Slow { allowed, written: sender }, |lines| format!("{lines} dropped\n")).unwrap();
        let line = "x".repeat(1023) + "\n";
        queue.push("first\n", Importance::Other);
        while !queue.lock().is_writing {
            thread::yield_now();
        }
        for _ in 0..1024 {
            queue.push(&line, Importance::Access);
        }
        for _ in 0..3 {
            queue.push(&line, Importance::Access);
        }
        queue.push("important\n", Importance::Other);
        drop(allow);
        let text: String = (0..2).map(|_| written.recv().unwrap()).collect();
        assert!(
            text.starts_with("first\n") && text.ends_with("important\n3 dropped\n"),
            "{:?}",
            &text[text.len() - 40..]
        );
        queue.flush();
        assert!(queue.lock().lines.is_empty());
    }
}
