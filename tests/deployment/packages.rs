//! The package of the program under test, and a newer one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::process::bound;
use crate::waiting::complete;

pub const VERSION: &str = "0.1.0-1";
pub const NEWER_VERSION: &str = "0.1.0-2";

/// Two versions of the package.
pub struct Packages {
    pub first: PathBuf,
    pub newer: PathBuf,
}

/// Builds them, once.
pub fn packages() -> &'static Packages {
    static PACKAGES: OnceLock<(Packages, TempDir)> = OnceLock::new();
    &PACKAGES.get_or_init(build).0
}

fn build() -> (Packages, TempDir) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut command = bound("scripts/package");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
        .args(["--program", env!("CARGO_BIN_EXE_userprofiles"), "--version", VERSION, "--output"])
        .arg(folder.path());
    // Somebody whose address lintian believes.
    command.env("DEBEMAIL", "maintainer@debian.org");
    let printed = complete(command, "scripts/package");
    let first = PathBuf::from(printed.lines().last().unwrap());
    let newer = folder.path().join(format!("userprofiles_{NEWER_VERSION}.deb"));
    repack(&first, &newer, &folder.path().join("unpacked"));
    (Packages { first, newer }, folder)
}

/// The same package with a higher version.
fn repack(first: &Path, newer: &Path, unpacked: &Path) {
    let mut command = bound("dpkg-deb");
    command.arg("--raw-extract").args([first, unpacked]);
    complete(command, "dpkg-deb");
    let control = unpacked.join("DEBIAN/control");
    let text = fs::read_to_string(&control).unwrap();
    fs::write(control, text.replace(&format!("Version: {VERSION}"), &format!("Version: {NEWER_VERSION}"))).unwrap();
    let mut command = bound("dpkg-deb");
    command.args(["-Zgzip", "-z1", "--root-owner-group", "--build"]).args([unpacked, newer]);
    complete(command, "dpkg-deb");
}
