//! Where the query service runs: found once, by one request for all, kept, and looked up again after a failure.

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use secrecy::SecretString;
use userprofiles::BucketError;
use userprofiles::BucketTimeouts;
use userprofiles::config::BucketSettings;
use userprofiles::observe::Observer;

use super::couchbase::{self, Behaviour, Double, Hold, Manager, Raw};
use super::{
    AMPLE, BRIEF, JOHN, assert_well_behaved, bucket_settings, couchbase_settings, database, found_john, meaning, read,
    read_until_found, start,
};

#[test]
fn conditions_of_the_cluster_manager() {
    let double = Double::start();
    double.put("userprofile::johndoe", JOHN);
    for (manager, wait, expected) in [
        (Manager::Raw(Raw::empty(404)), AMPLE, "misconfigured"),
        (Manager::Raw(Raw::html(200, "<html>")), AMPLE, "misconfigured"),
        (Manager::Raw(Raw::empty(403)), AMPLE, "misconfigured"),
        (Manager::Raw(Raw::empty(500)), AMPLE, "unavailable"),
        (Manager::Raw(Raw::empty(503)), AMPLE, "unavailable"),
        (Manager::Raw(Raw::empty(504)), AMPLE, "timeout"),
        (Manager::Nodes(r#"{"rev":1,"nodesExt":[{"services":{"kv":11210}}]}"#.to_owned()), AMPLE, "misconfigured"),
        (Manager::HangUp, AMPLE, "unavailable"),
        (Manager::Freeze, BRIEF, "timeout"),
        (Manager::Answer, AMPLE, "found"),
    ] {
        double.set_manager(manager.clone());
        let outcome = read(database(&double).as_ref(), "johndoe", wait);
        assert_eq!(meaning(&outcome), expected, "{manager:?}: {:?}", outcome.err());
    }
    let database = database(&double);
    double.manager_port().go_deaf();
    assert_eq!(meaning(&read(database.as_ref(), "johndoe", BRIEF)), "timeout");
    double.manager_port().close();
    assert_eq!(meaning(&read(database.as_ref(), "johndoe", AMPLE)), "unavailable");
    double.manager_port().reopen();
    read_until_found(database.as_ref());
}

/// A host of the connection string may be another cluster's by now.
#[test]
fn a_seed_that_refuses_the_login_does_not_end_a_discovery_while_others_are_left() {
    let (double, _) = found_john();
    for status in [401, 403] {
        let foreign = Double::start();
        foreign.set_manager(Manager::Raw(Raw::empty(status)));
        let settings = couchbase_settings(&[foreign.manager_address(), double.manager_address()]);
        // Seeds are asked in a random order.
        while foreign.counts().manager.all_requests() == 0 {
            let outcome = read(start(&settings).as_ref(), "johndoe", AMPLE);
            assert_eq!(meaning(&outcome), "found", "{status}: {:?}", outcome.err());
        }
    }
}

#[test]
fn a_wrong_login_is_told_with_the_settings_to_change() {
    let double = Double::start();
    for (username, password) in
        [(Some("reader"), Some("wrong")), (Some("somebody"), Some(couchbase::PASSWORD)), (None, None)]
    {
        let mut settings = couchbase_settings(&[double.manager_address()]);
        settings.login.username = username.map(str::to_owned);
        settings.login.password = password.map(SecretString::from);
        let Err(BucketError::Misconfigured { reason }) = read(start(&settings).as_ref(), "johndoe", AMPLE) else {
            panic!("{username:?} was let in");
        };
        assert!(reason.contains("username") && reason.contains("password_file"), "{reason}");
        assert!(!reason.contains("wrong") && !reason.contains(couchbase::PASSWORD), "{reason}");
    }
    assert_eq!(double.counts().query.connections, 0);
}

#[test]
fn a_peer_that_does_not_speak_http_is_a_misconfiguration() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let database = start(&couchbase_settings(&[listener.local_addr().unwrap()]));
    let peer = std::thread::Builder::new().spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"\x81\x1f\x00\x00\x08\x00\x00\x20\x00\x00\x00\x02\x00\x00\r\n\r\n").unwrap();
        // Until the client has had enough.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let outcome = read(database.as_ref(), "johndoe", AMPLE);
    assert_eq!(meaning(&outcome), "misconfigured", "{:?}", outcome.err());
    peer.unwrap().join().unwrap();
}

#[test]
fn many_requests_at_once_find_the_cluster_together() {
    let double = Double::start();
    double.put("userprofile::johndoe", JOHN);
    double.set(Behaviour { hold: Hold::NodeServices, ..Behaviour::default() });
    let database = database(&double);
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..32).map(|_| scope.spawn(|| meaning(&read(database.as_ref(), "johndoe", AMPLE)))).collect();
        double.wait_until("somebody to ask for the nodes", |counts| counts.node_services == 1);
        double.set(Behaviour::default());
        for reader in readers {
            assert_eq!(reader.join().unwrap(), "found");
        }
    });
    let counts = double.counts();
    assert_eq!((counts.node_services, counts.manager.connections), (1, 1));
    assert_eq!(counts.query.connections, 32);
    assert_well_behaved(&double);
}

#[test]
fn a_cluster_that_cannot_be_found_is_asked_by_one_at_a_time() {
    let double = Double::start();
    double.set_manager(Manager::Raw(Raw::empty(503)));
    let database = database(&double);
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..32).map(|_| scope.spawn(|| meaning(&read(database.as_ref(), "johndoe", AMPLE)))).collect();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), "unavailable");
        }
    });
    let counts = double.counts();
    assert_eq!((counts.manager.most_in_work, counts.query.connections), (1, 0));
}

#[test]
fn who_waits_for_a_discovery_waits_no_longer_than_its_own_deadline() {
    let double = Double::start();
    double.put("userprofile::johndoe", JOHN);
    double.set(Behaviour { hold: Hold::NodeServices, ..Behaviour::default() });
    let database = database(&double);
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| meaning(&read(database.as_ref(), "johndoe", AMPLE)));
        double.wait_until("the patient one to ask", |counts| counts.node_services == 1);
        let hasty: Vec<_> =
            (0..16).map(|_| scope.spawn(|| meaning(&read(database.as_ref(), "johndoe", BRIEF)))).collect();
        for reader in hasty {
            assert_eq!(reader.join().unwrap(), "timeout");
        }
        // They waited for the patient one, and none of them asked by itself.
        assert_eq!(double.counts().manager.connections, 1);
        double.set(Behaviour::default());
        assert_eq!(patient.join().unwrap(), "found");
    });
}

#[test]
fn one_seed_of_several_is_enough() {
    let double = Double::start();
    double.put("userprofile::johndoe", JOHN);
    let refused = Double::start();
    refused.manager_port().close();
    let settings = couchbase_settings(&[refused.manager_address(), double.manager_address()]);
    // The order is random: often enough for both.
    for _ in 0..16 {
        assert_eq!(meaning(&read(start(&settings).as_ref(), "johndoe", AMPLE)), "found");
    }
}

#[test]
fn a_frozen_seed_gets_its_share_of_the_time_and_no_more() {
    let double = Double::start();
    double.put("userprofile::johndoe", JOHN);
    let frozen = Double::start();
    frozen.set_manager(Manager::Freeze);
    let settings = couchbase_settings(&[frozen.manager_address(), double.manager_address()]);
    let bucket_settings = BucketSettings { attempt_timeout: Duration::from_millis(50), ..bucket_settings() };
    while frozen.counts().node_services == 0 {
        let database = userprofiles::bucket::couchbase::open(
            &settings,
            BucketTimeouts::from(&bucket_settings),
            &Observer::default(),
        )
        .unwrap();
        // Until the frozen one happened to be asked first. It cannot be the only one that is asked.
        assert_eq!(meaning(&read(&database, "johndoe", AMPLE)), "found");
    }
}

#[test]
fn the_nodes_that_were_found_are_kept_while_the_manager_is_gone() {
    let (double, database) = found_john();
    double.manager_port().close();
    for _ in 0..5 {
        assert_eq!(meaning(&read(database.as_ref(), "johndoe", AMPLE)), "found");
    }
    assert_eq!(double.counts().node_services, 1);
}

#[test]
fn after_a_failure_the_nodes_are_looked_up_again_and_new_ones_are_used() {
    let (double, database) = found_john();
    let successor = Double::start();
    successor.put("userprofile::johndoe", JOHN);
    let nodes = format!(
        r#"{{"rev":43,"revEpoch":1,"nodesExt":[{{"services":{{"n1ql":{}}}}}],"clusterUUID":"4d8a2f"}}"#,
        successor.query_address().port()
    );
    double.set_manager(Manager::Nodes(nodes));
    double.query_port().close();
    assert_eq!(meaning(&read(database.as_ref(), "johndoe", AMPLE)), "unavailable");
    double.wait_until("the nodes to be looked up again", |counts| counts.node_services == 2);
    // The answer is on its way to the refresher; until it is there reads fail as before.
    while meaning(&read(database.as_ref(), "johndoe", AMPLE)) != "found" {
        std::thread::yield_now();
    }
    assert!(successor.counts().query.connections > 0);
}

#[test]
fn a_name_is_as_good_as_an_address_and_an_unknown_one_is_an_outage() {
    let double = Double::start();
    double.put("userprofile::johndoe", JOHN);
    let mut settings = couchbase_settings(&[double.manager_address()]);
    for (host, expected) in [("localhost", "found"), ("nobody.invalid", "unavailable")] {
        settings.connection_string.seeds[0].host = host.to_owned();
        let outcome = read(start(&settings).as_ref(), "johndoe", AMPLE);
        assert_eq!(meaning(&outcome), expected, "{host}: {:?}", outcome.err());
    }
}

#[test]
fn a_login_that_is_wrong_is_shown_to_each_seed_once() {
    let doubles = [Double::start(), Double::start(), Double::start()];
    let mut settings = couchbase_settings(&doubles.each_ref().map(Double::manager_address));
    settings.login.password = Some(SecretString::from("wrong"));
    assert_eq!(meaning(&read(start(&settings).as_ref(), "johndoe", AMPLE)), "misconfigured");
    let asked = doubles.each_ref().map(|double| double.counts().node_services);
    assert_eq!(asked, [1, 1, 1]);
}
