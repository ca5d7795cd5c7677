//! The lock that many reads share: it hides nothing from them, and stands in nobody's way.

use super::*;

/// Reads until the thread that keeps the lock has been called several times.
fn read_much(bucket: &mut dyn Bucket) {
    for _ in 0..300 {
        assert!(text_of(bucket, "a").is_some());
    }
}

#[test]
fn among_many_reads_each_sees_what_was_written_before_it() {
    let (_folder, path) = folder_and_path();
    let serving = Embedded::create(&path).unwrap();
    let mut reader = bucket(&serving);
    let importing = Embedded::create(&path).unwrap();
    for n in 0..100 {
        let text = n.to_string();
        bucket(&importing).upsert(&[document("a", &text)]).unwrap();
        assert_eq!(text_of(reader.as_mut(), "a"), Some(text));
        read_much(reader.as_mut());
    }
}

#[test]
fn a_writer_leaves_the_log_empty_though_many_read_all_the_while() {
    let (_folder, path) = folder_and_path();
    let serving = Embedded::create(&path).unwrap();
    bucket(&serving).upsert(&[document("a", "{}")]).unwrap();
    let log_bytes = || fs::metadata(path.with_file_name("userprofiles.db-wal")).unwrap().len();
    let writing = Arc::new(());
    let is_writing = Arc::downgrade(&writing);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let mut kept = bucket(&serving);
            while is_writing.strong_count() > 0 {
                read_much(kept.as_mut());
            }
        });
        let importing = Embedded::create(&path).unwrap();
        // On a busy machine a reader may stand still in the middle of a read for longer than the writer waits.
        let has_folded = (0..100).any(|n| {
            bucket(&importing).upsert(&[document("b", &n.to_string())]).unwrap();
            log_bytes() == 0
        });
        drop(writing);
        assert!(has_folded, "the log has {} bytes", log_bytes());
    });
}

#[test]
fn the_last_one_to_close_the_file_takes_the_log_away() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    let mut reader = bucket(&database);
    reader.upsert(&[document("a", "{}")]).unwrap();
    read_much(reader.as_mut());
    drop(reader);
    drop(database);
    assert!(!fs::exists(path.with_file_name("userprofiles.db-wal")).unwrap());
}
