//! Everything that the fuzzer has found worth keeping, through the same functions that it calls.

use std::path::Path;

#[path = "../fuzz/src/targets.rs"]
mod targets;

#[test]
fn head() {
    replay("head", targets::head);
}

#[test]
fn username() {
    replay("username", targets::username);
}

#[test]
fn connection() {
    replay("connection", targets::connection);
}

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        let outcome = std::panic::catch_unwind(|| run(&data));
        assert!(outcome.is_ok(), "{}: {}", path.display(), data.escape_ascii());
        files += 1;
    }
    assert!(files >= 20, "only {files} files in {}", folder.display());
}
