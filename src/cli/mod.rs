//! The command line: what was typed becomes one command, and its outcome an exit code.
//!
//! Invariant: only this module and its commands write to standard output; secrets are never taken from flags.

mod arguments;
mod bucket;
pub mod check;
mod completions;
pub mod config;
mod exit;
pub mod export;
pub mod get;
pub mod import;
pub mod interruption;
mod man;
pub mod output;
mod rate;
pub mod ready;
pub mod serve;
pub mod setup;
mod version;

pub use exit::Exit;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use signal_hook::consts::SIGHUP;
use signal_hook::flag;

use crate::api::docs::OPENAPI;
use crate::bucket::BucketTimeouts;
use crate::bucket::driver::IfMissing;
use crate::bucket::drivers;
use arguments::{Cli, Command, ConfigOutput, ServeFlags};
use exit::tell_user;
use get::GetOutcome;
use setup::Setup;

use crate::observe::format::Delivery;
use crate::systemd::InheritedSockets;

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
    if let Some(printed) = print_without_settings(&command, &mut io::stdout()) {
        output::printed(printed)?;
        return Ok(Exit::Done);
    }
    let (listen, delivery, sockets) = match &command {
        Command::Serve(flags) => {
            // A reload that is asked for before there is anything to reload ends nothing.
            flag::register(SIGHUP, Arc::default()).context("cannot take signals")?;
            let sockets = InheritedSockets::take();
            let sockets = sockets.context("cannot use the sockets of the service manager (LISTEN_FDS)")?;
            (flags.listen.clone(), Delivery::Queued, sockets)
        }
        _ => (Vec::new(), Delivery::Direct, InheritedSockets::default()),
    };
    match Setup::load(global, listen, delivery)? {
        Some(setup) => run_command(command, &setup, sockets),
        None => Ok(Exit::Usage),
    }
}

/// Runs a command that prints what is known without settings; `None`: it is another one.
fn print_without_settings(command: &Command, out: &mut dyn Write) -> Option<io::Result<()>> {
    match command {
        Command::Openapi => Some(out.write_all(OPENAPI.as_bytes()).and_then(|()| out.flush())),
        Command::Config(ConfigOutput::Example) => Some(config::print_example(out)),
        Command::Completions(shell) => Some(completions::print(*shell, out)),
        Command::Man(command) => Some(man::print(command.as_deref(), out)),
        _ => None,
    }
}

fn run_command(command: Command, setup: &Setup, sockets: InheritedSockets) -> anyhow::Result<Exit> {
    let Setup { loaded, observer, .. } = setup;
    let timeouts = BucketTimeouts::from(&loaded.settings.bucket);
    match command {
        Command::Serve(flags) => serve::run(setup, sockets, flags.import.as_deref()),
        Command::Import(flags) => import::run_command(&flags, &loaded.settings, observer),
        Command::Export(destination, existing) => {
            let database = drivers::open(&loaded.settings, IfMissing::Refuse, observer)?;
            export::run_command(database.as_ref(), &timeouts, &destination, existing)
        }
        Command::Check(format) => check::run(&loaded.settings, format, observer, &mut io::stdout()),
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
        Command::Config(ConfigOutput::Effective(shown, format)) => {
            output::printed(config::print_effective(loaded, shown, format, &mut io::stdout()))?;
            Ok(match drivers::ensure_built(loaded.settings.bucket.database) {
                Ok(()) => Exit::Done,
                Err(error) => {
                    tell_user(&error.to_string());
                    Exit::Usage
                }
            })
        }
        Command::Ready => ready::run(loaded.settings.admin.listen.as_ref(), &mut io::stdout()),
        // They have been run without settings.
        Command::Openapi | Command::Config(ConfigOutput::Example) | Command::Completions(_) | Command::Man(_) => {
            Ok(Exit::Done)
        }
    }
}
