//! What all databases with drivers of their own share, by one that does not exist.

use std::collections::VecDeque;
use std::future::ready;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use secrecy::SecretString;

use super::shared::Shared;
use super::*;
use crate::bucket::remote::test_product::PRODUCT;
use crate::bucket::remote::{Access, LoginConfig, Retry, Security};
use crate::bucket::runtime::Runtime;
use crate::bucket::{Bucket, BucketError, BucketTimeouts, ErrorKind};
use crate::clock::{self, Deadline};
use crate::config::{LoginSettings, TlsSettings};
use crate::observe::Observer;

/// A driver that fails as it is told, one failure a call, and then succeeds. Its clients are their numbers.
#[derive(Default)]
struct Toy {
    failures: Mutex<VecDeque<Failure>>,
    opened: AtomicU32,
    calls: Arc<Mutex<Vec<u32>>>,
}

impl Toy {
    fn reply<T: Send + 'static>(&self, call: &Call<u32>, success: T) -> Reply<T> {
        self.calls.lock().unwrap().push(*call.client);
        let failure = self.failures.lock().unwrap().pop_front();
        Box::pin(ready(failure.map_or(Ok(success), Err)))
    }
}

impl Native for Toy {
    type Client = u32;

    fn missing_codes(&self) -> &'static [&'static str] {
        &["missing"]
    }

    fn nodes(&self) -> Reply<Vec<Endpoint>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn open(&self, _: &ClientIdentity) -> Reply<u32> {
        Box::pin(ready(Ok(self.opened.fetch_add(1, Ordering::Relaxed) + 1)))
    }

    fn get(&self, call: Call<u32>, _: &DocumentId) -> Reply<Option<Document>> {
        self.reply(&call, None)
    }

    fn get_many(&self, call: Call<u32>, ids: &[DocumentId]) -> Reply<Vec<Outcome>> {
        self.reply(&call, ids.iter().map(|_| Ok(None)).collect())
    }

    fn fitting(&self, _: &[NewDocument]) -> usize {
        1
    }

    fn store(&self, call: Call<u32>, _: &[NewDocument]) -> Reply<()> {
        self.reply(&call, ())
    }

    fn list(&self, call: Call<u32>, _: Option<&Cursor>, _: usize) -> Reply<Page> {
        self.reply(&call, Page { documents: Vec::new(), next: None })
    }

    fn create(&self, call: Call<u32>, _: CreateOptions) -> Reply<Vec<String>> {
        self.reply(&call, vec!["it".to_owned()])
    }
}

fn failure(retry: Retry) -> Failure {
    let error = match retry {
        Retry::NewCredentials => BucketError::misconfigured("refused"),
        _ => BucketError::unavailable("failed"),
    };
    Failure::new(error, retry)
}

/// A connection to a database that fails like this at first; and what it shares with others.
fn connection(failures: Vec<Failure>) -> (connection::NativeConnection<Toy>, Arc<Shared<Toy>>) {
    let login = LoginSettings {
        username: Some("me".to_owned()),
        password: Some(SecretString::from("secret")),
        ..LoginSettings::default()
    };
    let login = LoginConfig::for_driver(&login);
    let tls = TlsSettings::default();
    let timeouts = BucketTimeouts::default();
    let access = Access::new(&PRODUCT, (&login, &tls), Security::Plain, timeouts, &Observer::default()).unwrap();
    let native = Toy { failures: Mutex::new(failures.into()), ..Toy::default() };
    let shared = Shared { access, native, client: Arc::default(), runtime: Runtime::start().unwrap() };
    let shared = Arc::new(shared);
    (connection::NativeConnection::new(&shared, Deadline::after(clock::now(), Duration::from_secs(30))), shared)
}

fn calls(shared: &Shared<Toy>) -> Vec<u32> {
    shared.native.calls.lock().unwrap().clone()
}

#[test]
fn a_read_is_made_once_and_one_client_serves_all() {
    let (mut bucket, shared) = connection(vec![failure(Retry::AfterPause)]);
    let id = DocumentId::sentinel();
    assert_eq!(bucket.get(&id).err().map(|error| error.kind()), Some(ErrorKind::Unavailable));
    assert!(bucket.get(&id).unwrap().is_none());
    let mut other = connection::NativeConnection::new(&shared, Deadline::after(clock::now(), Duration::from_secs(30)));
    assert!(other.get(&id).unwrap().is_none());
    assert_eq!(calls(&shared), [1, 1, 1]);
}

#[test]
fn several_documents_are_read_by_one_call_unless_they_are_too_large() {
    let ids = ["a", "b", "c"].map(|name| DocumentId::stored(name.to_owned()));
    for (failures, calls_made, taken, ended) in [
        (vec![], 1, 3, None),
        // Then `a` alone, and the two others.
        (vec![Failure::too_large()], 3, 3, None),
        (vec![failure(Retry::AfterPause)], 1, 0, Some(ErrorKind::Unavailable)),
        (vec![Failure::too_large(), Failure::too_large(), failure(Retry::Never)], 3, 1, Some(ErrorKind::Unavailable)),
    ] {
        let (mut bucket, shared) = connection(failures);
        let mut found = 0;
        let outcome = bucket.get_many(&ids, &mut |_| found += 1);
        assert_eq!((calls(&shared).len(), found), (calls_made, taken));
        assert_eq!(outcome.err().map(|error| error.kind()), ended);
        assert!(bucket.last_details().is_some());
    }
}

#[test]
fn a_batch_is_repeated_until_nothing_helps_or_its_deadline_comes() {
    let (mut bucket, shared) =
        connection(vec![failure(Retry::AfterPause), failure(Retry::NextNode), failure(Retry::Never)]);
    assert!(bucket.list(None, 10).is_err());
    assert_eq!(calls(&shared).len(), 3);
    let (mut bucket, shared) = connection(vec![failure(Retry::AfterPause); 1000]);
    bucket.set_deadline(Deadline::after(clock::now(), Duration::from_millis(200)));
    assert!(bucket.list(None, 10).is_err());
    assert!((2..10).contains(&calls(&shared).len()), "{}", calls(&shared).len());
}

#[test]
fn a_refused_client_is_given_up_and_its_refusal_told_meanwhile() {
    let (mut bucket, shared) = connection(vec![failure(Retry::NewCredentials)]);
    let id = DocumentId::sentinel();
    for _ in 0..3 {
        assert_eq!(bucket.get(&id).err().map(|error| error.kind()), Some(ErrorKind::Misconfigured));
    }
    assert_eq!(calls(&shared), [1], "asked once");
    assert_eq!(shared.native.opened.load(Ordering::Relaxed), 1);
}

#[test]
fn what_is_missing_is_made_and_nothing_else() {
    let missing = failure(Retry::Never)
        .with_details(crate::bucket::Details { code: Some("missing".to_owned()), ..crate::bucket::Details::default() });
    let options = CreateOptions::default();
    assert_eq!(connection(vec![missing]).0.create(options), Ok(vec!["it".to_owned()]));
    assert_eq!(connection(vec![]).0.create(options), Ok(Vec::new()));
    assert!(connection(vec![failure(Retry::Never)]).0.create(options).is_err());
}
