//! Starts programs that end when this one does.
//!
//! Invariant: whatever ends this program, even SIGKILL, the kernel kills what was started here. It sends the signal when
//! the *thread* that started the program ends, so [`spawn`] starts everything on one thread that lives as long as this
//! program. `Command::output` and `Command::status` may be called as they are: their thread waits for the end anyway.

use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;

/// The command that runs the program under test, without anybody else's settings.
pub fn userprofiles() -> Command {
    bound(env!("CARGO_BIN_EXE_userprofiles"))
}

/// The same by way of a shell, whose command line has the program and its arguments as `"$@"`. It has to `exec` them: what
/// a shell starts otherwise does not end with this program.
pub fn userprofiles_by_shell(line: &str) -> Command {
    let mut command = bound("sh");
    command.args(["-c", line, "sh", env!("CARGO_BIN_EXE_userprofiles")]);
    command
}

/// The command that runs `program`, which ends with this one and has no settings of ours in its environment.
pub fn bound(program: &str) -> Command {
    // It replaces itself by the program, so the process that is started is the program's. The standard library could ask
    // the kernel for the same only through `unsafe`.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]).env_remove("RUST_LOG").stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("USERPROFILES_")) {
        command.env_remove(name);
    }
    command
}

/// A command to start, and where its process is to be handed over.
type Order = (Command, Sender<io::Result<Child>>);

/// Starts a command that [`bound`] has made.
pub fn spawn(command: Command) -> io::Result<Child> {
    static ORDERS: OnceLock<Sender<Order>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (sender, orders) = channel::<Order>();
        let start_them = move || {
            for (mut command, answer) in orders {
                let _ = answer.send(command.spawn());
            }
        };
        Builder::new().name("spawner".to_owned()).spawn(start_them).expect("a thread");
        sender
    });
    let (answer, started) = channel();
    orders.send((command, answer)).expect("the spawner lives as long as this program");
    started.recv().expect("it answers every order")
}
