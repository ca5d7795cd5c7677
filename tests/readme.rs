//! Runs the commands of README.md and compares what they print with what README.md says.
//!
//! In a block marked `sh`, a line that begins with `$ ` is a command (it goes on after a `\`), and the lines after it
//! are what it must print on standard output; with no such lines, only its exit code counts. A line `...` stands for
//! any number of lines, `[..]` for any part of one. The blocks run in order, each command in its own shell, all in one
//! folder that has copies of `config` and `scripts`.
//!
//! `serve` runs on while the later commands run, until another `serve` or the end; what it must print is looked for on
//! standard error too. The ports 8000 and 8001 stand for two free ones, and `cargo run --release --` for the program
//! that was built for this test. A block that cannot be run so says why, in a line of its own before it:
//! `<!-- not run: REASON -->`.

mod support;

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::Duration;

use support::left_out::is_left_out;
use support::process::{bound, spawn};
use tempfile::TempDir;
use userprofiles::clock::{self, Deadline};

const COMMAND_TIMEOUT: Duration = Duration::from_secs(45);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

#[test]
fn every_command_does_what_the_readme_says() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let mut sandbox = Sandbox::new();
    let mut failures = Vec::new();
    let mut run = 0;
    for block in parse(&readme).unwrap() {
        if let Some(reason) = &block.not_run {
            let commands: Vec<&str> = block.steps.iter().map(|step| step.command.as_str()).collect();
            println!("not run: {} ({reason})", commands.join("; "));
            continue;
        }
        for step in &block.steps {
            run += 1;
            if let Err(why) = sandbox.run(step) {
                failures.push(format!("README.md:{}: $ {}\n{why}", step.line, step.command));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(run > 0, "README.md has no command that is run");
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A block of README.md marked `sh`.
#[derive(Debug, Default, PartialEq)]
struct Block {
    /// Why it is not run, if it is not.
    not_run: Option<String>,
    steps: Vec<Step>,
}

/// A command and what it must print.
#[derive(Debug, Default, PartialEq)]
struct Step {
    /// Where it stands in README.md, from 1.
    line: usize,
    command: String,
    expected: Vec<String>,
}

fn parse(readme: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut not_run = None;
    let mut lines = readme.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        if let Some(mark) = line.strip_prefix("<!-- not run:") {
            let reason = mark.strip_suffix("-->").unwrap_or_default().trim();
            if reason.is_empty() {
                return Err(format!("line {number}: a block is not run, and no reason is given"));
            }
            not_run = Some(reason.to_owned());
        } else if let Some(language) = line.strip_prefix("```") {
            let content: Vec<(&str, usize)> = lines.by_ref().take_while(|(line, _)| *line != "```").collect();
            if language == "sh" {
                blocks.push(Block { not_run: not_run.take(), steps: steps(&content, number)? });
            } else if content.iter().any(|(line, _)| line.starts_with("$ ")) {
                return Err(format!("line {number}: a block with commands is marked `{language}`, not `sh`"));
            }
        }
        if not_run.is_some() && !line.starts_with("<!-- not run:") && !line.trim().is_empty() {
            return Err(format!("line {number}: `not run` stands before something that is no block of commands"));
        }
    }
    Ok(blocks)
}

fn steps(content: &[(&str, usize)], block_line: usize) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for &(line, number) in content {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: number, command: command.to_owned(), expected: Vec::new() });
            continue;
        }
        let step = steps.last_mut().ok_or(format!("line {number}: a block begins with something other than `$ `"))?;
        if step.expected.is_empty() && step.command.ends_with('\\') {
            step.command = format!("{}\n{line}", step.command);
        } else {
            step.expected.push(line.to_owned());
        }
    }
    if steps.is_empty() { Err(format!("line {block_line}: a block without a command")) } else { Ok(steps) }
}

/// Where the commands run: a folder, two ports, and the server that was last started.
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

    /// The addresses as README.md has them, and as they are here.
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

fn output_matches(expected: &[String], actual: &str) -> bool {
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    let actual: Vec<&str> = actual.trim_end().lines().collect();
    lines_match(&expected, &actual)
}

fn lines_match(expected: &[&str], actual: &[&str]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((&"...", rest)) => (0..=actual.len()).any(|skipped| lines_match(rest, &actual[skipped..])),
        Some((line, rest)) => {
            actual.split_first().is_some_and(|(first, others)| line_matches(line, first) && lines_match(rest, others))
        }
    }
}

fn line_matches(expected: &str, actual: &str) -> bool {
    let Some((before, after)) = expected.split_once("[..]") else { return expected == actual };
    actual.strip_prefix(before).is_some_and(|rest| {
        let ends = rest.char_indices().map(|(index, _)| index).chain([rest.len()]);
        ends.into_iter().any(|end| line_matches(after, &rest[end..]))
    })
}

#[test]
fn output_is_compared_line_by_line_with_wildcards() {
    let cases = [
        ("a\nb", "a\nb\n", true),
        ("a\nb", "a\nb\nc", false),
        ("a\nb", "a", false),
        ("...\nb", "a\na\nb", true),
        ("...\nb", "b", true),
        ("...\nb", "b\na", false),
        ("a\n...", "a", true),
        ("a\n\nb", "a\r\n\r\nb", true),
        ("Date: [..] GMT", "Date: é GMT", true),
        ("Date: [..] GMT", "Date: now", false),
        ("[..]=1,[..]=2", "a=1,b=2", true),
        ("[..]=1,[..]=2", "a=2,b=1", false),
        ("...", "", true),
        ("a", "", false),
    ];
    for (expected, actual, matches) in cases {
        let lines: Vec<String> = expected.lines().map(str::to_owned).collect();
        assert_eq!(output_matches(&lines, actual), matches, "{expected:?} and {actual:?}");
    }
}

#[test]
fn blocks_are_read_with_their_commands_outputs_and_reasons() {
    let readme =
        "text\n\n```sh\n$ one\nout\n\nput\n$ two \\\n  more\n```\n\n<!-- not run: slow -->\n\n```sh\n$ three\n```\n";
    let step = |line, command: &str, expected: &[&str]| Step {
        line,
        command: command.to_owned(),
        expected: expected.iter().map(|&line| line.to_owned()).collect(),
    };
    let expected = vec![
        Block { not_run: None, steps: vec![step(4, "one", &["out", "", "put"]), step(8, "two \\\n  more", &[])] },
        Block { not_run: Some("slow".to_owned()), steps: vec![step(15, "three", &[])] },
    ];
    assert_eq!(parse(readme).unwrap(), expected);
}

#[test]
fn a_block_that_would_go_unnoticed_is_an_error() {
    let cases = [
        ("<!-- not run: -->\n```sh\n$ a\n```", "no reason"),
        ("<!-- not run: slow -->\ntext\n```sh\n$ a\n```", "no block of commands"),
        ("```console\n$ a\n```", "marked `console`"),
        ("```\n$ a\n```", "marked ``"),
        ("```sh\na\n```", "begins with something other"),
        ("```sh\n```", "without a command"),
    ];
    for (readme, expected) in cases {
        let error = parse(readme).unwrap_err();
        assert!(error.contains(expected), "{readme:?} gave {error:?}");
    }
}
