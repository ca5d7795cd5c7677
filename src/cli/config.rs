//! `userprofiles config [--example]`: prints the settings that hold, or the example file.
//!
//! Invariant: no secret is printed; `crate::config` sees to that.

use std::io::{self, Write};

use crate::config::{self, Loaded, SectionsShown};

/// Prints the settings that hold, as TOML, each with where it came from.
///
/// # Errors
/// What writing to `out` failed with.
pub fn print_effective(loaded: &Loaded, shown: SectionsShown, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(config::effective(loaded, shown).as_bytes())?;
    out.flush()
}

/// Prints the example file. No settings need to be loaded for it.
///
/// # Errors
/// What writing to `out` failed with.
pub fn print_example(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(config::example().as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    #[test]
    fn both_are_printed_in_full() {
        let sources = Sources { search: Vec::new(), set: vec!["http.workers=7".to_owned()], ..Sources::default() };
        let mut out = Vec::new();
        print_effective(&load(&sources).unwrap(), SectionsShown::All, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\nworkers = 7  # --set http.workers\n"), "{text}");
        assert!(text.contains("[log]"), "{text}");

        let mut out = Vec::new();
        print_example(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), config::example());
    }
}
