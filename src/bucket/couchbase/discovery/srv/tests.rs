//! Looking hosts up, against a name server that is scripted.

mod name_server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::Builder;
use std::time::Duration;

use name_server::{NXDOMAIN, NameServer, SERVFAIL, Says};

use super::lookup::{self, NoRecord, Question, SrvTarget};
use super::servers::NameServers;
use super::{Logged, MOST_HOSTS, SeedSource, in_order};
use crate::bucket::couchbase::discovery::ClusterDiscovery;
use crate::bucket::couchbase::product::COUCHBASE;
use crate::bucket::couchbase::service::Service;
use crate::bucket::rest::{Access, Discovery, LoginConfig, Nodes, Security};
use crate::bucket::{BucketError, BucketTimeouts};
use crate::clock::{self, Deadline};
use crate::config::{ConnectionString, Network, Seed, Sources, load};
use crate::observe::Observer;

const AMPLE: Duration = Duration::from_secs(20);
const BRIEF: Duration = Duration::from_millis(400);

fn connection_string() -> ConnectionString {
    ConnectionString::parse("couchbases://cb.example.com").unwrap()
}

fn source(connection_string: &ConnectionString, servers: Vec<SocketAddr>) -> SeedSource {
    SeedSource::with_name_servers(connection_string, &Observer::default(), NameServers::These(servers))
}

fn hosts(source: &SeedSource, limit: Duration) -> Vec<String> {
    source.seeds(limit).into_iter().map(|seed| seed.host).collect()
}

#[test]
fn what_a_name_server_can_say() {
    let server = NameServer::start(Says::Nothing);
    let one = vec![(0, 0, "node1.example.com")];
    let long: Vec<(u16, u16, &str)> = (0..40).map(|number| (number, 0, NAMES[usize::from(number)])).collect();
    for (says, limit, expected, logged) in [
        (Says::Records(one.clone()), AMPLE, vec!["node1.example.com"], Logged::Hosts),
        (
            Says::Records(vec![(2, 9, "b.x"), (1, 1, "A.x"), (3, 9, "c.x")]),
            AMPLE,
            vec!["a.x", "b.x", "c.x"],
            Logged::Hosts,
        ),
        (Says::Records(vec![(1, 1, "a.x"), (2, 1, "A.X")]), AMPLE, vec!["a.x"], Logged::Hosts),
        (Says::Alias("other.example.org", one.clone()), AMPLE, vec!["node1.example.com"], Logged::Hosts),
        (Says::AfterForgeries(one.clone()), AMPLE, vec!["node1.example.com"], Logged::Hosts),
        (Says::OnlyByTcp(one.clone()), AMPLE, vec!["node1.example.com"], Logged::Hosts),
        (Says::OnlyByTcp(long), AMPLE, NAMES[..MOST_HOSTS].to_vec(), Logged::Hosts),
        (Says::OnlyWithoutExtensions(one.clone()), AMPLE, vec!["node1.example.com"], Logged::Hosts),
        (Says::Code(NXDOMAIN), AMPLE, vec!["cb.example.com"], Logged::NoRecord),
        (Says::Code(0), AMPLE, vec!["cb.example.com"], Logged::NoRecord),
        (Says::Records(vec![(0, 0, ".")]), AMPLE, vec!["cb.example.com"], Logged::NoRecord),
        (Says::Code(SERVFAIL), AMPLE, vec!["cb.example.com"], Logged::NoAnswer),
        (Says::Records(vec![(0, 0, "no name")]), AMPLE, vec!["cb.example.com"], Logged::NoAnswer),
        (Says::Bytes(b"garbage".to_vec()), BRIEF, vec!["cb.example.com"], Logged::NoAnswer),
        (Says::Bytes(vec![0xff; 600]), BRIEF, vec!["cb.example.com"], Logged::NoAnswer),
        (Says::DripsByTcp, BRIEF, vec!["cb.example.com"], Logged::NoAnswer),
        (Says::Nothing, BRIEF, vec!["cb.example.com"], Logged::NoAnswer),
    ] {
        server.now_says(says.clone());
        let source = source(&connection_string(), vec![server.address]);
        let start = clock::now();
        assert_eq!(hosts(&source, limit), expected, "{says:?}");
        assert_eq!(source.state.lock().logged, logged, "{says:?}");
        assert!(start.elapsed() < AMPLE, "{says:?}");
    }
}

const NAMES: [&str; 40] = [
    "n00.example",
    "n01.example",
    "n02.example",
    "n03.example",
    "n04.example",
    "n05.example",
    "n06.example",
    "n07.example",
    "n08.example",
    "n09.example",
    "n10.example",
    "n11.example",
    "n12.example",
    "n13.example",
    "n14.example",
    "n15.example",
    "n16.example",
    "n17.example",
    "n18.example",
    "n19.example",
    "n20.example",
    "n21.example",
    "n22.example",
    "n23.example",
    "n24.example",
    "n25.example",
    "n26.example",
    "n27.example",
    "n28.example",
    "n29.example",
    "n30.example",
    "n31.example",
    "n32.example",
    "n33.example",
    "n34.example",
    "n35.example",
    "n36.example",
    "n37.example",
    "n38.example",
    "n39.example",
];

#[test]
fn the_port_is_the_cluster_managers_and_not_that_of_the_record() {
    let server = NameServer::start(Says::Records(vec![(0, 0, "node1.example.com")]));
    for (text, port) in [("couchbase://cb.example.com", 8091), ("couchbases://cb.example.com", 18091)] {
        let source = source(&ConnectionString::parse(text).unwrap(), vec![server.address]);
        let expected = [Seed { host: "node1.example.com".to_owned(), management_port: port }];
        assert_eq!(source.seeds(AMPLE), expected, "{text}");
    }
}

#[test]
fn dns_is_asked_only_where_the_sdks_ask_it() {
    let server = NameServer::start(Says::Records(vec![(0, 0, "node1.example.com")]));
    for (text, expected) in [
        ("couchbases://cb.example.com?dnssrv=0", vec!["cb.example.com"]),
        ("couchbase://cb.example.com:11210", vec!["cb.example.com"]),
        ("http://cb.example.com", vec!["cb.example.com"]),
        ("couchbase://a,b", vec!["a", "b"]),
        ("couchbase://127.0.0.1", vec!["127.0.0.1"]),
        ("couchbase://localhost", vec!["localhost"]),
    ] {
        let source = source(&ConnectionString::parse(text).unwrap(), vec![server.address]);
        let mut found = hosts(&source, AMPLE);
        found.sort();
        assert_eq!(found, expected, "{text}");
    }
    assert_eq!(server.asked(), 0);
}

#[test]
fn a_name_server_that_is_silent_or_gone_does_not_keep_the_next_from_answering() {
    let silent = NameServer::start(Says::Nothing);
    let gone = SocketAddr::from(([127, 0, 0, 1], 1));
    let good = NameServer::start(Says::Records(vec![(0, 0, "node1.example.com")]));
    let servers = vec![silent.address, gone, good.address];
    assert_eq!(hosts(&source(&connection_string(), servers), Duration::from_secs(6)), ["node1.example.com"]);
    assert_eq!((silent.asked(), good.asked()), (1, 1));
}

#[test]
fn a_lost_datagram_is_sent_again() {
    let server = NameServer::start(Says::Nothing);
    let (says, asked) = (Arc::clone(&server.says), Arc::clone(&server.asked));
    let heal = move || {
        while asked.load(Ordering::Relaxed) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        *says.lock().unwrap() = Says::Records(vec![(0, 0, "node1.example.com")]);
    };
    Builder::new().spawn(heal).unwrap();
    assert_eq!(
        hosts(&source(&connection_string(), vec![server.address]), Duration::from_secs(4)),
        ["node1.example.com"]
    );
    assert_eq!(server.asked(), 2);
}

#[test]
fn names_of_the_search_list_are_tried_in_turn() {
    let server = NameServer::start(Says::Code(NXDOMAIN));
    let names = ["_a._tcp.b.x", "_a._tcp.b.y", "-bad-._tcp.b"].map(str::to_owned).to_vec();
    let ask = |names: Vec<String>| lookup::look_up(Question { names, servers: vec![server.address] }, AMPLE);
    assert_eq!(ask(names[..2].to_vec()), Err(NoRecord::NoSuch));
    assert_eq!(server.asked(), 2);
    assert!(matches!(ask(names), Err(NoRecord::Failed(_))));
    assert!(matches!(
        lookup::look_up(Question { names: Vec::new(), servers: Vec::new() }, Duration::ZERO),
        Err(NoRecord::Failed(_))
    ));
}

#[test]
fn a_dead_name_server_is_waited_for_no_longer_than_the_limit_and_not_asked_each_time() {
    let server = NameServer::start(Says::Nothing);
    let source = source(&connection_string(), vec![server.address]);
    let deadline = Deadline::after(clock::now(), BRIEF * 4);
    assert_eq!(source.seeds(BRIEF)[0].host, "cb.example.com");
    assert!(!deadline.is_over(clock::now()));
    let asked = server.asked();
    assert!(asked >= 1);
    server.now_says(Says::Records(vec![(0, 0, "node1.example.com")]));
    assert_eq!(hosts(&source, AMPLE), ["cb.example.com"]);
    assert_eq!(server.asked(), asked);
    source.state.lock().failed_at = None;
    assert_eq!(hosts(&source, AMPLE), ["node1.example.com"]);
}

#[test]
fn the_discovery_asks_the_host_that_the_record_names() {
    let server = NameServer::start(Says::Records(vec![(0, 0, "127.0.0.2")]));
    let timeouts = BucketTimeouts { connect: AMPLE, ..BucketTimeouts::default() };
    let source = source(&ConnectionString::parse("couchbase://cb.example.com").unwrap(), vec![server.address]);
    let observer = Observer::default();
    let settings = load(&Sources { search: Vec::new(), ..Sources::default() }).unwrap().settings.couchbase;
    let access = Access::new(
        &COUCHBASE,
        (&LoginConfig::from(&settings.login), &settings.tls),
        Security::Plain,
        timeouts,
        &observer,
    )
    .unwrap();
    let nodes = Arc::new(Nodes::new(&COUCHBASE, &timeouts, &observer));
    let discovery = ClusterDiscovery::start(source, Network::Auto, Service::Query, access, nodes).unwrap();
    let outcome = discovery.wait_for_nodes(Deadline::after(clock::now(), AMPLE));
    discovery.stop();
    let Err(BucketError::Unavailable { reason }) = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains(" 127.0.0.2:8091 "), "{reason}");
    assert_eq!(server.asked(), 1);
}

fn target(priority: u16, weight: u16, host: &str) -> SrvTarget {
    SrvTarget { priority, weight, host: host.to_owned() }
}

#[test]
fn among_equals_the_weight_decides_how_often_one_is_the_first() {
    let targets = [target(1, 3, "heavy"), target(1, 1, "light"), target(1, 0, "last"), target(0, 0, "first")];
    for (drawn, expected) in [
        (0, ["first", "last", "heavy", "light"]),
        (1, ["first", "heavy", "light", "last"]),
        (3, ["first", "heavy", "light", "last"]),
        (4, ["first", "light", "heavy", "last"]),
    ] {
        let found = in_order(targets.to_vec(), |range| drawn.min(*range.end()));
        assert_eq!(found, expected, "{drawn}");
    }
    assert!(in_order(Vec::new(), |range| *range.end()).is_empty());
}

proptest::proptest! {
    #[test]
    fn every_host_is_named_once_and_none_before_one_of_a_lower_priority(
        records in proptest::collection::vec((0_u16..4, 0_u16..u16::MAX), 0..MOST_HOSTS),
    ) {
        let targets: Vec<SrvTarget> =
            records.iter().enumerate().map(|(number, (priority, weight))| target(*priority, *weight, &number.to_string())).collect();
        let found = in_order(targets, fastrand::u32);
        let priorities: Vec<u16> = found.iter().map(|host| records[host.parse::<usize>().unwrap()].0).collect();
        proptest::prop_assert!(priorities.is_sorted());
        let distinct: std::collections::BTreeSet<&String> = found.iter().collect();
        proptest::prop_assert_eq!((found.len(), distinct.len()), (records.len(), records.len()));
    }
}
