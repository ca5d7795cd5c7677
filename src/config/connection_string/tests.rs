//! What strings mean, as tables.

use super::*;
use crate::config::bracketed;

fn parse(text: &str) -> ConnectionString {
    ConnectionString::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> String {
    match ConnectionString::parse(text) {
        Ok(parsed) => panic!("{text} was accepted: {parsed:?}"),
        Err(error) => error.to_string(),
    }
}

/// A connection string of the same scheme and hosts.
fn written(parsed: &ConnectionString) -> String {
    let port = |port, default, suffix: &str| if port == default { String::new() } else { format!(":{port}{suffix}") };
    let suffix = match parsed.scheme {
        Scheme::Http | Scheme::Https => "",
        Scheme::Couchbase => "=HTTP",
        Scheme::Couchbases => "=HTTPS",
    };
    let seed =
        |seed: &Seed| bracketed(&seed.host) + &port(seed.management_port, parsed.scheme.management_port(), suffix);
    format!("{}://{}", parsed.scheme.as_str(), parsed.seeds.iter().map(seed).collect::<Vec<_>>().join(","))
}

#[test]
fn the_string_of_the_tutorial_is_understood() {
    let parsed = parse("couchbase://couchbasehost:8091?fetch_mutation_tokens=1&operation_timeout=30&n1ql_timeout=300");
    assert_eq!(parsed.seeds, [Seed { host: "couchbasehost".to_owned(), management_port: 8091 }]);
    assert_eq!(parsed.operation_timeout, Some(Duration::from_secs(30)));
    assert_eq!(parsed.n1ql_timeout, Some(Duration::from_secs(300)));
    assert_eq!(parsed.dns_srv, None);
    assert_eq!(parsed.warnings.len(), 1, "{:?}", parsed.warnings);
    assert!(parsed.warnings[0].contains("8091 is that of the cluster manager"));
}

#[test]
fn hosts_and_ports() {
    // The string, then each host with its management port, then how many warnings.
    type Case = (&'static str, &'static [(&'static str, u16)], usize);
    let cases: &[Case] = &[
        ("couchbase://a", &[("a", 8091)], 0),
        ("COUCHBASE://a", &[("a", 8091)], 0),
        (" couchbase://a\n", &[("a", 8091)], 0),
        ("couchbases://a", &[("a", 18091)], 0),
        ("http://a", &[("a", 8091)], 0),
        ("https://a", &[("a", 18091)], 0),
        ("couchbase://a,b;c", &[("a", 8091), ("b", 8091), ("c", 8091)], 0),
        ("couchbase://a, b", &[("a", 8091), ("b", 8091)], 0),
        ("couchbase://10.0.0.1", &[("10.0.0.1", 8091)], 0),
        ("couchbase://[::1]", &[("::1", 8091)], 0),
        ("couchbase://[::1]:8091,[fe80::2]", &[("::1", 8091), ("fe80::2", 8091)], 1),
        ("couchbase://a:11210", &[("a", 8091)], 0),
        ("couchbases://a:11207", &[("a", 18091)], 0),
        ("couchbases://a:18091", &[("a", 18091)], 1),
        ("couchbase://a:9000=HTTP", &[("a", 9000)], 0),
        ("couchbase://a:9000=http", &[("a", 9000)], 0),
        ("couchbase://[::1]:9000=HTTP", &[("::1", 9000)], 0),
        ("couchbases://a:19000=HTTPS", &[("a", 19000)], 0),
        ("couchbase://a:11210=MCD", &[("a", 8091)], 0),
        ("couchbases://a:11207=MCDS", &[("a", 18091)], 0),
        ("http://a:9000,b", &[("a", 9000), ("b", 8091)], 0),
        ("http://a:11210", &[("a", 11210)], 0),
        ("https://a:9000", &[("a", 9000)], 0),
        ("couchbase://a?ssl=on", &[("a", 18091)], 0),
        ("couchbase://a?ssl=off", &[("a", 8091)], 0),
        ("https://a?ssl=on", &[("a", 18091)], 0),
    ];
    for (text, seeds, warnings) in cases {
        let parsed = parse(text);
        let found: Vec<(&str, u16)> =
            parsed.seeds.iter().map(|seed| (seed.host.as_str(), seed.management_port)).collect();
        assert_eq!(&found, seeds, "{text}");
        assert_eq!(parsed.warnings.len(), *warnings, "{text}: {:?}", parsed.warnings);
        let again = parse(&written(&parsed));
        assert_eq!(again.seeds, parsed.seeds, "{text} as {}", written(&parsed));
        assert_eq!(again.scheme, parsed.scheme, "{text} as {}", written(&parsed));
    }
}

#[test]
fn what_is_used_of_path_and_options() {
    let parsed = parse(
        "couchbase://a/travel%2Dsample/?username=svc%40b&network=external&operation_timeout=2.5&n1ql_timeout=.5\
         &truststorepath=%2Fa%20b.pem&fetch_mutation_tokens=true&&",
    );
    assert_eq!(parsed.bucket.as_deref(), Some("travel-sample"));
    assert_eq!(parsed.username.as_deref(), Some("svc@b"));
    assert_eq!(parsed.network.as_deref(), Some("external"));
    assert_eq!(parsed.operation_timeout, Some(Duration::from_millis(2500)));
    assert_eq!(parsed.n1ql_timeout, Some(Duration::from_millis(500)));
    assert_eq!(parsed.ca_file, Some(PathBuf::from("/a b.pem")));
    assert_eq!(parsed.verification, Verification::On);
    assert_eq!(parsed.warnings, Vec::<String>::new());
    assert_eq!(written(&parsed), "couchbase://a");

    assert_eq!(parse("couchbase://a/").bucket, None);
    assert_eq!(parse("couchbase://a?timeout=7").operation_timeout, Some(Duration::from_secs(7)));
    assert_eq!(parse("couchbase://a?timeout=7&timeout=8").operation_timeout, Some(Duration::from_secs(8)));
    assert_eq!(parse("couchbase://a?username=me@b").username.as_deref(), Some("me@b"));
    assert_eq!(parse("couchbases://a?ssl=no_verify").verification, Verification::Off);
    assert_eq!(parse("couchbase://a?ssl=no_verify").scheme, Scheme::Couchbases);
    assert_eq!(parse("couchbases://a?certpath=/ca.pem").ca_file, Some(PathBuf::from("/ca.pem")));
    assert_eq!(parse("couchbases://a?certpath=/c&truststorepath=/t").ca_file, Some(PathBuf::from("/t")));
    let parsed = parse("couchbases://a?keypath=/k&certpath=/c");
    assert_eq!(parsed.client_certificate_file, Some(PathBuf::from("/c")));
    assert_eq!(parsed.client_key_file, Some(PathBuf::from("/k")));
    assert_eq!((parsed.ca_file, parsed.warnings), (None, Vec::new()));
}

#[test]
fn options_without_effect_are_told_in_one_warning() {
    for (text, expected) in [
        (
            "couchbase://a?config_total_timeout=5&ipv6=allow&views_timeout=75",
            "config_total_timeout, ipv6, views_timeout",
        ),
        ("couchbase://a?timeout.kvTimeout=10s&io.networkResolution=auto", "io.networkResolution, timeout.kvTimeout"),
        ("couchbase://a?kv_timeout=2500&kv_timeout=2500", ": kv_timeout"),
    ] {
        let parsed = parse(text);
        assert_eq!(parsed.warnings.len(), 1, "{text}: {:?}", parsed.warnings);
        assert!(parsed.warnings[0].ends_with(expected), "{text}: {:?}", parsed.warnings);
        assert_eq!(parsed.operation_timeout, None, "{text}");
    }
}

#[test]
fn every_option_that_an_sdk_knows_is_taken_and_a_misspelt_one_is_refused() {
    let sdks: std::collections::BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("../../../tests/data/couchbase-options.json")).unwrap();
    let known: std::collections::BTreeSet<&str> = sdks.values().flatten().map(String::as_str).collect();
    for (sdk, option) in sdks.iter().flat_map(|(sdk, options)| options.iter().map(move |option| (sdk, option))) {
        let (scheme, value) = match option.as_str() {
            "ssl" => ("couchbases", "on"),
            "enable_tls" | "security.enableTls" => ("couchbases", "true"),
            // A key alone is of no use, and refused.
            "keypath" => ("couchbases", "1&certpath=1"),
            _ => ("couchbase", "1"),
        };
        let parsed = parse(&format!("{scheme}://a?{option}={value}"));
        let warning = parsed.warnings.join("; ");
        assert!(warning.is_empty() || warning.ends_with(&format!(": {option}")), "{sdk}: {option}: {warning}");

        let middle = option.len() / 2;
        let misspelt = format!("{}{}", &option[..middle], &option[middle + 1..]);
        if !option.contains('.') && !known.contains(misspelt.as_str()) {
            let error = error(&format!("{scheme}://a?{misspelt}={value}"));
            assert!(error.contains(&format!("{misspelt:?} is not an option that is known here")), "{option}: {error}");
            assert!(option.len() < 6 || error.contains(&format!("did you mean {option}?")), "{option}: {error}");
        }
    }
}

#[test]
fn other_names_that_sdks_have_for_what_is_used_here() {
    for option in ["ca_cert_path", "cacertpath", "trust_certificate", "security.trustCertificate"] {
        let parsed = parse(&format!("couchbases://a?{option}=/ca.pem"));
        assert_eq!((parsed.ca_file, parsed.warnings), (Some(PathBuf::from("/ca.pem")), Vec::new()), "{option}");
    }
    for option in ["enable_tls=true", "security.enableTls=true", "enable_tls=1", "ssl=on"] {
        let parsed = parse(&format!("couchbase://a?{option}"));
        assert_eq!((parsed.scheme, parsed.seeds[0].management_port), (Scheme::Couchbases, 18091), "{option}");
    }
    assert_eq!(parse("couchbase://a?enable_tls=false").scheme, Scheme::Couchbase);
    assert_eq!(parse("couchbase://a?user=me").username.as_deref(), Some("me"));
    let parsed = parse("couchbase://a?ssl=no_global_init");
    assert_eq!(parsed.scheme, Scheme::Couchbase);
    assert!(parsed.warnings[0].ends_with("ssl=no_global_init"), "{:?}", parsed.warnings);
}

#[test]
fn srv_records() {
    for (text, expected) in [
        ("couchbase://cb.example.com", Some("_couchbase._tcp.cb.example.com")),
        ("couchbases://cb.example.com/b?ssl=on", Some("_couchbases._tcp.cb.example.com")),
        ("couchbase://cb?dnssrv=1", Some("_couchbase._tcp.cb")),
        ("couchbase://cb?dnssrv=0", None),
        ("couchbase://cb?dnssrv=off", None),
        ("couchbase://cb?enable_dns_srv=false", None),
        ("couchbase://cb?io.enableDnsSrv=false", None),
        ("couchbase://cb?dnssrv=on", Some("_couchbase._tcp.cb")),
        ("couchbase://cb:11210", None),
        ("couchbase://a,b", None),
        ("couchbase://10.0.0.1", None),
        ("couchbase://[::1]", None),
        ("http://cb", None),
    ] {
        assert_eq!(parse(text).dns_srv.as_deref(), expected, "{text}");
    }
}

#[test]
fn what_is_refused_says_what_to_write() {
    for (text, expected) in [
        ("", "write for example couchbase://127.0.0.1"),
        ("localhost", "write for example couchbase://127.0.0.1"),
        ("couchbase:/a", "write for example couchbase://127.0.0.1"),
        ("couchbase2://a", "gRPC"),
        ("mongodb://a", "\"mongodb\" is not a scheme"),
        ("couchbase://", "a host is missing"),
        ("couchbase://a,,b", "a host is missing"),
        ("couchbase:///bucket", "a host is missing"),
        ("couchbase://a b", "neither a name nor an address"),
        ("couchbase://ä", "neither a name nor an address"),
        ("couchbase://::1", "[::1]"),
        ("couchbase://[::1", "a bracket is open"),
        ("couchbase://[a]", "not an IPv6 address"),
        ("couchbase://[::1]8091", "[::1]:8091"),
        ("couchbase://a:", "write a number from 1 to 65535"),
        ("couchbase://a:0", "write a number from 1 to 65535"),
        ("couchbase://a:+80", "write a number from 1 to 65535"),
        ("couchbase://a:65536", "write a number from 1 to 65535"),
        ("couchbase://a:9000", "write a:9000=HTTP or http://a:9000"),
        ("couchbase://[::1]:9000", "write [::1]:9000=HTTP or http://[::1]:9000"),
        ("couchbases://a:9000", "write a:9000=HTTPS or https://a:9000"),
        ("couchbase://a:18091", "write couchbases://a"),
        ("couchbase://a:11207", "write couchbases://a"),
        ("couchbases://a:8091", "couchbases://a without the port"),
        ("couchbases://a:11210", "couchbases://a without the port"),
        ("couchbase://a:9000=HTTPS", "write couchbases://"),
        ("couchbases://a:9000=HTTP", "a:9000=HTTPS"),
        ("couchbase://a:9000=MCD", "a:PORT=HTTP"),
        ("couchbases://a:9000=MCDS", "a:PORT=HTTPS"),
        ("couchbase://a:9000=FTP", "HTTP, HTTPS, MCD or MCDS"),
        ("couchbase://a/b/c", "one bucket"),
        ("couchbase://a/.b", "cannot be the name of a bucket"),
        ("couchbase://a/%FF", "not UTF-8"),
        ("couchbase://a?operation_timeout=500ms", "500ms is operation_timeout=0.5"),
        ("couchbase://a?n1ql_timeout=5m", "5m is n1ql_timeout=300"),
        ("couchbase://a?operation_timeout=", "write operation_timeout=2.5"),
        ("couchbase://a?operation_timeout=-1", "write operation_timeout=2.5"),
        ("couchbase://a?operation_timeout=inf", "write operation_timeout=2.5"),
        ("couchbase://a?operation_timeout=1e3", "write operation_timeout=2.5"),
        ("couchbase://a?operation_timeout=1.2.3", "write operation_timeout=2.5"),
        ("couchbase://a?operation_timeout=0", "at least 0.001"),
        ("couchbase://a?operation_timeout=0.0001", "at least 0.001"),
        ("couchbase://a?operation_timeout=30000000", "at most 86400"),
        ("couchbase://a?operation_timeout=99999999999999999999999999", "write operation_timeout=2.5"),
        ("couchbase://a?operation_timout=3", "did you mean operation_timeout?"),
        ("couchbase://a?n1ql_tiemout=3", "did you mean n1ql_timeout?"),
        ("couchbase://a?usrname=x", "did you mean username?"),
        ("couchbase://a?colour=x", "those with an effect are"),
        ("couchbase://a?username=", "username= is empty"),
        ("couchbase://a?network=", "network= is empty"),
        ("couchbase://a?network=%FF", "not UTF-8"),
        ("couchbase://a?ssl=yes", "write on, off or no_verify"),
        ("couchbases://a?ssl=off", "contradicts couchbases://"),
        ("http://a?ssl=on", "write https://"),
        ("couchbases://a?keypath=/k", "keypath= without certpath="),
        ("couchbase://a?dnssrv=maybe", "write 1 or 0"),
        ("couchbase://a,b?dnssrv=1", "exactly one host"),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_password_is_refused_and_never_repeated() {
    for text in [
        "couchbase://a?password=geheim",
        "couchbase://a?PASSWORD=geheim",
        "couchbase://a?user=x&pass=geheim",
        "couchbase://a?p%61ssword=geheim",
        "couchbase://a?username=x&password=geheim&operation_timeout=500ms",
        "couchbase://a?operation_timeout=500ms&password=geheim",
        "couchbase://a?bucket_cred=[\"b\",\"geheim\"]",
        "couchbase://user:geheim@host",
        "couchbase://user:geheim@host:8091/b?timeout=x",
        "couchbase://user:ge/geheim@host",
        "couchbase://user:geheim?x@host",
        "couchbase://user:geheim?a=b&c@host/b",
        "couchbase://user:geheim?operation_timeout=b@host/b",
        "ftp://user:geheim@host",
        "user:geheim@host",
        "couchbase://a?pasword=geheim",
        "couchbase://a?pw=geheim",
    ] {
        let error = error(text);
        assert!(!error.contains("geheim"), "{text}: {error}");
    }
    for text in ["couchbase://a?password=x", "couchbase://a?pass=x", "couchbase://u:x@a"] {
        assert!(error(text).contains("password_file"), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_answered(scheme in "(couchbase|couchbases|http|https)", rest in "[ -~é]{0,40}", words in "[a-z:0-9,=?&/.\\[\\]]{0,40}") {
        for rest in [rest, words] {
            if let Ok(parsed) = ConnectionString::parse(&format!("{scheme}://{rest}")) {
                proptest::prop_assert_eq!(parse(&written(&parsed)).seeds, parsed.seeds);
            }
        }
    }

    #[test]
    fn no_password_is_ever_repeated(before in "[a-z:/?&=,]{0,8}", after in "[a-z:/?&=,]{0,8}", host in "[a-z:/?&=,.0-9]{0,20}") {
        for text in [
            format!("couchbase://user:{before}GEHEIM{after}@{host}"),
            format!("couchbase://{host}?password={before}GEHEIM{after}"),
        ] {
            if let Err(error) = ConnectionString::parse(&text) {
                proptest::prop_assert!(!error.0.contains("GEHEIM"), "{}: {}", text, error);
            } else {
                proptest::prop_assert!(false, "{} was accepted", text);
            }
        }
    }
}
