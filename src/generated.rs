//! Files that are generated from the source and kept beside it, so that they can be read, linked to and compiled in.
//!
//! Invariant: compiled for tests only. A file that differs from what the source says fails a test.

use std::path::Path;

/// Compares a file of this repository with its text, or writes it if `USERPROFILES_UPDATE_GENERATED` is set.
///
/// # Panics
/// If they differ.
pub fn assert_file(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("USERPROFILES_UPDATE_GENERATED").is_some() {
        return std::fs::write(&file, text).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(known == text, "{path} is out of date: USERPROFILES_UPDATE_GENERATED=1 cargo test --lib writes it");
}
