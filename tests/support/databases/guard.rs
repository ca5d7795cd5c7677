//! A proxy with logins before a real Elasticsearch or OpenSearch, whose test servers have none.
//!
//! Its refusals are those of Elasticsearch 8 and of OpenSearch 2.11 and later (`facts/databases.md`, C.2).

use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::node::{Node, Reply};
use crate::couchbase::http::Request;

/// An API key that it knows, as `encoded` has it.
pub const API_KEY: &str = "aWQ6a2V5LW1hcmtlcg==";

/// Who is let in.
#[derive(Clone)]
pub struct Guard {
    target: String,
    state: Arc<Mutex<State>>,
}

pub struct State {
    /// Of the user `reader`.
    pub password: String,
    pub api_key: String,
    /// Whether refusals have no body, as those of OpenSearch.
    pub is_silent: bool,
    /// Requests that were refused.
    pub refusals: usize,
}

impl Guard {
    /// Before the server at `target`.
    pub fn before(target: &str) -> Self {
        let (password, api_key) = ("reader-pw".to_owned(), API_KEY.to_owned());
        let state = State { password, api_key, is_silent: false, refusals: 0 };
        Self { target: target.to_owned(), state: Arc::new(Mutex::new(state)) }
    }

    pub fn node(&self) -> Node {
        let its_own = self.clone();
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_idle_age(std::time::Duration::ZERO);
        let agent: ureq::Agent = config.build().into();
        Node::open(move |request| its_own.answer(request, &agent))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn answer(&self, request: &Request, agent: &ureq::Agent) -> Reply {
        if let Some(refusal) = self.refusal(request) {
            return refusal;
        }
        let url = format!("{}{}", self.target, request.target);
        let forwarded = ureq::http::Request::builder().method(request.method.as_str()).uri(url);
        let forwarded = forwarded.header("content-type", "application/json").body(request.body.clone()).unwrap();
        match agent.run(forwarded) {
            Ok(mut response) => {
                let body = response.body_mut().with_config().limit(100 * 1024 * 1024).read_to_vec().unwrap();
                Reply::new(response.status().as_u16(), body)
            }
            Err(error) => Reply::new(502, error.to_string()),
        }
    }

    fn refusal(&self, request: &Request) -> Option<Reply> {
        let mut state = self.state();
        let basic = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let authorization = request.field("authorization").unwrap_or_default();
        if authorization == basic("reader", &state.password) || authorization == format!("ApiKey {}", state.api_key) {
            return None;
        }
        let status = if authorization == basic("stranger", "stranger-pw") { 403 } else { 401 };
        state.refusals += 1;
        if state.is_silent {
            return Some(Reply::new(status, ""));
        }
        let error = json!({"type": "security_exception", "reason": "message-marker-4711"});
        Some(Reply::json(
            status,
            &json!({"error": {"root_cause": [error], "type": "security_exception"}, "status": status}),
        ))
    }
}
