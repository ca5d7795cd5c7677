//! `ready`: asks a running server whether it can answer.
//!
//! Invariant: one request, bounded in time and size; it says why whatever happens.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;

use super::Exit;
use crate::admin::{READY_BODY, READY_TIMEOUT};
use crate::config::ListenAddress;
use crate::http::client;

/// The server answers within [`READY_TIMEOUT`], or a little later if others ask it too.
const TIMEOUT: Duration = READY_TIMEOUT.saturating_add(Duration::from_secs(2));

/// What is read of a problem document.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// Asks the admin listener at this address, and prints what it says.
///
/// # Errors
/// If nobody answers, or somebody else does.
pub fn run(address: Option<&ListenAddress>, output: &mut dyn Write) -> anyhow::Result<Exit> {
    let Some(address) = address else {
        bail!("[admin] listen is \"off\", so there is nobody to ask; set it to an address, such as \"127.0.0.1:8001\"");
    };
    let not_ours = |why: &str| anyhow!("what answers at {address} is not this program: {why}");
    let answer = match client::ask(address, ("GET", "/ready"), None, TIMEOUT) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Err(not_ours(&error.to_string())),
        answer => {
            let no_answer = || {
                format!(
                    "no answer from {address} ([admin] listen); is the server running? (With the sockets of systemd, the \
                     setting has to be what userprofiles-admin.socket says.)"
                )
            };
            answer.with_context(no_answer)?
        }
    };
    let (exit, text) = match answer.status {
        200 if answer.body == READY_BODY => (Exit::Done, "ready".to_owned()),
        503 => {
            let problem: Problem =
                serde_json::from_slice(&answer.body).map_err(|_| not_ours("its 503 is no problem document"))?;
            (Exit::Failed, problem.detail)
        }
        other => return Err(not_ours(&format!("it answered with status {other}"))),
    };
    writeln!(output, "{text}").context("cannot write to standard output")?;
    Ok(exit)
}
