//! What can be typed: the flags and the commands.
//!
//! Invariant: nothing here does anything; a command that was typed becomes a [`Command`].

mod commands;
mod help;

pub use commands::ImportFlags;
pub(super) use commands::{Command, CommandLine, ConfigOutput, Shell};
pub(super) use help::{EXIT_CODES, Topic};

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, ValueHint};

use super::version;

/// The name of the program.
pub(super) const PROGRAM: &str = env!("CARGO_PKG_NAME");

/// Serves user profiles out of a NoSQL database
#[derive(Debug, Parser)]
#[command(
    name = PROGRAM,
    version = version::SHORT,
    long_version = version::long(),
    max_term_width = 100,
    after_long_help = help::text(help::PROGRAM)
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: GlobalFlags,
    /// Without a command: `serve`.
    #[command(subcommand)]
    pub command: Option<CommandLine>,
    #[command(flatten)]
    pub serve: ServeFlags,
}

impl Cli {
    /// Everything that can be typed, for those who describe it.
    pub fn definition() -> clap::Command {
        Self::command()
    }

    /// What the help of a command says beyond its flags; of the program without one.
    pub fn topics(command: Option<&str>) -> &'static [Topic] {
        command.map_or(help::PROGRAM, help::of_command)
    }
}

/// Flags that may be given before a command, after it, or both. (Clap's own `global` forgets those before it.)
#[derive(Args, Debug)]
pub(super) struct GlobalFlags {
    /// The settings file [default: config/userprofiles.toml, else /etc/userprofiles/userprofiles.toml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// off, error, warn, info or debug
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Any setting, such as bucket.connections=pooled; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

impl GlobalFlags {
    /// Flags after the command take precedence.
    pub fn then(mut self, behind: Self) -> Self {
        self.set.extend(behind.set);
        Self { config: behind.config.or(self.config), log_level: behind.log_level.or(self.log_level), set: self.set }
    }
}

#[derive(Args, Debug, Default)]
pub(super) struct ServeFlags {
    /// First import this file of profiles, one JSON document a line (`-`: standard input)
    #[arg(long, value_name = "FILE.jsonl", value_hint = ValueHint::FilePath)]
    pub import: Option<OsString>,
    /// Where to listen; may be given several times. Such as `127.0.0.1:8000` or `unix:/run/userprofiles.sock`
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<String>,
}
