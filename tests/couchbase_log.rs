//! Nothing that is logged at the finest level, by us or by the libraries under us, holds a login or a document.
//!
//! It has a program of its own because there is one logger in a process.

#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/settings.rs"]
mod settings;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use couchbase::Double;
use userprofiles::bucket::driver::IfMissing;
use userprofiles::bucket::drivers;
use userprofiles::clock::{self, Deadline};
use userprofiles::observe::Observer;
use userprofiles::{BucketTimeouts, Username, get_bucket, get_user};

const AMPLE: Duration = Duration::from_secs(60);

/// Long and repetitive, so that a dump in short rows shows a piece of it too.
const HASH: &str = "Q7zQ7zQ7zQ7zQ7zQ7zQ7zQ7zQ7zQ7zQ7zQ7zQ7zQ7zQ7zQ7z";

struct Captured(Mutex<Vec<String>>);

static CAPTURED: Captured = Captured(Mutex::new(Vec::new()));

impl log::Log for Captured {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{}: {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

#[test]
fn no_login_and_no_document_is_logged() {
    log::set_logger(&CAPTURED).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let double = Double::start();
    double.put("userprofile::johndoe", &format!(r#"{{"username":"johndoe","hashed_password":"{HASH}"}}"#));
    let settings = settings::settings(&[double.manager_address()], couchbase::USERNAME, couchbase::PASSWORD, &[]);
    let database = drivers::open(&settings, IfMissing::Create, &Observer::default()).unwrap();
    let deadline = Deadline::after(clock::now(), AMPLE);
    let mut bucket = get_bucket(database.as_ref(), &BucketTimeouts::default(), deadline).unwrap();
    assert!(get_user(bucket.as_mut(), &Username::parse("johndoe").unwrap()).unwrap().is_some());
    drop(bucket);

    let lines = CAPTURED.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(!lines.is_empty(), "the libraries log something, so the logger works");
    let login = STANDARD.encode(format!("{}:{}", couchbase::USERNAME, couchbase::PASSWORD));
    for secret in [login.as_str(), couchbase::PASSWORD, HASH] {
        let letters: Vec<char> = secret.chars().collect();
        for piece in letters.windows(6) {
            let piece: String = piece.iter().collect();
            assert!(!lines.iter().any(|line| line.contains(&piece)), "a piece of a secret was logged");
        }
    }
}
