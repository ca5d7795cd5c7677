use super::*;

fn seed(host: &str, management_port: u16) -> Seed {
    Seed { host: host.to_owned(), management_port }
}

fn parsed(nodes: &str, dialled: &Seed, network: &Network) -> Result<Vec<String>, BucketError> {
    parsed_for(Service::Query, Security::Plain, nodes, dialled, network)
}

fn parsed_for(
    service: Service,
    security: Security,
    nodes: &str,
    dialled: &Seed,
    network: &Network,
) -> Result<Vec<String>, BucketError> {
    let body = format!(r#"{{"rev":1,"nodesExt":[{nodes}]}}"#);
    parse(body.as_bytes(), dialled, network, service, security)
        .map(|topology| topology.nodes.iter().map(Endpoint::authority).collect())
}

#[test]
fn nodes_without_a_hostname_are_where_we_dialled_and_those_without_n1ql_do_not_count() {
    let nodes = r#"
        {"services":{"mgmt":8091,"n1ql":8093,"kv":11210},"thisNode":true},
        {"services":{"mgmt":8091,"kv":11210},"hostname":"data.example"},
        {"services":{"mgmt":8091,"n1ql":9499},"hostname":"10.0.0.2"},
        {"services":{"n1ql":8093},"hostname":"$HOST"},
        {"services":{"n1ql":8093},"hostname":"[2001:db8::1]"},
        {"hostname":"empty.example"}"#;
    let found = parsed(nodes, &seed("db.example", 8091), &Network::Auto).unwrap();
    assert_eq!(found, ["db.example:8093", "10.0.0.2:9499", "db.example:8093", "[2001:db8::1]:8093"]);
}

#[test]
fn the_network_is_chosen_as_the_sdks_do() {
    let nodes = r#"
        {"services":{"mgmt":8091,"n1ql":8093},"hostname":"10.0.0.1",
         "alternateAddresses":{"external":{"hostname":"one.example","ports":{"mgmt":31000,"n1ql":31001}}}},
        {"services":{"mgmt":8091,"n1ql":8093},"hostname":"10.0.0.2",
         "alternateAddresses":{"external":{"hostname":"two.example"}}},
        {"services":{"mgmt":8091,"n1ql":8093},"hostname":"10.0.0.3",
         "alternateAddresses":{"external":{"hostname":"three.example","ports":{"mgmt":31000}}}},
        {"services":{"mgmt":8091,"n1ql":8093},"hostname":"10.0.0.4"}"#;
    let own = ["10.0.0.1:8093", "10.0.0.2:8093", "10.0.0.3:8093", "10.0.0.4:8093"].as_slice();
    let external = ["one.example:31001", "two.example:8093"].as_slice();
    for (host, port, network, expected) in [
        ("10.0.0.1", 8091, Network::Auto, own),
        ("10.0.0.1", 9000, Network::Auto, external),
        ("one.example", 31000, Network::Auto, external),
        ("somewhere.example", 8091, Network::Auto, external),
        ("one.example", 31000, Network::Default, own),
        ("10.0.0.1", 8091, Network::Alternate("external".to_owned()), external),
    ] {
        assert_eq!(parsed(nodes, &seed(host, port), &network).unwrap(), expected, "{host}:{port} {network:?}");
    }
    let other = Network::Alternate("other".to_owned());
    assert!(matches!(parsed(nodes, &seed("a", 1), &other), Err(BucketError::Misconfigured { .. })));
}

#[test]
fn documents_are_read_from_the_cluster_managers_of_all_nodes() {
    let nodes = r#"
        {"services":{"mgmt":8091,"kv":11210},"thisNode":true},
        {"services":{"mgmt":9000,"n1ql":8093},"hostname":"query.example",
         "alternateAddresses":{"external":{"hostname":"two.example","ports":{"mgmt":31000}}}},
        {"services":{"kv":11210},"hostname":"odd.example"}"#;
    let dialled = seed("db.example", 8091);
    let found = |network| parsed_for(Service::Manager, Security::Plain, nodes, &dialled, &network);
    assert_eq!(found(Network::Default).unwrap(), ["db.example:8091", "query.example:9000"]);
    assert_eq!(found(Network::Alternate("external".to_owned())).unwrap(), ["two.example:31000"]);
    let none =
        parsed_for(Service::Manager, Security::Plain, r#"{"services":{"n1ql":8093}}"#, &dialled, &Network::Default);
    assert!(matches!(none, Err(BucketError::Misconfigured { reason }) if reason.contains("cluster manager")));
}

#[test]
fn with_tls_the_ports_of_tls_count_and_no_others() {
    let nodes = r#"
        {"services":{"mgmt":8091,"mgmtSSL":18091,"n1ql":8093,"n1qlSSL":18093},"hostname":"10.0.0.1",
         "alternateAddresses":{"external":{"hostname":"one.example","ports":{"mgmtSSL":31000,"n1qlSSL":31001}}}},
        {"services":{"mgmt":8091,"n1ql":8093},"hostname":"10.0.0.2",
         "alternateAddresses":{"external":{"hostname":"two.example","ports":{"n1ql":31001}}}}"#;
    for (host, port, expected) in [
        ("10.0.0.1", 18091, "10.0.0.1:18093"),
        ("10.0.0.1", 8091, "one.example:31001"),
        ("one.example", 31000, "one.example:31001"),
    ] {
        let found = parsed_for(Service::Query, Security::Tls, nodes, &seed(host, port), &Network::Auto).unwrap();
        assert_eq!(found, [expected], "{host}:{port}");
    }
    let without = r#"{"services":{"mgmt":8091,"n1ql":8093},"thisNode":true}"#;
    for (nodes, part) in [(without, "n1qlSSL"), (r#"{"services":{"kv":11210}}"#, "no node of the cluster runs")] {
        let Err(BucketError::Misconfigured { reason }) =
            parsed_for(Service::Query, Security::Tls, nodes, &seed("a", 18091), &Network::Auto)
        else {
            panic!("taken: {nodes}");
        };
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn what_no_query_can_be_sent_to_is_a_misconfiguration() {
    for body in [
        "<html>",
        "[]",
        "{}",
        r#""unknown pool""#,
        r#"{"nodesExt":[]}"#,
        r#"{"nodesExt":[{"services":{"kv":11210}}]}"#,
        r#"{"nodesExt":[{"services":{"n1ql":70000}}]}"#,
    ] {
        let outcome = parse(body.as_bytes(), &seed("a", 8091), &Network::Auto, Service::Query, Security::Plain);
        assert!(matches!(outcome, Err(BucketError::Misconfigured { .. })), "{body}");
    }
}

#[test]
fn an_older_revision_of_the_same_cluster_does_not_come_back() {
    let at = |rev: &str, cluster: &str| {
        let body = format!(r#"{{{rev}"clusterUUID":"{cluster}","nodesExt":[{{"services":{{"n1ql":8093}}}}]}}"#);
        parse(body.as_bytes(), &seed("a", 8091), &Network::Auto, Service::Query, Security::Plain).unwrap()
    };
    let held = at(r#""rev":20,"revEpoch":2,"#, "x");
    assert!(at(r#""rev":20,"revEpoch":2,"#, "x").supersedes(&held));
    assert!(at(r#""rev":1,"revEpoch":3,"#, "x").supersedes(&held));
    assert!(!at(r#""rev":99,"revEpoch":1,"#, "x").supersedes(&held));
    assert!(!at(r#""rev":19,"revEpoch":2,"#, "x").supersedes(&held));
    assert!(!at("", "x").supersedes(&held));
    assert!(at(r#""rev":1,"revEpoch":1,"#, "y").supersedes(&held));
}
