//! Several documents by one statement.

use super::*;

/// What `get_many` passes on: texts, `-` for nothing, or the name of an error.
fn read(bucket: &mut dyn Bucket, names: &[&str]) -> Result<Vec<String>, BucketError> {
    let ids: Vec<DocumentId> = names.iter().map(|name| id(name)).collect();
    let mut taken = Vec::new();
    bucket.get_many(&ids, &mut |outcome| {
        taken.push(match outcome {
            Ok(Some(document)) => String::from_utf8(document.text().to_vec()).unwrap(),
            Ok(None) => "-".to_owned(),
            Err(error) => error.kind().as_str().to_owned(),
        });
    })?;
    Ok(taken)
}

#[test]
fn each_id_has_its_outcome_in_their_order() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    let mut bucket = bucket(&database);
    bucket.upsert(&["a", "A", "é", "e\u{301}", "a b/%+'\""].map(|name| document(name, &format!("[{name}]")))).unwrap();
    bucket.upsert(&[document("more", &" ".repeat(MAX_DOCUMENT_BYTES + 1))]).unwrap();
    let names = ["e\u{301}", "nobody", "A", "a", "more", "é", "a b/%+'\"", "a"];
    let expected = ["[e\u{301}]", "-", "[A]", "[a]", "invalid-document", "[é]", "[a b/%+'\"]", "[a]"];
    assert_eq!(read(bucket.as_mut(), &names).unwrap(), expected);
    assert_eq!(read(bucket.as_mut(), &[]).unwrap(), Vec::<String>::new());
}

#[test]
fn they_are_of_one_moment_and_the_next_call_sees_the_next() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    let (mut reader, mut writer) = (bucket(&database), bucket(&database));
    writer.upsert(&[document("a", "1"), document("b", "1")]).unwrap();
    let mut texts = Vec::new();
    let mut take = |outcome: Outcome| {
        if texts.is_empty() {
            writer.upsert(&[document("a", "2"), document("b", "2")]).unwrap();
        }
        texts.push(outcome.unwrap().unwrap().text().to_vec());
    };
    reader.get_many(&[id("a"), id("b")], &mut take).unwrap();
    assert_eq!(texts, [b"1", b"1"]);
    assert_eq!(read(reader.as_mut(), &["a", "b"]).unwrap(), ["2", "2"]);
    assert_eq!(text_of(reader.as_mut(), "b").as_deref(), Some("2"));
}

#[test]
fn a_statement_that_is_given_up_leaves_a_bucket_that_reads_and_writes() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    let mut bucket = bucket(&database);
    bucket.upsert(&[document("a", "1")]).unwrap();
    let ids = [id("a"), id("a")];
    let panics =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bucket.get_many(&ids, &mut |_| panic!("on purpose"))));
    assert!(panics.is_err());
    bucket.upsert(&[document("a", "2")]).unwrap();
    bucket.set_deadline(Deadline::after(clock::now(), Duration::ZERO));
    assert!(matches!(read(bucket.as_mut(), &["a", "b"]), Err(BucketError::Timeout { .. })));
    bucket.set_deadline(Deadline::after(clock::now(), Duration::from_millis(50)));
    let late = bucket.get_many(&ids, &mut |_| std::thread::sleep(Duration::from_millis(60)));
    assert!(matches!(late, Err(BucketError::Timeout { .. })), "{late:?}");
    bucket.set_deadline(soon());
    assert_eq!(read(bucket.as_mut(), &["a"]).unwrap(), ["2"]);
}

#[test]
fn a_lost_table_is_misconfigured() {
    let (_folder, path) = folder_and_path();
    let database = Embedded::create(&path).unwrap();
    let mut bucket = bucket(&database);
    bucket.upsert(&[document("a", "{}")]).unwrap();
    Connection::open(&path).unwrap().execute_batch("ALTER TABLE documents RENAME TO elsewhere").unwrap();
    assert_misconfigured(read(bucket.as_mut(), &["a", "b"]), "lacks the table");
}
