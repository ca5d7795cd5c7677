//! The life of the package on a machine: installed, upgraded, removed, purged.

use std::collections::BTreeSet;
use std::fs;

use crate::machine::{Machine, UNITS};
use crate::packages::{NEWER_VERSION, packages};
use crate::support::process::bound;
use crate::waiting::complete;

/// Puts users into the embedded database, as README.md says.
pub const IMPORT: &str = "userprofiles --config /etc/userprofiles/userprofiles.toml \
    import /usr/share/doc/userprofiles/examples/sample-users.jsonl";

const SETTINGS: &str = "/etc/userprofiles/userprofiles.toml";

/// What changes on a machine whatever is installed: records of dpkg, logs, what systemd notes.
const ALWAYS_CHANGING: [&str; 6] =
    ["/var/lib/dpkg", "/var/log", "/run/log", "/run/systemd", "/var/lib/systemd/timers", "/root"];

#[test]
fn it_serves_keeps_settings_and_users_and_leaves_nothing_behind() {
    let machine = Machine::boot();
    let before = files(&machine);

    install(&machine);
    assert_eq!(machine.run(&format!("systemctl is-enabled {UNITS}")), "enabled\n".repeat(3));
    assert_eq!(machine.run(&format!("systemctl is-active {UNITS}")), "active\n".repeat(3));
    assert_eq!(machine.get(8001, "/ready").status, 200);
    assert_eq!(machine.get(8000, "/users/johndoe").status, 404);
    machine.run(IMPORT);
    assert_serves(&machine);
    // Also while nobody else has the file open: root leaves no file that the service cannot write to.
    machine.run(&format!("systemctl stop {UNITS} && {IMPORT} && systemctl start {UNITS}"));
    assert_eq!(machine.run("find /var/lib/private/userprofiles/ -user root"), "");
    assert_serves(&machine);

    let mut settings = fs::read_to_string(machine.path(SETTINGS)).unwrap();
    settings = settings.replacen("[http]\n", "[http]\ncache_control = \"max-age=5\"\n", 1);
    machine.write(SETTINGS, &settings);
    let main_pid = machine.property("MainPID");
    let newer = machine.take(&packages().newer);
    machine.run(&format!("dpkg --install {newer}"));
    assert_eq!(machine.run("dpkg-query --show --showformat='${Version}' userprofiles"), NEWER_VERSION);
    assert_ne!(machine.property("MainPID"), main_pid, "the new program runs");
    assert_eq!(machine.get(8000, "/users/johndoe").field("cache-control"), Some("max-age=5"));
    assert_serves(&machine);

    machine.run("dpkg --remove userprofiles");
    machine.assert_inactive();
    assert!(machine.path(SETTINGS).exists());

    // Back again, with the settings and the users of before.
    machine.run(&format!("dpkg --install {newer}"));
    assert_eq!(machine.get(8000, "/users/johndoe").field("cache-control"), Some("max-age=5"));
    assert_serves(&machine);

    machine.write("/etc/userprofiles/kept", "no file of the package");
    let told = machine.run("dpkg --purge userprofiles");
    assert!(told.contains("Removing /var/lib/private/userprofiles"), "{told}");
    let mut after = files(&machine);
    for kept in ["/etc/userprofiles", "/etc/userprofiles/kept"] {
        assert!(after.remove(kept), "{kept} is not of the package");
    }
    let changes: Vec<_> = after.symmetric_difference(&before).collect();
    assert!(changes.is_empty(), "left behind or taken away: {changes:#?}");
}

#[test]
fn lintian_has_nothing_to_say() {
    let mut command = bound("lintian");
    // The package is in no archive that could have a bug about it.
    command.args(["--fail-on=error,warning", "--suppress-tags=initial-upload-closes-no-bugs"]);
    command.arg(&packages().first);
    complete(command, "lintian: apt-get install lintian");
}

#[test]
fn every_command_has_a_page_and_a_completion() {
    let machine = Machine::boot();
    install(&machine);
    let commands = machine.run("userprofiles --help | sed -n '/^Commands:/,/^$/s/^  \\([a-z]\\+\\) .*/\\1/p'");
    let commands: Vec<&str> = commands.lines().filter(|&command| command != "help").collect();
    assert!(commands.contains(&"serve"), "{commands:?}");
    let completions = machine.run("cat /usr/share/bash-completion/completions/userprofiles");
    for command in commands {
        let page = machine.run(&format!("zcat /usr/share/man/man1/userprofiles-{command}.1.gz"));
        assert!(page.contains(".SH NAME"), "{command}: {page}");
        assert!(completions.contains(command), "{command}");
    }
    for file in [
        "man/man1/userprofiles.1.gz",
        "zsh/vendor-completions/_userprofiles",
        "fish/vendor_completions.d/userprofiles.fish",
    ] {
        assert!(machine.path(&format!("/usr/share/{file}")).exists(), "{file}");
    }
}

/// Installs the package, which starts the service.
pub fn install(machine: &Machine) {
    let package = machine.take(&packages().first);
    machine.run(&format!("dpkg --install {package}"));
}

/// Asserts what `scripts/smoke-test` asserts.
fn assert_serves(machine: &Machine) {
    let mut command = machine.in_network("scripts/smoke-test");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("http://127.0.0.1:8000");
    complete(command, "scripts/smoke-test");
}

/// The files of the machine, without those that always change.
fn files(machine: &Machine) -> BTreeSet<String> {
    let left_out: Vec<String> = ALWAYS_CHANGING.iter().map(|path| format!("-path {path} -prune -o")).collect();
    let files = machine.run(&format!("find / /run /tmp -xdev {} -print", left_out.join(" ")));
    files.lines().map(str::to_owned).collect()
}
