//! Clients that ask without a pause, some over connections that they keep and some over a new one each time, and count every
//! request that was not answered with the user.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::client::Client;
use super::server::PATIENCE;

/// What a service manager's restart has to leave unnoticed.
pub const KEPT: usize = 64;
pub const NEW: usize = 32;

/// Clients that are at work.
pub struct RunningLoad {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl RunningLoad {
    /// Starts them, and waits until each has had some answers.
    pub fn start(address: SocketAddr) -> Self {
        let (is_over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |number| {
            let (is_over, answered) = (Arc::clone(&is_over), Arc::clone(&answered));
            std::thread::spawn(move || {
                let mut failures = Vec::new();
                let mut kept = None;
                while !is_over.load(Ordering::Relaxed) {
                    match ask(address, kept.take()) {
                        Ok(client) => {
                            kept = client.filter(|_| number < KEPT);
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(failure) => failures.push(failure),
                    }
                }
                failures
            })
        };
        let load = Self { clients: (0..KEPT + NEW).map(client).collect(), is_over, answered };
        load.wait_for(10 * (KEPT + NEW));
        load
    }

    /// Waits for so many more answers.
    pub fn wait_for(&self, answers: usize) {
        let (start, wanted) = (std::time::Instant::now(), self.answered() + answers);
        while self.answered() < wanted {
            assert!(start.elapsed() < PATIENCE, "only {} answers", self.answered());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How many answers there were.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends them, and fails if one request had no good answer.
    pub fn assert_no_failure(self, log: &str) {
        let answered = Arc::clone(&self.answered);
        let failures = self.end();
        let answered = answered.load(Ordering::Relaxed);
        assert!(failures.is_empty(), "{} failed, {answered} did not: {:.9?}\n{log}", failures.len(), failures);
    }

    /// Ends them, and returns what went wrong.
    pub fn end(self) -> Vec<String> {
        self.is_over.store(true, Ordering::Relaxed);
        self.clients
            .into_iter()
            .flat_map(|client| client.join().unwrap_or_else(|_| vec!["a client panicked".to_owned()]))
            .collect()
    }
}

/// One request. Returns the connection if it can be used again.
fn ask(address: SocketAddr, kept: Option<Client>) -> Result<Option<Client>, String> {
    let kind = if kept.is_some() { "kept" } else { "new" };
    let connect = || TcpStream::connect(address).map(Client::over).map_err(|error| format!("connect: {error}"));
    let mut client = kept.map_or_else(connect, Ok)?;
    client.send("GET /users/johndoe HTTP/1.1\r\nHost: x\r\n\r\n");
    let Some(answer) = client.try_answer_to("GET") else { return Err(format!("a {kind} connection has no answer")) };
    if answer.status != 200 || answer.json()["username"] != "johndoe" {
        return Err(format!("{}: {}", answer.status, answer.text()));
    }
    Ok((answer.field("connection") != Some("close")).then_some(client))
}
