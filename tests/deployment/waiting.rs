//! Commands of this machine, and waiting with an end.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::server::PATIENCE;

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Asks again until there is an answer.
pub fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(POLL_INTERVAL);
    }
}

/// Runs a command of this machine, which must succeed, and returns what it printed.
pub fn complete(mut command: Command, what: &str) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{what}\n{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}
