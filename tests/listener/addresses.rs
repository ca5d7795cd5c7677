//! Where it can listen: unix sockets, IPv6, both families at once, several addresses.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Output;

use crate::support::client::Client;
use crate::support::server::{Server, sample_users, serve, userprofiles};

fn start(settings: &[&str], flags: &[&str]) -> Server {
    let users = sample_users();
    Server::spawn(serve(userprofiles(), settings, &[flags, &["--import", users.to_str().unwrap()]].concat()))
}

fn start_on(path: &Path, settings: &[&str]) -> Server {
    let listen = format!("unix:{}", path.display());
    let server = start(settings, &["--listen", &listen]);
    server.wait_for_log(&format!("listening on {listen}"));
    server.wait_for_log("operators: ");
    server
}

/// The outcome of a server that is expected not to start.
fn fail_on(path: &Path) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let listen = format!("unix:{}", path.display());
    serve(userprofiles(), &[], &["--listen", &listen]).current_dir(folder.path()).output().unwrap()
}

fn get_over(path: &Path) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(b"GET /users/johndoe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn assert_answers(path: &Path) {
    let text = get_over(path);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("\"username\":\"johndoe\""), "{text}");
}

#[test]
fn a_unix_socket_has_its_mode_and_is_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    for (settings, mode) in [(&[][..], 0o660), (&["http.unix_mode=0600"][..], 0o600)] {
        let mut server = start_on(&path, settings);
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o7777, mode);
        assert_answers(&path);
        server.signal("TERM");
        assert!(server.wait().success());
        assert!(!path.exists());
    }
}

#[test]
fn the_socket_of_a_dead_server_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let mut server = start_on(&path, &[]);
    server.signal("KILL");
    server.wait();
    assert!(path.exists());
    let _again = start_on(&path, &[]);
    assert_answers(&path);
}

#[test]
fn the_socket_of_a_successor_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let mut predecessor = start_on(&path, &[]);
    std::fs::remove_file(&path).unwrap();
    let _successor = start_on(&path, &[]);
    predecessor.signal("TERM");
    assert!(predecessor.wait().success());
    assert_answers(&path);
}

/// Its queue is full and nobody accepts: looking whether it is alive must not wait.
#[test]
fn a_socket_whose_owner_is_stuck_is_another_programs_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let stuck = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    stuck.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    stuck.listen(0).unwrap();
    let _fills_the_queue = UnixStream::connect(&path).unwrap();
    let output = fail_on(&path);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && text.contains("another program listens there"), "{text}");
}

#[test]
fn what_cannot_be_bound_is_told_with_its_setting_and_flag() {
    let folder = tempfile::tempdir().unwrap();
    let output = fail_on(&folder.path().join("missing/http.sock"));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("[http] listen (--listen)") && text.contains("make its folder"), "{text}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let taken = std::net::TcpListener::bind(taken).unwrap();
    let admin = format!("admin.listen={}", taken.local_addr().unwrap());
    let output =
        serve(userprofiles(), &[&admin], &["--listen", "127.0.0.1:0"]).current_dir(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("[admin] listen (--set admin.listen=ADDRESS)"), "{text}");
}

#[test]
fn the_flag_may_be_given_several_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let listen = format!("unix:{}", path.display());
    let server = start(&[], &["--listen", "127.0.0.1:0", "--listen", &listen]);
    server.wait_for_log(&format!("listening on {listen}"));
    assert!(server.log().contains("listening on http://127.0.0.1:"));
    assert_answers(&path);
}

/// `localhost` has two addresses nearly everywhere, and one of them may be switched off.
#[test]
fn of_the_addresses_of_a_name_those_that_exist_are_bound() {
    let without_ipv6 = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && ip link set lo up && \
                        mount --bind hosts /etc/hosts && exec timeout 2 \"$@\"";
    let mut command = crate::support::process::bound("unshare");
    command.args(["-rnm", "sh", "-c", without_ipv6, "sh", env!("CARGO_BIN_EXE_userprofiles")]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hosts"), "127.0.0.1 both.test\n::1 both.test\n").unwrap();
    command.args(["serve", "--listen", "both.test:8000", "--set", "admin.listen=off"]).current_dir(folder.path());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("listening on http://127.0.0.1:8000"), "{text}");
    assert!(text.contains("WARN  [http] listen (--listen): both.test:8000 is also [::1]:8000"), "{text}");
}

#[test]
fn the_socket_of_a_live_server_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let _server = start_on(&path, &[]);
    let second = fail_on(&path);
    let told = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{told}");
    assert!(told.contains("another program listens there") && told.contains("http.sock"), "{told}");
    assert_answers(&path);
}

#[test]
fn a_file_that_is_no_socket_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    std::fs::write(&path, "precious").unwrap();
    let failed = fail_on(&path);
    let told = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{told}");
    assert!(told.contains("not a socket"), "{told}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn ipv6() {
    let server = start(&[], &["--listen", "[::1]:0"]);
    let address = server.address_after("listening on http://");
    assert_eq!(address.ip(), IpAddr::V6(Ipv6Addr::LOCALHOST));
    assert_eq!(Client::connect(address).request("GET", "/users/johndoe", "").status, 200);
}

#[test]
fn every_address_of_both_families_at_once() {
    let server = start(&[], &["--listen", "[::]:0"]);
    let port = server.address_after("listening on http://").port();
    for ip in [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)] {
        let answer = Client::connect(SocketAddr::new(ip, port)).request("GET", "/users/johndoe", "");
        assert_eq!(answer.status, 200, "{ip}");
    }
}

#[test]
fn several_addresses_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let file = folder.path().join("userprofiles.toml");
    let list = format!("listen = [\"127.0.0.1:0\", \"[::1]:0\", \"unix:{}\"]", path.display());
    std::fs::write(&file, format!("[http]\n{list}\n")).unwrap();
    let mut server = start(&[], &["--config", file.to_str().unwrap()]);
    server.wait_for_log("operators: ");
    for prefix in ["listening on http://127", "listening on http://[::1]"] {
        server.wait_for_log(prefix);
    }
    assert_answers(&path);
    let addresses: Vec<SocketAddr> = server
        .log()
        .lines()
        .filter_map(|line| line.split_once("listening on http://")?.1.split(' ').next()?.parse().ok())
        .collect();
    assert_eq!(addresses.len(), 2, "{}", server.log());
    for address in addresses {
        assert_eq!(Client::connect(address).request("GET", "/users/johndoe", "").status, 200);
    }
    server.signal("TERM");
    assert!(server.wait().success());
    assert!(!path.exists());
}

#[test]
fn an_address_that_is_taken_is_told_with_what_to_do() {
    let server = Server::embedded(&[]);
    let folder = tempfile::tempdir().unwrap();
    let listen = server.public.to_string();
    let failed = serve(userprofiles(), &[], &["--listen", &listen]).current_dir(folder.path()).output().unwrap();
    let told = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{told}");
    assert!(told.contains(&listen) && told.contains("another program listens there"), "{told}");
}
