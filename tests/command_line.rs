//! What the command line tells people and scripts: help, version, JSON, completions, manual pages, a dry run.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use support::process::{bound, spawn, userprofiles};

const COMMANDS: [&str; 10] =
    ["serve", "import", "export", "check", "get", "ready", "openapi", "config", "completions", "man"];

const PROGRAM: &str = env!("CARGO_BIN_EXE_userprofiles");

/// Runs it in a folder.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    userprofiles().current_dir(folder).args(arguments).output().unwrap()
}

/// The exit code, standard output, standard error.
fn outcome(output: &Output) -> (i32, &str, &str) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// The one document of a command that must end with this code.
fn document(folder: &Path, arguments: &[&str], code: i32) -> Value {
    let output = run(folder, arguments);
    let (actual, out, err) = outcome(&output);
    assert_eq!(actual, code, "{arguments:?}: {err}");
    serde_json::from_str(out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
}

/// False, after a sentence, where a program is not installed.
fn is_there(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        eprintln!("{program} is not installed: not tested with it");
    }
    found
}

fn file(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

const GOOD: &str = "{\"username\":\"a\",\"hashed_password\":\"marker\"}\n";

#[test]
fn a_dry_run_says_what_an_import_would_and_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    file(folder.path(), "x.jsonl", &format!("{GOOD}{{}}\n{GOOD}"));
    let output = run(folder.path(), &["import", "--dry-run", "x.jsonl"]);
    let (code, out, err) = outcome(&output);
    assert_eq!((code, out), (4, ""), "{err}");
    for part in ["2 lines valid, 1 rejected (the first is line 2: the document is empty)", "nothing was stored", " s"] {
        assert!(err.contains(part), "{part}: {err}");
    }
    assert!(err.contains("line 2: the document is empty\n"), "{err}");
    assert_eq!(names(), ["x.jsonl"]);

    file(folder.path(), "x.jsonl", GOOD);
    // Lines that somebody is correcting are left alone.
    file(folder.path(), "x.rejected.jsonl", "corrected");
    // A database that cannot be there is not asked.
    for setting in ["embedded.path=/nowhere/x.db", "bucket.database=couchbase"] {
        let output = run(folder.path(), &["import", "--dry-run", "x.jsonl", "--set", setting]);
        let (code, _, err) = outcome(&output);
        assert!(code == 0 && err.contains("1 line valid, none rejected; nothing was stored"), "{err}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("x.rejected.jsonl")).unwrap(), "corrected");
    fs::remove_file(folder.path().join("x.rejected.jsonl")).unwrap();

    let mut command = userprofiles();
    command.args(["import", "--dry-run", "-"]).current_dir(folder.path()).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command).unwrap();
    child.stdin.take().unwrap().write_all(b"{}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let (code, _, err) = outcome(&output);
    assert!(code == 4 && err.contains("line 1: the document is empty"), "{err}");

    let output = run(folder.path(), &["import", "--dry-run", "missing.jsonl"]);
    assert!(outcome(&output).0 == 1 && outcome(&output).2.contains("missing.jsonl cannot be opened"), "{output:?}");
    let output = run(folder.path(), &["import", "--dry-run", "--create", "x.jsonl"]);
    assert_eq!(outcome(&output).0, 2);
    assert_eq!(names(), ["x.jsonl"]);
}

#[test]
fn import_tells_scripts_what_became_of_it() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "x.jsonl", &format!("{GOOD}{{}}\nmarker\n"));
    let files = json!({"lines": "x.rejected.jsonl", "reasons": "x.rejected.txt"});
    for (flag, stored, rejects) in [(&["--dry-run"][..], 0, Value::Null), (&[], 1, files)] {
        let arguments = [&["import", "--format", "json", "x.jsonl"], flag].concat();
        let mut told = document(folder.path(), &arguments, 4);
        let seconds = told.as_object_mut().unwrap().remove("seconds").unwrap();
        assert!(seconds.as_f64().unwrap() > 0.0, "{seconds}");
        let expected = json!({
            "dry_run": !flag.is_empty(), "valid": 1, "stored": stored, "rejected": 2,
            "first_rejected": {"line": 2, "reason": "the document is empty"},
            "rejects": rejects, "dropped_members": 0,
        });
        assert_eq!(told, expected);
    }
    file(folder.path(), "x.jsonl", GOOD);
    let told = document(folder.path(), &["import", "x.jsonl", "--format", "json"], 0);
    assert_eq!((&told["stored"], &told["first_rejected"], &told["rejects"]), (&json!(1), &Value::Null, &Value::Null));
    let output = run(folder.path(), &["import", "--format", "json", "missing.jsonl"]);
    let (code, out, err) = outcome(&output);
    assert!(code == 1 && out.is_empty() && err.contains("missing.jsonl"), "{out} {err}");
}

#[test]
fn check_tells_scripts_each_step() {
    let folder = tempfile::tempdir().unwrap();
    let missing = document(folder.path(), &["check", "--format", "json"], 1);
    assert_eq!((&missing["database"], &missing["verdict"]), (&json!("embedded"), &json!("failed")));
    let steps = missing["steps"].as_array().unwrap();
    let of = |outcome: &str| steps.iter().filter(|step| step["outcome"] == outcome).count() as u64;
    assert_eq!((of("passed"), of("failed")), (missing["passed"].as_u64().unwrap(), 1), "{missing}");
    assert_eq!(of("skipped"), missing["skipped"].as_u64().unwrap());
    assert!(steps.iter().any(|step| step["detail"].as_str().unwrap().contains("is not there")), "{missing}");

    file(folder.path(), "x.jsonl", GOOD);
    assert_eq!(outcome(&run(folder.path(), &["import", "x.jsonl"])).0, 0);
    let well = document(folder.path(), &["check", "--format", "json"], 0);
    assert_eq!(
        (&well["verdict"], &well["failed"], &well["skipped"]),
        (&json!("passed"), &json!(0), &json!(0)),
        "{well}"
    );
}

#[test]
fn config_tells_scripts_what_holds_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "x.toml", "[http]\nworkers = 7\n\n[bucket]\ndatabase = \"couchbase\"\n");
    let mut command = userprofiles();
    command.current_dir(folder.path()).args(["config", "--config", "x.toml", "--format", "json"]);
    command.env("USERPROFILES_COUCHBASE_USERNAME", "u").env("USERPROFILES_COUCHBASE_PASSWORD", "secret-marker");
    let output = command.output().unwrap();
    let (code, out, err) = outcome(&output);
    assert!(code == 0 && !out.contains("secret-marker"), "{out}{err}");
    let told: Value = serde_json::from_str(out).unwrap();
    assert_eq!(told["file"], "x.toml");
    let workers = json!({"value": 7, "origin": "x.toml:2", "needs_restart": true});
    assert_eq!(told["settings"]["http"]["workers"], workers);
    assert_eq!(told["settings"]["couchbase"]["password"]["value"], "***");
    // The same, for people.
    let output = run(folder.path(), &["config", "--config", "x.toml", "--set", "couchbase.username=u"]);
    let (_, out, _) = outcome(&output);
    assert!(out.contains("workers = 7  # x.toml:2 [restart]\n") && out.contains("\nlevel = \"info\"\n"), "{out}");

    let output = run(folder.path(), &["config", "--format", "json", "--set", "http.workers=many"]);
    assert_eq!((outcome(&output).0, outcome(&output).1), (2, ""));
    assert_eq!(outcome(&run(folder.path(), &["config", "--format", "json", "--example"])).0, 2);
}

#[test]
fn the_version_has_the_commit_and_the_databases() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["--version"]);
    let lines: Vec<&str> = outcome(&output).1.lines().collect();
    let commit = lines[0].strip_prefix(concat!("userprofiles ", env!("CARGO_PKG_VERSION"), " (")).unwrap();
    let of_repository = || match git(&["rev-parse", "--show-prefix"])?.as_str() {
        "" => git(&["rev-parse", "--short=12", "HEAD"]),
        _ => None,
    };
    let expected = std::env::var("BUILD_COMMIT").ok().or_else(of_repository);
    assert_eq!(commit.strip_suffix(')').unwrap(), expected.as_deref().unwrap_or("unknown"));
    assert!(lines[1].starts_with("databases: embedded, couchbase") && lines[1].contains("elasticsearch"), "{lines:?}");
    assert_eq!(lines[1].contains("cassandra"), cfg!(feature = "cassandra"));
    assert_eq!(lines[1].contains("mongodb"), cfg!(feature = "mongodb"));
    assert_eq!(outcome(&run(folder.path(), &["-V"])).1.lines().collect::<Vec<_>>(), lines[..1]);
}

/// What git says of the repository that this program is built from.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn every_command_has_help_with_examples_and_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    for command in COMMANDS {
        let output = run(folder.path(), &[command, "--help"]);
        let (code, out, err) = outcome(&output);
        assert_eq!((code, err), (0, ""));
        assert!(out.contains(&format!("Examples:\n  userprofiles {command}")), "{command}: {out}");
        assert!(out.contains("\nExit codes:\n"), "{command}: {out}");
    }
    let pipe = "userprofiles --config a.toml export - | userprofiles --config b.toml import -";
    for (arguments, part) in [
        (&["--help"][..], pipe),
        (&["import", "--help"], pipe),
        (&["export", "--help"], pipe),
        (&["import", "--help"], "zcat users.jsonl.gz | userprofiles import -"),
        (&["export", "--help"], "userprofiles export - | gzip > users.jsonl.gz"),
    ] {
        assert!(outcome(&run(folder.path(), arguments)).1.contains(part), "{arguments:?}");
    }
}

#[test]
fn a_word_that_is_misspelt_is_answered_with_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, wanted) in [
        (&["inport", "x.jsonl"][..], "import"),
        (&["import", "--dryrun", "x.jsonl"], "--dry-run"),
        (&["check", "--format", "jsn"], "json"),
        (&["completions", "bsh"], "bash"),
        (&["man", "exprot"], "export"),
        (&["config", "--set", "http.worker=7"], "workers"),
        (&["config", "--set", "htpp.workers=7"], "[http]"),
    ] {
        let output = run(folder.path(), arguments);
        let (code, out, err) = outcome(&output);
        assert!(code == 2 && out.is_empty() && err.contains(wanted), "{arguments:?}: {err}");
    }
}

/// By `script`, which gives it a terminal.
#[test]
fn colors_are_for_terminals_and_never_under_no_color() {
    if !is_there("script") {
        return;
    }
    let on_terminal = |no_color: Option<&str>| {
        let mut command = bound("script");
        command.args(["-qec", &format!("{PROGRAM} --help"), "/dev/null"]).env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        no_color.map(|value| command.env("NO_COLOR", value));
        let output = command.output().unwrap();
        assert!(find_text(&output.stdout, "Usage:"), "{output:?}");
        find_text(&output.stdout, "\x1b[")
    };
    assert!(on_terminal(None), "no colors on a terminal");
    assert!(!on_terminal(Some("1")));
    let output = userprofiles().arg("--help").env("TERM", "xterm-256color").output().unwrap();
    assert!(find_text(&output.stdout, "Usage:") && !find_text(&output.stdout, "\x1b["));
}

/// As what it prints is the same in both cases, what is beside it must be the bar.
#[test]
fn progress_is_for_terminals() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..20_000).map(|n| GOOD.replace("\"a\"", &format!("\"user{n}\""))).collect();
    file(folder.path(), "x.jsonl", &lines.concat());
    let output = run(folder.path(), &["import", "x.jsonl"]);
    let (_, _, err) = outcome(&output);
    assert!(err.lines().count() == 2 && !err.contains('\x1b') && !err.contains('\r'), "{err:?}");
    let (target, summary) = err.split_once('\n').unwrap();
    assert!(target.starts_with("userprofiles: importing into the SQLite file "), "{err}");
    assert!(
        summary.starts_with("userprofiles: 20000 lines stored, none rejected (") && summary.ends_with(" a second)\n"),
        "{err}"
    );
    if !is_there("script") {
        return;
    }
    for (arguments, bar) in [("import x.jsonl", "/s"), ("export y.jsonl", " documents in ")] {
        let mut command = bound("script");
        command.args(["-qec", &format!("{PROGRAM} {arguments}"), "/dev/null"]).current_dir(folder.path());
        let output = command.env("TERM", "xterm-256color").output().unwrap();
        assert!(output.status.success() && find_text(&output.stdout, bar), "{output:?}");
    }
}

fn find_text(bytes: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(text)
}

#[test]
fn bash_completes_commands_flags_and_shells() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["completions", "bash"]);
    assert_eq!((outcome(&output).0, outcome(&output).2), (0, ""));
    file(folder.path(), "script", outcome(&output).1);
    for (words, expected) in [
        (&["userprofiles", "im"][..], &["import"][..]),
        (&["userprofiles", "import", "--dr"], &["--dry-run"]),
        (&["userprofiles", "check", "--format", ""], &["text", "json"]),
        (&["userprofiles", "completions", ""], &["bash", "zsh", "fish"]),
        (&["userprofiles", "man", "ex"], &["export"]),
    ] {
        let line = "source ./script; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                    _userprofiles \"$1\" \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; \
                    printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut bash = bound("bash");
        let output = bash.args(["-c", line, "bash"]).args(words).current_dir(folder.path()).output().unwrap();
        let (_, out, err) = outcome(&output);
        for word in expected {
            assert!(out.lines().any(|line| line == *word), "{words:?}: no {word} in {out:?}: {err}");
        }
    }
}

#[test]
fn other_shells_take_their_scripts() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, part) in [("zsh", "#compdef userprofiles"), ("fish", "complete -c userprofiles")] {
        let output = run(folder.path(), &["completions", shell]);
        let (code, out, err) = outcome(&output);
        assert!(code == 0 && err.is_empty() && out.contains(part) && out.contains("dry-run"), "{shell}: {err}");
        if is_there(shell) {
            file(folder.path(), shell, out);
            let output = bound(shell).args(["-n", shell]).current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{shell}: {output:?}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page_that_roff_takes_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let has_groff = is_there("groff");
    for page in std::iter::once(None).chain(COMMANDS.map(Some)) {
        let output = run(folder.path(), &["man"].into_iter().chain(page).collect::<Vec<_>>());
        let (code, out, err) = outcome(&output);
        assert_eq!((code, err), (0, ""), "{page:?}");
        let name = page.map_or("userprofiles".to_owned(), |page| format!("userprofiles-{page}"));
        assert!(out.contains(&format!(".TH {name} 1 ")), "{name}: {out}");
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "\"EXIT STATUS\"", "\"SEE ALSO\""] {
            assert!(out.contains(&format!("\n.SH {section}\n")), "{name}: {section}");
        }
        if page.is_none() {
            for section in ["FILES", "ENVIRONMENT", "SIGNALS"] {
                assert!(out.contains(&format!("\n.SH {section}\n")), "{name}: {section}");
            }
            assert!(COMMANDS.iter().all(|command| out.contains(&format!("userprofiles\\-{command}(1)"))), "{out}");
        }
        file(folder.path(), "page", out);
        if has_groff {
            let mut groff = bound("groff");
            let output = groff.args(["-man", "-ww", "-Tascii", "page"]).current_dir(folder.path()).output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
            assert!(find_text(&output.stdout, "userprofiles"), "{name}");
        }
    }
    assert_eq!(outcome(&run(folder.path(), &["man", "nothing"])).0, 2);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["config", "config --example", "openapi", "man", "completions bash"] {
        // The other end of the pipe is closed before the program starts.
        let script = format!("mkfifo pipe; (exec 4<pipe; exec 4<&-) & exec 3>pipe; wait; \"$0\" {command} >&3");
        let output = bound("sh").current_dir(folder.path()).args(["-c", &script, PROGRAM]).output().unwrap();
        fs::remove_file(folder.path().join("pipe")).unwrap();
        assert_eq!(outcome(&output), (0, "", ""), "{command}");
    }
}

#[test]
fn cargo_run_passes_on_no_variable_that_looks_like_a_setting() {
    // What a build script sets for the compiler, cargo sets for the program too, and for this test.
    let of_build = ["BUILD_COMMIT"];
    for name in of_build {
        assert!(std::env::var_os(name).is_some() && !name.starts_with("USERPROFILES_"), "{name}");
    }
    assert!(!include_str!("../build.rs").contains("\"USERPROFILES_"));
}
