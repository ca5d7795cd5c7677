//! `check`: checks what the program needs of its database, step by step, and says what to do where a step fails.
//!
//! Invariant: one line a step, on standard output; nothing is changed anywhere, and no secret is printed.

use std::io::{self, Write};

use anyhow::Context as _;

use super::Exit;
use crate::bucket::drivers;
use crate::bucket::report::{Outcome, Step, Verdict};
use crate::config::Settings;
use crate::observe::Observer;

/// Checks the database that the settings name, and prints each step as soon as it is known.
///
/// # Errors
/// If `output` cannot be written to.
pub fn run(settings: &Settings, observer: &Observer, output: &mut dyn Write) -> anyhow::Result<Exit> {
    let mut printer = Printer { output, counts: Counts::default(), failure: None };
    let verdict = drivers::check(settings, observer, &mut |step| printer.print(step));
    printer.finish().context("cannot write to standard output")?;
    Ok(match verdict {
        Verdict::Passed => Exit::Done,
        Verdict::Failed => Exit::Failed,
        Verdict::WrongSettings => Exit::Usage,
    })
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

struct Printer<'a> {
    output: &'a mut dyn Write,
    counts: Counts,
    /// The first failure to print; the check itself goes on.
    failure: Option<io::Error>,
}

impl Printer<'_> {
    fn print(&mut self, step: &Step) {
        let (word, count) = match step.outcome {
            Outcome::Passed => ("ok", &mut self.counts.passed),
            Outcome::Failed => ("FAIL", &mut self.counts.failed),
            Outcome::Skipped => ("skip", &mut self.counts.skipped),
        };
        *count += 1;
        // Names may have come from a server: one step is one line, whatever is in it.
        let detail = step.detail.replace(char::is_control, " ");
        let printed = writeln!(self.output, "{word:<4}  {:<11} {detail}", step.name).and_then(|()| self.output.flush());
        self.failure = self.failure.take().or(printed.err());
    }

    fn finish(self) -> io::Result<()> {
        let Counts { passed, failed, skipped } = self.counts;
        self.failure.map_or(Ok(()), Err)?;
        writeln!(self.output, "{passed} passed, {failed} failed, {skipped} skipped")?;
        self.output.flush()
    }
}
