use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tempfile::TempDir;

use super::*;
use crate::bucket::embedded::Embedded;
use crate::bucket::{Bucket, BucketError, Cursor, Document, NewDocument, Page, get_bucket};
use crate::clock::{self, Deadline};
use crate::config::DatabaseName;
use crate::model::{DocumentId, Username};
use crate::users::get_user;

/// An embedded database and a file to import, in one folder.
struct Place {
    folder: TempDir,
    database: Embedded,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Embedded::create(&folder.path().join("x.db")).unwrap();
        Self { folder, database }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self, content: impl AsRef<[u8]>) -> ImportOutcome {
        fs::write(self.path("users.jsonl"), content).unwrap();
        run(
            &self.database,
            &BucketTimeouts::default(),
            &ImportSource::File(self.path("users.jsonl")),
            &Interruption::none(),
        )
        .unwrap()
    }

    fn text(&self, name: &str) -> Option<String> {
        let deadline = Deadline::never(clock::now());
        let mut bucket = get_bucket(&self.database, &BucketTimeouts::default(), deadline).unwrap();
        let found = bucket.get(&DocumentId::of(&Username::parse(name).unwrap())).unwrap();
        found.map(|document| String::from_utf8(document.text().to_vec()).unwrap())
    }
}

fn user(name: &str) -> String {
    format!(r#"{{"type":"userprofile","username":"{name}","hashed_password":"marker"}}"#)
}

#[test]
fn every_line_of_the_sample_is_stored_and_answers_as_a_user() {
    let place = Place::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/sample-users.jsonl");
    let text = fs::read_to_string(&sample).unwrap();
    assert!(text.starts_with(r#"{"type":"userprofile","username":"johndoe""#) && text.ends_with('\n'));
    let outcome = place.import(&text);
    assert_eq!((outcome.valid, outcome.rejected), (text.lines().count() as u64, 0), "{outcome}");
    let deadline = Deadline::never(clock::now());
    let mut bucket = get_bucket(&place.database, &BucketTimeouts::default(), deadline).unwrap();
    let names: std::collections::HashSet<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["username"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), text.lines().count(), "a username stands there twice");
    for name in names {
        let found = get_user(bucket.as_mut(), &Username::parse(name.as_str()).unwrap()).unwrap().unwrap();
        assert_eq!(found.username, name);
    }
}

#[test]
fn rejected_lines_are_kept_for_their_owner_with_the_reasons_beside_them() {
    let place = Place::new();
    let content = [user("a"), String::new(), r#"{"username":"marker"}"#.to_owned(), " \t".to_owned(), user("b")];
    let mut content = content.join("\r\n").into_bytes();
    content.splice(0..0, *b"\xef\xbb\xbf");
    content.extend_from_slice(b"\n{\"x\":\"\xff\"}\nmarker\n{}");
    let outcome = place.import(&content);
    assert_eq!((outcome.valid, outcome.rejected), (2, 4));
    assert_eq!(place.text("a"), Some(user("a")));
    assert_eq!(place.text("b"), Some(user("b")));
    let rejects = fs::read(place.path("users.rejected.jsonl")).unwrap();
    assert_eq!(rejects, b"{\"username\":\"marker\"}\n{\"x\":\"\xff\"}\nmarker\n{}\n");
    let mode = fs::metadata(place.path("users.rejected.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let reasons = fs::read_to_string(place.path("users.rejected.txt")).unwrap();
    let expected = concat!(
        "line 3: the field `hashed_password` is missing\n",
        "line 6: the field `username` is missing\n",
        "line 7: it is not JSON (column 1)\n",
        "line 8: the document is empty\n",
    );
    assert_eq!(reasons, expected);
    let summary = outcome.to_string();
    assert!(
        summary.starts_with("2 lines stored, 4 rejected (the first is line 3: the field `hashed_password`"),
        "{summary}"
    );
    assert!(summary.contains("users.rejected.txt says why ("), "{summary}");

    // Mended and run again: the same documents once more, and no file of rejects any longer.
    let outcome = place.import([user("a"), user("b"), user("c")].join("\n"));
    assert!(outcome.to_string().starts_with("3 lines stored, none rejected ("), "{outcome}");
    assert!(!place.path("users.rejected.jsonl").exists() && !place.path("users.rejected.txt").exists());
}

#[test]
fn rejects_that_cannot_be_written_do_not_stop_an_import() {
    let place = Place::new();
    fs::create_dir(place.path("users.rejected.jsonl")).unwrap();
    let outcome = place.import(format!("{{}}\n{{}}\n{}", user("a")));
    assert_eq!((outcome.valid, outcome.rejected), (1, 2));
    assert!(outcome.to_string().contains("could not be written"), "{outcome}");
}

#[test]
fn a_line_over_twenty_mebibytes_is_rejected_and_the_next_one_is_stored() {
    let place = Place::new();
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(crate::model::MAX_DOCUMENT_BYTES));
    let outcome = place.import(format!("{long}\n{}", user("a")));
    assert_eq!((outcome.valid, outcome.rejected), (1, 1));
    assert!(outcome.to_string().contains("line 1: it is larger than"), "{outcome}");
}

#[test]
fn an_empty_file_is_an_import_of_nothing() {
    assert!(Place::new().import("").to_string().starts_with("0 lines stored, none rejected ("));
}

#[test]
fn the_last_line_of_a_user_wins_within_a_batch_and_across_batches() {
    let place = Place::new();
    let line = |name: &str, n: usize| format!(r#"{{"type":"t","username":"{name}","hashed_password":"h","n":{n}}}"#);
    let mut lines = vec![line("far", 0), line("near", 1), line("near", 2)];
    lines.extend((0..33_000).map(|n| line(&format!("user{n}"), n)));
    lines.push(line("far", 3));
    let outcome = place.import(lines.join("\n"));
    assert_eq!((outcome.valid, outcome.rejected), (33_004, 0));
    assert_eq!(place.text("near"), Some(line("near", 2)));
    assert_eq!(place.text("far"), Some(line("far", 3)));
    assert_eq!(place.text("user32999"), Some(line("user32999", 32_999)));
}

#[test]
fn a_source_that_cannot_be_read_is_an_error_that_names_it() {
    let place = Place::new();
    for source in [place.path("missing.jsonl"), place.folder.path().to_owned()] {
        let error = run(
            &place.database,
            &BucketTimeouts::default(),
            &ImportSource::File(source.clone()),
            &Interruption::none(),
        )
        .unwrap_err();
        assert!(format!("{error:#}").contains(&*source.to_string_lossy()), "{error:#}");
    }
}

#[test]
fn rejects_lie_beside_their_source() {
    for (path, stem) in [
        ("users.jsonl", "users"),
        ("a.b/us.ers.jsonl", "a.b/us.ers"),
        ("users.json", "users.json"),
        ("users", "users"),
        ("./-", "./-"),
    ] {
        let of = |ending: &str| PathBuf::from(format!("{stem}{ending}"));
        let expected = RejectsPlace::Files { lines: of(".rejected.jsonl"), reasons: of(".rejected.txt") };
        assert_eq!(RejectsPlace::beside(Path::new(path)), expected, "{path}");
    }
}

/// What a [`Recorder`] was given: the number of documents and the bytes of their texts, a batch each.
type Batches = Mutex<Vec<(usize, usize)>>;

/// Takes some batches and refuses those that come after.
struct Recorder {
    batches: Batches,
    takes: usize,
}

struct RecorderBucket(std::sync::Arc<Recorder>);

impl Database for std::sync::Arc<Recorder> {
    fn name(&self) -> DatabaseName {
        DatabaseName::Embedded
    }

    fn describe(&self) -> String {
        String::new()
    }

    fn open(&self, _: &BucketTimeouts, _: Deadline) -> Result<Box<dyn Bucket>, BucketError> {
        Ok(Box::new(RecorderBucket(std::sync::Arc::clone(self))))
    }
}

impl Bucket for RecorderBucket {
    fn get(&mut self, _: &DocumentId) -> Result<Option<Document>, BucketError> {
        Ok(None)
    }

    fn upsert(&mut self, documents: &[NewDocument]) -> Result<(), BucketError> {
        let ids: std::collections::HashSet<_> = documents.iter().map(|document| &document.id).collect();
        assert_eq!(ids.len(), documents.len(), "an id stands twice in a batch");
        let mut batches = self.0.batches.lock().unwrap();
        if batches.len() == self.0.takes {
            return Err(BucketError::Unavailable { reason: "out of paper".to_owned() });
        }
        batches.push((documents.len(), documents.iter().map(|document| document.text.len()).sum()));
        Ok(())
    }

    fn list(&mut self, _: Option<&Cursor>, _: usize) -> Result<Page, BucketError> {
        Err(BucketError::unavailable("it only stores"))
    }

    fn set_deadline(&mut self, _: Deadline) {}
}

fn import_into(recorder: &std::sync::Arc<Recorder>, content: &str) -> anyhow::Result<ImportOutcome> {
    let folder = tempfile::tempdir().unwrap();
    let place = RejectsPlace::beside(&folder.path().join("x"));
    let name = "x".to_owned();
    let input =
        Input { reader: std::io::Cursor::new(content.to_owned()), place, argument: name.clone(), name, bytes: None };
    store_lines(recorder, &BucketTimeouts::default(), input, ProgressBar::hidden(), &Interruption::none())
}

#[test]
fn batches_end_at_a_thousand_documents_or_four_mebibytes() {
    let recorder = std::sync::Arc::new(Recorder { batches: Batches::default(), takes: usize::MAX });
    let many: Vec<_> = (0..2_500).map(|n| user(&format!("user{}", n % 2_400))).collect();
    import_into(&recorder, &many.join("\n")).unwrap();
    let counts: Vec<_> = recorder.batches.lock().unwrap().drain(..).map(|(documents, _)| documents).collect();
    assert_eq!(counts, [1_000, 1_000, 500]);

    let mebibyte = " ".repeat(1024 * 1024);
    let large: Vec<_> = (0..6).map(|n| user(&format!("user{n}")) + &mebibyte).collect();
    import_into(&recorder, &large.join("\n")).unwrap();
    let counts: Vec<_> = recorder.batches.lock().unwrap().drain(..).map(|(documents, _)| documents).collect();
    assert_eq!(counts, [4, 2]);

    // A later line for the same user takes the place of the earlier one, in the count of bytes too.
    let same: Vec<_> = (0..6).map(|_| user("same") + &mebibyte).collect();
    assert_eq!(import_into(&recorder, &same.join("\n")).unwrap().valid, 6);
    let batches = recorder.batches.lock().unwrap().clone();
    assert_eq!(batches, [(1, user("same").len() + mebibyte.len())]);
}

#[test]
fn a_database_that_fails_ends_the_import_and_says_how_far_it_came() {
    let recorder = std::sync::Arc::new(Recorder { batches: Batches::default(), takes: 1 });
    let many: Vec<_> = (0..1_500).map(|n| user(&format!("user{n}"))).collect();
    let error = import_into(&recorder, &many.join("\n")).unwrap_err();
    let told = format!("{error:#}");
    for part in ["lines 1001 to 1500 are not all stored", "1000 lines before", "is safe", "out of paper"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("marker"), "{told}");
}
