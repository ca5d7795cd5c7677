//! Loads that have Couchbase as their database: its connection string, and the secrets of a database.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::*;
use crate::config::ConnectionString;
use crate::config::SectionsShown;

const TUTORIAL: &str = "couchbase://couchbasehost:8091/travel?fetch_mutation_tokens=1&operation_timeout=3&n1ql_timeout=4&username=me&network=external&truststorepath=/ca";

#[test]
fn the_connection_string_holds_where_no_setting_says_otherwise() {
    let file = format!("[bucket]\ndatabase = 'couchbase'\n[couchbase]\nconnection_string = '{TUTORIAL}'");
    let silent = loaded(&file, &[], &[]);
    let (bucket, couchbase) = (&silent.settings.bucket, &silent.settings.couchbase);
    assert_eq!((bucket.operation_timeout, bucket.n1ql_timeout), (Duration::from_secs(3), Duration::from_secs(4)));
    assert_eq!((couchbase.bucket.as_str(), couchbase.login.username.as_deref()), ("travel", Some("me")));
    assert_eq!(couchbase.network, Network::Alternate("external".to_owned()));
    assert_eq!(couchbase.tls.ca_file.as_deref(), Some(Path::new("/ca")));
    assert_eq!(silent.warnings.len(), 3, "the port, no password, no TLS for the ca_file: {:?}", silent.warnings);
    assert!(effective(&silent, SectionsShown::All).contains("bucket = \"travel\"  # [couchbase] connection_string"));

    let settings = loaded(
        &format!("{file}\nbucket = 'b'\nca_file = '/other'"),
        &[("USERPROFILES_BUCKET_OPERATION_TIMEOUT", "30s"), ("USERPROFILES_COUCHBASE_USERNAME", "other")],
        &["couchbase.network=auto", "bucket.n1ql_timeout=300s"],
    )
    .settings;
    // These are the defaults, but said in so many words.
    assert_eq!(settings.bucket.operation_timeout, Duration::from_secs(30));
    assert_eq!(settings.bucket.n1ql_timeout, Duration::from_secs(300));
    assert_eq!(settings.couchbase.network, Network::Auto);
    assert_eq!(
        (settings.couchbase.bucket.as_str(), settings.couchbase.login.username.as_deref()),
        ("b", Some("other"))
    );
    assert_eq!(settings.couchbase.tls.ca_file.as_deref(), Some(Path::new("/other")));
}

#[test]
fn the_connection_string_matters_only_to_couchbase() {
    let tutorial = format!("couchbase.connection_string={TUTORIAL}");
    let other = loaded("", &[], &[&tutorial]);
    assert_eq!(other.settings.bucket.operation_timeout, Duration::from_secs(30));
    assert_eq!(other.warnings, Vec::<String>::new());

    let other = loaded("", &[], &["couchbase.connection_string=couchbaes://geheim"]);
    assert_eq!(other.settings.couchbase.connection_string, ConnectionString::localhost());
    assert!(!effective(&other, SectionsShown::All).contains("geheim"));
    assert!(!format!("{other:?}").contains("geheim"));

    let with_password = "couchbase.connection_string=couchbase://u:geheim@h";
    assert!(errors("", &[], &[with_password])[0].contains("password_file"), "whatever the database");
    for (text, expected) in [
        (with_password, "--set couchbase.connection_string: [couchbase] connection_string: there is an @"),
        ("couchbase.connection_string=couchbase://h?username=a:b", "its username has a colon"),
    ] {
        let found = errors("", &[], &["bucket.database=couchbase", text]);
        assert!(found[0].contains(expected), "{found:?}");
        assert!(!found[0].contains("geheim"));
    }
}

#[test]
fn passwords_come_from_three_places() {
    let place = Place::new();
    let file = place.write("file", "from file\n");
    let credentials = place.0.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::write(credentials.join("bucket-password"), "from credential").unwrap();
    let file = ("USERPROFILES_COUCHBASE_PASSWORD_FILE", file.to_str().unwrap());
    let variable = ("USERPROFILES_COUCHBASE_PASSWORD", "from variable");
    let credential = ("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap());
    let elsewhere = ("CREDENTIALS_DIRECTORY", place.0.path().to_str().unwrap());
    for (environment, expected, unused) in [
        (&[][..], None, 0),
        (&[elsewhere], None, 0),
        (&[credential], Some("from credential"), 0),
        (&[file], Some("from file"), 0),
        (&[variable], Some("from variable"), 0),
        (&[credential, file], Some("from file"), 1),
        (&[file, variable], Some("from variable"), 1),
        (&[credential, file, variable], Some("from variable"), 2),
    ] {
        let loaded = loaded("", environment, &["bucket.database=couchbase", "couchbase.username=u"]);
        let password =
            loaded.settings.couchbase.login.password.as_ref().map(|password| password.expose_secret().to_owned());
        assert_eq!(password.as_deref(), expected, "{environment:?}");
        let told = loaded.warnings.iter().filter(|warning| warning.contains("is not used")).count();
        assert_eq!(told, unused, "{environment:?}: {:?}", loaded.warnings);
        let printed = effective(&loaded, SectionsShown::All) + &format!("{loaded:?}") + &loaded.warnings.join("");
        assert!(
            !printed.contains("from credential")
                && !printed.contains("from file")
                && !printed.contains("from variable")
        );
        assert_eq!(printed.contains("# password = \"***\""), expected.is_some(), "{environment:?}");
    }
}

#[test]
fn password_files_are_read_with_care() {
    let place = Place::new();
    let long = vec![b'x'; 20_000];
    for (content, expected) in [
        (&b"geheim"[..], Ok("geheim")),
        (b"geheim\n", Ok("geheim")),
        (b"geheim\r\n", Ok("geheim")),
        (b" ge heim ", Ok(" ge heim ")),
        (b"g\xc3\xa4heim", Ok("g\u{e4}heim")),
        (b"geheim\n\n", Err("it must be one line")),
        (b"geheim\r", Err("it must be one line")),
        (b"user\ngeheim", Err("it must be one line")),
        (b"", Err("is empty: write the secret into it")),
        (b"\n", Err("is empty: write the secret into it")),
        (b"geheim\xff", Err("is not UTF-8")),
        (&long, Err("more than 16384 bytes")),
    ] {
        let path = place.write("password", content);
        let set = format!("couchbase.password_file={}", path.display());
        let sources = sources(&place, "", &[], &["bucket.database=couchbase", &set]);
        match (load(&sources), expected) {
            (Ok(loaded), Ok(expected)) => {
                assert_eq!(loaded.settings.couchbase.login.password.unwrap().expose_secret(), expected);
            }
            (Err(errors), Err(expected)) => {
                let errors = errors.to_string();
                assert!(errors.starts_with("--set couchbase.password_file: "), "{errors}");
                assert!(errors.contains(expected) && !errors.contains("geheim"), "{content:?}: {errors}");
            }
            (outcome, _) => panic!("{content:?}: {outcome:?}"),
        }
    }
}

#[test]
fn a_secret_that_cannot_be_had_is_an_error_of_the_database_in_use() {
    let missing = "couchbase.password_file=/nowhere/at/all";
    let found = errors("", &[], &["bucket.database=couchbase", missing]);
    assert!(found[0].contains("/nowhere/at/all cannot be read") && found[0].contains("correct the path"), "{found:?}");
    let found = errors("", &[("USERPROFILES_COUCHBASE_PASSWORD", "")], &["bucket.database=couchbase"]);
    assert!(found[0].contains("the variable is empty"), "{found:?}");
    let found = errors("", &[("USERPROFILES_ELASTICSEARCH_API_KEY", "a\nb")], &["bucket.database=elasticsearch"]);
    assert!(found[0].starts_with("USERPROFILES_ELASTICSEARCH_API_KEY: the secret has a line break"), "{found:?}");
    let folder = Place::new();
    let folder = format!("couchbase.password_file={}", folder.0.path().display());
    let found = errors("", &[], &["bucket.database=couchbase", &folder]);
    assert!(found[0].contains("name a plain file"), "{found:?}");

    let other = loaded("", &[("USERPROFILES_COUCHBASE_PASSWORD", "")], &[missing]);
    assert!(other.settings.couchbase.login.password.is_none());
}
