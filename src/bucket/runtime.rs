//! The one place where something asynchronous runs: the drivers of databases that bring nothing else.
//!
//! Invariant: a call never outlives its deadline by more than a thread needs to wake up, whatever the driver does; and no
//! future of a driver is dropped half-way, because it runs as a task of its own, which goes on when nobody waits any more.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::BucketError;
use crate::clock::{self, Deadline};

/// Threads that poll: they wait for sockets and turn bytes into rows, which is little work. More of them made reads slower.
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

    /// Runs a future to its end, in a task of its own, and waits for it until the deadline. Blocks this thread, which must
    /// not be one of the runtime's.
    ///
    /// # Errors
    /// [`BucketError::Timeout`], which says that `what` did not answer; [`BucketError::Unavailable`] if the task panicked.
    pub fn run<T: Send + 'static>(
        &self,
        deadline: Deadline,
        what: &str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, BucketError> {
        let Some(runtime) = &self.0 else { return Err(BucketError::unavailable("the database is being closed")) };
        let task = runtime.spawn(future);
        let left = deadline.remaining(clock::now());
        runtime.block_on(async { timed(left, what, task).await })
    }

    /// Starts a task that takes the outcome of a future, at the latest after `limit`. Returns at once.
    pub fn start_task<T: Send + 'static>(
        &self,
        limit: Duration,
        what: &'static str,
        future: impl Future<Output = T> + Send + 'static,
        take: impl FnOnce(Result<T, BucketError>) + Send + 'static,
    ) {
        if let Some(runtime) = &self.0 {
            let task = runtime.spawn(future);
            runtime.spawn(async move { take(timed(limit, what, task).await) });
        }
    }
}

/// The outcome of a task, waited for so long.
async fn timed<T>(limit: Duration, what: &str, task: JoinHandle<T>) -> Result<T, BucketError> {
    match timeout(limit, task).await {
        Ok(Ok(outcome)) => Ok(outcome),
        // Its message was printed when it happened.
        Ok(Err(_)) => Err(BucketError::unavailable("the driver of the database panicked: a defect, please report it")),
        Err(_) => Err(BucketError::timeout(format!("{what} did not answer in time"))),
    }
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
        let (sender, receiver) = mpsc::channel();
        let take = move |outcome: Result<(), BucketError>| sender.send(outcome.is_err()).unwrap();
        runtime.start_task(Duration::from_secs(30), "a task", async { panic!("on purpose") }, take);
        assert_eq!(receiver.recv(), Ok(true));
    }
}
