use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::bucket::embedded::Embedded;
use crate::bucket::{Document, NewDocument, get_bucket};
use crate::clock::{self, Deadline};
use crate::model::Username;

fn listed(id: &str, text: &str) -> Listed {
    Listed { id: DocumentId::stored(id.to_owned()), document: Document::new(text.as_bytes().to_vec()) }
}

fn user(name: &str) -> String {
    format!(r#"{{"type":"userprofile","username":"{name}","hashed_password":"marker"}}"#)
}

fn database(documents: &[(&str, String)]) -> (TempDir, Embedded) {
    let folder = tempfile::tempdir().unwrap();
    let database = Embedded::create(&folder.path().join("x.db")).unwrap();
    let documents: Vec<NewDocument> = documents
        .iter()
        .map(|(name, text)| NewDocument {
            id: DocumentId::of(&Username::parse(*name).unwrap()),
            text: Zeroizing::new(text.clone()),
        })
        .collect();
    let deadline = Deadline::never(clock::now());
    get_bucket(&database, &BucketTimeouts::default(), deadline).unwrap().upsert(&documents).unwrap();
    (folder, database)
}

fn export(database: &Embedded) -> (ExportOutcome, String) {
    let mut output = Vec::new();
    let (timeouts, scratch) = (BucketTimeouts::default(), Scratch::default());
    let outcome = run(database, &timeouts, &mut output, &ProgressBar::hidden(), &scratch, &mut |_| {}).unwrap();
    (outcome, String::from_utf8(output).unwrap())
}

#[test]
fn every_document_is_a_line_in_the_order_of_ids_as_it_is_stored() {
    let awkward = "{ \"username\":\r\n\"b\",\n\"hashed_password\":\"h\\n\", \"n\": 1.50e2, \"x\":\"\\u00e9\\/\" }";
    let (_folder, database) =
        database(&[("é", user("é")), ("b", awkward.to_owned()), ("a", user("a")), ("B", user("B"))]);
    let (outcome, text) = export(&database);
    let one_line = awkward.replace("\r\n", "  ").replace('\n', " ");
    assert_eq!(text, [user("B"), user("a"), one_line, user("é")].map(|line| line + "\n").concat());
    assert!(outcome.to_string().starts_with("4 documents exported ("), "{outcome}");
    assert!(export(&self::database(&[]).1).0.to_string().starts_with("0 documents exported ("));
}

#[test]
fn more_documents_than_a_page_has_come_once_each() {
    let names: Vec<String> = (0..2_500).map(|number| format!("user{number:05}")).collect();
    let documents: Vec<(&str, String)> = names.iter().map(|name| (name.as_str(), user(name))).collect();
    let (_folder, database) = database(&documents);
    let (outcome, text) = export(&database);
    assert_eq!(outcome.documents, 2_500);
    assert_eq!(text.lines().map(str::to_owned).collect::<Vec<_>>(), names.iter().map(|n| user(n)).collect::<Vec<_>>());
}

#[test]
fn what_import_would_not_store_so_is_exported_and_counted() {
    let (_folder, database) =
        database(&[("a", user("a")), ("alias", user("a")), ("broken", "{\"x\":\"marker\"}".to_owned())]);
    let (outcome, text) = export(&database);
    assert_eq!((outcome.documents, outcome.unfit, text.lines().count()), (3, 2, 3));
    let told = outcome.to_string();
    assert!(told.contains("2 of which") && told.contains("\"userprofile::alias\": its username"), "{told}");
    assert!(!told.contains("marker"), "{told}");
}

#[test]
fn pages_are_as_long_as_their_documents_allow() {
    let large = listed("a", &"x".repeat(PAGE_BYTES * 2));
    assert_eq!(next_page(&[large], 100), 1);
    assert_eq!(next_page(&[listed("a", "{}")], 100), LONGEST_PAGE);
    assert_eq!(next_page(&[listed("a", "")], 100), LONGEST_PAGE);
    assert_eq!(next_page(&[listed("a", &"x".repeat(PAGE_BYTES / 8))], 100), 8);
    assert_eq!(next_page(&[], 7), 7);
}

#[test]
fn a_file_appears_whole_for_its_owner_only_and_replaces_nothing_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let entries = || fs::read_dir(folder.path()).unwrap().count();

    let mut file = NewFile::begin(&path, Existing::Refuse).unwrap();
    file.write_all(b"one").unwrap();
    assert!(!path.exists());
    // Here it has no name until it is finished, so that nothing is left whatever ends the process.
    assert_eq!((file.temporary_path(), entries()), (None, 0));
    file.finish().unwrap();
    assert_eq!((fs::read(&path).unwrap(), entries()), (b"one".to_vec(), 1));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    assert!(NewFile::begin(&path, Existing::Refuse).err().unwrap().to_string().contains("--force"));
    drop(NewFile::begin(&path, Existing::Replace).unwrap());
    assert_eq!((fs::read(&path).unwrap(), entries()), (b"one".to_vec(), 1));
    let mut file = NewFile::begin(&path, Existing::Replace).unwrap();
    file.write_all(b"two").unwrap();
    file.finish().unwrap();
    assert_eq!((fs::read(&path).unwrap(), entries()), (b"two".to_vec(), 1));

    // One that came meanwhile stays, too.
    let other = folder.path().join("other.jsonl");
    let file = NewFile::begin(&other, Existing::Refuse).unwrap();
    fs::write(&other, "mine").unwrap();
    assert!(file.finish().unwrap_err().to_string().contains("--force"));
    assert_eq!((fs::read(&other).unwrap(), entries()), (b"mine".to_vec(), 2));

    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for odd in [folder.path(), &link, std::path::Path::new("/dev/null")] {
        let error = NewFile::begin(odd, Existing::Replace).err().unwrap().to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }
    assert!(NewFile::begin(&folder.path().join("missing/x"), Existing::Refuse).is_err());
}

#[test]
fn an_argument_names_a_file_or_standard_output() {
    use std::ffi::OsStr;
    for (argument, expected) in [
        (None, Destination::StandardOutput),
        (Some("-"), Destination::StandardOutput),
        (Some("./-"), Destination::File("./-".into())),
        (Some("x.jsonl"), Destination::File("x.jsonl".into())),
    ] {
        assert_eq!(Destination::from_argument(argument.map(OsStr::new)), expected);
    }
}
