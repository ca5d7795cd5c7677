//! A Debian that runs in a container, with systemd as its first process and a network of its own.
//!
//! Invariant: what is written on it is gone when it is dropped, and its processes end with this program. Every wait for it
//! is bounded.

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, getuid, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::cgroup::Groups;
use crate::root::root;
use crate::support::client::{Answer, Client};
use crate::support::process::{bound, spawn};
use crate::support::server::PATIENCE;
use crate::waiting::wait_until;

/// The units of the package.
pub const UNITS: &str = "userprofiles.service userprofiles.socket userprofiles-admin.socket";

/// A running container.
pub struct Machine {
    keeper: Child,
    /// Its first process, as this machine counts processes.
    leader: u32,
    _groups: Groups,
}

impl Machine {
    /// Boots one, and waits until nothing is to be started any more.
    pub fn boot() -> Self {
        static BOOTED: AtomicUsize = AtomicUsize::new(0);
        assert!(getuid().is_root(), "a container needs root");
        let name = format!("userprofiles-test-{}-{}", std::process::id(), BOOTED.fetch_add(1, Ordering::Relaxed));
        let groups = Groups::make(&name);
        // The shell moves into the groups and becomes the container's keeper. The first process of a container outlives
        // systemd-nspawn, but nothing outlives the first process of a PID namespace.
        let mut command = bound("sh");
        command.args(["-c", r#"while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@""#, "sh"]);
        command.args(groups.files()).args(["--", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        // What is written goes to memory.
        command.args(["systemd-nspawn", "--boot", "--console=pipe", "--private-network", "--volatile=overlay"]);
        command.args(["--register=no", "--keep-unit", "--machine", &name, "--directory"]);
        command.arg(root()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keeper = spawn(command).expect("systemd-nspawn: apt-get install systemd-container");
        let leader = wait_until(&name, || {
            assert!(keeper.try_wait().unwrap().is_none(), "systemd-nspawn ended: is it installed, and is this root?");
            leader(keeper.id())
        });
        let machine = Self { keeper, leader, _groups: groups };
        let state = wait_until("systemd", || {
            let output = machine.output("systemctl is-system-running");
            let state = String::from_utf8(output.stdout).unwrap().trim().to_owned();
            ["running", "degraded"].contains(&state.as_str()).then_some(state)
        });
        assert_eq!(state, "running", "{}", machine.run("systemctl --failed"));
        machine
    }

    /// Runs a line of shell on it, which must succeed, and returns what it printed.
    pub fn run(&self, line: &str) -> String {
        let output = self.output(line);
        let printed = String::from_utf8(output.stdout).unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {}\n{printed}{complaints}", output.status);
        printed
    }

    /// Runs a line of shell on it.
    pub fn output(&self, line: &str) -> Output {
        let limit = PATIENCE.as_secs().to_string();
        let mut command = bound("timeout");
        command.args([&limit, "nsenter", "--all", "--target", &self.leader.to_string(), "--"]);
        // Nothing of this machine's environment.
        command.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"]);
        command.args(["sh", "-c", line]).output().unwrap()
    }

    /// Runs a program of this machine in its network.
    pub fn in_network(&self, program: &str) -> Command {
        let mut command = bound("nsenter");
        command.args(["--net", "--target", &self.leader.to_string(), "--", program]);
        command
    }

    /// Its network, for threads of this program.
    pub fn network(&self) -> Network {
        Network(File::open(format!("/proc/{}/ns/net", self.leader)).unwrap())
    }

    /// Asks a TCP address on it.
    pub fn get(&self, port: u16, path: &str) -> Answer {
        thread::scope(|scope| {
            let ask = || {
                self.network().enter();
                Client::connect(([127, 0, 0, 1], port).into()).request("GET", path, "")
            };
            scope.spawn(ask).join().unwrap()
        })
    }

    /// One of its files, as this machine sees it.
    pub fn path(&self, path: &str) -> PathBuf {
        Path::new(&format!("/proc/{}/root", self.leader)).join(path.trim_start_matches('/'))
    }

    /// Writes a file on it, and the folders that lead there.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Copies a file of this machine to its folder `/root`, and returns where it is there.
    pub fn take(&self, file: &Path) -> String {
        let there = format!("/root/{}", file.file_name().unwrap().to_str().unwrap());
        fs::copy(file, self.path(&there)).unwrap();
        there
    }

    /// A property of the service.
    pub fn property(&self, name: &str) -> String {
        self.run(&format!("systemctl show userprofiles.service --value --property={name}")).trim().to_owned()
    }

    /// Waits until the property of the service is as wanted, and returns it.
    pub fn wait_for_property(&self, name: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        wait_until(name, || Some(self.property(name)).filter(|value| is_wanted(value)))
    }

    /// Asserts that nothing of the package runs and nobody listens.
    pub fn assert_inactive(&self) {
        assert_eq!(self.run(&format!("systemctl is-active {UNITS} || true")), "inactive\n".repeat(3));
        // 0A: it listens.
        assert_eq!(self.run("grep ' 0A ' /proc/net/tcp || true"), "");
        assert_eq!(self.run("grep /run/userprofiles /proc/net/unix || true"), "");
    }

    /// Everything that systemd and the service have said about the service.
    pub fn journal(&self) -> String {
        self.run("journalctl --sync && journalctl --unit=userprofiles.service --output=short-monotonic")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if thread::panicking() {
            let journal = self.output("journalctl --output=cat --lines=60 --unit='userprofiles*'");
            eprintln!("{}", String::from_utf8_lossy(&journal.stdout));
        }
        // All its processes end with systemd-nspawn; after that, its groups can be removed.
        for nspawn in children(self.keeper.id()) {
            let _ = kill_process(Pid::from_raw(nspawn).unwrap(), Signal::KILL);
        }
        let _ = self.keeper.wait();
    }
}

/// The network of a machine.
pub struct Network(File);

impl Network {
    /// Moves the thread that calls this, and those that it starts from now on, into it.
    pub fn enter(&self) {
        move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }
}

/// The first process of the container that this process keeps, once it is far enough to be talked to.
fn leader(keeper: u32) -> Option<u32> {
    children(keeper).into_iter().find_map(|child| {
        let child = child.unsigned_abs();
        let status = fs::read_to_string(format!("/proc/{child}/status")).ok()?;
        // Its numbers in our namespace, in that of systemd-nspawn, and in its own.
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?.split_whitespace();
        let is_first = numbers.clone().count() == 3 && numbers.last() == Some("1");
        let answers = Path::new(&format!("/proc/{child}/root/run/systemd/private")).exists();
        if is_first && answers { Some(child) } else { leader(child) }
    })
}

fn children(process: u32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().map(|child| child.parse().unwrap()).collect()
}
