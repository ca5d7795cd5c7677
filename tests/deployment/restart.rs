//! Nobody who asks notices that the service is reloaded, restarted or upgraded.

use std::thread;

use crate::machine::Machine;
use crate::package::{IMPORT, install};
use crate::packages::packages;
use crate::support::load::{KEPT, NEW, RunningLoad};

/// Clients in the machine's network.
fn start_load(machine: &Machine) -> RunningLoad {
    let network = machine.network();
    let start = move || {
        network.enter();
        RunningLoad::start(([127, 0, 0, 1], 8000).into())
    };
    // On a thread of its own: threads inherit the network of the one that starts them.
    thread::spawn(start).join().unwrap()
}

#[test]
fn no_request_is_lost_while_it_restarts_or_is_upgraded() {
    let machine = Machine::boot();
    install(&machine);
    machine.run(IMPORT);
    let newer = machine.take(&packages().newer);
    let load = start_load(&machine);
    let upgrade = format!("dpkg --install {newer}");
    for command in ["systemctl reload userprofiles", "systemctl restart userprofiles", &upgrade] {
        let main_pid = machine.property("MainPID");
        machine.run(command);
        let is_replaced = machine.property("MainPID") != main_pid;
        assert_eq!(is_replaced, !command.contains("reload"), "{command}");
        load.wait_for(10 * (KEPT + NEW));
    }
    load.assert_no_failure(&machine.journal());
}

#[test]
fn a_removal_ends_it_whoever_still_asks() {
    let machine = Machine::boot();
    install(&machine);
    machine.run(IMPORT);
    let load = start_load(&machine);
    machine.run("dpkg --remove userprofiles");
    machine.assert_inactive();
    // Which also shows that a load sees failures.
    assert!(load.end().len() >= KEPT + NEW);
}
