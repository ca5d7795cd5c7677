//! The service as systemd sees it: what it is told, what it does about a program that hangs or cannot start, what the
//! program is given and what is kept from it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use std::{fs, thread};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::machine::Machine;
use crate::package::install;
use crate::support::server::PATIENCE;
use crate::waiting::wait_until;

const SETTINGS: &str = "/etc/userprofiles/userprofiles.toml";
const DROP_INS: &str = "/etc/systemd/system/userprofiles.service.d";

fn installed() -> Machine {
    let machine = Machine::boot();
    install(&machine);
    machine
}

/// How many lines of the journal have this text, by the priority that they have.
fn priorities(machine: &Machine, text: &str) -> Vec<String> {
    machine.run("journalctl --sync");
    let lines = machine.run("journalctl --unit=userprofiles.service --output=json _COMM=userprofiles");
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let priority = |line: serde_json::Value| {
        line["MESSAGE"].as_str()?.contains(text).then(|| line["PRIORITY"].as_str().unwrap().to_owned())
    };
    lines.filter_map(priority).collect()
}

#[test]
fn systemd_is_told_how_it_goes() {
    let machine = installed();
    assert_eq!(machine.property("Type"), "notify");
    assert_eq!(machine.property("ActiveState"), "active");
    let status = machine.property("StatusText");
    assert!(status.starts_with("serving"), "{status}");

    // The sandbox hides nothing that alerts need, and [http] max_connections fits under the limit of files.
    let metrics = machine.get(8001, "/metrics");
    for name in ["process_start_time_seconds", "process_resident_memory_bytes", "process_open_fds"] {
        assert!(metrics.text().contains(&format!("\n{name} ")), "{name} is not in {}", metrics.text());
    }
    assert_eq!(priorities(&machine, "LimitNOFILE"), [""; 0]);

    // The sockets are those of systemd: one to which nothing in the settings leads answers too.
    let mut socket = BufReader::new(UnixStream::connect(machine.path("/run/userprofiles/http.sock")).unwrap());
    socket.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut line = String::new();
    socket.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");

    machine.get(8000, "/users/nobody-has-this-name");
    wait_until("the access line", || {
        priorities(&machine, "nobody-has-this-name").pop().filter(|priority| priority == "6")
    });

    let settings = fs::read_to_string(machine.path(SETTINGS)).unwrap();
    machine.write(SETTINGS, &settings.replacen("[http]\n", "[http]\ncache_control = \"max-age=5\"\n", 1));
    machine.run("systemctl reload userprofiles");
    let in_force = || machine.get(8000, "/users/nobody").field("cache-control") == Some("max-age=5");
    wait_until("the new setting", || in_force().then_some(()));
    machine.write(SETTINGS, "[http]\nno_such_setting = 1\n");
    machine.run("systemctl reload userprofiles");
    wait_until("the complaint", || priorities(&machine, "no_such_setting").pop().filter(|priority| priority == "4"));
    assert!(in_force());
    assert_eq!(machine.property("ActiveState"), "active");

    machine.write(SETTINGS, &settings);
    machine.run("systemctl stop userprofiles.socket userprofiles-admin.socket userprofiles.service");
    assert_eq!(machine.property("Result"), "success");
    assert_eq!(machine.property("ExecMainStatus"), "0");
}

#[test]
fn it_listens_where_the_socket_units_say_or_else_the_settings() {
    let machine = installed();
    let elsewhere = "[Socket]\nListenStream=\nListenStream=127.0.0.1:9000\n";
    machine.write("/etc/systemd/system/userprofiles.socket.d/override.conf", elsewhere);
    machine.run("systemctl daemon-reload && systemctl restart userprofiles.socket userprofiles");
    assert_eq!(machine.get(9000, "/").status, 200);
    machine.run("systemctl mask --now userprofiles.socket userprofiles-admin.socket");
    machine.run("systemctl restart userprofiles");
    assert_eq!(machine.get(8000, "/").status, 200);
    assert_eq!(machine.get(8001, "/ready").status, 200);
}

#[test]
fn a_program_that_hangs_is_replaced() {
    let machine = installed();
    machine.write(&format!("{DROP_INS}/impatient.conf"), "[Service]\nWatchdogSec=1\nRestartSec=100ms\n");
    machine.run("systemctl daemon-reload && systemctl restart userprofiles");
    // It is fed for as long as it answers, and says what matters.
    assert_eq!(machine.get(8000, "/").status, 200);
    thread::sleep(Duration::from_secs(3));
    machine.wait_for_property("StatusText", |status| status.contains("1 answered"));
    assert_eq!(machine.property("NRestarts"), "0");
    machine.run("systemctl kill --kill-whom=main --signal=STOP userprofiles");
    machine.wait_for_property("NRestarts", |restarts| restarts == "1");
    machine.wait_for_property("ActiveState", |state| state == "active");
    assert_eq!(machine.get(8000, "/").status, 200);
    let journal = machine.journal();
    assert!(journal.contains("Watchdog timeout"), "{journal}");
}

#[test]
fn without_a_network_it_serves_the_embedded_database() {
    let machine = installed();
    machine.run(&format!(
        "mkdir -p {DROP_INS} && cp /usr/share/doc/userprofiles/examples/systemd/embedded.conf {DROP_INS}/"
    ));
    machine.write(&format!("{DROP_INS}/impatient.conf"), "[Service]\nWatchdogSec=1\n");
    machine.run("systemctl daemon-reload && systemctl restart userprofiles");
    assert_eq!(machine.property("PrivateNetwork"), "yes");
    assert_eq!(machine.get(8000, "/users/nobody").status, 404);
    assert_eq!(machine.get(8001, "/ready").status, 200);
    // The watchdog sees it answer, too.
    thread::sleep(Duration::from_secs(3));
    assert_eq!(machine.property("NRestarts"), "0");
    assert_eq!(machine.property("ActiveState"), "active");
}

#[test]
fn a_start_that_fails_is_tried_again_and_nobody_is_refused_meanwhile() {
    let machine = installed();
    let settings = fs::read_to_string(machine.path(SETTINGS)).unwrap();
    machine.write(SETTINGS, "[http]\nno_such_setting = 1\n");
    assert!(!machine.output("systemctl restart userprofiles").status.success());
    machine.wait_for_property("NRestarts", |restarts| restarts.parse::<u32>().unwrap() >= 2);
    thread::scope(|scope| {
        // Many of them, each of which makes systemd want to start the service.
        let waiting: Vec<_> = (0..50).map(|_| scope.spawn(|| machine.get(8000, "/").status)).collect();
        machine.wait_for_property("NRestarts", |restarts| restarts.parse::<u32>().unwrap() >= 3);
        machine.write(SETTINGS, &settings);
        for client in waiting {
            assert_eq!(client.join().unwrap(), 200);
        }
    });
}

#[test]
fn a_password_of_root_reaches_the_database_and_nothing_else() {
    let machine = installed();
    let password = "correct horse battery staple";
    machine.write("/etc/credstore/userprofiles.bucket-password", password);
    let file = machine.path("/etc/credstore/userprofiles.bucket-password");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    machine.write(SETTINGS, "[bucket]\ndatabase = \"couchdb\"\n[couchdb]\nusername = \"reader\"\n");
    let database = thread::scope(|scope| {
        let listen = || {
            machine.network().enter();
            TcpListener::bind("127.0.0.1:5984").unwrap()
        };
        scope.spawn(listen).join().unwrap()
    });
    // Whoever asks is told that it may not.
    let asked = thread::spawn(move || {
        let (stream, _) = database.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while stream.read_line(&mut head).unwrap() > 2 {}
        stream.get_mut().write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").unwrap();
        head
    });
    machine.run("systemctl restart userprofiles");
    assert_eq!(machine.get(8000, "/users/johndoe").status, 500);
    let login = BASE64_STANDARD.encode(format!("reader:{password}"));
    let head = asked.join().unwrap();
    assert!(
        head.to_ascii_lowercase().contains(&format!("authorization: basic {login}").to_ascii_lowercase()),
        "{head}"
    );
    let journal = machine.run("journalctl --sync && journalctl --output=verbose --all");
    assert!(journal.contains("couchdb") && !journal.contains(password) && !journal.contains(&login), "{journal}");
    let visible = machine.run("systemctl show userprofiles.service; systemctl status userprofiles.service");
    assert!(!visible.contains(password), "{visible}");
}
