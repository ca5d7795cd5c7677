//! A server that a test has started does not outlive the test program, whatever ends that.
#![allow(clippy::disallowed_methods, reason = "tests start threads of their own")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::client::Client;
use support::process::{bound, spawn};
use support::server::{PATIENCE, Server};
use userprofiles::clock;

/// Set for the copy of this program that is to be killed.
const IS_VICTIM: &str = "TEST_IS_TO_BE_KILLED";

/// Stands before the server's address in what that copy prints.
const MARK: &str = "serving at ";

#[test]
fn a_server_ends_with_the_program_that_started_it_and_not_with_the_thread() {
    if std::env::var_os(IS_VICTIM).is_some() {
        // The thread is over before the server is asked anything.
        let server = std::thread::spawn(|| Server::embedded(&[])).join().unwrap();
        println!("{MARK}{}", server.public);
        std::thread::sleep(PATIENCE);
        return;
    }
    let name = "a_server_ends_with_the_program_that_started_it_and_not_with_the_thread";
    for signal in ["KILL", "ABRT"] {
        let mut command = bound(std::env::current_exe().unwrap().to_str().unwrap());
        command.args(["--exact", name, "--nocapture"]).env(IS_VICTIM, "1").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut victim = spawn(command).unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let address: SocketAddr = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once(MARK).map(|(_, address)| address.parse().unwrap()))
            .expect("an address");
        assert_eq!(Client::connect(address).request("GET", "/users/johndoe", "").status, 200);
        let kill = Command::new("kill").args([format!("-{signal}"), victim.id().to_string()]).status().unwrap();
        assert!(kill.success());
        assert!(!victim.wait().unwrap().success());
        let start = clock::now();
        while TcpStream::connect(address).is_ok() {
            assert!(start.elapsed() < PATIENCE, "{signal}: the server lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
