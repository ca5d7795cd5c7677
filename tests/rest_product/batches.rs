//! Batches: import and export, also of a product that lists in an order of its own, and while nodes are away.

use std::fs;
use std::time::Duration;

use indicatif::ProgressBar;
use userprofiles::bucket::{Database, NewDocument, Order};
use userprofiles::cli::export::{self, Scratch};
use userprofiles::cli::import::{self, ImportSource};
use userprofiles::cli::interruption::Interruption;
use userprofiles::clock::Deadline;
use userprofiles::config::DatabaseName;
use userprofiles::{Bucket, BucketError, BucketTimeouts, DocumentId, Username};

use crate::server::{Mood, ToyServer};
use crate::toy::MOST_AT_ONCE;
use crate::{Opened, Plan, profile, wait_until};

/// More than a page of an export, and no multiple of what is stored at once.
const USERS: usize = 2_345;

fn export(database: &dyn Database, timeouts: &BucketTimeouts) -> String {
    let mut output = Vec::new();
    let outcome =
        export::run(database, timeouts, &mut output, &ProgressBar::hidden(), &Scratch::default(), &mut |_| {}).unwrap();
    assert_eq!(outcome.unfit, 0, "{outcome}");
    String::from_utf8(output).unwrap()
}

fn import(opened: &Opened, lines: &[String]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    let source = ImportSource::File(path);
    let outcome = import::run(&opened.database, &opened.timeouts, &source, &Interruption::none()).unwrap();
    assert_eq!((outcome.valid, outcome.rejected), (lines.len() as u64, 0));
}

fn profiles() -> Vec<String> {
    (0..USERS).map(|number| profile(&format!("user{number:05}"))).collect()
}

/// The lines of an export of these and of the user whom each server knows.
fn exported(profiles: &[String]) -> String {
    format!("{}\n{}\n", profile("a"), profiles.join("\n"))
}

#[test]
fn what_was_imported_is_exported_byte_for_byte() {
    let server = ToyServer::start(2);
    let opened = Plan::of(&server).open();
    let lines = profiles();
    import(&opened, &lines);
    assert_eq!(server.documents().len(), USERS + 1);
    let stores = |node: usize| server.node(node).asked().iter().filter(|asked| asked.starts_with("POST")).count();
    // Batches of a thousand lines, each cut into what fits.
    assert_eq!(stores(0) + stores(1), 2 * 1000_usize.div_ceil(MOST_AT_ONCE) + 345_usize.div_ceil(MOST_AT_ONCE));
    assert_eq!(export(&opened.database, &opened.timeouts), exported(&lines));
}

/// A product that lists in an order of its own.
struct InItsOwnOrder(Opened);

impl Database for InItsOwnOrder {
    fn name(&self) -> DatabaseName {
        self.0.database.name()
    }

    fn describe(&self) -> String {
        self.0.database.describe()
    }

    fn order(&self) -> Order {
        Order::Own
    }

    fn open(&self, timeouts: &BucketTimeouts, deadline: Deadline) -> Result<Box<dyn Bucket>, BucketError> {
        self.0.database.open(timeouts, deadline)
    }
}

#[test]
fn an_export_is_in_the_order_of_ids_whatever_the_order_of_the_product() {
    let server = ToyServer::start(1);
    let mut plan = Plan::of(&server);
    plan.toy.order = Order::Own;
    let opened = plan.open();
    let lines = profiles();
    import(&opened, &lines);
    let as_listed = export(&opened.database, &opened.timeouts);
    assert!(as_listed.starts_with(lines.last().unwrap()), "the toy lists from the end");
    let database = InItsOwnOrder(opened);
    assert_eq!(export(&database, &database.0.timeouts), exported(&lines));
}

#[test]
fn a_batch_outlives_two_nodes_of_which_one_says_nothing_and_the_other_is_away() {
    let server = ToyServer::start(2);
    let mut plan = Plan::of(&server);
    // An attempt at the silent node costs half of it.
    plan.timeouts.batch = Duration::from_secs(4);
    let opened = plan.open();
    let (away, silent) = (server.node(0), server.node(1));
    let mut bucket = opened.bucket_at(&away.name());
    bucket.set_deadline(Deadline::after(userprofiles::clock::now(), plan.timeouts.batch));
    away.port.close();
    silent.set_mood(Mood::Silent);
    let id = DocumentId::of(&Username::parse("b").unwrap());
    let documents = [NewDocument { id, text: profile("b").into() }];
    std::thread::scope(|scope| {
        let storing = scope.spawn(|| bucket.upsert(&documents));
        wait_until("an attempt at the silent node", || !silent.asked().is_empty());
        away.port.reopen();
        storing.join().unwrap().unwrap();
    });
    assert!(server.documents().contains_key("userprofile::b"));
}
