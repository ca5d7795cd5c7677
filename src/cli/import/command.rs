//! `import` as a command: what it makes first, what is told about it, and what a signal does.
//!
//! Invariant: `--dry-run` opens no database.

use std::io;

use anyhow::Context as _;

use super::outcome::ImportDocument;
use super::{ImportOutcome, ImportSource, check, run};
use crate::bucket::driver::IfMissing;
use crate::bucket::{BucketTimeouts, CreateOptions, Database, drivers};
use crate::cli::arguments::ImportFlags;
use crate::cli::bucket::CommandBucket;
use crate::cli::exit::{Exit, tell_user};
use crate::cli::interruption::{FOR_COMMANDS, Interruption};
use crate::cli::output::{OutputFormat, print_json};
use crate::config::{DatabaseName, Settings};
use crate::observe::Observer;

/// Imports a file, and tells how it went.
///
/// # Errors
/// As [`run`], and if the database cannot be opened or made.
pub fn run_command(flags: &ImportFlags, settings: &Settings, observer: &Observer) -> anyhow::Result<Exit> {
    if flags.replication_factor.is_some() && settings.bucket.database != DatabaseName::Cassandra {
        tell_user(
            "--replication-factor is for [bucket] database = \"cassandra\": other databases have it in settings of their own",
        );
        return Ok(Exit::Usage);
    }
    let source = ImportSource::from_argument(&flags.file);
    let outcome = if flags.dry_run { check(&source)? } else { store(flags, &source, settings, observer)? };
    match flags.format {
        OutputFormat::Text => tell_user(&outcome.to_string()),
        OutputFormat::Json => print_json(&ImportDocument::from(&outcome), &mut io::stdout())
            .context("the import is done, and cannot be told on standard output")?,
    }
    Ok(if outcome.rejected == 0 { Exit::Done } else { Exit::SomeRejected })
}

fn store(
    flags: &ImportFlags,
    source: &ImportSource,
    settings: &Settings,
    observer: &Observer,
) -> anyhow::Result<ImportOutcome> {
    let timeouts = BucketTimeouts::from(&settings.bucket);
    // A file of the embedded database is made in any case: that is one step less for whoever begins.
    let database = drivers::open(settings, IfMissing::Create, observer)?;
    // Whoever has other settings in mind sees it before anything is stored.
    tell_user(&format!("importing into {}", database.describe()));
    if flags.create {
        let options = CreateOptions { replication_factor: flags.replication_factor };
        create_storage(database.as_ref(), &timeouts, options)?;
    }
    let interruption = Interruption::watch(&FOR_COMMANDS, Exit::Failed, || {
        tell_user("interrupted: what is stored is whole, and importing the whole file once more is safe");
    })?;
    run(database.as_ref(), &timeouts, source, &interruption)
}

/// Makes what documents are stored in, and says what was made.
fn create_storage(database: &dyn Database, timeouts: &BucketTimeouts, options: CreateOptions) -> anyhow::Result<()> {
    let made = CommandBucket::new(database, timeouts).call(|bucket| bucket.create(options))?;
    tell_user(&match made.as_slice() {
        [] => "there was nothing to create".to_owned(),
        made => format!("created {}", made.join(" and ")),
    });
    Ok(())
}
