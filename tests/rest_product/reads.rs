//! Reads: what is found, and what happens when a node refuses, says nothing, is busy or has closed a connection.

use std::time::Duration;

use userprofiles::model::InvalidDocument;
use userprofiles::{BucketError, Document, DocumentId, Username};

use crate::server::{Mood, ToyServer};
use crate::toy::{LONGEST, Reading};
use crate::{Plan, assert_finds, profile, read, reason, wait_until};

#[test]
fn what_is_stored_is_found_and_nothing_else() {
    let server = ToyServer::start(1);
    server.put("userprofile::odd / name?&+%é", &profile("odd / name?&+%é"));
    server.put("userprofile::array", "[1]");
    server.put("userprofile::long", &format!("{{\"x\":\"{}\"}}", "x".repeat(LONGEST)));
    let opened = Plan::of(&server).open();
    for (name, expected) in [
        ("a", Ok(Some("a"))),
        ("odd / name?&+%é", Ok(Some("odd / name?&+%é"))),
        ("missing", Ok(None)),
        ("array", Err(InvalidDocument::NotAnObject)),
        ("long", Err(InvalidDocument::TooLarge)),
    ] {
        let found = opened.read(name).map(|user| user.map(|user| user.username));
        let expected = expected.map(|name| name.map(str::to_owned)).map_err(BucketError::InvalidDocument);
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn another_node_is_asked_while_one_refuses_or_says_nothing_and_the_first_one_again_once_it_answers() {
    for is_silent in [false, true] {
        let server = ToyServer::start(2);
        let opened = Plan::of(&server).open();
        let (first, second) = (server.node(0), server.node(1));
        let mut bucket = opened.bucket_at(&first.name());
        assert_finds(read(bucket.as_mut(), "a"), "a");
        if is_silent {
            first.set_mood(Mood::Silent);
        } else {
            first.port.close();
        }
        assert_finds(read(bucket.as_mut(), "a"), "a");
        assert_eq!(bucket.node(), Some(second.name()), "silent: {is_silent}");
        let before = first.asked();
        for _ in 0..20 {
            assert_finds(opened.read("a"), "a");
        }
        assert_eq!(first.asked(), before, "silent: {is_silent}");

        first.set_mood(Mood::Well);
        first.port.reopen();
        assert_finds(read(opened.bucket_at(&first.name()).as_mut(), "a"), "a");
        assert!(first.asked() > before);
    }
}

#[test]
fn a_node_that_is_busy_or_restarts_is_asked_again() {
    for status in [429, 502, 503, 504] {
        let server = ToyServer::start(1);
        let opened = Plan::of(&server).open();
        server.node(0).set_mood(Mood::Failing(status, 1));
        assert_finds(opened.read("a"), "a");
        assert_eq!(server.node(0).asked(), ["GET /userprofile::a", "GET /userprofile::a"], "{status}");
    }
}

#[test]
fn what_a_status_means_is_said_in_the_words_of_the_product() {
    for (status, parts) in [
        (403, ["let the user of [toy] username read", "HTTP status 403"]),
        (418, ["not as Toybase does", "[toy] urls"]),
    ] {
        let server = ToyServer::start(1);
        let opened = Plan::of(&server).open();
        server.node(0).set_mood(Mood::Failing(status, usize::MAX));
        let error = opened.read("a").unwrap_err();
        assert!(matches!(error, BucketError::Misconfigured { .. }), "{error:?}");
        for part in parts.into_iter().chain(["the toy at 127.0.0.1:"]) {
            assert!(reason(&error).contains(part), "no {part:?} in: {error}");
        }
        assert_eq!(server.node(0).asked().len(), 1, "{status}");
    }
}

#[test]
fn a_kept_connection_that_was_closed_is_opened_again_at_the_same_node() {
    let server = ToyServer::start(2);
    let opened = Plan::of(&server).open();
    let node = server.node(0);
    node.set_mood(Mood::ForgetsConnections);
    let mut bucket = opened.bucket_at(&node.name());
    for _ in 0..3 {
        assert_finds(read(bucket.as_mut(), "a"), "a");
    }
    assert_eq!(bucket.node(), Some(node.name()));
    assert_eq!(node.port.counts().connections, 3);
    assert!(server.node(1).asked().is_empty());
}

#[test]
fn requests_fail_at_once_while_the_only_node_is_down_and_are_served_once_a_probe_finds_it() {
    let server = ToyServer::start(1);
    let mut plan = Plan::of(&server);
    plan.timeouts.operation = Duration::from_millis(500);
    let opened = plan.open();
    let node = server.node(0);
    assert_finds(opened.read("a"), "a");

    node.set_mood(Mood::Silent);
    let error = opened.read("a").unwrap_err();
    assert!(matches!(error, BucketError::Timeout { .. }), "{error:?}");
    let is_down = |error: &BucketError| reason(error).contains("requests are not tried until one does");
    wait_until("the node to be left out", || opened.read("a").is_err_and(|error| is_down(&error)));
    let before = node.asked().len();
    for _ in 0..20 {
        let error = opened.read("a").unwrap_err();
        assert!(matches!(error, BucketError::Unavailable { .. }) && is_down(&error), "{error:?}");
    }
    assert_eq!(node.asked().len(), before, "a request was sent to a node that is down");

    node.set_mood(Mood::Well);
    wait_until("the node to be found", || opened.read("a").is_ok());
    for _ in 0..20 {
        assert_finds(opened.read("a"), "a");
    }
}

#[test]
fn several_documents_are_read_one_by_one_or_together_as_the_product_can() {
    let ids: Vec<DocumentId> =
        ["a", "missing", "b", "c"].iter().map(|name| DocumentId::of(&Username::parse(*name).unwrap())).collect();
    for (reading, requests) in [(Reading::OneByOne, 4), (Reading::Together, 1)] {
        let server = ToyServer::start(2);
        for name in ["b", "c"] {
            server.put(&format!("userprofile::{name}"), &profile(name));
        }
        let mut plan = Plan::of(&server);
        plan.toy.reading = reading;
        let opened = plan.open();
        // It is turned to another node as a single read is.
        let mut bucket = opened.bucket_at(&server.node(0).name());
        server.node(0).port.close();
        let mut found = Vec::new();
        let mut take = |outcome: Result<Option<Document>, BucketError>| {
            found.push(outcome.unwrap().map(|document| String::from_utf8(document.text().to_vec()).unwrap()));
        };
        bucket.get_many(&ids, &mut take).unwrap();
        assert_eq!(found, [Some(profile("a")), None, Some(profile("b")), Some(profile("c"))], "{reading:?}");
        assert_eq!(server.node(1).asked().len(), requests, "{reading:?}");
    }
}
