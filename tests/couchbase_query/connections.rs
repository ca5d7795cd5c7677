//! One bucket connection is one TCP connection, used by one request at a time, and replaced when the node closed it.

use std::time::Duration;

use userprofiles::bucket::{BucketPool, PoolOptions, Trace};
use userprofiles::clock;
use userprofiles::config::{BucketSettings, Connections};
use userprofiles::observe::Observer;
use userprofiles::{Username, get_bucket, get_user};

use super::couchbase::{Behaviour, Double, ErrorAnswer, Query, Raised};
use super::{AMPLE, JOHN, assert_well_behaved, bucket_settings, database, found_john, meaning, read, timeouts, within};

#[test]
fn a_bucket_connection_is_one_tcp_connection() {
    let double = Double::start();
    double.put("userprofile::johndoe", JOHN);
    let database = database(&double);
    let name = Username::parse("johndoe").unwrap();
    let mut bucket = get_bucket(database.as_ref(), &timeouts(), within(AMPLE)).unwrap();
    for _ in 0..20 {
        assert!(get_user(bucket.as_mut(), &name).unwrap().is_some());
    }
    drop(bucket);
    assert_eq!(double.counts().query.requests, [20]);
    double.wait_until("the connection to be closed with its bucket", |counts| counts.query.open == 0);
    assert_well_behaved(&double);
}

#[test]
fn an_error_that_came_whole_leaves_the_connection_in_use() {
    let (double, database) = found_john();
    let before = double.counts().query.connections;
    let name = Username::parse("johndoe").unwrap();
    let mut bucket = get_bucket(database.as_ref(), &timeouts(), within(AMPLE)).unwrap();
    double.set_query(Query::Error(ErrorAnswer::new(5010, 200, Raised::During)));
    assert!(get_user(bucket.as_mut(), &name).is_err());
    double.set_query(Query::Answer);
    assert!(get_user(bucket.as_mut(), &name).unwrap().is_some());
    assert_eq!(double.counts().query.connections, before + 1);
}

#[test]
fn a_kept_connection_that_the_node_closed_is_replaced_once() {
    for query in [Query::HangUpOnReused, Query::ResetOnReused] {
        let double = Double::start();
        double.put("userprofile::johndoe", JOHN);
        double.set_query(query);
        let database = database(&double);
        let name = Username::parse("johndoe").unwrap();
        let mut bucket = get_bucket(database.as_ref(), &timeouts(), within(AMPLE)).unwrap();
        for _ in 0..3 {
            assert!(get_user(bucket.as_mut(), &name).unwrap().is_some());
        }
        // Each but the last was used a second time, in vain.
        assert_eq!(double.counts().query.requests, [2, 2, 1]);
        assert_well_behaved(&double);
    }
}

#[test]
fn a_fresh_connection_that_breaks_is_tried_again_a_few_times() {
    for query in [Query::HangUp, Query::Reset] {
        let (double, database) = found_john();
        double.set_query(query);
        assert_eq!(meaning(&read(database.as_ref(), "johndoe", AMPLE)), "unavailable");
        // Probes are asked for another document.
        let tries = double.asked().iter().filter(|asked| asked.id == "userprofile::johndoe").count() - 1;
        assert!((1..=5).contains(&tries), "{tries} tries");
    }
}

#[test]
fn a_node_that_closes_after_each_answer_or_meanwhile_is_no_trouble() {
    let (double, database) = found_john();
    double.set(Behaviour { close_after: Some(1), ..Behaviour::default() });
    let name = Username::parse("johndoe").unwrap();
    let mut bucket = get_bucket(database.as_ref(), &timeouts(), within(AMPLE)).unwrap();
    for _ in 0..10 {
        assert!(get_user(bucket.as_mut(), &name).unwrap().is_some());
    }
    double.set(Behaviour::default());
    for _ in 0..10 {
        assert!(get_user(bucket.as_mut(), &name).unwrap().is_some());
        double.query_port().close_connections();
    }
    assert_well_behaved(&double);
}

#[test]
fn a_slow_answer_within_the_deadline_is_an_answer() {
    let (double, database) = found_john();
    double.set(Behaviour { delay: Duration::from_millis(200), ..Behaviour::default() });
    assert_eq!(meaning(&read(database.as_ref(), "johndoe", AMPLE)), "found");
}

#[test]
fn after_the_deadline_nothing_is_sent() {
    let (double, database) = found_john();
    double.wait_until("the first connections to be closed", |counts| counts.query.open + counts.manager.open == 0);
    let before = double.counts();
    assert_eq!(meaning(&read(database.as_ref(), "johndoe", Duration::ZERO)), "timeout");
    let mut bucket = get_bucket(database.as_ref(), &timeouts(), within(AMPLE)).unwrap();
    bucket.set_deadline(within(Duration::ZERO));
    let outcome = get_user(bucket.as_mut(), &Username::parse("johndoe").unwrap());
    assert_eq!(meaning(&outcome), "timeout");
    assert_eq!(double.counts(), before);
}

#[test]
fn pooled_connections_are_lent_to_one_request_at_a_time() {
    let double = Double::start();
    double.put("userprofile::johndoe", JOHN);
    let settings = BucketSettings { connections: Connections::Pooled, ..bucket_settings() };
    let buckets = BucketPool::new(database(&double), PoolOptions::new(&settings, 4), &Observer::default());
    let name = Username::parse("johndoe").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let found = buckets.with_bucket(within(AMPLE), &Trace::default(), |bucket| get_user(bucket, &name));
                    assert!(found.unwrap().is_some());
                }
            });
        }
    });
    let counts = double.counts().query;
    assert_eq!(counts.all_requests(), 400);
    assert!(counts.connections <= 4, "{counts:?}");
    assert_well_behaved(&double);
}

#[test]
fn a_connection_that_lay_still_for_more_than_four_seconds_is_stale() {
    let (_double, database) = found_john();
    let bucket = get_bucket(database.as_ref(), &timeouts(), within(AMPLE)).unwrap();
    let since = clock::now();
    assert!(bucket.is_fresh(since, since + Duration::from_secs(4)));
    assert!(!bucket.is_fresh(since, since + Duration::from_millis(4001)));
}
