//! Counts what a request on a warm connection allocates, in the whole process, so that a change that adds to it is
//! noticed. The client allocates nothing.

#![allow(unsafe_code, reason = "a counting allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use userprofiles::api::Api;
use userprofiles::bucket::embedded::Embedded;
use userprofiles::bucket::{BucketPool, PoolOptions};
use userprofiles::config::{ListenAddress, Sources, load};
use userprofiles::http::{Limits, Server, Service, TrustedProxies, Workforce, bind};
use userprofiles::observe::Observer;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations for a request whose answer is made from memory, as counted. If one can be lowered, lower it here.
const PER_404: usize = 18;
const PER_OPTIONS: usize = 12;

/// The median of several batches is compared. What the process allocates besides (the watcher wakes up now and then, and a
/// second worker's buffers grow when it first gets a request) falls into few of them.
const BATCHES: usize = 21;
const REQUESTS_PER_BATCH: usize = 100;

#[test]
fn a_request_on_a_warm_connection_allocates_no_more_than_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let settings = load(&Sources { search: Vec::new(), ..Sources::default() }).unwrap().settings;
    let observer = Observer::default();
    let database = Arc::new(Embedded::create(&folder.path().join("x.db")).unwrap());
    let buckets = Arc::new(BucketPool::new(database, PoolOptions::new(&settings.bucket, 1), &observer));
    let application = Api::new(buckets, &settings.http, &observer).into_application();
    let listeners = bind(&ListenAddress::Tcp("127.0.0.1:0".to_owned()), 0o600).unwrap().listeners;
    let service = Service::new(application, Limits::from(&settings.http), TrustedProxies::default());
    let server = Server::start(listeners, service, Workforce::new("test", 1), &observer).unwrap();
    let mut client = TcpStream::connect(server.addresses()[0].to_string()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();

    // A request with many fields: those that nobody reads must cost nothing.
    let fields = "Host: x\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n\
                  Accept-Language: en\r\nAccept-Encoding: gzip, deflate, br\r\nSec-Fetch-Mode: navigate\r\n\r\n";
    let not_found = format!("GET /nothing HTTP/1.1\r\n{fields}");
    let options = format!("OPTIONS /users/johndoe HTTP/1.1\r\n{fields}");
    for (request, end, most) in [(not_found, &b"}"[..], PER_404), (options, &b"\r\n\r\n"[..], PER_OPTIONS)] {
        (0..100).for_each(|_| exchange(&mut client, request.as_bytes(), end));
        let mut counts: Vec<usize> = (0..BATCHES)
            .map(|_| {
                let before = ALLOCATIONS.load(Ordering::Relaxed);
                (0..REQUESTS_PER_BATCH).for_each(|_| exchange(&mut client, request.as_bytes(), end));
                ALLOCATIONS.load(Ordering::Relaxed) - before
            })
            .collect();
        println!("{counts:?}");
        let each = counts.select_nth_unstable(BATCHES / 2).1.div_ceil(REQUESTS_PER_BATCH);
        println!("{each} allocations for {}", &request[..request.find(" HTTP").unwrap()]);
        assert!(each <= most, "{each} allocations, {most} were enough, for {request}");
    }
    server.finish_drain();
}

fn exchange(client: &mut TcpStream, request: &[u8], end: &[u8]) {
    client.write_all(request).unwrap();
    let mut buffer = [0; 2048];
    let mut length = 0;
    while !buffer[..length].ends_with(end) {
        let read = client.read(&mut buffer[length..]).unwrap();
        assert!(read > 0, "the connection ended");
        length += read;
    }
}
