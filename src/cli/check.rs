//! `check`: checks what the program needs of its database, step by step, and says what to do where a step fails.
//!
//! Invariant: as text, one line a step, on standard output; nothing is changed anywhere, and no secret is printed.

use std::io::{self, Write};

use anyhow::Context as _;
use serde::Serialize;

use super::Exit;
use super::output::{OutputFormat, print_json};
use crate::bucket::drivers;
use crate::bucket::report::{Outcome, Step, Verdict};
use crate::config::Settings;
use crate::observe::Observer;

/// Checks the database that the settings name. As text, each step is printed as soon as it is known.
///
/// # Errors
/// If `output` cannot be written to.
pub fn run(
    settings: &Settings,
    format: OutputFormat,
    observer: &Observer,
    output: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let verdict = match format {
        OutputFormat::Text => print_steps(settings, observer, output),
        OutputFormat::Json => print_document(settings, observer, output),
    };
    Ok(match verdict.context("cannot write to standard output")? {
        Verdict::Passed => Exit::Done,
        Verdict::Failed => Exit::Failed,
        Verdict::WrongSettings => Exit::Usage,
    })
}

fn print_steps(settings: &Settings, observer: &Observer, output: &mut dyn Write) -> io::Result<Verdict> {
    let mut counts = Counts::default();
    // The first failure to print; the check itself goes on.
    let mut failure = None;
    let verdict = drivers::check(settings, observer, &mut |step| {
        counts.add(step.outcome);
        let word = match step.outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAIL",
            Outcome::Skipped => "skip",
        };
        let printed =
            writeln!(output, "{word:<4}  {:<11} {}", step.name, printable(step)).and_then(|()| output.flush());
        failure = failure.take().or(printed.err());
    });
    failure.map_or(Ok(()), Err)?;
    let Counts { passed, failed, skipped } = counts;
    writeln!(output, "{passed} passed, {failed} failed, {skipped} skipped")?;
    output.flush()?;
    Ok(verdict)
}

fn print_document(settings: &Settings, observer: &Observer, output: &mut dyn Write) -> io::Result<Verdict> {
    let (mut counts, mut steps) = (Counts::default(), Vec::new());
    let verdict = drivers::check(settings, observer, &mut |step| {
        counts.add(step.outcome);
        let outcome = match step.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
        };
        steps.push(StepDocument { name: step.name, outcome, detail: printable(step) });
    });
    let told = match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::WrongSettings => "wrong-settings",
    };
    let database = settings.bucket.database.as_str();
    print_json(&CheckDocument { database, verdict: told, counts, steps }, output)?;
    Ok(verdict)
}

/// Names may have come from a server: one step is one line, whatever is in it.
fn printable(step: &Step) -> String {
    step.detail.replace(char::is_control, " ")
}

#[derive(Default, Serialize)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Counts {
    fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Failed => &mut self.failed,
            Outcome::Skipped => &mut self.skipped,
        } += 1;
    }
}

/// What `--format json` prints.
#[derive(Serialize)]
struct CheckDocument {
    database: &'static str,
    verdict: &'static str,
    #[serde(flatten)]
    counts: Counts,
    steps: Vec<StepDocument>,
}

#[derive(Serialize)]
struct StepDocument {
    name: &'static str,
    outcome: &'static str,
    detail: String,
}
