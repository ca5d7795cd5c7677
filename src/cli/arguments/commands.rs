//! The commands: as they are typed, and what they are by themselves.
//!
//! Invariant: every command takes the global flags behind it, and has a help of its own.

use std::ffi::OsString;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::{GlobalFlags, ServeFlags, help};
use crate::cli::export::{Destination, Existing};
use crate::cli::output::OutputFormat;
use crate::config::SectionsShown;

/// The commands as they are typed, each with the flags behind it.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CommandLine {
    /// Answer requests until TERM or INT
    #[command(after_long_help = help::of("serve"))]
    Serve {
        #[command(flatten)]
        flags: ServeFlags,
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Store the profiles of a file, one JSON document a line
    #[command(after_long_help = help::of("import"))]
    Import {
        #[command(flatten)]
        flags: ImportFlags,
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Write the stored profiles, one JSON document a line, with their password hashes, for `import` to take
    #[command(after_long_help = help::of("export"))]
    Export {
        /// The file to make; `-` is standard output, and so is none
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<OsString>,
        /// Replace the file if there is one already
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Look at the settings and the database step by step, and say what to do about what is wrong
    #[command(after_long_help = help::of("check"))]
    Check {
        #[command(flatten)]
        format: FormatFlag,
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Print the public profile of one user
    #[command(after_long_help = help::of("get"))]
    Get {
        /// The username as it is, not percent-encoded
        username: String,
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Ask a running server whether it can answer, and print why if it cannot
    #[command(after_long_help = help::of("ready"))]
    Ready {
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Print the OpenAPI document of the server's API
    #[command(after_long_help = help::of("openapi"))]
    Openapi {
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Print the settings that are in effect, and where each comes from
    #[command(after_long_help = help::of("config"))]
    Config {
        /// Print the sections of the databases that are not in use too
        #[arg(long)]
        all: bool,
        /// Print a settings file with every setting, its default and the reason for it
        #[arg(long, conflicts_with_all = ["format", "all"])]
        example: bool,
        #[command(flatten)]
        format: FormatFlag,
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Print a script that makes a shell complete commands, flags and file names
    #[command(after_long_help = help::of("completions"))]
    Completions {
        /// The shell
        shell: Shell,
        #[command(flatten)]
        global: GlobalFlags,
    },
    /// Print a manual page: of the program, or of a command
    #[command(after_long_help = help::of("man"))]
    Man {
        /// The command
        #[arg(value_name = "COMMAND", value_parser = command_names())]
        page: Option<String>,
        #[command(flatten)]
        global: GlobalFlags,
    },
}

/// How a command prints.
#[derive(Args, Clone, Copy, Debug)]
pub(in crate::cli) struct FormatFlag {
    /// How to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: OutputFormat,
}

/// What `import` takes.
#[derive(Args, Debug)]
pub struct ImportFlags {
    /// The file; `-` is standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// Only check the lines: open no database, store nothing, and write rejected lines as an import does
    #[arg(long, conflicts_with = "create")]
    pub dry_run: bool,
    /// First make the database, the index, the collection or the table that the settings name, if it is not there
    #[arg(long)]
    pub create: bool,
    /// With --create, for Cassandra: on how many nodes each profile is kept [default: 3 where there are three nodes,
    /// else 1]
    #[arg(long, value_name = "N", requires = "create", value_parser = clap::value_parser!(u8).range(1..))]
    pub replication_factor: Option<u8>,
    /// How to print what became of it: `text` on standard error, or `json` on standard output
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: OutputFormat,
}

/// The shells that a completion script can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What `config` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum ConfigOutput {
    /// The settings that hold.
    Effective(SectionsShown, OutputFormat),
    /// The example file.
    Example,
}

/// A command by itself.
pub(in crate::cli) enum Command {
    Serve(ServeFlags),
    Import(ImportFlags),
    Export(Destination, Existing),
    Check(OutputFormat),
    Get(String),
    Ready,
    Openapi,
    Config(ConfigOutput),
    Completions(Shell),
    /// Of a command, or of the program.
    Man(Option<String>),
}

impl CommandLine {
    pub fn split(self) -> (Command, GlobalFlags) {
        match self {
            Self::Serve { flags, global } => (Command::Serve(flags), global),
            Self::Import { flags, global } => (Command::Import(flags), global),
            Self::Export { file, force, global } => {
                let existing = if force { Existing::Replace } else { Existing::Refuse };
                (Command::Export(Destination::from_argument(file.as_deref()), existing), global)
            }
            Self::Check { format, global } => (Command::Check(format.format), global),
            Self::Get { username, global } => (Command::Get(username), global),
            Self::Ready { global } => (Command::Ready, global),
            Self::Openapi { global } => (Command::Openapi, global),
            Self::Config { example: true, global, .. } => (Command::Config(ConfigOutput::Example), global),
            Self::Config { all, format, global, .. } => {
                let shown = if all { SectionsShown::All } else { SectionsShown::InUse };
                (Command::Config(ConfigOutput::Effective(shown, format.format)), global)
            }
            Self::Completions { shell, global } => (Command::Completions(shell), global),
            Self::Man { page, global } => (Command::Man(page), global),
        }
    }
}

/// The commands that have a manual page.
fn command_names() -> clap::builder::PossibleValuesParser {
    help::COMMANDS.iter().map(|(name, _)| *name).into()
}
