//! Real files in a temporary folder. The tests may run as root, for whom permission bits do not count: what only
//! another user meets (no rights, a read-only mount) is in the tables of `failure.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::bucket::get_bucket;
use crate::model::Username;

mod many;
mod sharing;

fn soon() -> Deadline {
    Deadline::after(clock::now(), Duration::from_secs(30))
}

fn folder_and_path() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("userprofiles.db");
    (folder, path)
}

fn bucket(database: &dyn Database) -> Box<dyn Bucket> {
    get_bucket(database, &BucketTimeouts::default(), soon()).unwrap()
}

fn id(name: &str) -> DocumentId {
    DocumentId::of(&Username::parse(name).unwrap())
}

fn document(name: &str, text: &str) -> NewDocument {
    NewDocument { id: id(name), text: Zeroizing::new(text.to_owned()) }
}

fn text_of(bucket: &mut dyn Bucket, name: &str) -> Option<String> {
    bucket.get(&id(name)).unwrap().map(|found| String::from_utf8(found.text().to_vec()).unwrap())
}

/// What `create` says to a path that it must refuse.
fn refusal(path: &Path) -> String {
    match Embedded::create(path) {
        Ok(_) => panic!("{} was accepted", path.display()),
        Err(BucketError::Misconfigured { reason }) => reason,
        Err(other) => panic!("{}: {other:?}", path.display()),
    }
}

fn assert_misconfigured<T>(outcome: Result<T, BucketError>, word: &str) {
    match outcome {
        Err(BucketError::Misconfigured { reason }) => assert!(reason.contains(word), "{reason}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was done"),
    }
}

#[test]
fn documents_come_back_byte_for_byte_also_after_a_new_start() {
    let (_folder, path) = folder_and_path();
    let texts = [("a", "{ \"x\" : 1 }\t"), ("b/c+d %", "{\"y\":\"caf\\u00e9 \u{1f600} \\u0000\"}"), ("日本", "{}\r")];
    {
        let database = Embedded::create(&path).unwrap();
        let batch: Vec<_> = texts.iter().map(|(name, text)| document(name, text)).collect();
        bucket(&database).upsert(&batch).unwrap();
    }
    let database = Embedded::create(&path).unwrap();
    let mut bucket = bucket(&database);
    for (name, text) in texts {
        assert_eq!(text_of(bucket.as_mut(), name).as_deref(), Some(text));
    }
    assert_eq!(text_of(bucket.as_mut(), "nobody"), None);
    bucket.upsert(&[document("a", "new")]).unwrap();
    assert_eq!(text_of(bucket.as_mut(), "a").as_deref(), Some("new"));
}

#[test]
fn a_file_is_made_for_its_owner_only_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(&folder.path().join("missing/userprofiles.db")).contains("make its folder"));
    let path = folder.path().join("userprofiles.db");
    let _database = Embedded::create(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&path), 0);
    assert_eq!(mode(&path.with_file_name("userprofiles.db-wal")), 0);
}

#[test]
fn a_relative_path_that_sqlite_would_take_for_a_uri_is_a_path() {
    let folder = tempfile::Builder::new().prefix("file:").tempdir_in(".").unwrap();
    let path = Path::new(folder.path().file_name().unwrap()).join("x.db?mode=memory");
    let database = Embedded::create(&path).unwrap();
    bucket(&database).upsert(&[document("a", "{}")]).unwrap();
    assert!(fs::metadata(&path).unwrap().len() > 0);
}

#[test]
fn paths_that_cannot_be_a_database_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not SQLite, and long enough to have a header of one hundred bytes. ".repeat(20)).unwrap();
    let short = folder.path().join("short");
    fs::write(&short, "short").unwrap();
    let nowhere = folder.path().join("nowhere");
    std::os::unix::fs::symlink(folder.path().join("missing/x"), &nowhere).unwrap();
    for (path, word) in [
        (folder.path().to_owned(), "not a regular file"),
        (PathBuf::from("/dev/null"), "not a regular file"),
        (file.clone(), "is not an SQLite file"),
        (short, "is not an SQLite file"),
        (file.join("below.db"), "cannot be made"),
        (nowhere, "is not there"),
        (folder.path().join("nul\0"), "cannot be made"),
        (folder.path().join("x".repeat(300)), "cannot be made"),
        (PathBuf::new(), "cannot be made"),
        #[cfg(target_os = "linux")]
        (PathBuf::from("/proc/no-such-folder/x.db"), "cannot be made"),
    ] {
        let reason = refusal(&path);
        assert!(reason.contains(word) && reason.starts_with("[embedded] path: "), "{}: {reason}", path.display());
    }
}

#[test]
fn files_that_are_not_ours_are_refused_and_left_as_they_are() {
    for (sql, word) in [
        ("CREATE TABLE theirs (x)", "another program"),
        ("CREATE TABLE documents (id TEXT PRIMARY KEY, body TEXT NOT NULL)", "another program"),
        ("PRAGMA application_id = 7", "another program"),
        ("PRAGMA user_version = 1", "another program"),
        ("PRAGMA application_id = 0x75737072", "another program"),
        ("PRAGMA application_id = 0x75737072; PRAGMA user_version = 2", "newer userprofiles (schema 2"),
        ("PRAGMA application_id = 0x75737072; PRAGMA user_version = 1", "lacks the table"),
        (
            "PRAGMA application_id = 0x75737072; PRAGMA user_version = 1; CREATE TABLE documents (id INT, body TEXT)",
            "lacks the table",
        ),
    ] {
        let (_folder, path) = folder_and_path();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = fs::read(&path).unwrap();
        let reason = refusal(&path);
        assert!(reason.contains(word), "{sql}: {reason}");
        assert!(before == fs::read(&path).unwrap(), "{sql}: the file was changed");
    }
}

#[test]
fn a_damaged_file_is_found_at_the_start() {
    let (_folder, path) = folder_and_path();
    drop(Embedded::create(&path).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..].fill(0xff);
    fs::write(&path, bytes).unwrap();
    assert!(refusal(&path).contains("damaged"));
}

#[test]
fn damage_and_a_lost_table_are_misconfigured_while_it_runs() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    bucket(&database).upsert(&[document("a", "{}")]).unwrap();
    let mut open = bucket(&database);
    Connection::open(&path).unwrap().execute_batch("ALTER TABLE documents RENAME TO elsewhere").unwrap();
    assert_misconfigured(bucket(&database).get(&id("a")), "lacks the table");
    assert_misconfigured(open.get(&id("a")), "lacks the table");

    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    bucket(&database).upsert(&[document("a", "{}")]).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..].fill(0xff);
    fs::write(&path, bytes).unwrap();
    assert_misconfigured(bucket(&database).get(&id("a")), "damaged");
}

#[test]
fn what_is_no_text_is_an_invalid_document() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP TABLE documents; CREATE TABLE documents (id TEXT PRIMARY KEY, body);
             INSERT INTO documents VALUES ('userprofile::blob', x'7b7d'), ('userprofile::null', NULL),
                 ('userprofile::number', 7), ('userprofile::real', 1.5),
                 ('userprofile::latin', CAST(x'7b22e9227d' AS TEXT))",
        )
        .unwrap();
    let mut bucket = bucket(&database);
    for name in ["blob", "null", "number", "real"] {
        let error = bucket.get(&id(name)).err();
        assert_eq!(error, Some(BucketError::InvalidDocument(InvalidDocument::NotStoredAsJson)), "{name}");
    }
    assert_eq!(bucket.get(&id("latin")).unwrap().unwrap().text(), b"{\"\xe9\"}");
}

#[test]
fn a_document_over_twenty_mebibytes_is_too_large() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    let mut bucket = bucket(&database);
    let largest = " ".repeat(MAX_DOCUMENT_BYTES);
    bucket.upsert(&[document("most", &largest), document("more", &format!("{largest} "))]).unwrap();
    assert_eq!(bucket.get(&id("most")).unwrap().unwrap().text().len(), MAX_DOCUMENT_BYTES);
    assert_eq!(bucket.get(&id("more")).err(), Some(BucketError::InvalidDocument(InvalidDocument::TooLarge)));
}

#[test]
fn a_batch_that_fails_half_way_stores_nothing() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON documents WHEN new.id = 'userprofile::b'
             BEGIN SELECT RAISE(ABORT, 'marker-4711'); END",
        )
        .unwrap();
    let mut bucket = bucket(&database);
    let error = bucket.upsert(&[document("a", "{}"), document("b", "{}"), document("c", "{}")]).unwrap_err();
    assert!(matches!(&error, BucketError::Unavailable { reason } if !reason.contains("marker")), "{error:?}");
    assert_eq!(text_of(bucket.as_mut(), "a"), None);
    bucket.upsert(&[document("a", "{}")]).unwrap();
    assert!(text_of(bucket.as_mut(), "a").is_some());
}

#[test]
fn nothing_is_asked_once_the_deadline_is_over() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    let mut bucket = bucket(&database);
    bucket.set_deadline(Deadline::after(clock::now(), Duration::ZERO));
    assert!(matches!(bucket.get(&id("a")), Err(BucketError::Timeout { .. })));
    assert!(matches!(bucket.upsert(&[document("a", "{}")]), Err(BucketError::Timeout { .. })));
    bucket.set_deadline(Deadline::never(clock::now()));
    assert!(bucket.get(&id("a")).unwrap().is_none());
}

#[test]
fn a_writer_waits_for_another_until_its_deadline_and_readers_do_not_wait() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    let mut bucket = bucket(&database);
    bucket.upsert(&[document("a", "old")]).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE documents SET body = 'new'").unwrap();
    bucket.set_deadline(Deadline::after(clock::now(), Duration::from_millis(30)));
    let error = bucket.upsert(&[document("a", "mine")]).unwrap_err();
    assert!(matches!(&error, BucketError::Unavailable { reason } if reason.contains("locked")), "{error:?}");
    bucket.set_deadline(soon());
    assert_eq!(text_of(bucket.as_mut(), "a").as_deref(), Some("old"));
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(text_of(bucket.as_mut(), "a").as_deref(), Some("new"));
}

#[test]
fn readers_see_no_error_while_a_writer_stores_a_thousand_documents() {
    let (_folder, path) = folder_and_path();
    let serving = Embedded::create(&path).unwrap();
    bucket(&serving).upsert(&[document("user0", "0")]).unwrap();
    // Gone as soon as the writer ends, in whichever way.
    let writing = Arc::new(());
    let is_writing = Arc::downgrade(&writing);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let importing = Embedded::create(&path).unwrap();
            for first in (0..1_000).step_by(50) {
                let batch: Vec<_> =
                    (first..first + 50).map(|n| document(&format!("user{n}"), &n.to_string())).collect();
                // A fresh connection for each batch, so that the log is folded while others read.
                bucket(&importing).upsert(&batch).unwrap();
            }
            drop(writing);
        });
        // One reader keeps its connection, and one opens a new one each time.
        threads.spawn(|| {
            let mut kept = bucket(&serving);
            while is_writing.strong_count() > 0 {
                assert_eq!(text_of(kept.as_mut(), "user0").as_deref(), Some("0"));
            }
        });
        threads.spawn(|| {
            while is_writing.strong_count() > 0 {
                assert_eq!(text_of(bucket(&serving).as_mut(), "user0").as_deref(), Some("0"));
            }
        });
    });
    let mut bucket = bucket(&serving);
    for n in 0..1_000 {
        assert_eq!(text_of(bucket.as_mut(), &format!("user{n}")), Some(n.to_string()));
    }
}

#[test]
fn several_may_make_the_same_file_at_once() {
    for _ in 0..20 {
        let (_folder, path) = folder_and_path();
        std::thread::scope(|threads| {
            let starts: Vec<_> = (0..4).map(|_| threads.spawn(|| Embedded::create(&path).map(drop))).collect();
            for start in starts {
                start.join().unwrap().unwrap();
            }
        });
    }
}

#[test]
fn a_writer_leaves_the_log_empty_for_a_plain_copy_to_be_whole() {
    let (folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    bucket(&database).upsert(&[document("a", "{}")]).unwrap();
    assert_eq!(fs::metadata(path.with_file_name("userprofiles.db-wal")).unwrap().len(), 0);
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    assert!(text_of(bucket(&Embedded::create(&copy).unwrap()).as_mut(), "a").is_some());
}

#[test]
fn opening_tells_the_log_how_large_the_file_is_and_leaves_it_empty() {
    let (_folder, path) = folder_and_path();
    drop(Embedded::create(&path).unwrap());
    let _opened_again = Embedded::create(&path).unwrap();
    assert_eq!(fs::metadata(path.with_file_name("userprofiles.db-wal")).unwrap().len(), 0);
    // The number of pages in the header of the log's index (SQLite, "WAL-mode File Format", §2.1).
    let index = fs::read(path.with_file_name("userprofiles.db-shm")).unwrap();
    let pages = u32::from_ne_bytes(index[20..24].try_into().unwrap());
    assert!(pages > 0);
}

#[test]
fn a_file_that_another_one_writes_to_is_opened_and_its_writer_not_waited_for() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    let mut keeper = database.file.connect().unwrap();
    let writer = database.file.connect().unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    schema::prepare(&mut keeper, &path).unwrap();
    let waits_ms: i32 = keeper.query_row("PRAGMA busy_timeout", [], |row| row.get(0)).unwrap();
    assert_eq!(waits_ms, 0);
}

#[test]
fn a_file_that_was_moved_or_replaced_is_refused_and_kept_connections_notice() {
    let (folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    let mut kept = bucket(&database);
    kept.upsert(&[document("a", "{}")]).unwrap();
    let opened = clock::now();
    let later = opened + 2 * FILE_CHECK_INTERVAL;

    fs::rename(&path, folder.path().join("moved.db")).unwrap();
    assert_misconfigured(get_bucket(&database, &BucketTimeouts::default(), soon()), "deleted or moved");
    assert_misconfigured(kept.upsert(&[document("b", "{}")]), "deleted or moved");

    fs::write(&path, "").unwrap();
    assert_misconfigured(get_bucket(&database, &BucketTimeouts::default(), soon()), "replaced");
    assert_misconfigured(kept.upsert(&[document("b", "{}")]), "replaced");
    assert!(!kept.is_fresh(opened, later));

    fs::rename(folder.path().join("moved.db"), &path).unwrap();
    assert!(kept.is_fresh(opened, later + FILE_CHECK_INTERVAL));
    assert!(text_of(bucket(&database).as_mut(), "a").is_some());
}

#[test]
fn a_list_goes_on_behind_an_id_and_ends_at_a_number_of_documents_or_of_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let database = Embedded::create(&folder.path().join("x.db")).unwrap();
    let deadline = Deadline::never(clock::now());
    let mut bucket = get_bucket(&database, &BucketTimeouts::default(), deadline).unwrap();
    let document = |name: &str, bytes: usize| NewDocument {
        id: DocumentId::of(&Username::parse(name).unwrap()),
        text: Zeroizing::new("x".repeat(bytes)),
    };
    let large = LONGEST_LIST_BYTES / 2;
    bucket.upsert(&[document("é", 1), document("b", large), document("a", large), document("Z", 1)]).unwrap();
    let mut list = |after: Option<&str>, most: usize| {
        let after = after.map(|name| Cursor(format!("userprofile::{name}")));
        let listed = bucket.list(after.as_ref(), most).unwrap().documents;
        let ids = listed.iter().map(|listed| listed.id.as_str().trim_start_matches("userprofile::").to_owned());
        ids.collect::<Vec<_>>().join(" ")
    };
    for (after, most, expected) in [
        (None, 2, "Z a"),
        (None, 100, "Z a b"),
        (Some("Z"), 100, "a b"),
        (Some("a"), 100, "b é"),
        (Some("bb"), 100, "é"),
        (Some("é"), 100, ""),
    ] {
        assert_eq!(list(after, most), expected, "{after:?} {most}");
    }
}
