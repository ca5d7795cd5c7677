//! What the help and the manual page of a command say beyond its flags: examples, exit codes, files, variables, signals.
//!
//! Invariant: a line that begins with a space stands as it is; any other is a paragraph, to be wrapped.

/// One part of a help.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Topic {
    /// Its heading.
    pub title: &'static str,
    /// Its text; see the invariant.
    pub text: &'static str,
}

const fn topic(title: &'static str, text: &'static str) -> Topic {
    Topic { title, text }
}

/// The title of what a command's numbers mean.
pub(in crate::cli) const EXIT_CODES: &str = "Exit codes";

/// Of the program itself.
pub(super) const PROGRAM: &[Topic] = &[
    topic(
        "Examples",
        "\
Serve the profiles of a file:
  userprofiles serve --import users.jsonl
  curl http://127.0.0.1:8000/users/johndoe
Look for what is wrong with the settings or the database:
  userprofiles --config /etc/userprofiles/userprofiles.toml check
Move all profiles from one database to another:
  userprofiles --config a.toml export - | userprofiles --config b.toml import -
Begin a settings file:
  userprofiles config --example > userprofiles.toml",
    ),
    topic(
        EXIT_CODES,
        "  0  done
  1  failed: the database, a file, an address; `check`: a step
  2  wrong usage or settings
  3  `get`: there is no such user
  4  `import`, `export`: some documents were left out, and the others are done",
    ),
    topic(
        "Files",
        "  config/userprofiles.toml, else /etc/userprofiles/userprofiles.toml
        the settings, where there is no --config
  data/userprofiles.db; $STATE_DIRECTORY/userprofiles.db under systemd
        the embedded database, where [embedded] path names no other",
    ),
    topic(
        "Signals",
        "TERM and INT end `serve` in order, and HUP makes it read settings and secrets again. `import` and `export` end so that \
nothing is half stored or half written.",
    ),
    topic(
        "Environment",
        "  USERPROFILES_SECTION_KEY
        any setting: [http] listen is USERPROFILES_HTTP_LISTEN. It wins over the
        settings file, and a flag wins over it. Lists are separated by commas
  USERPROFILES_COUCHBASE_PASSWORD and the like
        the password of a database. Better: password_file, or a systemd credential
  RUST_LOG
        what is logged, in place of [log] level; --log-level wins over it
  NO_COLOR
        if set, the help has no colors; they are for terminals only in any case",
    ),
];

/// Of each command.
pub(super) const COMMANDS: [(&str, &[Topic]); 10] = [
    ("serve", SERVE),
    ("import", IMPORT),
    ("export", EXPORT),
    ("check", CHECK),
    ("get", GET),
    ("ready", READY),
    ("openapi", OPENAPI),
    ("config", CONFIG),
    ("completions", COMPLETIONS),
    ("man", MAN),
];

const SERVE: &[Topic] = &[
    topic(
        "Examples",
        "  userprofiles serve --import config/sample-users.jsonl
  userprofiles serve --listen 0.0.0.0:8080 --listen unix:/run/userprofiles.sock
  userprofiles --config b.toml --set log.format=json serve",
    ),
    topic(
        "Signals",
        "  TERM, INT  nothing more is accepted, what was sent is answered, and it ends
             with exit code 0, within [http] drain_timeout; a second one ends it
             at once
  HUP        reads settings and secrets again, and keeps the old ones if the new
             ones are wrong; `userprofiles config` marks what waits for a restart",
    ),
    topic(
        EXIT_CODES,
        "0 ended by TERM or INT; 1 an address, the database or the file to import cannot be used; 2 wrong usage or settings.",
    ),
];

const IMPORT: &[Topic] = &[
    topic(
        "Examples",
        "  userprofiles import users.jsonl
Check a file, and store nothing:
  userprofiles import --dry-run users.jsonl
A compressed file:
  zcat users.jsonl.gz | userprofiles import -
All profiles of another database:
  userprofiles --config a.toml export - | userprofiles --config b.toml import -
Into a database whose collection is not there yet:
  userprofiles --config b.toml import --create users.jsonl",
    ),
    topic(
        "Lines",
        "\
Each line is one JSON object:
  username         required: at most 233 bytes, no control characters
  hashed_password  required: never answered
  email, full_name a string or null
  disabled         true, false or null
Other members are stored as they are. The line replaces what is stored for its user.",
    ),
    topic(
        "Files",
        "\
Rejected lines go to FILE.rejected.jsonl (to be corrected and imported again), and the reasons to FILE.rejected.txt; from \
standard input or a pipe, and with --dry-run, the reasons go to standard error. An import removes the files of the one \
before it, so import the corrected lines first.",
    ),
    topic(
        "Signals",
        "\
At INT, TERM or HUP, the documents on their way are stored, and then it ends; at a second signal it ends at once. Importing \
the whole file once more is safe.",
    ),
    topic(
        EXIT_CODES,
        "0 all stored, or with --dry-run: all valid; 1 failed; 2 wrong usage or settings; 4 some lines were rejected, and the \
others are stored. With --format json, standard output has a document for 0 and 4, and nothing else.",
    ),
];

const EXPORT: &[Topic] = &[
    topic(
        "Examples",
        "  userprofiles export users.jsonl
Compressed:
  userprofiles export - | gzip > users.jsonl.gz
Into another database:
  userprofiles --config a.toml export - | userprofiles --config b.toml import -",
    ),
    topic(
        "Files",
        "\
The file is readable by its owner only, and is there once it is whole. A database that lists its documents in an order of \
its own has them sorted in a folder of TMPDIR, which is removed.",
    ),
    topic("Signals", "INT, TERM and HUP end it, and no file is written."),
    topic(
        EXIT_CODES,
        "0 all exported; 1 failed; 2 wrong usage or settings; 4 documents that are not UTF-8 were left out, and the others are \
exported.",
    ),
];

const CHECK: &[Topic] = &[
    topic(
        "Examples",
        "  userprofiles check
  userprofiles --config b.toml check --format json | jq -r '.steps[] | select(.outcome == \"failed\") | .detail'",
    ),
    topic(EXIT_CODES, "0 all is well; 1 a step failed; 2 wrong usage or settings."),
];

const GET: &[Topic] = &[
    topic(
        "Examples",
        "  userprofiles get johndoe
A name that begins with a dash:
  userprofiles get -- -dash",
    ),
    topic(
        EXIT_CODES,
        "0 the profile is printed; 1 failed; 2 wrong usage or settings, or no user can have this name; 3 there is no such user.",
    ),
];

const READY: &[Topic] = &[
    topic(
        "Examples",
        "  userprofiles ready
Until it is:
  until userprofiles ready; do sleep 1; done",
    ),
    topic(
        "How it asks",
        "\
It asks /ready of the admin listener ([admin] listen) of the server that runs with the same settings, on this machine: for \
ExecStartPost, cron and containers.",
    ),
    topic(EXIT_CODES, "0 it is ready; 1 it is not, or nothing answers; 2 wrong usage or settings."),
];

const OPENAPI: &[Topic] = &[
    topic("Examples", "  userprofiles openapi > openapi.json"),
    topic(EXIT_CODES, "0 done; 1 failed; 2 wrong usage."),
];

const CONFIG: &[Topic] = &[
    topic(
        "Examples",
        "  userprofiles config
  userprofiles --config b.toml config --format json | jq -r .settings.http.listen.value
Begin a settings file:
  userprofiles config --example > userprofiles.toml",
    ),
    topic(
        "Format",
        "\
What it prints is a settings file. Behind a value stands where it comes from, unless it is the default, and [restart] where \
a running server goes on with the value of its start until it is started again: HUP brings the others about. Secrets are \
\"***\", behind a #. As JSON, each setting has a value, an origin, and whether it needs_restart.",
    ),
    topic(EXIT_CODES, "0 done; 1 failed; 2 wrong usage or settings, or the database is not built into this program."),
];

const COMPLETIONS: &[Topic] = &[
    topic(
        "Examples",
        "  userprofiles completions bash > /etc/bash_completion.d/userprofiles
  userprofiles completions zsh > /usr/local/share/zsh/site-functions/_userprofiles
  userprofiles completions fish > ~/.config/fish/completions/userprofiles.fish
For this shell only:
  source <(userprofiles completions bash)",
    ),
    topic(EXIT_CODES, "0 done; 1 failed; 2 wrong usage."),
];

const MAN: &[Topic] = &[
    topic(
        "Examples",
        "  userprofiles man import | man -l -
  userprofiles man > /usr/local/share/man/man1/userprofiles.1
  userprofiles man import > /usr/local/share/man/man1/userprofiles-import.1",
    ),
    topic(EXIT_CODES, "0 done; 1 failed; 2 wrong usage."),
];

/// The topics of a command; none of one that is unknown.
pub(super) fn of_command(name: &str) -> &'static [Topic] {
    COMMANDS.iter().find(|(known, _)| *known == name).map_or(&[], |(_, topics)| *topics)
}

/// The end of the help of a command.
pub(super) fn of(name: &str) -> String {
    text(of_command(name))
}

/// Topics below each other.
pub(super) fn text(topics: &[Topic]) -> String {
    let parts: Vec<String> = topics.iter().map(|topic| format!("{}:\n{}", topic.title, topic.text)).collect();
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::arguments::Cli;

    /// The words of our program in a line of a shell, for each time that it is called.
    fn calls(line: &str) -> Vec<Vec<&str>> {
        let commands = line.split(['|', ';']).map(|command| command.split(" > ").next().unwrap_or_default());
        let words = commands.map(|command| command.split_whitespace().collect::<Vec<_>>());
        words.filter(|words| words.first() == Some(&"userprofiles")).collect()
    }

    #[test]
    fn every_example_can_be_typed() {
        let all = COMMANDS.iter().flat_map(|(_, topics)| topics.iter()).chain(PROGRAM);
        let lines = all.filter(|topic| topic.title == "Examples").flat_map(|topic| topic.text.lines());
        let calls: Vec<Vec<&str>> = lines.filter(|line| line.starts_with(' ')).flat_map(calls).collect();
        assert!(calls.len() > 25, "{}", calls.len());
        for words in calls {
            let parsed = Cli::try_parse_from(&words);
            assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn every_command_has_examples_first_and_exit_codes_last() {
        let definition = Cli::definition();
        let names: Vec<&str> = definition.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(names, COMMANDS.map(|(name, _)| name));
        for (name, topics) in COMMANDS {
            assert_eq!(topics.first().map(|topic| topic.title), Some("Examples"), "{name}");
            assert_eq!(topics.last().map(|topic| topic.title), Some(EXIT_CODES), "{name}");
        }
    }
}
