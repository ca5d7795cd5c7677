//! `man [COMMAND]`: prints a manual page, of the program or of one of its commands.
//!
//! Invariant: made from the definition that parses the command line and from the topics of its help, so that none of the
//! three can differ.

use std::io::{self, Write};

use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::arguments::{Cli, EXIT_CODES, PROGRAM, Topic};

/// The section of the manual that has commands.
const SECTION: &str = "1";

/// Prints the page of a command; without one, that of the program.
///
/// # Errors
/// What writing to `out` failed with.
pub(super) fn print(command: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let topics = Cli::topics(command);
    // `help` is a command of clap's own, which has no page.
    let mut program = Cli::definition().disable_help_subcommand(true);
    program.build();
    let definition = command.and_then(|name| program.find_subcommand(name)).unwrap_or(&program).clone();
    let has_commands = definition.has_subcommands();
    let source = format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION"));
    let page = Man::new(definition).section(SECTION).source(source).manual("User Commands");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    if has_commands {
        page.render_subcommands_section(out)?;
    }
    let mut rest = Roff::new();
    for topic in topics {
        add_topic(&mut rest, topic);
    }
    add_see_also(&mut rest, command);
    rest.to_writer(out)?;
    out.flush()
}

fn add_topic(page: &mut Roff, topic: &Topic) {
    // What manuals call it (man-pages(7)).
    let title = if topic.title == EXIT_CODES { "EXIT STATUS".to_owned() } else { topic.title.to_uppercase() };
    page.control("SH", [title.as_str()]);
    let mut is_as_it_stands = false;
    for line in topic.text.lines() {
        let stands = line.starts_with(' ');
        match (is_as_it_stands, stands) {
            (false, true) => page.control("EX", []),
            (true, false) => page.control("EE", []),
            (false, false) => page.control("PP", []),
            (true, true) => page,
        };
        is_as_it_stands = stands;
        page.text([roman(line)]);
    }
    if is_as_it_stands {
        page.control("EE", []);
    }
}

fn add_see_also(page: &mut Roff, command: Option<&str>) {
    let others = match command {
        Some(_) => format!("{PROGRAM}({SECTION})"),
        None => {
            let definition = Cli::definition();
            let names =
                definition.get_subcommands().map(|command| format!("{PROGRAM}-{}({SECTION})", command.get_name()));
            names.collect::<Vec<_>>().join(", ")
        }
    };
    page.control("SH", ["SEE ALSO"]);
    page.text([roman(others)]);
}
