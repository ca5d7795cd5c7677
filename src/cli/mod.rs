//! The command line: what was typed becomes one command, and its outcome an exit code.
//!
//! Invariant: only this module and its commands write to standard output; secrets are never taken from flags.

mod bucket;
pub mod check;
pub mod config;
pub mod export;
pub mod get;
pub mod import;
pub mod interruption;
mod reload;
pub mod serve;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use signal_hook::consts::SIGHUP;
use signal_hook::flag;

use crate::bucket::driver::IfMissing;
use crate::bucket::drivers;
use crate::bucket::{BucketTimeouts, CreateOptions, Database};
use crate::config::{DatabaseName, Loaded, SectionsShown, Sources, load};
use export::{Destination, Existing, NewFile, Scratch};
use get::GetOutcome;
use import::ImportSource;
use interruption::{FOR_COMMANDS, Interruption};

use crate::model::DocumentId;
use crate::observe::format::{self, Delivery};
use crate::observe::{Observation, Observer};

/// How a command ended; the numbers are the exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked.
    Done = 0,
    /// It failed: the database, a file, an address.
    Failed = 1,
    /// It was asked wrongly: usage or settings.
    Usage = 2,
    /// `get`: there is no such user.
    NoSuchUser = 3,
    /// `import`, `export`: some documents were left out, and the others are done.
    SomeRejected = 4,
}

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

/// Serves user profiles out of a NoSQL database.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    global: GlobalFlags,
    /// Without a command: `serve`.
    #[command(subcommand)]
    command: Option<CommandLine>,
    #[command(flatten)]
    serve: ServeFlags,
}

/// Flags that may be given before a command, after it, or both. (Clap's own `global` forgets those before it.)
#[derive(Args, Debug)]
struct GlobalFlags {
    /// The settings file [default: config/userprofiles.toml, else /etc/userprofiles/userprofiles.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// off, error, warn, info or debug
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Any setting, such as bucket.connections=pooled; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl GlobalFlags {
    /// Flags after the command take precedence.
    fn then(mut self, behind: Self) -> Self {
        self.set.extend(behind.set);
        Self { config: behind.config.or(self.config), log_level: behind.log_level.or(self.log_level), set: self.set }
    }
}

#[derive(Args, Debug, Default)]
struct ServeFlags {
    /// First import this file of profiles, one JSON document a line (`-`: standard input)
    #[arg(long, value_name = "FILE.jsonl")]
    import: Option<OsString>,
    /// Where to listen; may be given several times. Such as `127.0.0.1:8000` or `unix:/run/userprofiles.sock`
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
}

/// The commands as they are typed, each with the flags behind it.
#[derive(Debug, Subcommand)]
enum CommandLine {
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
enum Command {
    Serve(ServeFlags),
    Import(OsString, Option<CreateOptions>),
    Export(Destination, Existing),
    Check,
    Get(String),
    Config(SectionsShown),
    ConfigExample,
}

impl CommandLine {
    fn split(self) -> (Command, GlobalFlags) {
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
            Self::Config { example: true, global, .. } => (Command::ConfigExample, global),
            Self::Config { all: true, global, .. } => (Command::Config(SectionsShown::All), global),
            Self::Config { global, .. } => (Command::Config(SectionsShown::InUse), global),
        }
    }
}

/// Runs the program with the process's arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let exit = run(cli).unwrap_or_else(|error| {
        log::logger().flush();
        tell_user(&format!("{error:#}"));
        Exit::Failed
    });
    log::logger().flush();
    ExitCode::from(exit as u8)
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let Cli { global, command, serve: top_flags } = cli;
    let (command, global) = match (command, top_flags) {
        (None, flags) => (Command::Serve(flags), global),
        (Some(line), ServeFlags { import: None, listen }) if listen.is_empty() => {
            let (command, behind) = line.split();
            (command, global.then(behind))
        }
        (Some(_), _) => {
            tell_user("--import and --listen must come after `serve`");
            return Ok(Exit::Usage);
        }
    };
    let listen = match &command {
        Command::ConfigExample => {
            config::print_example(&mut io::stdout()).context("cannot write to standard output")?;
            return Ok(Exit::Done);
        }
        Command::Serve(flags) => flags.listen.clone(),
        _ => Vec::new(),
    };
    if matches!(command, Command::Serve(_)) {
        // A reload that is asked for before there is anything to reload ends nothing.
        flag::register(SIGHUP, Arc::default()).context("cannot take signals")?;
    }
    let sources = Sources::of_process(global.config, global.set, global.log_level, listen);
    let loaded = match load(&sources) {
        Ok(loaded) => loaded,
        Err(errors) => {
            tell_user(&errors.to_string());
            return Ok(Exit::Usage);
        }
    };
    let delivery = if matches!(command, Command::Serve(_)) { Delivery::Queued } else { Delivery::Direct };
    format::init(&loaded.settings.log, loaded.rust_log.as_deref(), delivery).context("cannot start a thread")?;
    let observer = Observer::default();
    for warning in &loaded.warnings {
        observer.emit(&Observation::SettingsWarning(warning));
    }
    run_command(command, &loaded, &sources, &observer)
}

fn run_command(command: Command, loaded: &Loaded, sources: &Sources, observer: &Observer) -> anyhow::Result<Exit> {
    let timeouts = BucketTimeouts::from(&loaded.settings.bucket);
    match command {
        Command::Serve(flags) => serve::run(loaded, sources, flags.import.as_deref(), observer),
        Command::Import(file, create) => {
            let has_factor = create.is_some_and(|options| options.replication_factor.is_some());
            if has_factor && loaded.settings.bucket.database != DatabaseName::Cassandra {
                tell_user(
                    "--replication-factor is for [bucket] database = \"cassandra\": other databases have it in settings of \
                     their own",
                );
                return Ok(Exit::Usage);
            }
            // A file of the embedded database is made in any case: that is one step less for whoever begins.
            let database = drivers::open(&loaded.settings, IfMissing::Create, observer)?;
            if let Some(options) = create {
                create_storage(database.as_ref(), &timeouts, options)?;
            }
            let interruption = Interruption::watch(&FOR_COMMANDS, Exit::Failed, || {
                tell_user("interrupted: what is stored is whole, and importing the whole file once more is safe");
            })?;
            let source = ImportSource::from_argument(&file);
            let outcome = import::run(database.as_ref(), &timeouts, &source, &interruption)?;
            tell_user(&outcome.to_string());
            Ok(if outcome.rejected == 0 { Exit::Done } else { Exit::SomeRejected })
        }
        Command::Export(destination, existing) => {
            let database = drivers::open(&loaded.settings, IfMissing::Refuse, observer)?;
            export(database.as_ref(), &timeouts, &destination, existing)
        }
        Command::Check => check::run(&loaded.settings, observer, &mut io::stdout()),
        Command::Get(username) => {
            let database = drivers::open(&loaded.settings, IfMissing::Refuse, observer)?;
            Ok(match get::run(database.as_ref(), &timeouts, &username, &mut io::stdout())? {
                GetOutcome::Found => Exit::Done,
                GetOutcome::NotFound => {
                    tell_user("there is no such user");
                    Exit::NoSuchUser
                }
                GetOutcome::InvalidUsername(rule) => {
                    tell_user(&rule.to_string());
                    Exit::Usage
                }
            })
        }
        Command::Config(shown) => {
            config::print_effective(loaded, shown, &mut io::stdout()).context("cannot write to standard output")?;
            drivers::ensure_built(loaded.settings.bucket.database)?;
            Ok(Exit::Done)
        }
        Command::ConfigExample => Ok(Exit::Done),
    }
}

/// Makes what documents are stored in, and says what was made.
fn create_storage(database: &dyn Database, timeouts: &BucketTimeouts, options: CreateOptions) -> anyhow::Result<()> {
    let made = bucket::CommandBucket::new(database, timeouts).call(|bucket| bucket.create(options))?;
    tell_user(&match made.as_slice() {
        [] => "there was nothing to create".to_owned(),
        made => format!("created {}", made.join(" and ")),
    });
    Ok(())
}

fn export(
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    destination: &Destination,
    existing: Existing,
) -> anyhow::Result<Exit> {
    tell_user("what is exported holds password hashes: keep it as secret as the database itself");
    let progress = export::progress_bar(destination);
    let leave_out = &mut |id: &DocumentId| {
        tell_user(&format!(
            "{:?} is left out: it has bytes that are not UTF-8; correct it in the database",
            id.as_str()
        ));
    };
    let scratch = Scratch::default();
    let its_own = scratch.clone();
    let outcome = match destination {
        Destination::StandardOutput => {
            if let Some(warning) = export::exposed_output() {
                tell_user(&warning);
            }
            let _interruption = Interruption::watch(&FOR_COMMANDS, Exit::Failed, move || {
                its_own.remove();
                tell_user("interrupted: what was written is not complete");
            })?;
            let mut output = BufWriter::new(io::stdout().lock());
            export::run(database, timeouts, &mut output, &progress, &scratch, leave_out)?
        }
        Destination::File(path) => {
            export::refuse_own_files(database, path)?;
            let mut file = NewFile::begin(path, existing)?;
            let temporary = file.temporary_path().map(std::path::Path::to_owned);
            let interruption = Interruption::watch(&FOR_COMMANDS, Exit::Failed, move || {
                // If it is gone already, so much the better.
                let _ = temporary.as_ref().map(std::fs::remove_file);
                its_own.remove();
                tell_user("interrupted: no file was written");
            })?;
            let outcome = export::run(database, timeouts, &mut file, &progress, &scratch, leave_out)?;
            interruption.shield(|| file.finish())?;
            outcome
        }
    };
    tell_user(&outcome.to_string());
    Ok(if outcome.unreadable == 0 { Exit::Done } else { Exit::SomeRejected })
}

/// Tells the person at the terminal what is wrong. If standard error is closed, the exit code still says it.
fn tell_user(message: &str) {
    let _ = writeln!(io::stderr(), "userprofiles: {message}");
}
