//! The documentation as a whole: its links lead somewhere, its index leads to every page, and its commands are run.
//!
//! What the database guides say is checked in `tests/docs.rs`, README.md in `tests/readme.rs`.

#[path = "support/page.rs"]
mod page;
#[path = "support/sandbox.rs"]
mod sandbox;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use support::server::Server;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages in this folder and the folders in it.
fn pages_below(folder: &Path) -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages.extend(pages_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    pages
}

/// The path of a page within the repository.
fn name(page: &Path) -> String {
    page.strip_prefix(repository()).unwrap().display().to_string()
}

/// Without blocks, and without code in lines.
fn prose(text: &str) -> String {
    let outside: String = text.split("```").step_by(2).collect();
    outside.split('`').step_by(2).collect()
}

/// The anchors of a page, made of its headings as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let outside: String = text.split("```").step_by(2).collect();
    let headings = outside.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// The targets of the links of a page.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// What is wrong with a link of a page, if anything is.
fn dead_end(page: &Path, link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { page.to_owned() } else { page.parent()?.join(file) };
    if !target.exists() {
        return Some(format!("{}: there is no {link}", name(page)));
    }
    if anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor) {
        return None;
    }
    Some(format!("{}: {link} has no such heading", name(page)))
}

#[test]
fn every_link_leads_somewhere() {
    let top = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md"].map(|name| repository().join(name));
    let pages = [&top[..], &pages_below(&repository().join("docs"))].concat();
    let mut count = 0;
    let mut dead_ends = Vec::new();
    for page in &pages {
        for link in links(&fs::read_to_string(page).unwrap()) {
            count += 1;
            dead_ends.extend(dead_end(page, &link));
        }
    }
    assert!(dead_ends.is_empty(), "{}", dead_ends.join("\n"));
    assert!(count > 100, "{count} links were found");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = repository().join("docs/README.md");
    for (link, is_dead) in [
        ("https://example.com/x", false),
        ("reference/problems.md", false),
        ("reference/problems.md#user-not-found", false),
        ("../README.md#mongodb-and-cassandra", false),
        ("how-to", false),
        ("reference/problem.md", true),
        ("reference/problems.md#user", true),
        ("#nowhere", true),
    ] {
        assert_eq!(dead_end(&page, link).is_some(), is_dead, "{link}");
    }
}

#[test]
fn the_index_leads_to_every_page() {
    let docs = repository().join("docs");
    let index = docs.join("README.md");
    let linked: BTreeSet<PathBuf> =
        links(&fs::read_to_string(&index).unwrap()).iter().map(|link| docs.join(link)).collect();
    let lost: Vec<String> = pages_below(&docs)
        .iter()
        .filter(|page| **page != index && !linked.contains(*page))
        .map(|page| name(page))
        .collect();
    assert!(lost.is_empty(), "docs/README.md does not lead to {}", lost.join(", "));
}

#[test]
fn every_command_of_the_documentation_does_what_its_page_says() {
    let mut failures = Vec::new();
    let mut run = 0;
    for path in pages_below(&repository().join("docs")) {
        let page = name(&path);
        match page::parse(&fs::read_to_string(&path).unwrap()) {
            Err(why) => failures.push(format!("{page}: {why}")),
            Ok(blocks) if blocks.iter().all(|block| block.not_run.is_some()) => {}
            Ok(blocks) => {
                run += 1;
                failures.extend(sandbox::run_page(&page, &blocks));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(run > 0, "no page has a command that is run");
}

/// Both ways: what is counted is explained, and what is explained is counted.
#[test]
fn the_page_of_metrics_has_every_metric() {
    let server = Server::embedded(&[]);
    // Series of the path of a request are there from the first one on, which is counted after its answer.
    assert_eq!(server.get("/users/johndoe").status, 200);
    let metrics = loop {
        let metrics = server.admin_get("/metrics");
        if metrics.text().contains("userprofiles_http_requests_total{") {
            break metrics;
        }
    };
    let counted: BTreeSet<&str> = metrics
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .filter(|name| !name.starts_with("process_"))
        .collect();
    let page = fs::read_to_string(repository().join("docs/reference/metrics.md")).unwrap();
    let explained: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(['{', '`']).next())
        .filter(|name| name.starts_with("userprofiles_"))
        .collect();
    assert_eq!(counted, explained);
}
