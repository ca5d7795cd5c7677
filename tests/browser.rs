//! The web pages in a real browser: `browser/pages.mjs` says what is checked.

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
