//! Profiles out of Couchbase's query service, by `reqwest` as its documentation shows it: one client for all requests,
//! which keeps its connections.
//!
//! Invariant: a request costs one exchange, of the same JSON body as ours.

use reqwest::Client;
use serde::{Deserialize, Serialize};

use crate::profiles::{ReadError, User, UserInDb};

/// As scripts/bench gives it to our server.
const LOGIN: (&str, &str) = ("bench", "bench");

const STATEMENT: &str = "SELECT META(d).id AS id, META(d).cas AS cas, META(d).type AS kind, d AS doc FROM \
                         `bucket_name` AS d USE KEYS $id";

/// What is asked.
#[derive(Serialize)]
struct Parameters<'a> {
    statement: &'a str,
    #[serde(rename = "$id")]
    id: &'a str,
    readonly: bool,
    timeout: &'a str,
    client_context_id: &'a str,
    pretty: bool,
    metrics: bool,
    signature: bool,
}

/// What is answered, as far as it is looked at.
#[derive(Deserialize)]
struct Answer {
    results: Vec<Row>,
    status: String,
}

#[derive(Deserialize)]
struct Row {
    doc: UserInDb,
}

/// A query service.
pub struct QueryService {
    client: Client,
    url: String,
}

impl QueryService {
    /// Asks nobody yet.
    pub fn new(url: &str) -> Self {
        Self { client: Client::new(), url: format!("{url}/query/service") }
    }

    /// The public part of a stored profile; `None` when there is none.
    ///
    /// # Errors
    /// When the service does not answer, or not with a success.
    pub async fn read(&self, username: &str) -> Result<Option<User>, ReadError> {
        let parameters = Parameters {
            statement: STATEMENT,
            id: &format!("userprofile::{username}"),
            readonly: true,
            timeout: "29900ms",
            client_context_id: "0123456789abcdef0123456789abcdef",
            pretty: false,
            metrics: false,
            signature: false,
        };
        let (user, password) = LOGIN;
        let request = self.client.post(&self.url).basic_auth(user, Some(password)).json(&parameters);
        let answer: Answer = request.send().await?.error_for_status()?.json().await?;
        if answer.status != "success" {
            return Err(format!("the query service says {}", answer.status).into());
        }
        Ok(answer.results.into_iter().next().map(|row| row.doc.into()))
    }
}
