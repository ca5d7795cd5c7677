//! What the units leave open, as `systemd-analyze` judges it.

use std::fs;
use std::path::Path;

use crate::support::process::bound;
use crate::waiting::complete;

/// The units and, if there is one, a drop-in, in a folder as systemd wants them.
fn units(drop_in: Option<&str>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/systemd");
    for unit in ["userprofiles.service", "userprofiles.socket", "userprofiles-admin.socket"] {
        // Where the program is on this machine.
        let text = fs::read_to_string(config.join(unit)).unwrap();
        let text = text.replace("/usr/bin/userprofiles", env!("CARGO_BIN_EXE_userprofiles"));
        fs::write(folder.path().join(unit), text).unwrap();
    }
    if let Some(name) = drop_in {
        let drop_ins = folder.path().join("userprofiles.service.d");
        fs::create_dir(&drop_ins).unwrap();
        fs::copy(config.join(name), drop_ins.join(name)).unwrap();
    }
    folder
}

/// Asserts that the exposure is this at most: tenths of the scale from 0 to 10.
fn assert_exposure(drop_in: Option<&str>, tenths: u32) {
    let units = units(drop_in);
    let mut command = bound("systemd-analyze");
    command.args(["security", "--offline=true", &format!("--threshold={tenths}")]);
    command.arg(units.path().join("userprofiles.service"));
    complete(command, "systemd-analyze: apt-get install systemd");
}

#[test]
fn the_service_exposes_little() {
    assert_exposure(None, 11);
}

#[test]
fn without_a_network_it_exposes_less() {
    assert_exposure(Some("embedded.conf"), 2);
}

#[test]
fn the_units_are_free_of_mistakes() {
    for drop_in in [None, Some("embedded.conf")] {
        let units = units(drop_in);
        let mut command = bound("systemd-analyze");
        command.args(["verify", "--man=no"]).arg(units.path().join("userprofiles.service"));
        command.arg(units.path().join("userprofiles.socket")).arg(units.path().join("userprofiles-admin.socket"));
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        // Units of this machine have mistakes that are not ours.
        let ours: Vec<&str> = told.lines().filter(|line| line.contains("userprofiles")).collect();
        assert!(output.status.success() && ours.is_empty(), "{told}");
    }
}
