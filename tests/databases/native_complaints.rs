//! As `complaints`, of databases that are asked by drivers of their own: real servers with logins, with TLS and
//! without.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;

use crate::certificates::Authority;
use crate::complaints::{Situation, assert_in_table, observe};
use crate::databases::real::RealServer;
use crate::support::process::userprofiles;

/// What is the same in all situations of one database.
struct Usual {
    situation: Situation,
    /// The setting of the address, as `cassandra.nodes=HOST`.
    address: fn(&str) -> String,
}

impl Usual {
    fn with(&self, wrong: &'static str, host: &str, settings: &[&str]) -> Situation {
        let place = settings.iter().map(|setting| (*setting).to_owned());
        let settings = place.chain([(self.address)(host), "bucket.attempt_timeout=1s".to_owned()]).collect();
        Situation { wrong, host: host.to_owned(), settings, ..self.situation.clone() }
    }
}

/// The login and the host of a server; `section` is that of its settings.
fn usual(server: &RealServer, section: &str, host: &str, address: fn(&str) -> String) -> Usual {
    let own = |name: &str| server.setting(&format!("{section}_{name}")).to_owned();
    let (user, password) = (own("USERNAME"), own("PASSWORD"));
    let situation =
        Situation { wrong: "nothing", host: host.to_owned(), settings: Vec::new(), user, password, ca_file: None };
    Usual { situation, address }
}

/// A server of something else: it answers whatever it is sent as HTTP does.
fn foreign() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut stream = stream;
                let mut buffer = [0; 4096];
                if stream.read(&mut buffer).is_ok_and(|bytes| bytes > 0) {
                    let _ =
                        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                }
            });
        }
    });
    address
}

#[test]
fn what_is_wrong_with_mongodb_is_said_word_for_word() {
    let Some(server) = RealServer::start("mongodb", "native-complaints") else { return };
    let host = server.setting("MONGODB_URI").split('/').nth(2).unwrap().to_owned();
    let usual = usual(&server, "MONGODB", &host, |host| format!("mongodb.uri=mongodb://{host}/"));
    let (app, users) = ("mongodb.database=app", "mongodb.collection=users");
    let mut found = vec![
        Situation { password: "another-pw".to_owned(), ..usual.with("wrong password", &host, &[app, users]) },
        usual.with("no rights", &host, &["mongodb.database=another", users]),
        usual.with("no collection", &host, &[app, "mongodb.collection=elsewhere"]),
        usual.with("foreign service", &foreign(), &[app, users]),
    ];
    let secure = RealServer::start_with("mongodb", "native-complaints-tls", &["--tls"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let host = secure.setting("MONGODB_URI").split('/').nth(2).unwrap().to_owned();
    let by_tls = self::usual(&secure, "MONGODB", &host, |host| format!("mongodb.uri=mongodb://{host}/?tls=true"));
    let other = folder.path().join("other.pem");
    std::fs::write(&other, Authority::new("other").pem()).unwrap();
    found.push(Situation { ca_file: Some(other), ..by_tls.with("wrong authority", &host, &[app, users]) });
    found.push(by_tls.with("unknown authority", &host, &[app, users]));
    let without = Usual { address: |host| format!("mongodb.uri=mongodb://{host}/"), ..by_tls };
    found.push(without.with("TLS on one side only", &host, &[app, users]));
    let found: Vec<_> = found.iter().map(|situation| observe("mongodb", situation)).collect();
    assert_in_table(&found);
}

/// By the administrator, in a keyspace that is not there yet.
fn create_table_of_another(server: &RealServer) {
    let mut command = userprofiles();
    command.envs(&server.settings).env("USERPROFILES_CASSANDRA_PASSWORD", server.login("admin_password"));
    command.env("USERPROFILES_CASSANDRA_USERNAME", server.login("admin"));
    let place = ["cassandra.keyspace=elsewhere", "cassandra.table=forbidden"];
    command.args(["import", "--create", "-", "--set", place[0], "--set", place[1]]).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_is_wrong_with_cassandra_is_said_word_for_word() {
    let Some(server) = RealServer::start("cassandra", "native-complaints") else { return };
    let host = server.setting("CASSANDRA_NODES").to_owned();
    let usual = usual(&server, "CASSANDRA", &host, |host| format!("cassandra.nodes={host}"));
    let (app, users) = ("cassandra.keyspace=app", "cassandra.table=users");
    create_table_of_another(&server);
    let mut found = vec![
        Situation { password: "another-pw".to_owned(), ..usual.with("wrong password", &host, &[app, users]) },
        usual.with("no rights", &host, &["cassandra.keyspace=elsewhere", "cassandra.table=forbidden"]),
        usual.with("no table", &host, &[app, "cassandra.table=elsewhere"]),
        usual.with("no keyspace", &host, &["cassandra.keyspace=nowhere", users]),
        usual.with("no such columns", &host, &["cassandra.keyspace=system", "cassandra.table=local"]),
        usual.with("wrong data centre", &host, &[app, users, "cassandra.local_datacenter=elsewhere"]),
        usual.with("foreign service", &foreign(), &[app, users]),
    ];
    let secure = RealServer::start_with("cassandra", "native-complaints-tls", &["--tls"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let host = secure.setting("CASSANDRA_NODES").to_owned();
    let by_tls = self::usual(&secure, "CASSANDRA", &host, |host| format!("cassandra.nodes={host}"));
    let other = folder.path().join("other.pem");
    std::fs::write(&other, Authority::new("other").pem()).unwrap();
    let settings = [app, users, "cassandra.tls=true"];
    found.push(Situation { ca_file: Some(other), ..by_tls.with("wrong authority", &host, &settings) });
    found.push(by_tls.with("TLS on one side only", &host, &[app, users]));
    let found: Vec<_> = found.iter().map(|situation| observe("cassandra", situation)).collect();
    assert_in_table(&found);
}
