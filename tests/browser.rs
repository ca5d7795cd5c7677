//! The web pages in a real browser, and the OpenAPI document in the hands of those who read such documents: validators,
//! schemathesis, a generated TypeScript client. Each is a program of its own beside this file, which says what it checks.

mod support;

use std::path::PathBuf;
use std::process::Command;

use support::process::bound;
use support::server::Server;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// Runs a command to its end, and shows what it says.
fn run(mut command: Command, name: &str) {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}");
    assert!(output.status.success(), "{name}:\n{out}\n{err}");
}

/// Installs what the lock file of a folder says, and nothing that it does not.
fn npm_ci(folder: &str) {
    let mut command = bound("npm");
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(self::folder(folder));
    run(command, "npm ci");
}

#[test]
fn the_pages_work_in_a_browser() {
    let server = Server::embedded(&[]);
    npm_ci("browser");
    let mut command = bound("node");
    command.arg("pages.mjs").current_dir(folder("browser"));
    command.args([server.public, server.admin].map(|address| format!("http://{address}")));
    run(command, "tests/browser/pages.mjs");
}

#[test]
fn the_openapi_document_says_what_the_server_does() {
    let server = Server::embedded(&[]);
    let mut command = bound(folder("openapi").join("check").to_str().unwrap());
    command.arg(format!("http://{}", server.public));
    run(command, "tests/openapi/check");
}
