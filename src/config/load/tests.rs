//! Whole loads: files, variables and flags in, settings or errors out.

mod couchbase;
mod rest;
mod tls;
mod warnings;

use std::ffi::OsString;
use std::path::Path;

use super::*;
use crate::config::SectionsShown;
use crate::config::setting::{Raw, environment_name};
use crate::config::{
    Connections, CouchbaseApi, DatabaseName, ListenAddress, LogFormat, Network, Verification, effective,
};

/// A folder for the files of one test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn sources(place: &Place, file: &str, environment: &[(&str, &str)], set: &[&str]) -> Sources {
    Sources {
        config: Some(place.write("settings.toml", file)),
        environment: variables(environment),
        set: set.iter().map(ToString::to_string).collect(),
        ..Sources::default()
    }
}

fn loaded(file: &str, environment: &[(&str, &str)], set: &[&str]) -> Loaded {
    let place = Place::new();
    load(&sources(&place, file, environment, set))
        .unwrap_or_else(|errors| panic!("{file} {environment:?} {set:?}: {errors}"))
}

/// The errors, with the folder of the test taken out.
fn errors(file: &str, environment: &[(&str, &str)], set: &[&str]) -> Vec<String> {
    let place = Place::new();
    match load(&sources(&place, file, environment, set)) {
        Ok(_) => panic!("accepted: {file} {environment:?} {set:?}"),
        Err(ConfigErrors(errors)) => {
            let folder = format!("{}/", place.0.path().display());
            errors.iter().map(|error| error.to_string().replace(&folder, "")).collect()
        }
    }
}

/// One line of what `config` prints.
fn shown(loaded: &Loaded, section: &str, key: &str) -> String {
    let text = effective(loaded, SectionsShown::All);
    let (_, rest) = text.split_once(&format!("\n[{section}]\n")).unwrap();
    let line =
        rest.lines().take_while(|line| !line.starts_with('[')).find(|line| line.starts_with(&format!("{key} = ")));
    line.map(|line| line.split("  # ").next().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let Loaded { settings, warnings, .. } = loaded("", &[], &[]);
    assert_eq!(warnings, Vec::<String>::new());
    let http = &settings.http;
    assert_eq!(http.listen, [ListenAddress::Tcp("127.0.0.1:8000".to_owned())]);
    assert_eq!((http.unix_mode, http.workers, http.max_connections), (0o660, 32, 16384));
    assert_eq!(http.max_connections_per_address, 1024);
    assert_eq!((http.cache_control.as_str(), http.docs), ("no-cache", true));
    assert_eq!(http.cors_allow_origins, Vec::<String>::new());
    let seconds: Vec<u64> = [
        http.first_byte_timeout,
        http.head_timeout,
        http.idle_timeout,
        http.write_timeout,
        http.queue_timeout,
        http.drain_timeout,
    ]
    .map(|timeout| timeout.as_secs())
    .to_vec();
    assert_eq!(seconds, [5, 10, 75, 30, 1, 20]);
    assert_eq!(settings.admin.listen, Some(ListenAddress::Tcp("127.0.0.1:8001".to_owned())));
    let bucket = &settings.bucket;
    assert_eq!((bucket.database, bucket.connections), (DatabaseName::Embedded, Connections::PerRequest));
    assert_eq!(bucket.max_connections, None);
    let milliseconds = [
        bucket.wait_timeout,
        bucket.operation_timeout,
        bucket.attempt_timeout,
        bucket.n1ql_timeout,
        bucket.connect_timeout,
        bucket.slow_operation,
    ]
    .map(|timeout| timeout.as_millis());
    assert_eq!(milliseconds, [1000, 30_000, 2500, 300_000, 2000, 1000]);
    assert_eq!(settings.embedded.path, Path::new("data/userprofiles.db"));
    let couchbase = &settings.couchbase;
    assert_eq!((couchbase.bucket.as_str(), couchbase.collection.as_str()), ("bucket_name", "_default"));
    assert_eq!((couchbase.api, &couchbase.network), (CouchbaseApi::Query, &Network::Auto));
    let (login, tls) = (&couchbase.login, &couchbase.tls);
    assert!(login.username.is_none() && login.password.is_none() && tls.ca_file.is_none());
    assert_eq!(tls.verification, Verification::On);
    assert_eq!(couchbase.connection_string.seeds[0].host, "127.0.0.1");
    assert_eq!((settings.log.level, settings.log.format), (::log::LevelFilter::Info, LogFormat::Auto));
}

#[test]
fn later_sources_win() {
    let file = "[http]\nworkers = 2\nlisten = ':1'\n[log]\nlevel = 'warn'";
    let variable: &[(&str, &str)] = &[("USERPROFILES_HTTP_WORKERS", "3"), ("USERPROFILES_HTTP_LISTEN", ":2,[::1]:3")];
    assert_eq!(loaded("", &[], &[]).settings.http.workers, 32);
    assert_eq!(loaded(file, &[], &[]).settings.http.workers, 2);
    assert_eq!(loaded(file, variable, &[]).settings.http.workers, 3);
    assert_eq!(loaded(file, variable, &["http.workers=4"]).settings.http.workers, 4);
    assert_eq!(loaded(file, variable, &["http.workers=4", "http.workers=5"]).settings.http.workers, 5);
    assert_eq!(loaded(file, variable, &[]).settings.http.listen.len(), 2);

    let place = Place::new();
    let flags = Sources {
        log_level: Some("debug".to_owned()),
        listen: vec!["unix:/tmp/x".to_owned()],
        ..sources(&place, file, variable, &["log.level=error", "http.listen=:9"])
    };
    let settings = load(&flags).unwrap().settings;
    assert_eq!(settings.log.level, ::log::LevelFilter::Debug);
    assert_eq!(settings.http.listen, [ListenAddress::Unix(PathBuf::from("/tmp/x"))]);
}

#[test]
fn files_are_looked_for_in_order() {
    let place = Place::new();
    let (first, second) = (place.0.path().join("first.toml"), place.0.path().join("second.toml"));
    let sources = Sources { search: vec![first.clone(), second.clone()], ..Sources::default() };
    assert_eq!(load(&sources).unwrap().file, None);
    place.write("second.toml", "[http]\nworkers = 2");
    assert_eq!(load(&sources).unwrap().settings.http.workers, 2);
    place.write("first.toml", "\u{feff}[http]\r\nworkers = 3\r\n");
    let found = load(&sources).unwrap();
    assert_eq!((found.settings.http.workers, found.file), (3, Some(first)));
    let asked_for = Sources { config: Some(second), ..sources };
    assert_eq!(load(&asked_for).unwrap().settings.http.workers, 2);

    let missing = Sources { config: Some(place.0.path().join("none.toml")), ..Sources::default() };
    assert!(load(&missing).unwrap_err().to_string().contains("correct the path behind --config"));
    let folder = Sources { search: vec![place.0.path().to_owned()], ..Sources::default() };
    assert!(load(&folder).unwrap_err().to_string().contains("cannot be read"));
    let binary = Sources { config: Some(place.write("binary", [0xff, 0xfe])), ..Sources::default() };
    assert!(load(&binary).unwrap_err().to_string().contains("it must be UTF-8"));
}

#[test]
fn values_of_each_kind() {
    // section, key, as TOML, as a variable, and how it is shown
    for (section, key, toml, variable, expected) in [
        ("http", "listen", "'8000'", "8000", "\"127.0.0.1:8000\""),
        ("http", "listen", "8000", "8000", "\"127.0.0.1:8000\""),
        ("http", "listen", "[':1', '[::]:2']", ":1, [::]:2", "[\"0.0.0.0:1\", \"[::]:2\"]"),
        (
            "http",
            "listen",
            "['127.0.0.1:0', '127.0.0.1:0']",
            "127.0.0.1:0,127.0.0.1:0",
            "[\"127.0.0.1:0\", \"127.0.0.1:0\"]",
        ),
        ("http", "unix_mode", "'0600'", "600", "\"0600\""),
        ("http", "workers", "1_024", "1024", "1024"),
        ("http", "head_timeout", "'1500ms'", "1500ms", "\"1500ms\""),
        ("http", "head_timeout", "'2m'", "2m", "\"120s\""),
        ("http", "head_timeout", "'1h'", "1h", "\"3600s\""),
        ("http", "docs", "false", "false", "false"),
        ("http", "cors_allow_origins", "[]", "", "[]"),
        ("http", "cors_allow_origins", "'*'", "*", "[\"*\"]"),
        (
            "http",
            "cors_allow_origins",
            "['https://a', 'http://b:1']",
            "https://a,http://b:1",
            "[\"https://a\", \"http://b:1\"]",
        ),
        ("admin", "listen", "'off'", "off", "\"off\""),
        ("admin", "listen", "'unix:/a\"b'", "unix:/a\"b", "\"unix:/a\\\"b\""),
        ("bucket", "max_connections", "7", "7", "7"),
        ("mongodb", "uri", "'mongodb+srv://c/?x=1'", "mongodb+srv://c/?x=1", "\"mongodb+srv://c/?x=1\""),
        ("cassandra", "nodes", "['a:1', '[::1]']", "a:1,[::1]", "[\"a:1\", \"[::1]\"]"),
        ("cassandra", "consistency", "'ONE'", "ONE", "\"ONE\""),
        ("couchdb", "urls", "'https://a'", "https://a", "[\"https://a\"]"),
        ("elasticsearch", "index", "'ü'", "ü", "\"ü\""),
    ] {
        let file = format!("[{section}]\n{key} = {toml}");
        let name = environment_name(section, key);
        let flag = format!("{section}.{key}={variable}");
        let expected = format!("{key} = {expected}");
        assert_eq!(shown(&loaded(&file, &[], &[]), section, key), expected, "{file}");
        assert_eq!(shown(&loaded("", &[(&name, variable)], &[]), section, key), expected, "{name}={variable}");
        assert_eq!(shown(&loaded("", &[], &[&flag]), section, key), expected, "--set {flag}");
    }
}

#[test]
fn every_choice_is_understood() {
    let mut choices = 0;
    for name in loaded("", &[], &[]).sections.iter().flat_map(|section| &section.settings).map(|setting| setting.name) {
        let mut settings = Settings::default();
        let Some(Err(told)) = settings.set(name.section, name.key, &Raw::Text("?\0".to_owned())) else { continue };
        let Some((_, words)) = told.split_once(": write one of ") else { continue };
        for word in words.split(", ") {
            let loaded = loaded("", &[], &[&format!("{}.{}={word}", name.section, name.key)]);
            assert_eq!(shown(&loaded, name.section, name.key), format!("{} = \"{word}\"", name.key));
            choices += 1;
        }
    }
    assert!(choices >= 27, "{choices}");
    for name in DatabaseName::ALL {
        let settings = loaded("", &[], &[&format!("bucket.database={name}")]).settings;
        assert_eq!(settings.bucket.database, name);
    }
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_line() {
    for (file, expected) in [
        ("[http]\nlisen = 'x'", "settings.toml:2: [http] lisen is not a setting; did you mean listen?"),
        ("\n[htp]\nlisten = 'x'", "settings.toml:2: [htp] is not a section; did you mean [http]?"),
        ("\n[htp]", "settings.toml:2: [htp] is not a section; did you mean [http]?"),
        ("workers = 3", "settings.toml:1: workers stands in no section: write [http] workers"),
        ("http = 3", "settings.toml:1: http is a section: write [http] on a line of its own"),
        ("http.workers = 1", "settings.toml:1: [http] workers: is \"1\": write a whole number from 2 to 1024"),
        ("[http]\nworkers = 1025", "from 2 to 1024"),
        ("[http]\nworkers = '3'", "without quotes"),
        ("[http]\nworkers = 0x10", "is not a whole number"),
        ("[http]\nworkers = 1.5", "is not a whole number"),
        ("[http]\nhead_timeout = 30", "write \"30s\" for seconds or \"30ms\""),
        ("[http]\nhead_timeout = '30'", "a whole number and a unit"),
        ("[http]\nhead_timeout = '30 s'", "a whole number and a unit"),
        ("[http]\nhead_timeout = '1d'", "a whole number and a unit"),
        ("[http]\nhead_timeout = '99999999999999999999s'", "a whole number and a unit"),
        ("[http]\nhead_timeout = '18446744073709551615h'", "a whole number and a unit"),
        ("[http]\nhead_timeout = '0s'", "write at least \"1ms\""),
        ("[http]\nhead_timeout = '2h'", "write at most \"3600s\""),
        ("[http]\nlisten = []", "at least one address"),
        ("[http]\nlisten = [8000]", "is not a list of texts"),
        ("[http]\nlisten = 'localhost'", "has no port"),
        ("[http]\nlisten = ['8000', '127.0.0.1:8000']", "names 127.0.0.1:8000 twice"),
        ("[http]\nunix_mode = 0o660", "in quotes, such as \"0660\""),
        ("[http]\nunix_mode = '0888'", "octal digits"),
        ("[http]\nunix_mode = '1777'", "octal digits"),
        ("[http]\ndocs = 'true'", "without quotes"),
        ("[http]\ncache_control = \"a\\nb\"", "is not the value of a header field"),
        ("[http]\ncors_allow_origins = ['https://a/']", "is not an origin"),
        ("[http]\ncors_allow_origins = ['https://a', '*']", "settings.toml:2: [http] cors_allow_origins: \"*\" allows"),
        ("[http]\ncors_allow_origins = ['https://a', 'https://a']", "entry number 2 twice"),
        ("[admin]\nlisten = ['a:1']", "is a list: write one address"),
        ("[admin]\nlisten = 'of'", "has no port"),
        ("[admin]\nlisten = '8000'", "settings.toml:2: [admin] listen is 127.0.0.1:8000, which is [http] listen too"),
        ("[bucket]\ndatabase = 'couchbse'", "did you mean \"couchbase\"?"),
        ("[bucket]\ndatabase = true", "should be a text"),
        ("[bucket]\nmax_connections = 0", "from 1 to 1024"),
        ("[embedded]\npath = ''", "is empty"),
        ("[couchbase]\nscope = '_x'", "cannot be the name of a scope"),
        ("[couchbase]\nusername = 'a:b'", "has a colon in it"),
        (
            "[couchbase]\npassword = 'geheim'",
            "settings.toml:2: [couchbase] password is a secret and does not belong here",
        ),
        ("[elasticsearch]\napi_key = 'geheim'", "USERPROFILES_ELASTICSEARCH_API_KEY"),
        ("[mongodb]\nuri = 'mongodb://u:geheim@a'", "login data belongs into"),
        ("[mongodb]\nuri = 'mongodb://a/?tlsCertificateKeyFilePassword=geheim'", "the secret of an option"),
        ("[mongodb]\nuri = 'mongodb://a/?authMechanismProperties=AWS_SESSION_TOKEN:geheim'", "the secret of an option"),
        (
            "[couchbase]\nconnection_string = 'couchbase://a?security.trustStorePassword=geheim'",
            "a secret (security.trustStorePassword=) does not belong",
        ),
        ("[couchdb]\nurls = ['http://u:geheim@a']", "login data belongs into"),
        ("[arangodb]\nurls = []", "at least one entry"),
        ("[log]\nlevel = 'INFO'", "write one of off, error"),
        ("[log]\nlevel = 1979-05-27", "is a TOML datetime"),
        ("[http]\n[http.listen]\na = 1", "settings.toml:2: [http] listen: is not a list of texts"),
        ("[http]\nworkers = 1\nworkers = 2", "settings.toml:3: this is not TOML"),
        ("[couchbase]\npassword = geheim", "settings.toml:2: this is not TOML"),
        ("[http\nworkers = 1", "settings.toml:1: this is not TOML"),
    ] {
        let errors = errors(file, &[], &[]);
        assert!(errors[0].contains(expected), "{file}: {errors:?}");
        assert!(errors[0].starts_with("settings.toml:"), "{file}: {errors:?}");
        assert!(!errors.join("\n").contains("geheim"), "{file}: {errors:?}");
    }
}

#[test]
fn what_is_wrong_in_variables_and_flags_names_them() {
    let no_variables: &[(&str, &str)] = &[];
    for (environment, set, expected) in [
        (
            &[("USERPROFILES_HTTP_LISTN", "x")][..],
            &[][..],
            "USERPROFILES_HTTP_LISTN: there is no setting for this variable; did you mean USERPROFILES_HTTP_LISTEN?",
        ),
        (&[("USERPROFILES_COUCHBASE_PASWORD", "geheim")], &[], "did you mean USERPROFILES_COUCHBASE_PASSWORD?"),
        (&[("USERPROFILES_X", "x")], &[], "unset it"),
        (&[("USERPROFILES_HTP_X", "x")], &[], "unset it"),
        (&[("USERPROFILES_HTTP_PORT", "8000")], &[], "USERPROFILES_HTTP_PORT: there is no setting"),
        (&[("USERPROFILES_HTTP_WORKERS", "many")], &[], "USERPROFILES_HTTP_WORKERS: [http] workers: is \"many\""),
        (&[("USERPROFILES_HTTP_DOCS", "1")], &[], "write true or false"),
        (&[("USERPROFILES_HTTP_LISTEN", "")], &[], "at least one address"),
        (no_variables, &["http.workers"], "--set: write --set SECTION.KEY=VALUE"),
        (no_variables, &["geheim=3"], "--set: write --set SECTION.KEY=VALUE"),
        (no_variables, &["http.workers=x"], "--set http.workers: [http] workers: is \"x\""),
        (no_variables, &["http.worker=1"], "did you mean workers?"),
        (no_variables, &["couchbase.password=geheim"], "--set couchbase.password: [couchbase] password is a secret"),
    ] {
        let errors = errors("", environment, set);
        assert_eq!(errors.len(), 1, "{environment:?} {set:?}: {errors:?}");
        assert!(errors[0].contains(expected), "{environment:?} {set:?}: {errors:?}");
        assert!(!errors[0].contains("geheim"), "{errors:?}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let found = errors(
        "[http]\nlisen = 'x'\nworkers = 0\n[bucket]\ndatabase = 'couchbase'\n[couchbase]\nconnection_string = 'x'\n\
         password_file = '/nowhere/at/all'",
        &[("USERPROFILES_LOG_LEVEL", "x"), ("USERPROFILES_NOTHING", "x")],
        &["log.format=x", "a=b"],
    );
    let places: Vec<&str> = found.iter().map(|error| error.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "settings.toml:2",
            "settings.toml:3",
            "USERPROFILES_NOTHING",
            "USERPROFILES_LOG_LEVEL",
            "--set",
            "--set log.format",
            "settings.toml:7",
            "settings.toml:8",
        ],
        "{found:#?}"
    );
    let syntax = errors("[http]\nworkers = \nlisten = [\"a\"\n[log]\nlevel = x\n\n\n", &[], &["http.workers=0"]);
    let places: Vec<&str> = syntax.iter().map(|error| error.split(": ").next().unwrap()).collect();
    let expected = ["settings.toml:2", "settings.toml:4", "settings.toml:5", "--set http.workers"];
    assert!(places.iter().collect::<std::collections::BTreeSet<_>>().len() == places.len(), "{syntax:#?}");
    assert!(expected.iter().all(|place| places.contains(place)), "{syntax:#?}");
}

#[test]
fn variables_of_others_are_left_alone() {
    let environment = &[
        ("PATH", "/bin"),
        ("USERPROFILESX", "x"),
        ("USERPROFILES_SERVICE_HOST", "10.0.0.1"),
        ("USERPROFILES_SERVICE_PORT", "80"),
        ("USERPROFILES_SERVICE_PORT_HTTP", "80"),
        ("USERPROFILES_PORT", "tcp://10.0.0.1:80"),
        ("USERPROFILES_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("USERPROFILES_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("USERPROFILES_HTTP_SERVICE_HOST", "10.0.0.1"),
    ];
    assert_eq!(loaded("", environment, &[]).warnings, Vec::<String>::new());
}

#[test]
fn the_state_directory_holds_the_embedded_file() {
    for (state, set, expected) in [
        ("/var/lib/userprofiles", &[][..], "/var/lib/userprofiles/userprofiles.db"),
        ("/var/lib/a:/var/lib/b", &[], "/var/lib/a/userprofiles.db"),
        ("", &[], "data/userprofiles.db"),
        ("/var/lib/a", &["embedded.path=here.db"], "here.db"),
    ] {
        let settings = loaded("", &[("STATE_DIRECTORY", state)], set).settings;
        assert_eq!(settings.embedded.path, Path::new(expected), "{state} {set:?}");
    }
}

#[test]
fn an_unprintable_variable_is_an_error_only_if_it_is_ours() {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = || OsString::from_vec(vec![0xff]);
    let with = |name: &str| Sources {
        search: Vec::new(),
        environment: vec![(OsString::from(name), bytes()), (bytes(), bytes())],
        ..Sources::default()
    };
    assert!(load(&with("OTHER")).is_ok());
    assert!(load(&with("USERPROFILES_HTTP_LISTEN")).unwrap_err().to_string().contains("not UTF-8"));
}
