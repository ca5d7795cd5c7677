//! The pages in docs/ say nothing that the program does not understand: settings files load, settings exist, commands
//! parse, and the sentences of the log are those that the sources have.
//!
//! No database is needed: nothing here is asked anything.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use support::server::userprofiles;

/// Where the guide has files that only a set-up machine has.
const FOLDER: &str = "/etc/userprofiles/";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page below docs/.
fn guides() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, guides: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, guides);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                guides.push((path, text));
            }
        }
    }
    let mut guides = Vec::new();
    collect(&repository().join("docs"), &mut guides);
    assert!(!guides.is_empty());
    guides
}

/// A fenced block: its mark, the number of the line where it begins, and its lines.
struct Block {
    mark: String,
    line: usize,
    lines: Vec<String>,
}

fn blocks(guide: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in guide.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.lines.push(line.to_owned()),
            (None, Some(mark)) => open = Some(Block { mark: mark.to_owned(), line: number + 1, lines: Vec::new() }),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The commands of a block, each on one line.
fn commands(block: &Block) -> Vec<String> {
    let joined = block.lines.join("\n").replace("\\\n", " ").replace("|\n", "| ");
    joined.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

/// The words of each call of the program in a command, as far as the shell passes them on.
fn calls(command: &str) -> Vec<Vec<String>> {
    let parts = command.split(['|', ';']).flat_map(|part| part.split("&&"));
    let calls = parts.filter_map(|part| {
        let part = ["sudo -u userprofiles ", "sudo "]
            .iter()
            .fold(part.trim(), |part, user| part.strip_prefix(user).unwrap_or(part));
        let programs = ["userprofiles ", "cargo run --release -- ", "./userprofiles-new "];
        let arguments = programs.iter().find_map(|program| part.strip_prefix(program))?;
        let words = arguments.split_whitespace().take_while(|word| !word.starts_with(['<', '>']) && *word != "2>&1");
        Some(words.map(str::to_owned).collect())
    });
    calls.collect()
}

fn run(arguments: &[String]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    userprofiles().args(arguments).current_dir(folder.path()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every setting, as `section.key`, out of the program's own example.
fn known_settings() -> BTreeSet<String> {
    let example = text(&run(&["config".to_owned(), "--example".to_owned()]).stdout);
    let mut section = String::new();
    let mut known = BTreeSet::new();
    for line in example.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            known.insert(format!("{section}.{key}"));
        }
    }
    assert!(known.contains("couchbase.connection_string") && known.contains("bucket.slow_operation"));
    known
}

#[test]
fn settings_files_of_the_guides_load() {
    let (mut count, mut failures) = (0, Vec::new());
    for (path, guide) in guides() {
        for block in blocks(&guide).iter().filter(|block| block.mark == "toml") {
            let folder = tempfile::tempdir().unwrap();
            let here = format!("{}/", folder.path().display());
            for database in ["couchbase", "mongodb", "cassandra", "couchdb", "arangodb", "elasticsearch"] {
                for kind in ["password", "api-key", "ca.pem"] {
                    fs::write(folder.path().join(format!("{database}-{kind}")), "x").unwrap();
                }
            }
            for name in ["client.pem", "client-key.pem"] {
                fs::write(folder.path().join(name), "x").unwrap();
            }
            let file = folder.path().join("userprofiles.toml");
            fs::write(&file, block.lines.join("\n").replace(FOLDER, &here)).unwrap();
            let output = run(&["config".to_owned(), "--config".to_owned(), file.to_str().unwrap().to_owned()]);
            if !output.status.success() {
                failures.push(format!("{}:{}: {}", path.display(), block.line, text(&output.stderr)));
            }
            count += 1;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count > 0, "there is no block marked toml");
}

#[test]
fn settings_that_the_guides_name_exist() {
    let known = known_settings();
    let (mut count, mut unknown) = (0, Vec::new());
    for (path, guide) in guides() {
        for (at, _) in guide.match_indices('[') {
            let Some((section, rest)) = guide[at + 1..].split_once(']') else { continue };
            let is_name =
                |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let Some(rest) = rest.strip_prefix(' ').filter(|_| is_name(section)) else { continue };
            let key: String = rest
                .chars()
                .take_while(|letter| letter.is_ascii_lowercase() || matches!(letter, '_' | '0'..='9'))
                .collect();
            let name = format!("{section}.{key}");
            if !known.contains(&name) {
                unknown.push(format!("{}: [{section}] {key}", path.display()));
            }
            count += 1;
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    assert!(count > 0, "no setting is named");
}

#[test]
fn commands_of_the_guides_parse() {
    let (mut found, mut failures) = (BTreeSet::new(), Vec::new());
    for (path, guide) in guides() {
        for block in blocks(&guide).iter().filter(|block| block.mark == "sh") {
            assert!(!commands(block).is_empty(), "{}:{}: a block without a command", path.display(), block.line);
            for mut arguments in commands(block).iter().flat_map(|command| calls(command)) {
                let name = arguments[0].clone();
                arguments.push("--help".to_owned());
                let output = run(&arguments);
                if !output.status.success() {
                    let told = text(&output.stderr);
                    failures.push(format!("{}:{}: {arguments:?}: {told}", path.display(), block.line));
                }
                found.insert(name);
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for expected in ["config", "check", "import", "get", "export"] {
        assert!(found.contains(expected), "{expected} is not shown; found {found:?}");
    }
}

/// The text of all sources, with strings that go on on the next line put together.
fn sources() -> String {
    fn collect(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text = String::new();
    collect(&repository().join("src"), &mut text);
    let mut lines = text.split("\\\n");
    let first = lines.next().unwrap().to_owned();
    lines.fold(first, |whole, line| whole + line.trim_start())
}

#[test]
fn the_sentences_of_the_log_are_those_that_the_program_says() {
    let sources = sources();
    let mut count = 0;
    for (path, guide) in guides() {
        // Sentences that all products share have the product's name in them.
        let product = guide.lines().next().unwrap().rsplit(' ').next().unwrap();
        let sources = sources.replace("{product}", product);
        for table in guide.split("| in the log |").skip(1) {
            for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
                let sentence = row.trim_start_matches("| `").split('`').next().unwrap();
                assert!(sources.contains(sentence), "{}: nobody says {sentence:?}", path.display());
                count += 1;
            }
        }
    }
    assert!(count > 0, "there is no table of sentences");
}

/// The scripts refuse to write where there are no marks, and a table that nobody dated says nothing.
#[test]
fn what_the_bench_scripts_write_has_its_place_and_its_date() {
    let page = fs::read_to_string(repository().join("docs/benchmarks.md")).unwrap();
    for mark in ["bench", "bench-couchbase", "bench-databases", "bench-idle", "bench-start"] {
        let rest = page.split_once(&format!("<!-- {mark}:begin -->\n")).expect(mark).1;
        let (table, _) = rest.split_once(&format!("\n<!-- {mark}:end -->")).expect(mark);
        assert!(table.starts_with("Measured on 20") && table.contains("\n| "), "{mark}: {table}");
    }
}
