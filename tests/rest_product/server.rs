//! A server of the toy product: nodes that have the same documents and the same password, each in a mood of its own.
//!
//! Invariant: what it does is changed by the tests alone, and what it was asked is counted.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;
use userprofiles::bucket::rest::{Endpoint, Security};

use crate::couchbase::Script;
use crate::couchbase::http::{self, Framing, Request};
use crate::couchbase::port::{Action, Port, Then};
use crate::{PASSWORD, USERNAME, profile};

/// How a node behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// It reads requests and says nothing.
    Silent,
    /// It answers the next requests, so many of them, with this status.
    Failing(u16, usize),
    /// It closes a connection at its second request.
    ForgetsConnections,
}

/// All nodes, and what they share.
pub struct ToyServer {
    shared: Arc<Shared>,
    nodes: Vec<ToyNode>,
}

pub struct ToyNode {
    pub port: Port,
    state: Arc<Mutex<NodeState>>,
}

struct Shared {
    documents: Mutex<BTreeMap<String, String>>,
    password: Mutex<String>,
    refused: Mutex<usize>,
}

struct NodeState {
    mood: Mood,
    asked: Vec<String>,
}

impl ToyServer {
    /// Starts nodes that know the user `a`.
    pub fn start(nodes: usize) -> Self {
        let shared = Arc::new(Shared {
            documents: Mutex::default(),
            password: Mutex::new(PASSWORD.to_owned()),
            refused: Mutex::default(),
        });
        let server = Self { nodes: (0..nodes).map(|_| ToyNode::start(&shared)).collect(), shared };
        server.put("userprofile::a", &profile("a"));
        server
    }

    pub fn put(&self, id: &str, text: &str) {
        self.shared.documents.lock().unwrap().insert(id.to_owned(), text.to_owned());
    }

    /// The documents by their ids.
    pub fn documents(&self) -> BTreeMap<String, String> {
        self.shared.documents.lock().unwrap().clone()
    }

    pub fn set_password(&self, password: &str) {
        password.clone_into(&mut self.shared.password.lock().unwrap());
    }

    /// How many requests were refused for their login.
    pub fn refused(&self) -> usize {
        *self.shared.refused.lock().unwrap()
    }

    pub fn node(&self, number: usize) -> &ToyNode {
        &self.nodes[number]
    }

    pub fn endpoints(&self) -> Vec<Endpoint> {
        let port = |node: &ToyNode| node.port.address().port();
        self.nodes.iter().map(|node| Endpoint::new(Security::Plain, "127.0.0.1", port(node))).collect()
    }
}

impl Drop for ToyNode {
    fn drop(&mut self) {
        self.port.stop();
    }
}

impl ToyNode {
    fn start(shared: &Arc<Shared>) -> Self {
        let state = Arc::new(Mutex::new(NodeState { mood: Mood::Well, asked: Vec::new() }));
        let (shared, its_own) = (Arc::clone(shared), Arc::clone(&state));
        let answer = move |request: &Request, turn: usize| its_own.lock().unwrap().answer(&shared, request, turn);
        Self { port: Port::open("toy", Arc::new(Script::default()), answer), state }
    }

    /// Its name in [`userprofiles::Bucket::node`].
    pub fn name(&self) -> String {
        self.port.address().to_string()
    }

    pub fn set_mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// The requests so far, but for probes.
    pub fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }
}

impl NodeState {
    fn answer(&mut self, shared: &Shared, request: &Request, turn: usize) -> Action {
        let target = percent_decode_str(&request.target).decode_utf8_lossy().into_owned();
        if !target.contains("is-anybody-there") {
            self.asked.push(format!("{} {target}", request.method));
        }
        let nothing = |then| Action { bytes: Vec::new(), then };
        match self.mood {
            Mood::Silent => return nothing(Then::Freeze),
            Mood::ForgetsConnections if turn > 0 => return nothing(Then::Close),
            Mood::Failing(status, left) if left > 0 => {
                self.mood = Mood::Failing(status, left - 1);
                return answer(status, "");
            }
            Mood::Well | Mood::ForgetsConnections | Mood::Failing(..) => {}
        }
        let pair = STANDARD.encode(format!("{USERNAME}:{}", shared.password.lock().unwrap()));
        if request.field("authorization") != Some(&format!("Basic {pair}")) {
            *shared.refused.lock().unwrap() += 1;
            return answer(401, "");
        }
        let mut documents = shared.documents.lock().unwrap();
        if request.method == "POST" {
            for line in String::from_utf8(request.body.clone()).unwrap().lines() {
                let (id, text): (String, Box<RawValue>) = serde_json::from_str(line).unwrap();
                documents.insert(id, text.get().to_owned());
            }
            return answer(200, "");
        }
        match target.strip_prefix("/?") {
            Some(query) => answer(200, &lines(&documents, query)),
            None => documents.get(&target[1..]).map_or_else(|| answer(404, ""), |text| answer(200, text)),
        }
    }
}

/// The documents of a list, or those that are named.
fn lines(documents: &BTreeMap<String, String>, query: &str) -> String {
    let argument = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let (after, is_descending) = (argument("after"), argument("order").is_some());
    let most = argument("most").map_or(usize::MAX, |most| most.parse().unwrap());
    let named: Option<Vec<&str>> = argument("ids").map(|ids| ids.split(',').collect());
    let is_behind = |id: &str| after.is_none_or(|after| if is_descending { id < after } else { id > after });
    let is_wanted = |id: &str| named.as_ref().is_none_or(|named| named.contains(&id)) && is_behind(id);
    let mut found: Vec<_> = documents.iter().filter(|(id, _)| is_wanted(id)).collect();
    if is_descending {
        found.reverse();
    }
    found.iter().take(most).fold(String::new(), |mut text, (id, document)| {
        writeln!(text, "[{id:?},{document}]").unwrap();
        text
    })
}

fn answer(status: u16, body: &str) -> Action {
    Action { bytes: http::answer(status, &[], body.as_bytes(), Framing::Counted), then: Then::Keep }
}
