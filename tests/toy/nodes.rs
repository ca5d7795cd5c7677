//! Nodes of the toy product: `GET /{id}`, `POST /` and `GET /?after={id}&most={number}`, with basic authentication.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;

use crate::couchbase::{Action, Framing, Port, Request, Script, Then, answer};
use crate::product::Entry;

pub const USERNAME: &str = "reader";

/// What all nodes share.
#[derive(Default)]
pub struct Store {
    pub documents: Mutex<BTreeMap<String, String>>,
    /// The password that is accepted.
    pub password: Mutex<String>,
    /// Statuses to answer with before anything else, the last one first.
    pub failures: Mutex<Vec<u16>>,
}

pub struct Node {
    pub port: Port,
}

impl Node {
    pub fn start(store: &Arc<Store>) -> Self {
        let store = Arc::clone(store);
        let handler = move |request: &Request, _| {
            let (status, body) = store.serve(request);
            Action { bytes: answer(status, &[], &body, Framing::Counted), then: Then::Keep }
        };
        Self { port: Port::open("toy", Arc::new(Script::default()), handler) }
    }

    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub fn requests(&self) -> usize {
        self.port.counts().all_requests()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.port.stop();
    }
}

impl Store {
    pub fn with_password(password: &str) -> Arc<Self> {
        let store = Self::default();
        password.clone_into(&mut store.password.lock());
        Arc::new(store)
    }

    fn serve(&self, request: &Request) -> (u16, Vec<u8>) {
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{USERNAME}:{}", self.password.lock())));
        if request.field("authorization") != Some(expected.as_str()) {
            return (401, Vec::new());
        }
        if let Some(status) = self.failures.lock().pop() {
            return (status, Vec::new());
        }
        let mut documents = self.documents.lock();
        if request.method == "POST" {
            let entries: Vec<Entry> = serde_json::from_slice(&request.body).unwrap();
            documents.extend(entries.into_iter().map(|entry| (entry.id, entry.text)));
            return (204, Vec::new());
        }
        let path = percent_encoding::percent_decode_str(&request.target).decode_utf8().unwrap().into_owned();
        let Some((after, most)) = path.strip_prefix("/?after=").and_then(|query| query.split_once("&most=")) else {
            return documents.get(&path[1..]).map_or((404, Vec::new()), |text| (200, text.clone().into_bytes()));
        };
        let page: Vec<Entry> = documents
            .iter()
            .filter(|(id, _)| id.as_str() > after)
            .take(most.parse().unwrap())
            .map(|(id, text)| Entry { id: id.clone(), text: text.clone() })
            .collect();
        (200, serde_json::to_vec(&page).unwrap())
    }
}
