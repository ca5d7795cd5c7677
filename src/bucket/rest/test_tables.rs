//! Tables of responses and what they mean, for the tests of protocols.
//!
//! The files are in `tests/data`: the same rows go through the real program in the tests of each product.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    Access, Call, Cluster, Completeness, Endpoint, Exchange, Failure, Fixed, LoginConfig, Many, Method, Nodes, Product,
    Protocol, ReadOutcome, Request, Response, Retry, Security,
};
pub use crate::bucket::remote::test_product::PRODUCT;
use crate::bucket::{BucketError, BucketTimeouts, Document, NewDocument, Outcome, Page, Trace};
use crate::config::{LoginSettings, TlsSettings};
use crate::model::{DocumentId, UserInDb, Username};
use crate::observe::Observer;

/// A response of a service, and what it means.
#[derive(Deserialize)]
pub struct Row {
    case: String,
    status: u16,
    etag: Option<String>,
    body: String,
    meaning: String,
    #[serde(rename = "remedy")]
    retry: Option<String>,
    #[serde(default)]
    says: Vec<String>,
}

/// The name that the tables have for an outcome.
pub fn meaning(outcome: &Result<ReadOutcome, Failure>) -> &'static str {
    match outcome {
        Ok(ReadOutcome { found: Some(_), .. }) => "document",
        Ok(_) => "not-found",
        Err(failure) => failure.error.kind().as_str(),
    }
}

/// The name that the tables have for what may help.
pub fn retry(retry: Retry) -> &'static str {
    match retry {
        Retry::NotSent => "unasked",
        Retry::Never => "none",
        Retry::Reconnect => "redial",
        Retry::NextNode => "another-node",
        Retry::AfterPause => "later",
        Retry::NewCredentials => "new-login",
    }
}

/// A complete response.
pub fn response(status: u16, etag: Option<&str>, body: &str) -> Response {
    let body = Zeroizing::new(body.as_bytes().to_vec());
    Response { status, etag: etag.map(str::to_owned), body, completeness: Completeness::Complete }
}

/// The same for a reader of profiles, who judges the document too.
fn meaning_as_profile(outcome: &Result<ReadOutcome, Failure>) -> &'static str {
    let Ok(ReadOutcome { found: Some(document), .. }) = outcome else { return meaning(outcome) };
    match UserInDb::from_json(document.text()) {
        Ok(Some(_)) => "found",
        Ok(None) => "not-found",
        Err(_) => "invalid-document",
    }
}

/// Reads each response of a table and compares what it means. All rows that differ are in the one message.
pub fn check(table: &str, read: impl Fn(&Response) -> Result<ReadOutcome, Failure>) {
    let rows: Vec<Row> = serde_json::from_str(table).unwrap();
    assert!(rows.len() > 10);
    let mut differing = Vec::new();
    for row in &rows {
        let outcome = read(&response(row.status, row.etag.as_deref(), &row.body));
        let found = (meaning_as_profile(&outcome), outcome.as_ref().err().map(|failure| retry(failure.retry)));
        let reason = outcome.err().map(|failure| failure.error.to_string()).unwrap_or_default();
        let says_it = row.says.iter().all(|part| reason.contains(part.as_str()));
        if found != (&row.meaning, row.retry.as_deref()) || !says_it {
            differing.push(format!("{}: {found:?} {reason}", row.case));
        }
    }
    assert_eq!(differing, Vec::<String>::new());
}

/// A response to a request for several documents, and what it means.
#[derive(Deserialize)]
struct ManyRow {
    database: String,
    case: String,
    #[serde(default = "usual_status")]
    status: u16,
    body: String,
    /// Whose documents were asked for.
    asked: Vec<String>,
    /// For each of them: what is stored, `null` for nothing, or the name of an error.
    outcomes: Option<Vec<Option<String>>>,
    meaning: Option<String>,
    #[serde(rename = "remedy")]
    retry: Option<String>,
    #[serde(default)]
    says: Vec<String>,
}

fn usual_status() -> u16 {
    200
}

/// Reads each response of `tests/data/many.json` that is one of this database, and compares what it means; and each refusal of
/// its `table` of single reads, which means the same for several documents.
pub fn check_many(many: &dyn Many, table: &str, database: &str) {
    let rows: Vec<ManyRow> = serde_json::from_str(include_str!("../../../tests/data/many.json")).unwrap();
    let own: Vec<ManyRow> = rows.into_iter().filter(|row| row.database == database).collect();
    assert!(own.len() > 8, "{database}");
    let mut differing = Vec::new();
    for row in own {
        let ids: Vec<DocumentId> = row.asked.iter().map(|username| id(username)).collect();
        let outcome = many.read_documents(&response(row.status, None, &row.body), &ids, "the peer");
        let (found, error) = match outcome {
            Ok(read) => (Some(read.found.iter().map(outcome_name).collect()), None),
            Err(failure) => (None, Some(failure)),
        };
        let names = error.as_ref().map(|failure| (failure.error.kind().as_str(), retry(failure.retry)));
        let reason = error.map(|failure| failure.error.to_string()).unwrap_or_default();
        let is_as_told = found == row.outcomes
            && names == row.meaning.as_deref().zip(row.retry.as_deref())
            && row.says.iter().all(|part| reason.contains(part.as_str()))
            && !reason.contains("hash-marker");
        if !is_as_told {
            differing.push(format!("{}: {found:?} {names:?} {reason}", row.case));
        }
    }
    let singles: Vec<Row> = serde_json::from_str(table).unwrap();
    for row in singles.iter().filter(|row| row.status >= 400 && row.meaning != "not-found") {
        let failure = many.read_documents(&response(row.status, None, &row.body), &[id("johndoe")], "the peer").err();
        let names = failure.as_ref().map(|failure| (failure.error.kind().as_str(), Some(retry(failure.retry))));
        if names != Some((&row.meaning, row.retry.as_deref())) {
            differing.push(format!("{}: {failure:?}", row.case));
        }
    }
    assert_eq!(differing, Vec::<String>::new());
}

/// What is stored, nothing, or the name of an error.
fn outcome_name(outcome: &Outcome) -> Option<String> {
    match outcome {
        Ok(found) => found.as_ref().map(|document| String::from_utf8(document.text().to_vec()).unwrap()),
        Err(error) => Some(error.kind().as_str().to_owned()),
    }
}

/// What is asked for these users: the path and the body, with 1.5 s left.
pub fn get_many_request(many: &dyn Many, usernames: &[&str]) -> String {
    let ids: Vec<DocumentId> = usernames.iter().map(|username| id(username)).collect();
    let call = Call { left: Duration::from_millis(1500), trace: &Trace::default() };
    shown_request(&many.get_many_request(&ids, &call).unwrap())
}

fn shown_request(request: &Request) -> String {
    match &request.method {
        Method::Get => request.path.clone(),
        Method::Post(body) | Method::Put(body) | Method::Delete(body) => {
            format!("{} {}", request.path, std::str::from_utf8(body.bytes()).unwrap())
        }
    }
}

/// A protocol that makes no requests.
pub struct Silent;

impl Protocol for Silent {
    fn product(&self) -> &'static Product {
        &PRODUCT
    }

    fn service(&self) -> &'static str {
        "the toy"
    }

    fn get_request(&self, _: &DocumentId, _: &Call) -> Result<Request, BucketError> {
        Err(BucketError::unavailable("nobody is asked"))
    }

    fn read_document(&self, _: &Response, _: &DocumentId, _: &str) -> Result<ReadOutcome, Failure> {
        Ok(ReadOutcome::new(None))
    }

    fn max_response_bytes(&self) -> usize {
        0
    }
}

/// A cluster of so many nodes, without a login and without threads.
pub fn cluster(protocol: impl Protocol + 'static, nodes: u16) -> Cluster {
    let (timeouts, observer) = (BucketTimeouts::default(), Observer::default());
    let access = Access::new(
        &PRODUCT,
        (&LoginConfig::from(&LoginSettings::default()), &TlsSettings::default()),
        Security::Plain,
        timeouts,
        &observer,
    )
    .unwrap();
    let endpoints: Vec<Endpoint> = (1..=nodes).map(|port| Endpoint::new(Security::Plain, "127.0.0.1", port)).collect();
    let all = Nodes::new(&PRODUCT, &timeouts, &observer);
    all.set(&endpoints);
    Cluster { access, protocol: Box::new(protocol), nodes: Arc::new(all), discovery: Arc::new(Fixed) }
}

/// Exchanges whose responses are known before, and whose requests are kept.
pub struct Scripted {
    responses: std::vec::IntoIter<Result<Response, Failure>>,
    /// What was asked: paths, and bodies where there were any.
    pub asked: Vec<String>,
    trace: Trace,
}

impl Scripted {
    /// A failed exchange; or a status and a body.
    pub fn new(responses: &[Result<(u16, &str), Failure>]) -> Self {
        let responses: Vec<_> = responses
            .iter()
            .map(|outcome| outcome.clone().map(|(status, body)| response(status, None, body)))
            .collect();
        Self { responses: responses.into_iter(), asked: Vec::new(), trace: Trace::default() }
    }
}

impl Exchange for Scripted {
    fn send(&mut self, request: &Request, _: usize) -> Result<Response, Failure> {
        self.asked.push(shown_request(request));
        self.responses.next().expect("a response for each request")
    }

    fn call(&self) -> Call<'_> {
        Call { left: Duration::from_secs(1), trace: &self.trace }
    }

    fn peer(&self) -> &'static str {
        "the peer"
    }
}

/// The id of a user.
pub fn id(username: &str) -> DocumentId {
    DocumentId::of(&Username::parse(username).unwrap())
}

/// The request that reads a user, with 1.5 s left.
pub fn get_request(protocol: &dyn Protocol, username: &str) -> Request {
    let call = Call { left: Duration::from_millis(1500), trace: &Trace::default() };
    protocol.get_request(&id(username), &call).unwrap()
}

/// A document to be stored.
pub fn new_document(username: &str, text: &str) -> NewDocument {
    NewDocument { id: id(username), text: Zeroizing::new(text.to_owned()) }
}

/// The ids and texts of a page, and its cursor.
pub fn shown(page: &Page) -> (Vec<(String, String)>, Option<String>) {
    let text = |document: &Document| String::from_utf8(document.text().to_vec()).unwrap();
    let documents = page.documents.iter().map(|listed| (listed.id.as_str().to_owned(), text(&listed.document)));
    (documents.collect(), page.next.as_ref().map(|cursor| cursor.0.clone()))
}
