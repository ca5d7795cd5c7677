//! The real binary on the Couchbase double. The test program has the modules `support` and `couchbase` beside this one.
#![allow(dead_code, reason = "each test program uses a part of what is here")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::couchbase::{BUCKET, Double, MESSAGE_MARKER, PASSWORD, Port, USERNAME};
use crate::support::client::Client;
use crate::support::server::{Server, userprofiles};

/// Both values of `[bucket] connections`, as settings.
pub const MODES: [&str; 2] = ["bucket.connections=per-request", "bucket.connections=pooled"];

/// A way in: a value of `[couchbase] api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayIn {
    Query,
    Documents,
    DataApi,
}

impl WayIn {
    pub const ALL: [Self; 3] = [Self::Query, Self::Documents, Self::DataApi];

    /// Those that read by GET.
    pub const BY_GET: [Self; 2] = [Self::Documents, Self::DataApi];

    /// As a setting.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Query => "couchbase.api=query",
            Self::Documents => "couchbase.api=documents",
            Self::DataApi => "couchbase.api=data-api",
        }
    }

    /// What the connection string of a double has to be.
    pub fn connection_string(self, double: &Double) -> String {
        match self {
            Self::Query | Self::Documents => double.connection_string(),
            Self::DataApi => double.gateway_string(),
        }
    }

    /// The port that documents come from.
    pub fn port(self, double: &Double) -> &Port {
        match self {
            Self::Query => double.query_port(),
            Self::Documents => double.manager_port(),
            Self::DataApi => double.gateway_port(),
        }
    }
}

/// A server of this cluster, which goes this way in.
pub fn serve_by(way: WayIn, double: &Double, settings: &[&str]) -> Server {
    serve_at(&way.connection_string(double), PASSWORD, &[&[way.setting()], settings].concat())
}

/// Stands in every `hashed_password` of these tests, and must stand nowhere else.
pub const HASH: &str = "hash-marker-0815";

/// A profile of a user without anything optional.
pub fn profile(username: &str) -> String {
    format!(r#"{{"username":"{username}","hashed_password":"{HASH}"}}"#)
}

/// A server of this cluster. Of two settings of one name the later one holds.
pub fn serve(double: &Double, settings: &[&str]) -> Server {
    serve_at(&double.connection_string(), PASSWORD, settings)
}

/// A server of whatever is at this address.
pub fn serve_at(connection_string: &str, password: &str, settings: &[&str]) -> Server {
    let connection_string = format!("couchbase.connection_string={connection_string}");
    let (bucket, username) = (format!("couchbase.bucket={BUCKET}"), format!("couchbase.username={USERNAME}"));
    let mut all = vec!["bucket.database=couchbase", &connection_string, &bucket, &username];
    all.extend(settings);
    Server::start_with(&all, &[], |command| {
        command.env("USERPROFILES_COUCHBASE_PASSWORD", password);
    })
}

/// A cluster that knows one user.
pub fn double_with_john() -> Double {
    let double = Double::start();
    double.put("userprofile::johndoe", &profile("johndoe"));
    double
}

/// What is answered for that user.
pub const JOHN: &str = r#"{"username":"johndoe","email":null,"full_name":null,"disabled":null}"#;

pub fn assert_serves_john(server: &Server) {
    let answer = server.get("/users/johndoe");
    assert_eq!((answer.status, answer.text()), (200, JOHN));
}

/// The line that an operator finds about a request that failed.
pub fn error_line(server: &Server, request_id: &str) -> String {
    server.wait_for_log(&format!("request_id={request_id} code="));
    let log = server.log();
    let line = log.lines().find(|line| line.contains(" ERROR ") && line.contains(&format!("request_id={request_id}")));
    line.unwrap_or_else(|| panic!("{request_id}: no error in the log:\n{log}")).to_owned()
}

/// The answer to a read of a stored document of this name: the user, or a 500 of this code with these words in the log.
pub fn assert_read(server: &Server, client: &mut Client, name: &str, expected: Result<&str, (&str, &str)>) {
    let answer = client.request("GET", &format!("/users/{name}"), &format!("X-Request-Id: {name}\r\n"));
    match expected {
        Ok(username) => {
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            assert_eq!(answer.json()["username"], *username, "{name}");
        }
        Err((code, words)) => {
            answer.assert_problem(500, code);
            let line = error_line(server, name);
            assert!(line.contains(words), "{name}: {line}");
        }
    }
    assert_holds_no_secret(&format!("{}{}", answer.head, answer.text()));
}

/// Waits until `johndoe` is answered. A node that kept others waiting is left out until a probe finds that it answers,
/// which takes less than a second.
pub fn wait_for_john(server: &Server) {
    let give_up = std::time::Duration::from_secs(20);
    let step = std::time::Duration::from_millis(10);
    let mut waited = std::time::Duration::ZERO;
    while server.get("/users/johndoe").status != 200 {
        assert!(waited < give_up, "the node stays left out");
        std::thread::sleep(step);
        waited += step;
    }
    assert_serves_john(server);
}

/// A command on this cluster, such as `import`, in a folder of its own.
pub fn command(double: &Double, folder: &Path, arguments: &[&str]) -> Command {
    command_at(&double.connection_string(), PASSWORD, folder, arguments)
}

/// A command on whatever is at this address.
pub fn command_at(connection_string: &str, password: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = userprofiles();
    for setting in [
        "bucket.database=couchbase",
        &format!("couchbase.connection_string={connection_string}"),
        &format!("couchbase.bucket={BUCKET}"),
        &format!("couchbase.username={USERNAME}"),
    ] {
        command.args(["--set", setting]);
    }
    command.args(arguments).current_dir(folder).env("USERPROFILES_COUCHBASE_PASSWORD", password);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The exit code, standard output, standard error, of a command that has ended.
pub fn outcome(output: &Output) -> (i32, &str, &str) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Sends a signal to a command, by the name that `kill` has for it.
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Asserts that a text holds nothing that must stay inside: no login, no hash, no message of the database.
pub fn assert_holds_no_secret(text: &str) {
    let login = STANDARD.encode(format!("{USERNAME}:{PASSWORD}"));
    for secret in [PASSWORD, &login, HASH, MESSAGE_MARKER] {
        assert!(!text.contains(secret), "{secret:?} stands in:\n{text}");
    }
}
