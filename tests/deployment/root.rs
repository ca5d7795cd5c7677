//! The files of a small Debian, of the release that this machine has.
//!
//! Invariant: they are made once, kept in `target`, and never written to afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::support::process::bound;
use crate::waiting::complete;

/// What it has besides the packages that every Debian has.
const PACKAGES: &str = "dbus,systemd,systemd-sysv";

/// The folder of the files.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let release = release();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/debian-{release}"));
        if !root.exists() {
            make(&release, &root);
        }
        root
    })
}

fn release() -> String {
    let about = fs::read_to_string("/etc/os-release").unwrap();
    let name = about.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.expect("this machine runs a Debian, whose release has a name in /etc/os-release").to_owned()
}

/// Makes it beside its place, and moves it there when it is whole.
fn make(release: &str, root: &Path) {
    let folder = tempfile::tempdir_in(root.parent().unwrap()).unwrap();
    let unfinished = folder.path().join(release);
    let mut command = bound("debootstrap");
    command.args(["--variant=minbase", &format!("--include={PACKAGES}"), release]).arg(&unfinished);
    complete(command, "debootstrap, as root: apt-get install debootstrap");
    // Packages of which everything is installed already.
    let _ = fs::remove_dir_all(unfinished.join("var/cache/apt/archives"));
    fs::rename(unfinished, root).unwrap();
}
