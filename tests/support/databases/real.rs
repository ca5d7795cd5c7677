//! Real servers, by `scripts/databases`: in a folder of this test program's own, and stopped when it ends.
//!
//! Invariant: a server that cannot be had fails the test, unless `USERPROFILES_TEST_WITHOUT` names it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::left_out::is_left_out;

/// A running server.
pub struct RealServer {
    pub name: &'static str,
    home: PathBuf,
    /// How it is reached: names of the environment and their values.
    pub settings: BTreeMap<String, String>,
}

impl RealServer {
    /// Starts a server with an empty database; `None` if it is left out. `whose` is the folder of those who share it.
    pub fn start(name: &'static str, whose: &str) -> Option<Self> {
        Self::start_with(name, whose, &[])
    }

    /// The same with flags of `scripts/databases start`.
    pub fn start_with(name: &'static str, whose: &str, flags: &[&str]) -> Option<Self> {
        if is_left_out(name) {
            return None;
        }
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-databases").join(whose);
        let mut server = Self { name, home, settings: BTreeMap::new() };
        server.settings = server.start_by_script(&[&["--fresh"], flags].concat());
        Some(server)
    }

    /// Goes on with the same port and the same data after it was stopped or killed.
    pub fn restart(&self) {
        assert_eq!(self.start_by_script(&[]), self.settings, "{}: it is reached as before", self.name);
    }

    fn start_by_script(&self, flags: &[&str]) -> BTreeMap<String, String> {
        let own = std::process::id().to_string();
        let output = self.script().args(["start", self.name, "--while", &own]).args(flags).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "{} cannot be had (to leave it out: USERPROFILES_TEST_WITHOUT={}): {}",
            self.name,
            self.name,
            text(&output.stderr)
        );
        let lines = text(&output.stdout);
        let pairs = lines.lines().map(|line| line.split_once('=').unwrap_or_else(|| panic!("no setting: {line:?}")));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The process, as `scripts/databases list` says.
    pub fn pid(&self) -> u32 {
        let output = self.script().arg("list").output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let of_this = lines.lines().find_map(|line| line.strip_prefix(self.name)?.strip_prefix(' '));
        of_this
            .unwrap_or_else(|| panic!("{} does not run: {lines}", self.name))
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([format!("-{signal}"), self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub fn stop(&self) {
        assert!(self.script().args(["stop", self.name]).output().unwrap().status.success());
    }

    /// A setting of it, such as `COUCHDB_URLS`; empty if it has none.
    pub fn setting(&self, name: &str) -> &str {
        self.settings.get(&format!("USERPROFILES_{name}")).map_or("", String::as_str)
    }

    /// A user name or a password of it that is not among its settings, such as `admin_password`.
    pub fn login(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.home.join(self.name).join("state.json")).unwrap();
        let state: serde_json::Value = serde_json::from_str(&text).unwrap();
        state["login"][name].as_str().unwrap_or_else(|| panic!("{}: no {name}", self.name)).to_owned()
    }

    fn script(&self) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/databases"));
        command.env("DATABASES_HOME", &self.home);
        command
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.script().args(["stop", self.name]).output();
    }
}
