//! One node of a database's double: a port, what it was asked, and what it answers instead of itself.
//!
//! Invariant: what it does is changed by the tests alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::couchbase::http::{Framing, Request, answer};
use crate::couchbase::{Action, Port, Script, Then};
use crate::support::client::find;

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    pub fields: Vec<(&'static str, String)>,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), fields: Vec::new() }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, body.to_string())
    }
}

/// What a node does.
#[derive(Clone, Debug, Default)]
pub enum Mood {
    #[default]
    Well,
    /// It answers every request with this.
    Canned(Reply),
    /// It answers after so long.
    Slow(Duration),
    /// It reads requests and says nothing.
    Silent,
    /// It sends half of each answer and closes the connection.
    CutOff,
}

pub struct Node {
    pub port: Port,
    state: Arc<Mutex<NodeState>>,
}

#[derive(Default)]
struct NodeState {
    mood: Mood,
    asked: Vec<String>,
    /// The requests behind this one are not answered.
    last_answered: Option<usize>,
    traceparents: Vec<String>,
    queue_times: Vec<String>,
}

impl Node {
    /// A node that answers by `handler` while it is well.
    pub fn open(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let state = Arc::new(Mutex::new(NodeState::default()));
        let its_own = Arc::clone(&state);
        let port = Port::open("node", Arc::new(Script::default()), move |request: &Request, _| {
            let mood = {
                let mut state = its_own.lock().unwrap();
                state.asked.push(format!("{} {}", request.method, request.target));
                state.traceparents.extend(request.field("traceparent").map(str::to_owned));
                state.queue_times.extend(request.field("x-arango-queue-time-seconds").map(str::to_owned));
                let is_held = state.last_answered.is_some_and(|last| state.asked.len() > last);
                if is_held { Mood::Silent } else { state.mood.clone() }
            };
            match mood {
                Mood::Well => Action { bytes: bytes(&handler(request)), then: Then::Keep },
                Mood::Canned(reply) => Action { bytes: bytes(&reply), then: Then::Keep },
                Mood::Slow(pause) => {
                    std::thread::sleep(pause);
                    Action { bytes: bytes(&handler(request)), then: Then::Keep }
                }
                Mood::Silent => Action { bytes: Vec::new(), then: Then::Freeze },
                Mood::CutOff => {
                    let mut bytes = bytes(&handler(request));
                    let head = find(&bytes, b"\r\n\r\n").unwrap() + 4;
                    bytes.truncate(head + (bytes.len() - head) / 2);
                    Action { bytes, then: Then::Close }
                }
            }
        });
        Self { port, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    pub fn set_mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// Answers so many requests more, and says nothing to those after them. Returns whether one of these has come.
    pub fn hold_after(&self, requests: usize) -> impl Fn() -> bool + use<> {
        let state = Arc::clone(&self.state);
        let mut locked = state.lock().unwrap();
        let last = locked.asked.len() + requests;
        locked.last_answered = Some(last);
        drop(locked);
        move || state.lock().unwrap().asked.len() > last
    }

    /// The requests so far: method and target.
    pub fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    /// The values of the field `traceparent` so far.
    pub fn traceparents(&self) -> Vec<String> {
        self.state.lock().unwrap().traceparents.clone()
    }

    /// The values of the field `x-arango-queue-time-seconds` so far.
    pub fn queue_times(&self) -> Vec<String> {
        self.state.lock().unwrap().queue_times.clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.port.stop();
    }
}

fn bytes(reply: &Reply) -> Vec<u8> {
    let mut fields: Vec<(&str, &str)> = vec![("Content-Type", "application/json")];
    fields.extend(reply.fields.iter().map(|(name, value)| (*name, value.as_str())));
    answer(reply.status, &fields, &reply.body, Framing::BySize)
}
