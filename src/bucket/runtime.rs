//! The one place where something asynchronous runs: the drivers of databases that bring nothing else.
//!
//! Invariant: a call never outlives its deadline by more than a thread needs to wake up, whatever the driver does;
//! and no future of a driver is dropped half-way, because it runs as a task of its own, which goes on when nobody
//! waits any more.

use std::future::Future;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

use super::BucketError;
use crate::clock::{self, Deadline};

/// Threads that poll. They wait for sockets and turn bytes into rows, which is little work.
const THREADS: usize = 1;

/// A small runtime of one database. When it is dropped, its threads end by themselves, and nobody waits for them.
pub struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    /// Starts its threads.
    ///
    /// # Errors
    /// [`BucketError::Unavailable`] if a thread cannot be started.
    pub fn start() -> Result<Self, BucketError> {
        let built =
            Builder::new_multi_thread().worker_threads(THREADS).thread_name("database-driver").enable_all().build();
        let no_thread = |error: io::Error| BucketError::unavailable(format!("a thread cannot be started: {error}"));
        built.map(|runtime| Self(Some(runtime))).map_err(no_thread)
    }

    /// Runs a future to its end, in a task of its own, and waits for it until the deadline. Blocks this thread, which
    /// must not be one of the runtime's. The wait needs none of those: they may all be busy.
    ///
    /// # Errors
    /// [`BucketError::Timeout`], which says that `what` did not answer; [`BucketError::Unavailable`] if the task
    /// panicked.
    pub fn run<T: Send + 'static>(
        &self,
        deadline: Deadline,
        what: &str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, BucketError> {
        let (sender, receiver) = sync_channel(1);
        self.start_task(async move {
            // Nobody may wait any more.
            let _ = sender.send(future.await);
        });
        receiver.recv_timeout(deadline.remaining(clock::now())).map_err(|error| match error {
            RecvTimeoutError::Timeout => BucketError::timeout(format!("{what} did not answer in time")),
            RecvTimeoutError::Disconnected => panicked(),
        })
    }

    /// Runs a future in a task of its own. Returns at once.
    pub fn start_task(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(future);
        }
    }
}

/// The outcome of a future that runs in a task of its own, waited for in another one, for so long at most.
///
/// # Errors
/// As [`Runtime::run`].
pub async fn within<T: Send + 'static>(
    limit: Duration,
    what: &str,
    future: impl Future<Output = T> + Send + 'static,
) -> Result<T, BucketError> {
    match timeout(limit, tokio::spawn(future)).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(_)) => Err(panicked()),
        Err(_) => Err(BucketError::timeout(format!("{what} did not answer in time"))),
    }
}

/// Its message was printed when it happened.
fn panicked() -> BucketError {
    BucketError::unavailable("the driver of the database panicked: a defect, please report it")
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn soon() -> Deadline {
        Deadline::after(clock::now(), Duration::from_millis(20))
    }

    #[test]
    fn a_call_ends_at_its_deadline_and_its_task_goes_on() {
        let runtime = Runtime::start().unwrap();
        let (sender, receiver) = mpsc::channel();
        let outcome = runtime.run(soon(), "a long task", async move {
            tokio::time::sleep(Duration::from_millis(60)).await;
            sender.send("done").unwrap();
        });
        assert_eq!(outcome, Err(BucketError::timeout("a long task did not answer in time")));
        assert_eq!(receiver.recv(), Ok("done"));
        let later = Deadline::after(clock::now(), Duration::from_secs(30));
        assert_eq!(runtime.run(later, "a short task", async { 7 }), Ok(7));
    }

    #[test]
    fn a_panic_is_an_error() {
        let runtime = Runtime::start().unwrap();
        let later = Deadline::after(clock::now(), Duration::from_secs(30));
        let outcome = runtime.run::<()>(later, "a task", async { panic!("on purpose") });
        assert!(matches!(outcome, Err(BucketError::Unavailable { .. })), "{outcome:?}");
        let outcome = runtime.run(later, "a task", async {
            within::<()>(Duration::from_secs(30), "another", async { panic!("on purpose") }).await
        });
        assert!(matches!(outcome, Ok(Err(BucketError::Unavailable { .. }))), "{outcome:?}");
        let outcome = runtime.run(later, "a task", async {
            within(Duration::from_millis(1), "another", std::future::pending::<()>()).await
        });
        assert!(matches!(outcome, Ok(Err(BucketError::Timeout { .. }))), "{outcome:?}");
    }
}
