//! Behind a reverse proxy: the real nginx and the real Caddy with the files of `config/proxy`, in front of the real
//! binary.
//!
//! The files name the ports 80 and 8000, so each test runs in a network of its own, where these are free: it starts
//! itself again under `unshare`.
//!
//! `USERPROFILES_PROXY_MINUTES` says how long the mixed load lasts (one minute).
#![allow(clippy::disallowed_methods, reason = "tests start threads of their own")]

mod support;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::client::{Answer, Client};
use support::process::{bound, spawn};
use support::server::{PATIENCE, Server, sample_users, serve, userprofiles};
use userprofiles::clock::{self, Deadline};

const PROXY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
const OURS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);

const INSIDE: &str = "USERPROFILES_PROXY_INSIDE";
const MINUTES: &str = "USERPROFILES_PROXY_MINUTES";

const CLIENTS: usize = 64;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped(name: &str) -> PathBuf {
    repository().join("config/proxy").join(name)
}

/// Runs a test in a network and among processes of its own; returns whether this is inside.
///
/// Everything that was started there ends with it: nginx does not end its workers when it is killed.
fn is_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut command = bound("unshare");
    command
        .args(["--user", "--map-root-user", "--net", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-c"])
        .args(["ip link set lo up && exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "yes");
    if let Some(minutes) = std::env::var_os(MINUTES) {
        command.env(MINUTES, minutes);
    }
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("1 passed"), "{test} is no test of this program");
    false
}

/// Ours at the address that the files name, with one document that is no profile.
fn start_ours(settings: &[&str]) -> Server {
    let users = sample_users();
    let settings = [&["log.level=off", "bucket.connections=pooled"][..], settings].concat();
    let flags = ["--listen", "127.0.0.1:8000", "--import", users.to_str().unwrap()];
    let server = Server::spawn(serve(userprofiles(), &settings, &flags));
    wait_for(OURS, "userprofiles");
    let sqlite = rusqlite::Connection::open(server.folder().join("data/userprofiles.db")).unwrap();
    let broken = "INSERT INTO documents (id, body) VALUES ('userprofile::broken', '{\"username\":\"broken\"}')";
    sqlite.execute_batch(broken).unwrap();
    server
}

/// A proxy that was started; it is stopped when this is dropped.
struct Proxy {
    process: Child,
    folder: tempfile::TempDir,
}

impl Proxy {
    /// nginx with this file of `config/proxy`, or a changed one.
    fn nginx(included: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|kind| format!("{kind}_temp_path {kind};")).join("\n    ");
        let own = format!(
            "user root;\nworker_processes 2;\npid nginx.pid;\nevents {{ worker_connections 1024; }}\nhttp {{\n    \
             {temporary}\n    log_format tries '$status [$upstream_status]';\n    access_log access.log tries;\n    \
             include {};\n}}\n",
            included.display()
        );
        fs::write(folder.path().join("nginx.conf"), own).unwrap();
        let mut command = bound("nginx");
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"]);
        Self::start(command, folder)
    }

    fn caddy() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = bound("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(shipped("Caddyfile"));
        command.env("HOME", folder.path()).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
        Self::start(command, folder)
    }

    fn start(mut command: Command, folder: tempfile::TempDir) -> Self {
        // Debian has nginx where only administrators look.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin")).current_dir(folder.path());
        let process = spawn(command).unwrap();
        wait_for(PROXY, "the proxy (apt-get install nginx-light caddy)");
        Self { process, folder }
    }

    /// How many requests nginx has sent again.
    fn sent_again(&self) -> usize {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        log.lines().filter(|line| line.contains(", ")).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

fn wait_for(address: SocketAddr, what: &str) {
    let deadline = Deadline::after(clock::now(), PATIENCE);
    while TcpStream::connect(address).is_err() {
        assert!(!deadline.is_over(clock::now()), "{what} does not listen at {address}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A request, and what its answer must be, whoever is in between.
struct Exchange {
    method: &'static str,
    path: &'static str,
    fields: &'static str,
    status: u16,
    /// The code of the problem that is answered, if it is one.
    code: Option<&'static str>,
}

const MIXTURE: [Exchange; 8] = [
    Exchange { method: "GET", path: "/users/johndoe", fields: "", status: 200, code: None },
    Exchange { method: "HEAD", path: "/users/johndoe", fields: "", status: 200, code: None },
    Exchange { method: "GET", path: "/users/johndoe", fields: "If-None-Match: *\r\n", status: 304, code: None },
    Exchange { method: "GET", path: "/users?username=johndoe&username=x", fields: "", status: 200, code: None },
    Exchange { method: "GET", path: "/users/nobody", fields: "", status: 404, code: Some("user-not-found") },
    Exchange { method: "POST", path: "/users/johndoe", fields: "", status: 405, code: Some("method-not-allowed") },
    Exchange { method: "GET", path: "/users/a%2Fb%07", fields: "", status: 422, code: Some("invalid-username") },
    Exchange { method: "GET", path: "/users/broken", fields: "", status: 500, code: Some("invalid-document") },
];

impl Exchange {
    fn assert_answer(&self, answer: &Answer) {
        let wanted = format!("{} {}: {} {:?}", self.method, self.path, self.status, self.code);
        assert_eq!(answer.status, self.status, "{wanted}\n{}{}", answer.head, String::from_utf8_lossy(&answer.body));
        assert!(answer.field("x-request-id").is_some(), "{wanted}, by us\n{}", answer.head);
        if let Some(code) = self.code {
            answer.assert_problem(self.status, code);
        }
    }
}

/// What a client does with its connection to the proxy.
#[derive(Clone, Copy)]
enum Habit {
    /// Keeps it as long as the proxy lets it.
    Keeps,
    /// Connects for each request.
    ConnectsAnew,
    /// Keeps it, and is silent between any two requests for about as long as an idle connection lives.
    Pauses,
}

/// Asks again and again until the deadline, in bursts that begin when kept connections behind the proxy are just being
/// closed for having been idle.
fn ask(habit: Habit, idle: Duration, deadline: Deadline, asked: &AtomicUsize) {
    let mut kept: Option<Client> = None;
    while !deadline.is_over(clock::now()) {
        let requests = if matches!(habit, Habit::Pauses) { 1 } else { 40 };
        for _ in 0..requests {
            let exchange = &MIXTURE[fastrand::usize(..MIXTURE.len())];
            let answer = answer_to(exchange, &mut kept);
            exchange.assert_answer(&answer);
            asked.fetch_add(1, Ordering::Relaxed);
            if matches!(habit, Habit::ConnectsAnew) || answer.field("connection") == Some("close") {
                kept = None;
            }
            std::thread::sleep(Duration::from_millis(fastrand::u64(0..4)));
        }
        let jitter = Duration::from_millis(fastrand::u64(0..20));
        std::thread::sleep(idle.saturating_sub(Duration::from_millis(10)) + jitter);
    }
}

/// The answer over the kept connection, or over a new one if there is none or the proxy has closed it.
fn answer_to(exchange: &Exchange, kept: &mut Option<Client>) -> Answer {
    for _ in 0..3 {
        let client = kept.get_or_insert_with(|| Client::connect(PROXY));
        client.send(format!("{} {} HTTP/1.1\r\nHost: x\r\n{}\r\n", exchange.method, exchange.path, exchange.fields));
        if let Some(answer) = client.try_answer_to(exchange.method) {
            return answer;
        }
        *kept = None;
    }
    panic!("the proxy closes every connection without an answer");
}

/// 64 clients for so long; `idle` is how long an idle connection lives behind the proxy.
fn mixed_load(idle: Duration, duration: Duration) -> usize {
    let deadline = Deadline::after(clock::now(), duration);
    let asked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for index in 0..CLIENTS {
            let habit = [Habit::Keeps, Habit::ConnectsAnew, Habit::Keeps, Habit::Pauses][index % 4];
            let asked = &asked;
            scope.spawn(move || ask(habit, idle, deadline, asked));
        }
    });
    asked.into_inner()
}

/// Half of what the whole load lasts.
fn half() -> Duration {
    let minutes: u64 = std::env::var(MINUTES).map_or(1, |minutes| minutes.parse().unwrap());
    Duration::from_secs(minutes * 30)
}

#[test]
fn no_request_is_lost_where_connections_behind_nginx_are_closed_for_being_idle() {
    if !is_inside("no_request_is_lost_where_connections_behind_nginx_are_closed_for_being_idle") {
        return;
    }
    // Ours gives idle connections up first.
    let idle = Duration::from_millis(500);
    let ours = start_ours(&["http.idle_timeout=500ms"]);
    let nginx = Proxy::nginx(&shipped("nginx.conf"));
    let asked = mixed_load(idle, half());
    println!("ours closes first: {asked} requests, {} sent again by nginx, none failed", nginx.sent_again());
    drop((nginx, ours));

    // nginx does, as it should.
    let idle = Duration::from_secs(1);
    let ours = start_ours(&[]);
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(shipped("nginx.conf")).unwrap();
    assert!(text.contains("keepalive_timeout 60s;"));
    let file = folder.path().join("userprofiles.conf");
    fs::write(&file, text.replace("keepalive_timeout 60s;", "keepalive_timeout 1s;")).unwrap();
    let nginx = Proxy::nginx(&file);
    let asked = mixed_load(idle, half());
    println!("nginx closes first: {asked} requests, {} sent again by nginx, none failed", nginx.sent_again());
    drop((nginx, ours));
}

/// Everything that the smoke test asks comes out of the proxy as it comes out of us.
fn assert_smoke_test_passes() {
    let output = Command::new(repository().join("scripts/smoke-test"))
        .arg(format!("http://{PROXY}"))
        .env_remove("http_proxy")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// What is not in the smoke test: bodies, and the names that only percent signs can write.
fn assert_requests_pass_as_they_are() {
    let mut client = Client::connect(PROXY);
    for exchange in &MIXTURE {
        exchange.assert_answer(&client.request(exchange.method, exchange.path, exchange.fields));
    }
    let answer = client.request("GET", "/users/a%2Fb%3Fc", "");
    assert_eq!(answer.assert_problem(404, "user-not-found")["instance"], "/users/a%2Fb%3Fc");
    client.send("POST /users/johndoe HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    client.answer().assert_problem(405, "method-not-allowed");
}

#[test]
fn nginx_passes_requests_and_answers_on_as_they_are() {
    if !is_inside("nginx_passes_requests_and_answers_on_as_they_are") {
        return;
    }
    let _ours = start_ours(&[]);
    let _nginx = Proxy::nginx(&shipped("nginx.conf"));
    assert_requests_pass_as_they_are();
    assert_smoke_test_passes();
}

/// A request whose client says that it is somebody else, from an address that no other client here has.
fn assert_log_names_the_client(ours: &Server) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    socket.connect(&PROXY.into()).unwrap();
    let claims = "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n";
    assert_eq!(Client::over(socket.into()).request("GET", "/users/johndoe", claims).status, 200);
    ours.wait_for_log(" client=127.0.0.2");
    assert!(!ours.log().contains("203.0.113.9"), "{}", ours.log());
}

/// Ours with a log, and with trust in the proxy.
fn start_ours_with_log() -> Server {
    start_ours(&["http.trusted_proxies=127.0.0.1", "log.level=info"])
}

#[test]
fn the_log_names_the_client_that_nginx_has() {
    if is_inside("the_log_names_the_client_that_nginx_has") {
        let ours = start_ours_with_log();
        let _nginx = Proxy::nginx(&shipped("nginx.conf"));
        assert_log_names_the_client(&ours);
    }
}

#[test]
fn the_log_names_the_client_that_caddy_has() {
    if is_inside("the_log_names_the_client_that_caddy_has") {
        let ours = start_ours_with_log();
        let _caddy = Proxy::caddy();
        assert_log_names_the_client(&ours);
    }
}

#[test]
fn caddy_passes_requests_and_answers_on_as_they_are() {
    if !is_inside("caddy_passes_requests_and_answers_on_as_they_are") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut validate = Command::new("caddy");
    validate.args(["validate", "--adapter", "caddyfile", "--config"]).arg(shipped("Caddyfile"));
    let output = validate.env("HOME", folder.path()).output().expect("apt-get install caddy");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let _ours = start_ours(&[]);
    let _caddy = Proxy::caddy();
    assert_requests_pass_as_they_are();
    assert_smoke_test_passes();
}
