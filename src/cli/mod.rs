//! The command line: what was typed becomes one command, and its outcome an exit code.
//!
//! Invariant: only this module and its commands write to standard output; secrets are never taken from flags.

mod arguments;
mod bucket;
pub mod check;
pub mod config;
pub mod export;
pub mod get;
pub mod import;
pub mod interruption;
pub mod ready;
pub mod serve;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use signal_hook::consts::SIGHUP;
use signal_hook::flag;

use crate::api::docs::OPENAPI;
use crate::bucket::driver::IfMissing;
use crate::bucket::drivers;
use crate::bucket::{BucketTimeouts, CreateOptions, Database};
use crate::config::{DatabaseName, Loaded, Sources, load};
use arguments::{Cli, Command, ServeFlags};
use export::{Destination, Existing, NewFile, Scratch};
use get::GetOutcome;
use import::ImportSource;
use interruption::{FOR_COMMANDS, Interruption};

use crate::model::DocumentId;
use crate::observe::format::{self, Delivery, LogFormatter};
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
        Command::Openapi => {
            io::stdout().write_all(OPENAPI.as_bytes()).context("cannot write to standard output")?;
            return Ok(Exit::Done);
        }
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
    let observer = Observer::default();
    let log_formatter = format::init(&loaded.settings.log, loaded.rust_log.as_deref(), delivery, &observer)
        .context("cannot start a thread")?;
    observer.set_access_log(loaded.settings.log.access);
    for warning in &loaded.warnings {
        observer.emit(&Observation::SettingsWarning(warning));
    }
    run_command(command, &loaded, &sources, (log_formatter, &observer))
}

fn run_command(
    command: Command,
    loaded: &Loaded,
    sources: &Sources,
    (log_formatter, observer): (LogFormatter, &Observer),
) -> anyhow::Result<Exit> {
    let timeouts = BucketTimeouts::from(&loaded.settings.bucket);
    match command {
        Command::Serve(flags) => serve::run(loaded, sources, flags.import.as_deref(), (log_formatter, observer)),
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
        Command::Ready => ready::run(loaded.settings.admin.listen.as_ref(), &mut io::stdout()),
        Command::Openapi | Command::ConfigExample => Ok(Exit::Done),
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
