//! The numbers of errors of the query service, with what each means to a read.

use serde::Deserialize;

use super::{ErrorAnswer, Raised};

/// One of them.
#[derive(Debug, Deserialize)]
pub struct CodeRow {
    /// The number.
    pub code: i64,
    /// What it means to a read.
    pub meaning: String,
    http: u16,
    raised: String,
    retry: Option<bool>,
}

impl CodeRow {
    /// The error as it comes.
    pub fn answer(&self) -> ErrorAnswer {
        let raised = match self.raised.as_str() {
            "before" => Raised::Before,
            "during" => Raised::During,
            other => panic!("{}: raised {other}?", self.code),
        };
        ErrorAnswer { errors: vec![(self.code, self.retry)], status: self.http, raised }
    }
}

/// The table.
pub fn code_rows() -> Vec<CodeRow> {
    let rows: Vec<CodeRow> = serde_json::from_str(include_str!("../../data/couchbase-codes.json")).unwrap();
    assert!(rows.len() > 70);
    rows
}
