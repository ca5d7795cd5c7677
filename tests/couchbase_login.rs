//! Passwords that change while the server runs, and HUP, under a load that must not notice: in both orders of changing
//! a password, in both ways of `[bucket] connections`.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use couchbase::{BUCKET, Double, Login, Manager, PASSWORD, USERNAME};
use on_couchbase::{MODES, assert_holds_no_secret, profile};
use support::client::Client;
use support::server::{PATIENCE, Server};

const JOHN: &str = r#"{"username":"johndoe","email":null,"full_name":null,"disabled":null}"#;

const NEW_PASSWORD: &str = "next-password-marker";

const CLIENTS: usize = 8;

/// As many answers as this show that a load goes on.
const A_WHILE: usize = 200;

/// A cluster, and a server of it that has its password and its settings from files.
struct Place {
    double: Double,
    folder: tempfile::TempDir,
    server: Server,
}

impl Place {
    /// `settings` are TOML.
    fn start(mode: &str, settings: &str) -> Self {
        let double = Double::start();
        double.put("userprofile::johndoe", &profile("johndoe"));
        let folder = tempfile::tempdir().unwrap();
        let (file, password) = (folder.path().join("settings.toml"), folder.path().join("password"));
        std::fs::write(&file, settings).unwrap();
        std::fs::write(&password, PASSWORD).unwrap();
        let flags = ["--config", file.to_str().unwrap()];
        let (string, password) = (
            format!("couchbase.connection_string={}", double.connection_string()),
            format!("couchbase.password_file={}", password.display()),
        );
        let (bucket, username) = (format!("couchbase.bucket={BUCKET}"), format!("couchbase.username={USERNAME}"));
        let mut all = vec!["bucket.database=couchbase", mode, &string, &password, &bucket, &username];
        // Flags win over the file: what a test changes there must not be among them.
        all.retain(|flag| flag.split(['.', '=']).nth(1).is_none_or(|key| !settings.contains(&format!("{key} = "))));
        let server = Server::start(&all, &flags);
        Self { double, folder, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// As those do who know how: there is never half a file.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path("next"), text).unwrap();
        std::fs::rename(self.path("next"), self.path(name)).unwrap();
    }

    fn change_on_server(&self, password: &str) {
        self.double.set_login(Login::Password(password.to_owned()));
    }

    fn hup(&self, said: &str) {
        let before = self.server.log().matches(said).count();
        self.server.signal("HUP");
        let start = std::time::Instant::now();
        while self.server.log().matches(said).count() == before {
            assert!(start.elapsed() < PATIENCE, "{said:?} is not in the log:\n{}", self.server.log());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Asks until it is answered: the file is read once in 100 ms at most.
    fn wait_until_served(&self) {
        let start = std::time::Instant::now();
        while self.server.get("/users/johndoe").text() != JOHN {
            assert!(start.elapsed() < PATIENCE, "it does not heal:\n{}", self.server.log());
        }
    }

    /// The log must hold neither password.
    fn assert_nothing_leaked(&self) {
        let log = self.server.log();
        assert_holds_no_secret(&log);
        let login = STANDARD.encode(format!("{USERNAME}:{NEW_PASSWORD}"));
        assert!(!log.contains(NEW_PASSWORD) && !log.contains(&login), "{log}");
    }
}

/// Clients that ask for John without a pause. Each answer that is not John is kept.
struct Load {
    is_over: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(server: &Server) -> Self {
        let (is_over, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients = (0..CLIENTS)
            .map(|_| {
                let (address, is_over, answers) = (server.public, Arc::clone(&is_over), Arc::clone(&answers));
                std::thread::spawn(move || {
                    let mut client = Client::connect(address);
                    let mut failures = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        let answer = client.request("GET", "/users/johndoe", "");
                        if (answer.status, answer.text()) != (200, JOHN) {
                            failures.push(format!("{} {}", answer.status, answer.text()));
                        }
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                    failures
                })
            })
            .collect();
        let load = Self { is_over, answers, clients };
        load.go_on();
        load
    }

    /// Waits until there were many more answers.
    fn go_on(&self) {
        let (start, target) = (std::time::Instant::now(), self.answers.load(Ordering::Relaxed) + A_WHILE);
        while self.answers.load(Ordering::Relaxed) < target {
            assert!(start.elapsed() < PATIENCE, "no answers any more");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn assert_that_nobody_noticed(self) {
        self.go_on();
        self.is_over.store(true, Ordering::Relaxed);
        let failures: Vec<String> = self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        assert_eq!(failures, Vec::<String>::new(), "of {} answers", self.answers.load(Ordering::Relaxed));
    }
}

#[test]
fn the_file_is_changed_first_and_then_the_server() {
    for mode in MODES {
        let place = Place::start(mode, "");
        let load = Load::start(&place.server);
        for (from, to) in [(PASSWORD, NEW_PASSWORD), (NEW_PASSWORD, PASSWORD)] {
            place.write("password", to);
            load.go_on();
            place.change_on_server(to);
            load.go_on();
            assert_ne!(from, to);
        }
        load.assert_that_nobody_noticed();
        place.assert_nothing_leaked();
        assert_eq!(place.double.violations(), Vec::<String>::new());
    }
}

#[test]
fn the_server_is_changed_first_and_then_the_file() {
    for mode in MODES {
        let place = Place::start(mode, "");
        let load = Load::start(&place.server);
        place.change_on_server(NEW_PASSWORD);
        place.server.wait_for_log("Couchbase rejects the login that it accepted before");
        // The time that somebody needs who changes one and then the other.
        std::thread::sleep(Duration::from_millis(700));
        place.write("password", NEW_PASSWORD);
        place.server.wait_for_log("Couchbase accepts the login again");
        load.assert_that_nobody_noticed();
        place.assert_nothing_leaked();
    }
}

#[test]
fn a_hup_between_the_two() {
    for mode in MODES {
        let place = Place::start(mode, "");
        assert_eq!(place.server.get("/users/johndoe").text(), JOHN);
        place.write("password", NEW_PASSWORD);
        place.hup("HUP: reload complete");
        // With nobody else about who could have found out that the old one works.
        assert_eq!(place.server.get("/users/johndoe").text(), JOHN);
        let load = Load::start(&place.server);
        place.change_on_server(NEW_PASSWORD);
        load.go_on();
        place.change_on_server(PASSWORD);
        place.write("password", PASSWORD);
        place.hup("HUP: reload complete");
        load.assert_that_nobody_noticed();
        place.assert_nothing_leaked();
    }
}

#[test]
fn hup_again_and_again_under_load() {
    for mode in MODES {
        let place = Place::start(mode, "");
        let load = Load::start(&place.server);
        for number in 0..20 {
            place.write("settings.toml", &format!("[http]\nworkers = {}", 10 + number));
            place.hup("HUP: reload complete");
        }
        load.assert_that_nobody_noticed();
        place.server.wait_for_log("HUP: these settings have changed and need a restart: [http] workers");
    }
}

#[test]
fn settings_in_which_something_is_wrong_change_nothing() {
    let place = Place::start(MODES[0], "[log]\nlevel = 'info'");
    let load = Load::start(&place.server);
    for (settings, said) in [
        ("[http]\nworkers = 'many'\n[log]\nlevel = 'error'", "settings.toml:2: [http] workers"),
        ("[http", "settings.toml:1: this is not TOML"),
        ("[couchbase]\nca_fil = 'x'\n[log]\nlevel = 'error'", "settings.toml:2: "),
        ("[couchbase]\nclient_key_file = 'x'\n[log]\nlevel = 'error'", "client_key_file is set without"),
    ] {
        place.write("settings.toml", settings);
        place.hup("HUP: the settings are as before");
        assert!(place.server.log().contains(said), "{said}:\n{}", place.server.log());
    }
    place.write("settings.toml", "");
    std::fs::remove_file(place.path("password")).unwrap();
    place.hup("HUP: the settings are as before");
    assert!(place.server.log().contains("password cannot be read"), "{}", place.server.log());
    load.go_on();
    place.write("password", PASSWORD);
    place.hup("HUP: reload complete");
    load.assert_that_nobody_noticed();
    place.assert_nothing_leaked();
}

#[test]
fn what_is_taken_at_hup_and_what_is_told() {
    let place = Place::start(MODES[1], "[http]\nworkers = 4");
    place.write(
        "settings.toml",
        "[http]\nworkers = 5\nhead_timeout = '7s'\n[couchbase]\nscope = 'people'\n[log]\nlevel = 'debug'",
    );
    place.hup("HUP: reload complete");
    place.server.wait_for_log("need a restart: [http] workers, [couchbase] scope\n");
    assert!(!place.server.log().contains("DEBUG"));
    assert_eq!(place.server.get("/users/johndoe").text(), JOHN);
    place.server.wait_for_log("DEBUG");

    // Back as it was: nothing waits any more.
    place.write("settings.toml", "[http]\nworkers = 4");
    place.hup("HUP: reload complete");
    assert_eq!(place.server.log().matches("need a restart").count(), 1, "{}", place.server.log());
}

#[test]
fn another_user_and_another_database_are_for_a_restart_and_no_mistake() {
    let started = "[bucket]\ndatabase = 'couchbase'\n[couchbase]\nusername = 'reader'";
    let place = Place::start(MODES[0], started);
    place.write("password", "of-somebody-else");
    for (settings, named) in [
        (started.replace("reader", "other"), "need a restart: [couchbase] username\n"),
        ("[bucket]\ndatabase = 'embedded'".to_owned(), "need a restart: [bucket] database, [couchbase] username\n"),
    ] {
        place.write("settings.toml", &settings);
        place.hup("HUP: reload complete");
        place.server.wait_for_log(named);
        assert_eq!(place.server.get("/users/johndoe").text(), JOHN);
    }
    assert!(!place.server.log().contains("of-somebody-else"));
    assert!(!place.server.log().contains("Couchbase refuses"), "the password of another user is not tried");
}

#[test]
fn a_refusal_that_lasts_is_waited_for_once_and_heals_without_a_restart() {
    for mode in MODES {
        let place = Place::start(mode, "");
        assert_eq!(place.server.get("/users/johndoe").text(), JOHN);
        place.change_on_server(NEW_PASSWORD);
        // Two seconds from the first refusal, and then none.
        let start = std::time::Instant::now();
        place.server.get("/users/johndoe").assert_problem(500, "misconfigured");
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(1900), "{waited:?}");
        let before = place.double.counts().query.all_requests();
        for _ in 0..5 {
            place.server.get("/users/johndoe").assert_problem(500, "misconfigured");
        }
        assert_eq!(place.double.counts().query.all_requests(), before + 5, "nothing is tried twice any more");
        place.write("password", NEW_PASSWORD);
        place.wait_until_served();
        place.server.wait_for_log("Couchbase accepts the login again");
        place.assert_nothing_leaked();
    }
}

#[test]
fn nobody_waits_for_a_password_past_the_deadline() {
    let place = Place::start(MODES[0], "[bucket]\noperation_timeout = '300ms'");
    assert_eq!(place.server.get("/users/johndoe").text(), JOHN);
    place.change_on_server(NEW_PASSWORD);
    let start = std::time::Instant::now();
    place.server.get("/users/johndoe").assert_problem(500, "misconfigured");
    assert!(start.elapsed() < Duration::from_millis(1900), "{:?}", start.elapsed());
}

#[test]
fn a_login_that_was_wrong_from_the_start_fails_at_once_and_heals() {
    for mode in MODES {
        let place = Place::start(mode, "");
        place.change_on_server(NEW_PASSWORD);
        // The cluster manager is the first to refuse it.
        place.server.get("/users/johndoe").assert_problem(500, "misconfigured");
        assert_eq!(place.double.counts().node_services, 1);
        place.write("password", NEW_PASSWORD);
        place.wait_until_served();
        assert!(!place.server.log().contains("that it accepted before"));
        place.assert_nothing_leaked();
    }
}

#[test]
fn a_password_that_goes_to_a_node_elsewhere_in_the_clear_is_told_once() {
    let double = Double::start();
    // No address of anybody (RFC 5737); the seed itself is on this machine.
    double.set_manager(Manager::Nodes(
        r#"{"rev":1,"nodesExt":[{"services":{"n1ql":8093},"hostname":"192.0.2.1"},{"services":{"mgmt":$N1QL}}]}"#
            .to_owned(),
    ));
    let server = on_couchbase::serve(&double, &["bucket.connect_timeout=50ms"]);
    for _ in 0..3 {
        server.get("/users/johndoe").assert_problem(503, "unavailable");
    }
    let log = server.log();
    assert_eq!(log.matches("is sent to 192.0.2.1 without TLS").count(), 1, "{log}");
    assert_holds_no_secret(&log);
}

#[test]
fn a_byte_order_mark_before_a_password_is_no_part_of_it() {
    let place = Place::start(MODES[0], "");
    place.write("password", &format!("\u{feff}{NEW_PASSWORD}\n"));
    place.change_on_server(NEW_PASSWORD);
    place.hup("HUP: reload complete");
    place.wait_until_served();
    place.assert_nothing_leaked();
}

/// A file that never answers: a pipe that nobody writes into, or a mount that is dead.
#[test]
fn a_password_file_that_blocks_holds_no_request_no_signal_and_no_thread() {
    for mode in MODES {
        let mut place = Place::start(mode, "[bucket]\noperation_timeout = '1s'");
        assert_eq!(place.server.get("/users/johndoe").text(), JOHN);
        std::fs::remove_file(place.path("password")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, place.path("password"), rustix::fs::Mode::RUSR).unwrap();
        place.change_on_server(NEW_PASSWORD);
        for _ in 0..3 {
            let start = std::time::Instant::now();
            let answer = place.server.get("/users/johndoe");
            assert_eq!(answer.status, 500, "{}", answer.text());
            assert!(start.elapsed() < Duration::from_secs(2), "it took {:?}", start.elapsed());
        }
        let threads = place.server.threads();
        place.server.get("/users/johndoe");
        assert!(place.server.threads() <= threads, "each read leaves a thread");
        place.hup("HUP: the settings are as before");
        assert!(place.server.log().contains("nobody writes into this pipe"), "{}", place.server.log());
        // The next reload waits for the file while TERM comes.
        place.server.signal("HUP");
        place.server.signal("TERM");
        assert_eq!(place.server.wait().code(), Some(0), "{}", place.server.log());
        place.assert_nothing_leaked();
    }
}
