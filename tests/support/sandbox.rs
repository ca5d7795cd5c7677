//! Where the commands of pages of documentation are run: a folder with copies of `config` and `scripts`, and two free ports
//! in place of 8000 and 8001.
//!
//! Each command has its own shell. `serve` runs on while the later commands run, until another `serve` or the end; what it
//! must print is looked for on standard error too. `cargo run --release --` stands for the program that was built for this
//! test.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use userprofiles::clock::{self, Deadline};

use crate::page::{Block, Step, output_matches};
use crate::support::left_out::is_left_out;
use crate::support::process::{bound, spawn};

const COMMAND_TIMEOUT: Duration = Duration::from_secs(45);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the blocks of a page, which is called `name`, in their order. Returns what was not as the page says.
pub fn run_page(name: &str, blocks: &[Block]) -> Vec<String> {
    let mut sandbox = Sandbox::new();
    let mut failures = Vec::new();
    for block in blocks {
        if let Some(reason) = &block.not_run {
            let commands: Vec<&str> = block.steps.iter().map(|step| step.command.as_str()).collect();
            println!("not run: {} ({reason})", commands.join("; "));
            continue;
        }
        for step in &block.steps {
            if let Err(why) = sandbox.run(step) {
                failures.push(format!("{name}:{}: $ {}\n{why}", step.line, step.command));
            }
        }
    }
    failures
}

/// A folder, two ports, and the server that was last started.
struct Sandbox {
    folder: TempDir,
    public_port: u16,
    admin_port: u16,
    serving: Option<Running>,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A database that a failed command has left.
        let _ = self.start("scripts/databases stop", "stop").map(|mut running| running.await_exit());
    }
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config", "scripts"] {
            copy_folder(&repository().join(name), &folder.path().join(name));
        }
        // Both are held until both are known, so that they differ.
        let probes = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [public_port, admin_port] = probes.each_ref().map(|probe| probe.local_addr().unwrap().port());
        Self { folder, public_port, admin_port, serving: None }
    }

    fn run(&mut self, step: &Step) -> Result<(), String> {
        let command = self
            .addresses()
            .into_iter()
            .fold(step.command.clone(), |text, (written, real)| text.replace(&written, &real))
            .replace("cargo run --release -- ", "userprofiles ");
        if command.starts_with("cargo ") {
            return Err("there is no cargo in here: mark the block as not run, and say why".to_owned());
        }
        if let Some(name) = server_of(&command).filter(|name| is_left_out(name)) {
            println!("not run: {command} ({name} is left out by USERPROFILES_TEST_WITHOUT)");
            return Ok(());
        }
        if command.contains("userprofiles ") && command.split_whitespace().any(|word| word == "serve") {
            // The old one goes first: it has the ports.
            self.serving = None;
            // What the shell starts otherwise does not end with this program.
            let command = match command.rsplit_once("&& ") {
                Some((before, last)) => format!("{before}&& exec {last}"),
                None => format!("exec {command}"),
            };
            let mut server = self.start(&command, "serve")?;
            server.await_output(&step.expected, self)?;
            self.serving = Some(server);
            return Ok(());
        }
        let mut running = self.start(&command, "command")?;
        let status = running.await_exit()?;
        let printed = self.as_written(&running.stdout());
        if !status.success() {
            return Err(format!("{status}\n{printed}{}", running.stderr()));
        }
        if step.expected.is_empty() || output_matches(&step.expected, &printed) {
            return Ok(());
        }
        Err(format!("expected:\n{}\ngot:\n{printed}\n{}", step.expected.join("\n"), running.stderr()))
    }

    /// The addresses as the page has them, and as they are here.
    fn addresses(&self) -> [(String, String); 2] {
        [(8000, self.public_port), (8001, self.admin_port)]
            .map(|(written, real)| (format!("127.0.0.1:{written}"), format!("127.0.0.1:{real}")))
    }

    fn as_written(&self, output: &str) -> String {
        self.addresses().into_iter().fold(output.to_owned(), |text, (written, real)| text.replace(&real, &written))
    }

    fn start(&self, command: &str, name: &str) -> Result<Running, String> {
        let [(_, public), (_, admin)] = self.addresses();
        let stdout = self.folder.path().join(format!(".{name}.stdout"));
        let stderr = self.folder.path().join(format!(".{name}.stderr"));
        let mut shell = bound("sh");
        shell
            .args(["-c", command])
            .env_remove("STATE_DIRECTORY")
            .current_dir(self.folder.path())
            .env("PATH", search_path())
            .env("USERPROFILES_HTTP_LISTEN", public)
            .env("USERPROFILES_ADMIN_LISTEN", admin)
            .env("no_proxy", "127.0.0.1")
            // Servers are installed once for all tests; where they run and what they have is in the folder.
            .env("DATABASES_INSTALLED", repository().join("target/databases/installed"))
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap());
        let child = spawn(shell).map_err(|error| format!("sh: {error}"))?;
        Ok(Running { child, stdout, stderr })
    }
}

/// The server that a command starts or stops by `scripts/databases`.
fn server_of(command: &str) -> Option<&str> {
    let rest = command.split_once("scripts/databases ")?.1;
    rest.split([' ', ')']).nth(1)
}

/// `PATH` with the folder of the program under test in front.
fn search_path() -> OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_userprofiles"));
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let folders = program.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&inherited));
    std::env::join_paths(folders).unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A command that was started; it is killed when this is dropped.
struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    fn await_exit(&mut self) -> Result<ExitStatus, String> {
        let deadline = Deadline::after(clock::now(), COMMAND_TIMEOUT);
        while !deadline.is_over(clock::now()) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Ok(status);
            }
            thread::sleep(POLL_INTERVAL);
        }
        Err(format!("still running after {COMMAND_TIMEOUT:?}\n{}{}", self.stdout(), self.stderr()))
    }

    /// Waits until the server takes connections and has printed what it must.
    fn await_output(&mut self, expected: &[String], sandbox: &Sandbox) -> Result<(), String> {
        let deadline = Deadline::after(clock::now(), COMMAND_TIMEOUT);
        let mut printed = String::new();
        while !deadline.is_over(clock::now()) {
            printed = sandbox.as_written(&format!("{}{}", self.stdout(), self.stderr()));
            if let Some(status) = self.child.try_wait().unwrap() {
                return Err(format!("it ended, {status}\n{printed}"));
            }
            let answers = TcpStream::connect((Ipv4Addr::LOCALHOST, sandbox.public_port)).is_ok();
            if answers && (expected.is_empty() || output_matches(expected, &printed)) {
                return Ok(());
            }
            thread::sleep(POLL_INTERVAL);
        }
        Err(format!("no server and these lines after {COMMAND_TIMEOUT:?}:\n{}\ngot:\n{printed}", expected.join("\n")))
    }

    fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stdout).unwrap()).into_owned()
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap()).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, and then neither call has anything to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
