//! Compresses what the server serves as it is, so that no request pays for it: Swagger UI, from the archive of
//! `utoipa-swagger-ui-vendored`, and the OpenAPI document.
//!
//! Each file lies in `OUT_DIR` twice: as it is, and with `.gz` behind its name.
//!
//! Tells the program from which commit it is built, for `--version`.

use std::error::Error;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// What `/docs` loads of Swagger UI.
const SWAGGER_UI: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

/// Says the commit where there is no repository, or where another one is meant. It is not named as a setting is: `cargo run`
/// passes it on to the program, which refuses settings that it does not know.
const COMMIT: &str = "BUILD_COMMIT";

const OPENAPI: &str = "src/api/docs/openapi.json";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={OPENAPI}");
    println!("cargo::rerun-if-env-changed={COMMIT}");
    println!("cargo::rustc-env={COMMIT}={}", commit());
    let folder = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for name in SWAGGER_UI {
        let path = archive
            .file_names()
            .filter_map(Result::ok)
            .find(|path| path.ends_with(&format!("/dist/{name}")))
            .ok_or_else(|| format!("{name} is not in the archive of Swagger UI"))?
            .into_owned();
        let mut bytes = Vec::new();
        archive.by_name(&path)?.read_to_end(&mut bytes)?;
        write(&folder.join(name), &bytes)?;
    }
    write(&folder.join("openapi.json"), &fs::read(OPENAPI)?)
}

/// Writes a file and its compressed twin.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    fs::write(path, bytes)?;
    let mut compressed = GzEncoder::new(Vec::new(), Compression::best());
    compressed.write_all(bytes)?;
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    fs::write(name, compressed.finish()?)?;
    Ok(())
}

fn commit() -> String {
    if let Some(commit) = std::env::var(COMMIT).ok().filter(|commit| !commit.trim().is_empty()) {
        return commit.trim().to_owned();
    }
    // Sources that were unpacked inside of a repository are not that repository's.
    if git(&["rev-parse", "--show-prefix"]).as_deref() != Some("") {
        return "unknown".to_owned();
    }
    // A line is added with each commit, and each time another one is checked out.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned())
}

/// What git prints; `None` if it is not there or fails.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
