//! The program as a service: what it says to the service manager, and that a restart loses no request when the manager
//! keeps the sockets. The manager is this test; the real one is in `tests/systemd.rs`.

#![allow(clippy::disallowed_methods, reason = "tests take times")]

mod support;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use support::client::Client;
use support::load::RunningLoad;
use support::process::{userprofiles, userprofiles_by_shell};
use support::server::{PATIENCE, Server, sample_users, serve};

/// A ping is due every half of a second.
const WATCHDOG_USEC: &str = "2000000";

/// The socket on which a service manager is notified.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path, _folder: folder }
    }

    /// The next notification, as its lines; `None` if there is none for so long.
    fn next_within(&self, wait: Duration) -> Option<Vec<String>> {
        self.socket.set_read_timeout(Some(wait)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(std::str::from_utf8(&buffer[..length]).unwrap().lines().map(ToOwned::to_owned).collect())
    }

    /// Waits for a notification with a line that begins so, and returns all of its lines.
    fn wait_for(&self, line: &str) -> Vec<String> {
        loop {
            let lines = self.next_within(PATIENCE).unwrap_or_else(|| panic!("no {line}"));
            if lines.iter().any(|one| one.starts_with(line)) {
                return lines;
            }
        }
    }
}

fn notified(manager: &Manager, settings: &[&str], change: impl FnOnce(&mut Command)) -> Server {
    let users = sample_users();
    Server::start_with(settings, &["--import", users.to_str().unwrap()], |command| {
        command.env("NOTIFY_SOCKET", &manager.path);
        change(command);
    })
}

fn value<'a>(lines: &'a [String], name: &str) -> &'a str {
    lines.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {lines:?}"))
}

#[test]
fn each_moment_of_its_life_is_notified() {
    let manager = Manager::new();
    let mut server = notified(&manager, &[], |_| {});
    assert_eq!(manager.wait_for("STATUS="), ["STATUS=opening the database"]);
    let ready = manager.wait_for("READY=1");
    assert!(value(&ready, "STATUS=").starts_with("serving; "), "{ready:?}");
    // Whoever was told READY is answered.
    assert_eq!(server.get("/users/johndoe").status, 200);

    let before = clock_gettime(ClockId::Monotonic);
    server.signal("HUP");
    let reloading = manager.wait_for("RELOADING=1");
    let since_us: i64 = value(&reloading, "MONOTONIC_USEC=").parse().unwrap();
    assert!(since_us >= before.tv_sec * 1_000_000 + before.tv_nsec / 1000, "{reloading:?}");
    assert!(value(&manager.wait_for("READY=1"), "STATUS=").starts_with("serving; "));

    // A reload that is refused ends too, and the status says so.
    std::fs::create_dir(server.folder().join("config")).unwrap();
    std::fs::write(server.folder().join("config/userprofiles.toml"), "[http]\nlissten = 1\n").unwrap();
    server.signal("HUP");
    manager.wait_for("RELOADING=1");
    let ready = manager.wait_for("READY=1");
    assert!(value(&ready, "STATUS=").ends_with("the last reload was refused, see the log"), "{ready:?}");

    server.signal("TERM");
    let stopping = manager.wait_for("STOPPING=1");
    assert!(value(&stopping, "STATUS=").starts_with("shutting down"), "{stopping:?}");
    assert_eq!(server.wait().code(), Some(0));
    assert!(!server.log().contains("OPTIONS"), "its own requests are in the log:\n{}", server.log());
}

#[test]
fn no_ping_is_sent_for_a_listener_that_does_not_answer() {
    let manager = Manager::new();
    let settings = ["http.max_connections=8", "http.head_timeout=1h", "http.first_byte_timeout=1h"];
    let server = notified(&manager, &settings, |command| {
        command.env("WATCHDOG_USEC", WATCHDOG_USEC);
    });
    manager.wait_for("WATCHDOG=1");
    manager.wait_for("WATCHDOG=1");
    // Nobody is answered while each connection is taken by a request that has no end.
    let mut stuck: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for client in &mut stuck {
        client.send("GET / HTTP/1.1\r\n");
    }
    server.wait_for_log("does not answer this program itself");
    // Those that were sent before.
    while manager.next_within(Duration::from_millis(1)).is_some() {}
    let silent_for = Duration::from_secs(3);
    let end = std::time::Instant::now() + silent_for;
    while let Some(left) = end.checked_duration_since(std::time::Instant::now()).filter(|left| !left.is_zero()) {
        let next = manager.next_within(left).unwrap_or_default();
        assert!(!next.contains(&"WATCHDOG=1".to_owned()), "a ping for a listener that does not answer");
    }
    drop(stuck);
    manager.wait_for("WATCHDOG=1");
}

#[test]
fn a_full_server_that_answers_is_alive() {
    let manager = Manager::new();
    let server = notified(&manager, &["http.max_connections=8"], |command| {
        command.env("WATCHDOG_USEC", WATCHDOG_USEC);
    });
    manager.wait_for("READY=1");
    let mut busy: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    let end = std::time::Instant::now() + Duration::from_secs(4);
    let mut signs = 0;
    while std::time::Instant::now() < end {
        for client in &mut busy {
            assert_eq!(client.request("GET", "/users/johndoe", "").status, 200);
        }
        while let Some(lines) = manager.next_within(Duration::from_millis(1)) {
            signs += usize::from(lines.contains(&"WATCHDOG=1".to_owned()));
        }
    }
    assert!(signs >= 2, "{signs} pings in 4 s");
}

/// A shell's words that make standard input the first socket that is passed, and standard output the second one.
const PASS_SOCKETS: &str = r#"exec 3<&0 4<&1 </dev/null >/dev/null; LISTEN_PID=$$ exec "$@""#;

/// A server to which two sockets were passed.
fn with_sockets(folder: &Path, names: &str, sockets: [OwnedFd; 2], settings: &[&str]) -> Server {
    let [first, second] = sockets;
    let mut command = serve(userprofiles_by_shell(PASS_SOCKETS), settings, &[]);
    command.stdin(Stdio::from(first)).env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", names);
    let path = folder.join("users.db");
    command.args(["--set", &format!("embedded.path={}", path.display())]);
    Server::spawn_with_stdout(command, Stdio::from(second))
}

fn import(folder: &Path) {
    let mut command = userprofiles();
    command.arg("import").arg(sample_users());
    command.args(["--set", &format!("embedded.path={}", folder.join("users.db").display())]);
    assert!(command.output().unwrap().status.success());
}

#[test]
fn sockets_that_were_passed_are_used_in_place_of_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    import(folder.path());
    let http = UnixListener::bind(folder.path().join("http.sock")).unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin_address = admin.local_addr().unwrap();
    let sockets = [admin.into(), http.into()];
    let mut server = with_sockets(folder.path(), "admin:http", sockets, &["http.listen=192.0.2.1:1"]);
    server.wait_for_log(&format!("operators: http://{admin_address}"));
    let path = folder.path().join("http.sock");
    server.wait_for_log(&format!("listening on unix:{}", path.display()));
    let mut client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let request = b"GET /users/johndoe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    std::io::Write::write_all(&mut client, request).unwrap();
    let answer = std::io::read_to_string(client).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(path.exists(), "the socket is the service manager's");
}

#[test]
fn an_admin_listener_that_is_off_is_given_no_socket() {
    let folder = tempfile::tempdir().unwrap();
    let listener = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let mut command = serve(userprofiles_by_shell(PASS_SOCKETS), &["admin.listen=off"], &[]);
    command.stdin(Stdio::from(listener())).env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "http:admin");
    let path = folder.path().join("users.db");
    command.args(["--set", &format!("embedded.path={}", path.display())]);
    let mut server = Server::spawn_with_stdout(command, Stdio::from(listener()));
    assert_eq!(server.wait().code(), Some(1), "{}", server.log());
    server.wait_for_log("[admin] listen is \"off\", and the service manager has passed a socket for it");
}

#[test]
fn a_socket_that_cannot_be_used_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let listener = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let connected = || OwnedFd::from(std::net::TcpStream::connect(Server::embedded(&[]).public).unwrap());
    for (names, second, expected) in [
        ("http:operators", listener(), "a socket of the name \"operators\" was passed: set FileDescriptorName=http"),
        ("http:http", connected(), "Accept=no"),
        ("http:http", std::fs::File::open("/dev/null").unwrap().into(), "ListenStream="),
    ] {
        let mut server = with_sockets(folder.path(), names, [listener(), second], &[]);
        assert_eq!(server.wait().code(), Some(1), "{}", server.log());
        server.wait_for_log(expected);
    }
}

/// The same program under another name: an upgrade.
fn upgraded(folder: &Path, number: usize) -> Command {
    let other = folder.join(format!("userprofiles-{number}"));
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_userprofiles"), &other).unwrap();
    let mut command = support::process::bound("sh");
    command.args(["-c", PASS_SOCKETS, "sh"]).arg(other);
    command
}

#[test]
fn restarts_and_upgrades_under_load_lose_no_request() {
    let folder = tempfile::tempdir().unwrap();
    import(folder.path());
    // The manager's own, which stay open.
    let http = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&http, 4096).unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = http.local_addr().unwrap();
    let start = |number: usize| {
        let manager = Manager::new();
        let mut command = serve(upgraded(folder.path(), number), &[], &[]);
        command.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "http:admin").env("NOTIFY_SOCKET", &manager.path);
        command.stdin(Stdio::from(OwnedFd::from(http.try_clone().unwrap())));
        command.args(["--set", &format!("embedded.path={}", folder.path().join("users.db").display())]);
        command.args([
            "--set",
            "log.access=off",
            "--set",
            "http.queue_timeout=30s",
            "--set",
            "bucket.wait_timeout=30s",
        ]);
        let server = Server::spawn_with_stdout(command, Stdio::from(OwnedFd::from(admin.try_clone().unwrap())));
        manager.wait_for("READY=1");
        server
    };
    let mut server = start(0);
    let load = RunningLoad::start(address);
    for number in 1..=5 {
        server.signal("TERM");
        assert_eq!(server.wait().code(), Some(0), "{}", server.log());
        server = start(number);
        load.wait_for(2000);
    }
    load.assert_no_failure(&server.log());
}
