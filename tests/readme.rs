//! Runs the commands of README.md and compares what they print with what README.md says; see `support/page.rs` and
//! `support/sandbox.rs`.

#[path = "support/page.rs"]
mod page;
#[path = "support/sandbox.rs"]
mod sandbox;
mod support;

use std::fs;
use std::path::Path;

use page::{Block, Step, output_matches, parse};

#[test]
fn every_command_does_what_the_readme_says() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = parse(&readme).unwrap();
    assert!(blocks.iter().any(|block| block.not_run.is_none()), "README.md has no command that is run");
    let failures = sandbox::run_page("README.md", &blocks);
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn output_is_compared_line_by_line_with_wildcards() {
    let cases = [
        ("a\nb", "a\nb\n", true),
        ("a\nb", "a\nb\nc", false),
        ("a\nb", "a", false),
        ("...\nb", "a\na\nb", true),
        ("...\nb", "b", true),
        ("...\nb", "b\na", false),
        ("a\n...", "a", true),
        ("a\n\nb", "a\r\n\r\nb", true),
        ("Date: [..] GMT", "Date: é GMT", true),
        ("Date: [..] GMT", "Date: now", false),
        ("[..]=1,[..]=2", "a=1,b=2", true),
        ("[..]=1,[..]=2", "a=2,b=1", false),
        ("...", "", true),
        ("a", "", false),
    ];
    for (expected, actual, matches) in cases {
        let lines: Vec<String> = expected.lines().map(str::to_owned).collect();
        assert_eq!(output_matches(&lines, actual), matches, "{expected:?} and {actual:?}");
    }
}

#[test]
fn blocks_are_read_with_their_commands_outputs_and_reasons() {
    let readme =
        "text\n\n```sh\n$ one\nout\n\nput\n$ two \\\n  more\n```\n\n<!-- not run: slow -->\n\n```sh\n$ three\n```\n";
    let step = |line, command: &str, expected: &[&str]| Step {
        line,
        command: command.to_owned(),
        expected: expected.iter().map(|&line| line.to_owned()).collect(),
    };
    let expected = vec![
        Block { not_run: None, steps: vec![step(4, "one", &["out", "", "put"]), step(8, "two \\\n  more", &[])] },
        Block { not_run: Some("slow".to_owned()), steps: vec![step(15, "three", &[])] },
    ];
    assert_eq!(parse(readme).unwrap(), expected);
}

#[test]
fn a_page_says_once_why_none_of_its_commands_is_run() {
    let page =
        "```sh\n$ one\n```\n<!-- not run on this page: no server -->\ntext\n```sh\n$ two\n```\n```sh\n$ three\n```\n";
    let reasons: Vec<Option<String>> = parse(page).unwrap().into_iter().map(|block| block.not_run).collect();
    let reason = Some("no server".to_owned());
    assert_eq!(reasons, [None, reason.clone(), reason]);
}

#[test]
fn a_block_that_would_go_unnoticed_is_an_error() {
    let cases = [
        ("<!-- not run: -->\n```sh\n$ a\n```", "no reason"),
        ("<!-- not run on this page: -->\n```sh\n$ a\n```", "no reason"),
        ("<!-- not run: slow -->\ntext\n```sh\n$ a\n```", "no block of commands"),
        ("```console\n$ a\n```", "marked `console`"),
        ("```\n$ a\n```", "marked ``"),
        ("```sh\na\n```", "begins with something other"),
        ("```sh\n```", "without a command"),
    ];
    for (readme, expected) in cases {
        let error = parse(readme).unwrap_err();
        assert!(error.contains(expected), "{readme:?} gave {error:?}");
    }
}
