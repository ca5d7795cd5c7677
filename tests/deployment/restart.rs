//! Nobody who asks notices that the service is reloaded, restarted or upgraded.

use crate::load::Load;
use crate::machine::Machine;
use crate::package::{IMPORT, install};
use crate::packages::packages;
use crate::waiting::wait_until;

#[test]
fn no_request_is_lost_while_it_restarts_or_is_upgraded() {
    let machine = Machine::boot();
    install(&machine);
    machine.run(IMPORT);
    let newer = machine.take(&packages().newer);
    let load = Load::start(&machine, ([127, 0, 0, 1], 8000).into());
    let commands = [
        "systemctl reload userprofiles".to_owned(),
        "systemctl restart userprofiles".to_owned(),
        "systemctl restart userprofiles".to_owned(),
        format!("dpkg --install {newer}"),
    ];
    for command in commands {
        let main_pid = machine.property("MainPID");
        machine.run(&command);
        if !command.contains("reload") {
            assert_ne!(machine.property("MainPID"), main_pid, "{command}");
        }
        // The load goes on.
        let goal = load.answered() + 500;
        wait_until("answers", || (load.answered() >= goal).then_some(()));
    }
    load.assert_nothing_failed();
}
