//! `config`: prints the settings that hold, or the example file.
//!
//! Invariant: no secret is printed; `crate::config` sees to that.

use std::io::{self, Write};

use super::output::{OutputFormat, print_json};
use crate::config::{self, Loaded, SectionsShown};

/// Prints the settings that hold, each with where it came from, and whether a change of it waits for a restart.
///
/// # Errors
/// What writing to `out` failed with.
pub fn print_effective(
    loaded: &Loaded,
    shown: SectionsShown,
    format: OutputFormat,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        OutputFormat::Text => {
            out.write_all(config::effective(loaded, shown).as_bytes())?;
            out.flush()
        }
        OutputFormat::Json => print_json(&config::effective_json(loaded, shown), out),
    }
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
        let loaded = load(&sources).unwrap();
        let effective = |format| {
            let mut out = Vec::new();
            print_effective(&loaded, SectionsShown::All, format, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = effective(OutputFormat::Text);
        assert!(text.contains("\nworkers = 7  # --set http.workers [restart]\n"), "{text}");
        assert!(text.contains("\nlisten = \"127.0.0.1:8000\"  # [restart]\n"), "{text}");
        assert!(text.contains("\nlevel = \"info\"\n"), "{text}");
        let document: serde_json::Value = serde_json::from_str(&effective(OutputFormat::Json)).unwrap();
        assert_eq!(document["settings"]["http"]["workers"]["value"], 7, "{document}");

        let mut out = Vec::new();
        print_example(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), config::example());
    }
}
