//! Loads that are about what others on the network can see and pretend: TLS, certificates, a password in the clear.

use super::*;

#[test]
fn a_password_in_the_clear_is_a_warning_unless_it_stays_on_this_machine() {
    for (connection_string, exposed) in [
        ("couchbase://127.0.0.1", None),
        ("couchbase://127.8.8.8,localhost,[::1],cb.LOCALHOST.", None),
        ("http://[::ffff:127.0.0.1]:9000", None),
        ("couchbase://couchbasehost:8091", Some("to couchbasehost without TLS")),
        ("couchbase://localhost.example.com", Some("to localhost.example.com without TLS")),
        ("couchbase://10.0.0.1,127.0.0.1,[2001:db8::1]", Some("to 10.0.0.1, 2001:db8::1 without TLS")),
        ("couchbases://10.0.0.1", None),
        ("couchbase://10.0.0.1?ssl=on", None),
        ("https://10.0.0.1", None),
    ] {
        let settings = format!("couchbase.connection_string={connection_string}");
        let settings = ["bucket.database=couchbase", "couchbase.username=u", &settings];
        let warnings = loaded("", &[("USERPROFILES_COUCHBASE_PASSWORD", "geheim")], &settings).warnings;
        let found: Vec<&String> =
            warnings.iter().filter(|warning| warning.contains("without TLS, where anyone")).collect();
        assert_eq!(found.len(), usize::from(exposed.is_some()), "{connection_string}: {warnings:?}");
        assert!(found.iter().all(|warning| warning.contains(exposed.unwrap_or_default())), "{warnings:?}");
        assert!(warnings.iter().all(|warning| !warning.contains("geheim")), "{warnings:?}");
    }
    let settings = ["bucket.database=couchbase", "couchbase.connection_string=couchbase://10.0.0.1"];
    assert_eq!(
        loaded("", &[], &settings).warnings,
        Vec::<String>::new(),
        "without a password there is nothing to read"
    );
}

#[test]
fn certificates_are_left_unchecked_only_where_a_setting_says_so() {
    let string = "couchbase.connection_string=couchbases://a?ssl=no_verify";
    let danger = "couchbase.danger_accept_invalid_certificates";
    for no in [None, Some("=false")] {
        let mut set = vec!["bucket.database=couchbase".to_owned(), string.to_owned()];
        set.extend(no.map(|no| format!("{danger}{no}")));
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let told = errors("", &[], &set).join("\n");
        assert!(told.contains("ssl=no_verify") && told.contains("danger_accept_invalid_certificates"), "{told}");
    }
    let yes = format!("{danger}=true");
    let verification = |set: &[&str]| loaded("", &[], set).settings.couchbase.tls.verification;
    assert_eq!(verification(&["bucket.database=couchbase", string, &yes]), Verification::Off);
    // Of a database that is not used nothing is asked.
    assert_eq!(verification(&[string]), Verification::On);
}

#[test]
fn a_client_has_both_a_certificate_and_its_key() {
    for (set, expected) in [
        ("couchbase.client_certificate_file=/c.pem", "client_certificate_file is set without client_key_file"),
        ("couchbase.client_key_file=/c.key", "client_key_file is set without client_certificate_file"),
        ("couchbase.connection_string=couchbases://a?keypath=/c.key", "keypath= without certpath="),
    ] {
        let told = errors("", &[], &["bucket.database=couchbase", set]).join("\n");
        assert!(told.contains(expected), "{set}: {told}");
    }
    let string = "couchbase.connection_string=couchbases://a?certpath=/s.pem&keypath=/s.key";
    let of = |set: &[&str]| {
        let set: Vec<&str> = ["bucket.database=couchbase", string].into_iter().chain(set.iter().copied()).collect();
        let tls = loaded("", &[], &set).settings.couchbase.tls;
        (tls.client_certificate_file, tls.client_key_file)
    };
    let path = |text: &str| Some(PathBuf::from(text));
    assert_eq!(of(&[]), (path("/s.pem"), path("/s.key")));
    assert_eq!(of(&["couchbase.client_certificate_file=/c.pem"]), (path("/c.pem"), path("/s.key")));
}
