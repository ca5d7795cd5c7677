//! Open files run short: more connections than the limit allows, and a limit that is reached all the same.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::allow_many_files;
use crate::support::client::Client;
use crate::support::process::userprofiles_by_shell;
use crate::support::server::{Server, sample_users, serve};

/// A server of 64 open files, with waits that do not end.
fn server_of_64_files() -> Server {
    let mut server = spawn_with_64_files(&["--listen", "127.0.0.1:0"]);
    server.public = server.address_after("listening on http://");
    server.admin = server.address_after("operators: http://");
    // The last line of the start: the tests count what comes behind it.
    server.wait_for_log("try: curl");
    server
}

fn spawn_with_64_files(flags: &[&str]) -> Server {
    let limited = userprofiles_by_shell(r#"ulimit -n 64 && exec "$@""#);
    let users = sample_users();
    let settings = ["http.first_byte_timeout=1h", "http.idle_timeout=1h"];
    Server::spawn(serve(limited, &settings, &[flags, &["--import", users.to_str().unwrap()]].concat()))
}

/// How much processor time it takes to do nothing for two seconds.
fn cpu_over_two_seconds(server: &Server) -> Duration {
    let before = server.cpu();
    std::thread::sleep(Duration::from_secs(2));
    server.cpu().saturating_sub(before)
}

/// Lines that are no access lines.
fn lines(log: &str) -> Vec<&str> {
    log.lines().filter(|line| !line.contains(" answered ")).collect()
}

#[test]
fn more_connections_than_files_wait_and_are_answered_after_the_release() {
    allow_many_files();
    let server = server_of_64_files();
    server.wait_for_log("exceeds the limit of open files");
    let quiet = lines(&server.log()).len();
    let crowd: Vec<Client> = (0..150).map(|_| server.connect()).collect();
    let mut waiting = server.connect();
    waiting.send(crate::GET);
    let cpu = cpu_over_two_seconds(&server);
    assert!(cpu <= Duration::from_millis(200), "{cpu:?} of processor time in 2 s");
    assert_eq!(server.admin_get("/live").status, 200);
    assert_eq!(server.admin_get("/ready").status, 200);
    let log = server.log();
    assert!(lines(&log).len() <= quiet + 1, "{log}");
    drop(crowd);
    assert_eq!(waiting.answer().status, 200);
    assert_eq!(server.get("/users/johndoe").status, 200);
}

#[test]
fn no_file_left_is_an_episode_of_one_line() {
    allow_many_files();
    let server = server_of_64_files();
    let mut kept = server.connect();
    assert_eq!(kept.request("GET", "/nothing", "").status, 404);
    let quiet = lines(&server.log()).len();
    // The admin listener has places for more connections than there are files.
    let crowd: Vec<Client> = (0..80).map(|_| Client::connect(server.admin)).collect();
    server.wait_for_log("connections cannot be accepted");
    let cpu = cpu_over_two_seconds(&server);
    assert!(cpu <= Duration::from_millis(200), "{cpu:?} of processor time in 2 s");
    let log = server.log();
    assert_eq!(lines(&log).len(), quiet + 1, "{log}");
    // Who is connected is served, as far as that needs no file; who is not waits, and that is another listener's episode.
    assert_eq!(kept.request("GET", "/nothing", "").status, 404);
    kept.request("GET", "/users/johndoe", "").assert_problem(503, "unavailable");
    let mut waiting = server.connect();
    waiting.send(crate::GET);
    drop(crowd);
    server.wait_for_log("connections are accepted again");
    assert_eq!(waiting.answer().status, 200);
    assert_eq!(kept.request("GET", "/users/johndoe", "").status, 200);
    assert_eq!(server.admin_get("/live").status, 200);
    let log = server.log();
    assert!(log.matches("connections cannot be accepted").count() <= 2, "{log}");
}

#[test]
fn no_listener_is_forgotten_after_an_episode() {
    allow_many_files();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("userprofiles.toml");
    std::fs::write(&file, "[http]\nlisten = [\"127.0.0.1:0\", \"[::1]:0\"]\n").unwrap();
    let server = spawn_with_64_files(&["--config", file.to_str().unwrap()]);
    let admin = server.address_after("operators: http://");
    let port_after = |prefix: &str| -> u16 {
        server.wait_for_log(prefix);
        let log = server.log();
        log.split_once(prefix).unwrap().1.split(['\n', ' ']).next().unwrap().parse().unwrap()
    };
    let v4 = port_after("listening on http://127.0.0.1:");
    let v6 = port_after("listening on http://[::1]:");
    for _ in 0..3 {
        let crowd: Vec<Client> = (0..80).map(|_| Client::connect(admin)).collect();
        server.wait_for_log("connections cannot be accepted");
        let mut first = Client::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, v4)));
        first.send(crate::GET);
        // By now the first listener waits for files for a while.
        std::thread::sleep(Duration::from_millis(700));
        drop(crowd);
        let mut second = Client::connect(SocketAddr::from((Ipv6Addr::LOCALHOST, v6)));
        // Until the server has closed the crowd there may be no file for the database, and that is a 503.
        let statuses: Vec<u16> = std::iter::repeat_with(|| second.request("GET", "/users/johndoe", "").status)
            .take(1000)
            .take_while(|status| *status != 200)
            .collect();
        assert!(statuses.len() < 1000 && statuses.iter().all(|status| *status == 503), "{statuses:?}");
        first.stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!([200, 503].contains(&first.answer().status));
    }
}
