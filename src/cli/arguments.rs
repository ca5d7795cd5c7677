//! What can be typed: the flags and the commands, and their help.
//!
//! Invariant: nothing here does anything; a command that was typed becomes a [`Command`].

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::export::{Destination, Existing};
use crate::bucket::CreateOptions;
use crate::config::SectionsShown;

/// The numbers of [`Exit`], for people.
const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed (the database, a file, an address; `check`: a step); 2 wrong usage or settings; 3 `get`: no \
such user; 4 `import`, `export`: some documents were left out, and the others are done.";

/// What `import` takes.
const IMPORT_HELP: &str = "\
Each line is one JSON object:
  username         required: at most 233 bytes, no control characters
  hashed_password  required: never answered
  email, full_name a string or null
  disabled         true, false or null
Other members are stored as they are. The line replaces what is stored for its user.

Rejected lines go to FILE.rejected.jsonl (to be corrected and imported again), and the reasons to FILE.rejected.txt; from \
standard input or a pipe, the reasons go to standard error.

Exit codes: 0 all stored; 1 failed; 2 wrong usage or settings; 4 some lines were rejected, and the others are stored.";

/// What `ready` does.
const READY_HELP: &str = "\
It asks /ready of the admin listener ([admin] listen) of the server that runs with the same settings, on this machine: for \
ExecStartPost, cron and containers.

Exit codes: 0 it is ready; 1 it is not, or nothing answers; 2 wrong usage or settings.";

/// Serves user profiles out of a NoSQL database.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: GlobalFlags,
    /// Without a command: `serve`.
    #[command(subcommand)]
    pub command: Option<CommandLine>,
    #[command(flatten)]
    pub serve: ServeFlags,
}

/// Flags that may be given before a command, after it, or both. (Clap's own `global` forgets those before it.)
#[derive(Args, Debug)]
pub(super) struct GlobalFlags {
    /// The settings file [default: config/userprofiles.toml, else /etc/userprofiles/userprofiles.toml]
    #[arg(long, value_name = "FILE")]
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
    #[arg(long, value_name = "FILE.jsonl")]
    pub import: Option<OsString>,
    /// Where to listen; may be given several times. Such as `127.0.0.1:8000` or `unix:/run/userprofiles.sock`
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<String>,
}

/// The commands as they are typed, each with the flags behind it.
#[derive(Debug, Subcommand)]
pub(super) enum CommandLine {
    /// Answer requests until TERM or INT
    Serve {
        #[command(flatten)]
        flags: ServeFlags,
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Store the profiles of a file, one JSON document a line
    #[command(after_help = IMPORT_HELP)]
    Import {
        /// The file; `-` is standard input
        file: OsString,
        /// First make the database, the index, the collection or the table that the settings name, if it is not there
        #[arg(long)]
        create: bool,
        /// With --create, for Cassandra: on how many nodes each profile is kept [default: 3 where there are three nodes,
        /// else 1]
        #[arg(long, value_name = "N", requires = "create", value_parser = clap::value_parser!(u8).range(1..))]
        replication_factor: Option<u8>,
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Write the stored profiles to a file that `import` takes, one JSON document a line: with their password hashes
    Export {
        /// The file to make; `-` is standard output, and so is none
        file: Option<OsString>,
        /// Replace the file if there is one already
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Look at the settings and the database step by step, and say what to do about what is wrong
    #[command(after_help = "Exit codes: 0 all is well; 1 a step failed; 2 wrong usage or settings.")]
    Check {
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Print the public profile of one user
    Get {
        /// The username as it is, not percent-encoded
        username: String,
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Ask a running server whether it can answer, and print why if it cannot
    #[command(after_help = READY_HELP)]
    Ready {
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Print the OpenAPI document of the server's API
    Openapi {
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Print the settings that are in effect
    Config {
        /// Print the sections of the databases that are not in use too
        #[arg(long)]
        all: bool,
        /// Print a settings file with every setting, its default and the reason for it
        #[arg(long)]
        example: bool,
        #[command(flatten)]
        global: GlobalFlags,
    },
}

/// A command by itself.
pub(super) enum Command {
    Serve(ServeFlags),
    Import(OsString, Option<CreateOptions>),
    Export(Destination, Existing),
    Check,
    Get(String),
    Ready,
    Openapi,
    Config(SectionsShown),
    ConfigExample,
}

impl CommandLine {
    pub fn split(self) -> (Command, GlobalFlags) {
        match self {
            Self::Serve { flags, global } => (Command::Serve(flags), global),
            Self::Import { file, create, replication_factor, global } => {
                (Command::Import(file, create.then_some(CreateOptions { replication_factor })), global)
            }
            Self::Export { file, force, global } => {
                let existing = if force { Existing::Replace } else { Existing::Refuse };
                (Command::Export(Destination::from_argument(file.as_deref()), existing), global)
            }
            Self::Check { global } => (Command::Check, global),
            Self::Get { username, global } => (Command::Get(username), global),
            Self::Ready { global } => (Command::Ready, global),
            Self::Openapi { global } => (Command::Openapi, global),
            Self::Config { example: true, global, .. } => (Command::ConfigExample, global),
            Self::Config { all: true, global, .. } => (Command::Config(SectionsShown::All), global),
            Self::Config { global, .. } => (Command::Config(SectionsShown::InUse), global),
        }
    }
}
