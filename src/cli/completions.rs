//! `completions SHELL`: prints a script that makes a shell complete what can be typed.
//!
//! Invariant: made from the definition that parses the command line, so that the two cannot differ.

use std::io::{self, Write};

use clap_complete::generate;
use clap_complete::shells::{Bash, Fish, Zsh};

use super::arguments::{Cli, PROGRAM, Shell};

/// Prints the script of a shell.
///
/// # Errors
/// What writing to `out` failed with.
pub(super) fn print(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let (mut definition, mut script) = (Cli::definition(), Vec::new());
    match shell {
        Shell::Bash => generate(Bash, &mut definition, PROGRAM, &mut script),
        Shell::Zsh => generate(Zsh, &mut definition, PROGRAM, &mut script),
        Shell::Fish => generate(Fish, &mut definition, PROGRAM, &mut script),
    }
    out.write_all(&script)?;
    out.flush()
}
