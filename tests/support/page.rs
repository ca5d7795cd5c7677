//! Pages of documentation: their blocks of commands, and whether what a command prints is what the page says.
//!
//! In a block marked `sh`, a line that begins with `$ ` is a command (it goes on after a `\`), and the lines after it
//! are what it must print on standard output; with no such lines, only its exit code counts. A line `...` stands for
//! any number of lines, `[..]` for any part of one. A block that cannot be run says why, in a line of its own before it:
//! `<!-- not run: REASON -->`; where that is so for a whole page, `<!-- not run on this page: REASON -->` says it once,
//! before its first block.

/// A block marked `sh`.
#[derive(Debug, Default, PartialEq)]
pub struct Block {
    /// Why it is not run, if it is not.
    pub not_run: Option<String>,
    pub steps: Vec<Step>,
}

/// A command and what it must print.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    /// Where it stands on the page, from 1.
    pub line: usize,
    pub command: String,
    pub expected: Vec<String>,
}

/// The blocks of a page.
pub fn parse(page: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let (mut not_run, mut none_is_run) = (None, None);
    let mut lines = page.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let reason = |mark: &str| match mark.strip_suffix("-->").unwrap_or_default().trim() {
            "" => Err(format!("line {number}: a block is not run, and no reason is given")),
            reason => Ok(Some(reason.to_owned())),
        };
        if let Some(mark) = line.strip_prefix("<!-- not run on this page:") {
            none_is_run = reason(mark)?;
        } else if let Some(mark) = line.strip_prefix("<!-- not run:") {
            not_run = reason(mark)?;
        } else if let Some(language) = line.strip_prefix("```") {
            let content: Vec<(&str, usize)> = lines.by_ref().take_while(|(line, _)| *line != "```").collect();
            if language == "sh" {
                blocks.push(Block { not_run: not_run.take().or(none_is_run.clone()), steps: steps(&content, number)? });
            } else if content.iter().any(|(line, _)| line.starts_with("$ ")) {
                return Err(format!("line {number}: a block with commands is marked `{language}`, not `sh`"));
            }
        }
        if not_run.is_some() && !line.starts_with("<!-- not run:") && !line.trim().is_empty() {
            return Err(format!("line {number}: `not run` stands before something that is no block of commands"));
        }
    }
    Ok(blocks)
}

fn steps(content: &[(&str, usize)], block_line: usize) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for &(line, number) in content {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: number, command: command.to_owned(), expected: Vec::new() });
            continue;
        }
        let step = steps.last_mut().ok_or(format!("line {number}: a block begins with something other than `$ `"))?;
        if step.expected.is_empty() && step.command.ends_with('\\') {
            step.command = format!("{}\n{line}", step.command);
        } else {
            step.expected.push(line.to_owned());
        }
    }
    if steps.is_empty() { Err(format!("line {block_line}: a block without a command")) } else { Ok(steps) }
}

/// Says whether what a command has printed is what the page says.
pub fn output_matches(expected: &[String], actual: &str) -> bool {
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    let actual: Vec<&str> = actual.trim_end().lines().collect();
    lines_match(&expected, &actual)
}

fn lines_match(expected: &[&str], actual: &[&str]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((&"...", rest)) => (0..=actual.len()).any(|skipped| lines_match(rest, &actual[skipped..])),
        Some((line, rest)) => {
            actual.split_first().is_some_and(|(first, others)| line_matches(line, first) && lines_match(rest, others))
        }
    }
}

fn line_matches(expected: &str, actual: &str) -> bool {
    let Some((before, after)) = expected.split_once("[..]") else { return expected == actual };
    actual.strip_prefix(before).is_some_and(|rest| {
        let ends = rest.char_indices().map(|(index, _)| index).chain([rest.len()]);
        ends.into_iter().any(|end| line_matches(after, &rest[end..]))
    })
}
