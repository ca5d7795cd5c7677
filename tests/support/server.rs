//! Starts the real binary, on ports that the operating system chooses.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use userprofiles::clock;

use super::client::{Answer, Client};
use super::process::spawn;

pub use super::process::userprofiles;

/// Longer than anything here takes, on the slowest machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running `userprofiles serve`. Dropping it kills it.
pub struct Server {
    child: Child,
    pub public: SocketAddr,
    pub admin: SocketAddr,
    log: Arc<Log>,
    sockets_at_start: usize,
    pub folder: tempfile::TempDir,
}

/// What the server has written to standard error.
#[derive(Default)]
struct Log {
    text: Mutex<String>,
    grew: Condvar,
}

/// `program` with `serve`, an admin listener on any port, these settings and flags.
pub fn serve(mut program: Command, settings: &[&str], flags: &[&str]) -> Command {
    program.arg("serve").args(flags).args(["--set", "admin.listen=127.0.0.1:0"]);
    for setting in settings {
        program.args(["--set", setting]);
    }
    program
}

/// The file of sample users.
pub fn sample_users() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/sample-users.jsonl")
}

impl Server {
    /// The embedded database with the sample users, and these settings (`section.key=value`).
    pub fn embedded(settings: &[&str]) -> Self {
        let users = sample_users();
        Self::start(settings, &["--import", users.to_str().unwrap()])
    }

    /// With these settings and flags of `serve`.
    pub fn start(settings: &[&str], flags: &[&str]) -> Self {
        Self::start_with(settings, flags, |_| {})
    }

    /// The same, with a last word on the command.
    pub fn start_with(settings: &[&str], flags: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut command = serve(userprofiles(), settings, &[&["--listen", "127.0.0.1:0"], flags].concat());
        change(&mut command);
        let mut server = Self::spawn(command);
        server.public = server.address_after("listening on http://");
        server.admin = server.address_after("operators: http://");
        server.sockets_at_start = server.sockets();
        server
    }

    /// Runs a command that serves, in an empty folder, so that no settings file is found there. Where it listens is for
    /// the caller to find out.
    pub fn spawn(command: Command) -> Self {
        // Nobody reads its standard output, so it must not hold open the pipe that this program writes to.
        Self::spawn_with_stdout(command, Stdio::null())
    }

    /// The same, with something of the caller's for its standard output.
    pub fn spawn_with_stdout(mut command: Command, stdout: Stdio) -> Self {
        let folder = tempfile::tempdir().unwrap();
        command.current_dir(folder.path()).stdout(stdout).stderr(Stdio::piped());
        let mut child = spawn(command).unwrap();
        let log = Arc::new(Log::default());
        let (stderr, sink) = (child.stderr.take().unwrap(), Arc::clone(&log));
        let read = move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                sink.text.lock().unwrap().push_str(&(line + "\n"));
                sink.grew.notify_all();
            }
        };
        std::thread::Builder::new().spawn(read).unwrap();
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self { child, public: nowhere, admin: nowhere, log, folder, sockets_at_start: 0 }
    }

    /// Waits for an address in the log.
    pub fn address_after(&self, prefix: &str) -> SocketAddr {
        let text = wait_for(&self.log, prefix);
        let rest = &text[text.find(prefix).unwrap() + prefix.len()..];
        rest.split([' ', '\n', '"']).next().unwrap().parse().unwrap()
    }

    /// A new connection to the public listener.
    pub fn connect(&self) -> Client {
        Client::connect(self.public)
    }

    /// One GET on a connection of its own.
    pub fn get(&self, path: &str) -> Answer {
        self.connect().request("GET", path, "")
    }

    /// One GET of the admin listener.
    pub fn admin_get(&self, path: &str) -> Answer {
        Client::connect(self.admin).request("GET", path, "")
    }

    /// The log so far.
    pub fn log(&self) -> String {
        // Also while another test's panic is being told.
        self.log.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the log has this text.
    pub fn wait_for_log(&self, text: &str) {
        wait_for(&self.log, text);
    }

    /// The folder that it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by the name that `kill` has for it.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let start = clock::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end; its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How much processor time it has used.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // The name of the program, in parentheses, may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // Linux tells it in hundredths of a second, whatever it counts in itself.
        Duration::from_millis(ticks * 10)
    }

    /// Asks until the answer has this status, and returns how long that took.
    pub fn wait_for_status(&self, path: &str, status: u16) -> Duration {
        let start = clock::now();
        loop {
            let found = self.get(path).status;
            if found == status {
                return start.elapsed();
            }
            assert!(start.elapsed() < PATIENCE, "{path}: {found} and never {status}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The most memory that it ever had resident, in KiB.
    pub fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// How many sockets it has open.
    pub fn sockets(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap();
        let target = |file: std::io::Result<std::fs::DirEntry>| std::fs::read_link(file.ok()?.path()).ok();
        files.filter_map(target).filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    /// How many sockets it has open while nobody is connected.
    pub fn sockets_at_start(&self) -> usize {
        self.sockets_at_start
    }

    /// Waits until nobody is connected to it any more.
    pub fn wait_for_sockets_of_listeners(&self) {
        self.wait_for_sockets(self.sockets_at_start);
    }

    /// The same, but for connections that it keeps to a database.
    pub fn wait_for_sockets_of_listeners_and(&self, kept: usize) {
        self.wait_for_sockets(self.sockets_at_start + kept);
    }

    /// Waits until it has no more sockets open than this.
    pub fn wait_for_sockets(&self, most: usize) {
        let start = clock::now();
        while self.sockets() > most {
            assert!(start.elapsed() < PATIENCE, "{} sockets stay open", self.sockets());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

fn wait_for(log: &Log, needle: &str) -> String {
    let text = log.text.lock().unwrap();
    let (text, timeout) = log.grew.wait_timeout_while(text, PATIENCE, |text| !text.contains(needle)).unwrap();
    assert!(!timeout.timed_out(), "no {needle:?} in the log:\n{text}");
    text.clone()
}
