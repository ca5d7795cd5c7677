//! TLS between the real binary and the double: certificates that are good, and each way in which they are not, as a
//! client and as an operator see it, in both ways of `[bucket] connections`.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/couchbase/mod.rs"]
mod couchbase;
#[path = "support/on_couchbase.rs"]
mod on_couchbase;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use certificates::{Authority, Clients, Pair, Validity, server_config};
use couchbase::{BUCKET, Double, Front, Login, Manager, PASSWORD, USERNAME};
use on_couchbase::{MODES, assert_holds_no_secret, profile};
use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, ServerConfig};
use support::server::{self, Server, userprofiles};

const JOHN: &str = r#"{"username":"johndoe","email":null,"full_name":null,"disabled":null}"#;

/// By which the double is reached.
const HERE: &[&str] = &["127.0.0.1", "localhost"];

/// The double with TLS before both of its ports, which is all that its nodes offer.
struct Cluster {
    double: Double,
    manager: Front,
    query: Front,
}

impl Cluster {
    fn start(config: &Arc<ServerConfig>) -> Self {
        let double = Double::start();
        double.put("userprofile::johndoe", &profile("johndoe"));
        let manager = Front::open(double.manager_address(), Arc::clone(config));
        let query = Front::open(double.query_address(), Arc::clone(config));
        let (mgmt, n1ql) = (manager.address().port(), query.address().port());
        double.set_manager(Manager::Nodes(format!(
            r#"{{"rev":1,"nodesExt":[{{"services":{{"mgmt":1,"mgmtSSL":{mgmt},"n1ql":1,"n1qlSSL":{n1ql}}},"thisNode":true}}]}}"#
        )));
        Self { double, manager, query }
    }

    fn set_config(&self, config: &Arc<ServerConfig>) {
        self.manager.set_config(Arc::clone(config));
        self.query.set_config(Arc::clone(config));
    }

    fn connection_string(&self) -> String {
        format!("couchbases://127.0.0.1:{}=HTTPS", self.manager.address().port())
    }
}

/// Who the server says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    /// By name and password.
    Reader,
    /// Not in HTTP.
    Nobody,
}

/// A server of what is at this address, to which the operating system vouches for the authorities in `system`.
fn serve(connection_string: &str, who: As, system: &Folder, settings: &[&str]) -> Server {
    let mut all = vec![
        "bucket.database=couchbase".to_owned(),
        "log.level=debug".to_owned(),
        format!("couchbase.bucket={BUCKET}"),
        format!("couchbase.connection_string={connection_string}"),
    ];
    if who == As::Reader {
        all.push(format!("couchbase.username={USERNAME}"));
    }
    all.extend(settings.iter().map(ToString::to_string));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    Server::start_with(&all, &[], |command| {
        command.env("SSL_CERT_FILE", system.path("system.pem")).env_remove("SSL_CERT_DIR");
        if who == As::Reader {
            command.env("USERPROFILES_COUCHBASE_PASSWORD", PASSWORD);
        }
    })
}

/// Files of one test.
struct Folder(tempfile::TempDir);

impl Folder {
    /// With an authority that has nothing to do with anything as the only one of the operating system.
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("system.pem", &Authority::new("Elsewhere").pem());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// `couchbase.KEY=FILE`
    fn setting(&self, key: &str, name: &str) -> String {
        format!("couchbase.{key}={}", self.path(name).display())
    }

    /// Writes a client's certificate and key, and gives the settings for them.
    fn client(&self, pair: &Pair) -> [String; 2] {
        self.write("client.pem", &pair.certificate);
        self.write("client.key", &pair.key);
        [self.setting("client_certificate_file", "client.pem"), self.setting("client_key_file", "client.key")]
    }
}

fn assert_serves_john(server: &Server) {
    let answer = server.get("/users/johndoe");
    assert_eq!((answer.status, answer.text()), (200, JOHN), "{}", server.log());
}

/// One GET, which must fail as a misconfiguration, without a word of why outside. Gives the line of the log about it.
fn assert_misconfigured(server: &Server, request_id: &str) -> String {
    let answer = server.connect().request("GET", "/users/johndoe", &format!("X-Request-Id: {request_id}\r\n"));
    answer.assert_problem(500, "misconfigured");
    for inside in ["127.0.0.1", "certificate", "TLS", "ca_file"] {
        assert!(!answer.text().contains(inside), "{}", answer.text());
    }
    server.wait_for_log(&format!("request_id={request_id} code=misconfigured"));
    let log = server.log();
    let is_it = |line: &&str| line.contains(" ERROR ") && line.contains(&format!("request_id={request_id}"));
    log.lines().find(is_it).unwrap().to_owned()
}

#[test]
fn certificates_of_an_authority_that_is_trusted() {
    let ours = Authority::new("Ours");
    for (versions, mode) in [(&[&TLS12][..], MODES[0]), (&[&TLS13], MODES[1]), (ALL_VERSIONS, MODES[0])] {
        let pair = ours.server(HERE, Validity::Now);
        let cluster = Cluster::start(&server_config(&pair, Clients::Anybody, versions));
        let folder = Folder::new();
        folder.write("ca.pem", &format!("# our own\n{}{}", Authority::new("Another").pem(), ours.pem()));
        let ca_file = folder.setting("ca_file", "ca.pem");
        let port = cluster.manager.address().port();
        let by_file = [
            (format!("couchbases://127.0.0.1:{port}=HTTPS"), vec![ca_file.as_str()]),
            (format!("https://localhost:{port}"), vec![&ca_file]),
            (format!("couchbase://127.0.0.1:{port}=HTTPS?ssl=on"), vec![&ca_file]),
            (format!("https://127.0.0.1:{port}?truststorepath={}", folder.path("ca.pem").display()), vec![]),
        ];
        for (connection_string, settings) in &by_file {
            let settings: Vec<&str> = [mode].into_iter().chain(settings.iter().copied()).collect();
            let server = serve(connection_string, As::Reader, &folder, &settings);
            for _ in 0..3 {
                assert_serves_john(&server);
            }
            server.wait_for_log("with TLS");
            assert_holds_no_secret(&server.log());
            assert!(!server.log().contains("without TLS, where anyone"), "{}", server.log());
        }
        folder.write("system.pem", &ours.pem());
        let server = serve(&cluster.connection_string(), As::Reader, &folder, &[mode]);
        assert_serves_john(&server);
        assert_eq!(cluster.double.violations(), Vec::<String>::new());
    }
}

#[test]
fn a_connection_for_each_request_takes_the_session_of_another_up_again() {
    let ours = Authority::new("Ours");
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let pair = ours.server(HERE, Validity::Now);
        let cluster = Cluster::start(&server_config(&pair, Clients::Anybody, versions));
        let folder = Folder::new();
        folder.write("ca.pem", &ours.pem());
        let ca_file = folder.setting("ca_file", "ca.pem");
        let server = serve(&cluster.connection_string(), As::Reader, &folder, &[MODES[0], &ca_file]);
        for _ in 0..10 {
            assert_serves_john(&server);
        }
        let (manager, query) = (cluster.manager.handshakes(), cluster.query.handshakes());
        let resumed = manager.resumed + query.resumed;
        assert_eq!((manager.full + query.full, resumed), (1, 10), "one full handshake for all");
    }
}

#[test]
fn each_thing_that_is_wrong_with_a_certificate_has_its_own_words() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    let good = ours.server(HERE, Validity::Now);
    let folder = Folder::new();
    folder.write("ca.pem", &ours.pem());
    folder.write("namesake.pem", &Authority::new("Ours").pem());
    folder.write("theirs.pem", &theirs.pem());
    let (ca, namesake, other) = (
        folder.setting("ca_file", "ca.pem"),
        folder.setting("ca_file", "namesake.pem"),
        folder.setting("ca_file", "theirs.pem"),
    );
    let any = Clients::Anybody;
    let of = |pair: &Pair| server_config(pair, any, ALL_VERSIONS);
    let wants_client = |versions| server_config(&good, Clients::Of(&ours), versions);
    let stranger = folder.client(&theirs.client());
    let (stranger_certificate, stranger_key) = (stranger[0].as_str(), stranger[1].as_str());
    let table: Vec<(&str, Arc<ServerConfig>, Vec<&str>, &str)> = vec![
        ("no-ca", of(&good), vec![], "of an authority that this machine does not know; set [couchbase] ca_file"),
        ("wrong-ca", of(&good), vec![&other], "comes from no authority in"),
        ("namesake-ca", of(&good), vec![&namesake], "comes from no authority in"),
        ("expired", of(&ours.server(HERE, Validity::Over)), vec![&ca], "expired (2021-02-03T00:00:00Z); renew it"),
        ("not-yet", of(&ours.server(HERE, Validity::NotYet)), vec![&ca], "not valid yet (2119-02-03T00:00:00Z)"),
        ("wrong-host", of(&ours.server(&["db.example"], Validity::Now)), vec![&ca], "for other hosts (db.example)"),
        ("not-a-server", of(&ours.client()), vec![&ca], "not made for a server"),
        (
            "client-13",
            wants_client(&[&TLS13]),
            vec![&ca],
            "wants a client certificate; set [couchbase] client_certificate_file",
        ),
        (
            "client-12",
            wants_client(&[&TLS12]),
            vec![&ca],
            "wants a client certificate; set [couchbase] client_certificate_file",
        ),
        (
            "stranger-13",
            wants_client(&[&TLS13]),
            vec![&ca, stranger_certificate, stranger_key],
            "does not accept our client certificate",
        ),
        (
            "stranger-12",
            wants_client(&[&TLS12]),
            vec![&ca, stranger_certificate, stranger_key],
            "does not accept our client certificate",
        ),
    ];
    for mode in MODES {
        let mut told = std::collections::BTreeSet::new();
        for (name, config, settings, expected) in &table {
            // First where only the manager is met, and then where the query service is what is wrong.
            let cluster = Cluster::start(config);
            let settings: Vec<&str> = [mode].into_iter().chain(settings.iter().copied()).collect();
            let server = serve(&cluster.connection_string(), As::Reader, &folder, &settings);
            let line = assert_misconfigured(&server, &format!("{name}-manager"));
            assert!(line.contains(expected) && line.contains("the cluster manager at 127.0.0.1:"), "{name}: {line}");
            assert!(
                ["set ", "check ", "put ", "renew ", "write ", "give "].iter().any(|verb| line.contains(verb)),
                "{line}"
            );
            told.insert(expected);
            assert_holds_no_secret(&server.log());

            let without_ca = *name == "no-ca" || name.ends_with("-ca");
            if !without_ca {
                cluster.manager.set_config(of(&good));
                let server = serve(&cluster.connection_string(), As::Reader, &folder, &settings);
                let line = assert_misconfigured(&server, &format!("{name}-query"));
                assert!(line.contains(expected) && line.contains("the query service at 127.0.0.1:"), "{name}: {line}");
                cluster.query.set_config(of(&good));
                assert_serves_john(&server);
            }
        }
        assert_eq!(told.len(), 8);
    }
}

#[test]
fn a_client_certificate_is_a_login() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Their clients"));
    let folder = Folder::new();
    folder.write("ca.pem", &ours.pem());
    let ca = folder.setting("ca_file", "ca.pem");
    for (mode, versions) in [(MODES[0], &[&TLS12][..]), (MODES[1], &[&TLS13]), (MODES[0], &[&TLS13])] {
        let pair = ours.server(HERE, Validity::Now);
        let cluster = Cluster::start(&server_config(&pair, Clients::Of(&theirs), versions));
        let [certificate, key] = folder.client(&theirs.client());
        let with_login = serve(&cluster.connection_string(), As::Reader, &folder, &[mode, &ca, &certificate, &key]);
        assert_serves_john(&with_login);

        cluster.double.set_login(Login::Certificate);
        let server = serve(&cluster.connection_string(), As::Nobody, &folder, &[mode, &ca, &certificate, &key]);
        assert_serves_john(&server);
        let string = format!(
            "{}?certpath={}&keypath={}",
            cluster.connection_string(),
            folder.path("client.pem").display(),
            folder.path("client.key").display()
        );
        let server = serve(&string, As::Nobody, &folder, &[mode, &ca]);
        assert_serves_john(&server);
        assert_serves_john(&server);
    }
}

#[test]
fn something_else_than_tls_and_tls_instead_of_something_else() {
    let ours = Authority::new("Ours");
    let pair = ours.server(HERE, Validity::Now);
    let cluster = Cluster::start(&server_config(&pair, Clients::Anybody, ALL_VERSIONS));
    let folder = Folder::new();
    folder.write("ca.pem", &ours.pem());
    let ca = folder.setting("ca_file", "ca.pem");
    for mode in MODES {
        let plain = plain_http();
        let server = serve(&format!("https://{plain}"), As::Reader, &folder, &[mode, &ca]);
        let line = assert_misconfigured(&server, "plain");
        assert!(line.contains("does not speak TLS there; check the ports"), "{line}");

        let server = serve(&format!("http://{}", cluster.manager.address()), As::Reader, &folder, &[mode]);
        let line = assert_misconfigured(&server, "tls");
        assert!(line.contains("check the hosts and ports of [couchbase] connection_string"), "{line}");

        cluster.double.set_manager(Manager::Nodes(
            r#"{"rev":1,"nodesExt":[{"services":{"mgmt":8091,"n1ql":$N1QL},"thisNode":true}]}"#.to_owned(),
        ));
        let server = serve(&cluster.connection_string(), As::Reader, &folder, &[mode, &ca]);
        let line = assert_misconfigured(&server, "no-ports");
        assert!(line.contains("not over TLS (n1qlSSL)"), "{line}");
        assert_holds_no_secret(&server.log());
    }
}

/// A port that answers as a web server without TLS does when it is spoken to in TLS. It ends with the process.
fn plain_http() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 16]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    address
}

#[test]
fn certificates_go_unchecked_only_where_the_alarming_setting_says_so() {
    let theirs = Authority::new("Theirs");
    let pair = theirs.server(&["db.example"], Validity::Over);
    let cluster = Cluster::start(&server_config(&pair, Clients::Anybody, ALL_VERSIONS));
    let folder = Folder::new();
    let danger = "couchbase.danger_accept_invalid_certificates=true";
    for string in [cluster.connection_string(), cluster.connection_string() + "?ssl=no_verify"] {
        let server = serve(&string, As::Reader, &folder, &[danger]);
        server.wait_for_log("the certificates of Couchbase are not checked");
        assert_serves_john(&server);
    }
    let (code, told) = refused(&["couchbase.connection_string=couchbases://a?ssl=no_verify"]);
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("ssl=no_verify") && told.contains("danger_accept_invalid_certificates = true"), "{told}");
}

/// A `serve` that does not start: its exit code, and what it says.
fn refused(settings: &[&str]) -> (i32, String) {
    let mut all = vec!["bucket.database=couchbase"];
    all.extend(settings);
    let mut command: Command = server::serve(userprofiles(), &all, &["--listen", "127.0.0.1:0"]);
    let folder = tempfile::tempdir().unwrap();
    let output = command.current_dir(folder.path()).stdout(Stdio::null()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn files_that_cannot_be_used_keep_it_from_starting() {
    let ours = Authority::new("Ours");
    let folder = Folder::new();
    let (client, other) = (ours.client(), ours.client());
    folder.write("ca.pem", &ours.pem());
    folder.write("empty.pem", "");
    folder.write("text.pem", "no certificate\n");
    folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n");
    folder.write("odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    folder.write("client.pem", &client.certificate);
    folder.write("client.key", &client.key);
    folder.write("other.key", &other.key);
    folder.write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let ca = |name: &str| vec![folder.setting("ca_file", name)];
    let client = |certificate: &str, key: &str| {
        let mut settings = ca("ca.pem");
        settings.push(folder.setting("client_certificate_file", certificate));
        settings.push(folder.setting("client_key_file", key));
        settings
    };
    for (settings, parts) in [
        (ca("nowhere.pem"), ["[couchbase] ca_file", "nowhere.pem cannot be read"]),
        (ca("."), ["[couchbase] ca_file", "name a plain file"]),
        (ca("empty.pem"), ["[couchbase] ca_file: there is no certificate in", "empty.pem"]),
        (ca("text.pem"), ["[couchbase] ca_file: there is no certificate in", "BEGIN CERTIFICATE"]),
        (ca("client.key"), ["[couchbase] ca_file: there is no certificate in", "client.key"]),
        (ca("broken.pem"), ["[couchbase] ca_file", "broken PEM"]),
        (ca("odd.pem"), ["[couchbase] ca_file", "none that can stand for an authority"]),
        (client("nowhere.pem", "client.key"), ["[couchbase] client_certificate_file", "cannot be read"]),
        (client("client.pem", "nowhere.key"), ["[couchbase] client_key_file", "cannot be read"]),
        (client("client.pem", "client.pem"), ["[couchbase] client_key_file: there is no private key", "client.pem"]),
        (client("client.pem", "locked.key"), ["[couchbase] client_key_file: there is no private key", "passphrase"]),
        (
            client("client.pem", "other.key"),
            ["[couchbase] client_key_file", "does not belong to the first certificate"],
        ),
        (client("empty.pem", "client.key"), ["[couchbase] client_certificate_file: there is no certificate", "empty"]),
        (client("odd.pem", "client.key"), ["[couchbase] client_certificate_file", "odd.pem"]),
    ] {
        let mut all = vec!["couchbase.connection_string=couchbases://127.0.0.1"];
        all.extend(settings.iter().map(String::as_str));
        let (code, told) = refused(&all);
        assert_eq!(code, 1, "{settings:?}: {told}");
        for part in parts {
            assert!(told.contains(part), "{settings:?}: {told}");
        }
        assert!(!told.contains("PRIVATE KEY"), "{told}");
    }
}

#[test]
fn certificates_are_read_again_at_hup() {
    let (first, second) = (Authority::new("First"), Authority::new("Second"));
    let config = |authority: &Authority, clients: &Authority| {
        server_config(&authority.server(HERE, Validity::Now), Clients::Of(clients), ALL_VERSIONS)
    };
    for mode in MODES {
        let folder = Folder::new();
        folder.write("ca.pem", &first.pem());
        let [certificate, key] = folder.client(&first.client());
        let ca = folder.setting("ca_file", "ca.pem");
        let cluster = Cluster::start(&config(&first, &first));
        let server = serve(&cluster.connection_string(), As::Reader, &folder, &[mode, &ca, &certificate, &key]);
        assert_serves_john(&server);

        // What is broken is not taken.
        folder.write("ca.pem", "half a");
        server.signal("HUP");
        server.wait_for_log("HUP: the settings are as before");
        server.wait_for_log("there is no certificate in");
        assert_serves_john(&server);

        folder.write("ca.pem", &second.pem());
        folder.client(&second.client());
        cluster.set_config(&config(&second, &second));
        server.signal("HUP");
        server.wait_for_log("HUP: reload complete");
        // A kept connection was made with the certificates of before, and is not used any more.
        let before = cluster.query.handshakes();
        assert_serves_john(&server);
        assert_ne!(cluster.query.handshakes(), before);
        assert_holds_no_secret(&server.log());
    }
}
