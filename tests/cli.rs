//! The command line as a shell sees it: exit codes, standard output, and what standard error says to do.
#![allow(clippy::disallowed_methods, reason = "tests take times and start threads of their own")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use support::client::{find, read_some};
use support::process::{spawn, userprofiles, userprofiles_by_shell};
use support::server::{PATIENCE, Server, sample_users};

const JOHNDOE: &str =
    "{\"username\":\"johndoe\",\"email\":\"johndoe@example.com\",\"full_name\":\"John Doe\",\"disabled\":false}\n";

/// Runs it in a folder, without a settings file unless the folder has one.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    userprofiles().current_dir(folder).args(arguments).output().unwrap()
}

/// The exit code, standard output, standard error.
fn outcome(output: &Output) -> (i32, &str, &str) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn with_sample_users() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["import", sample_users().to_str().unwrap()]);
    assert_eq!(outcome(&output).0, 0, "{output:?}");
    folder
}

#[test]
fn get() {
    let folder = with_sample_users();
    let long = "x".repeat(234);
    for (arguments, code, stdout, part) in [
        (&["get", "johndoe"][..], 0, JOHNDOE, ""),
        (&["get", "nobody"], 3, "", ""),
        (&["get", ""], 2, "", "empty"),
        (&["get", "a\nb"], 2, "", "control"),
        (&["get", &long], 2, "", "233"),
        (&["get"], 2, "", "<USERNAME>"),
        (&["get", "a", "b"], 2, "", "unexpected argument"),
        (&["--set", "bucket.connections=pooled", "get", "johndoe"], 0, JOHNDOE, ""),
        (&["get", "johndoe", "--set", "embedded.path=."], 1, "", "name a file"),
    ] {
        let output = run(folder.path(), arguments);
        let (actual, out, err) = outcome(&output);
        assert_eq!((actual, out), (code, stdout), "{arguments:?}: {err}");
        assert!(err.contains(part), "{arguments:?}: {err}");
        assert!(!err.contains("not-a-real-hash"), "{err}");
    }
}

#[test]
fn get_prints_names_as_they_are_and_never_a_hash() {
    let folder = with_sample_users();
    for line in fs::read_to_string(sample_users()).unwrap().lines().filter(|line| !line.trim().is_empty()) {
        let stored: serde_json::Value = serde_json::from_str(line).unwrap();
        let output = run(folder.path(), &["get", "--", stored["username"].as_str().unwrap()]);
        let (code, out, err) = outcome(&output);
        assert_eq!((code, err), (0, ""), "{line}");
        let printed: serde_json::Value = serde_json::from_str(out).unwrap();
        assert_eq!((printed.as_object().unwrap().len(), &printed["username"]), (4, &stored["username"]));
    }
}

#[test]
fn import() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file(
        "good.jsonl",
        "{\"username\":\"a\",\"hashed_password\":\"marker\"}\r\n\n{\"username\":\"b\",\"hashed_password\":\"marker\"}",
    );
    file(
        "bad.jsonl",
        "{\"username\":\"c\",\"hashed_password\":\"marker\"}\nnot JSON, marker\n{\"username\":\"d\"}\n{\"username\":\"e\",\"hashed_password\":\"marker\",\"email\":\"e@x\"}\n",
    );
    file("empty.jsonl", "");
    for (name, code, part) in [
        ("good.jsonl", 0, "2 lines stored, none rejected"),
        ("good.jsonl", 0, "2 lines stored, none rejected"),
        ("bad.jsonl", 4, "2 lines stored, 2 rejected"),
        ("bad.jsonl", 4, "bad.rejected.jsonl"),
        ("empty.jsonl", 0, "0 lines stored"),
        ("missing.jsonl", 1, "missing.jsonl cannot be opened"),
        (".", 1, ""),
    ] {
        let output = run(folder.path(), &["import", name]);
        let (actual, out, err) = outcome(&output);
        assert_eq!((actual, out), (code, ""), "{name}: {err}");
        assert!(err.contains(part), "{name}: {err}");
        assert!(!err.contains("marker"), "{err}");
    }
    let rejected = fs::read_to_string(folder.path().join("bad.rejected.jsonl")).unwrap();
    assert_eq!(rejected, "not JSON, marker\n{\"username\":\"d\"}\n");
    let reasons = fs::read_to_string(folder.path().join("bad.rejected.txt")).unwrap();
    assert!(reasons.starts_with("line 2: it is not JSON") && reasons.contains("\nline 3: "), "{reasons}");
    assert!(!reasons.contains("marker"), "{reasons}");
    for (name, code) in [("a", 0), ("b", 0), ("c", 0), ("d", 3), ("e", 0)] {
        assert_eq!(outcome(&run(folder.path(), &["get", name])).0, code, "{name}");
    }

    let mut import = userprofiles();
    import.current_dir(folder.path()).args(["import", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(import).unwrap();
    child.stdin.take().unwrap().write_all(b"{\"username\":\"f\",\"hashed_password\":\"marker\"}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(outcome(&run(folder.path(), &["get", "f"])).0, 0);
}

#[test]
fn config_prints_what_holds_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.toml"), "[http]\nworkers = 7\n\n[bucket]\ndatabase = \"couchbase\"\n").unwrap();
    let output = userprofiles()
        .current_dir(folder.path())
        .args(["config", "--config", "x.toml", "--set", "http.idle_timeout=7s", "--log-level", "debug"])
        .env("USERPROFILES_BUCKET_CONNECTIONS", "pooled")
        .env("USERPROFILES_COUCHBASE_USERNAME", "reader")
        .env("USERPROFILES_COUCHBASE_PASSWORD", "secret-marker")
        .output()
        .unwrap();
    let (code, out, err) = outcome(&output);
    assert_eq!(code, 0, "{err}");
    for part in [
        "workers = 7  # x.toml:2",
        "idle_timeout = \"7s\"  # --set http.idle_timeout",
        "connections = \"pooled\"  # USERPROFILES_BUCKET_CONNECTIONS",
        "level = \"debug\"  # --log-level",
        "***",
    ] {
        assert!(out.contains(part), "{part:?} is not in:\n{out}");
    }
    assert!(!out.contains("secret-marker") && !err.contains("secret-marker"), "{out}{err}");
    // What it prints is a settings file, but for the secret.
    let again: Vec<&str> = out.lines().filter(|line| !line.contains("***")).collect();
    fs::write(folder.path().join("again.toml"), again.join("\n")).unwrap();
    let output = userprofiles()
        .current_dir(folder.path())
        .args(["config", "--config", "again.toml"])
        .env("USERPROFILES_COUCHBASE_PASSWORD", "secret-marker")
        .output()
        .unwrap();
    let (code, out, err) = outcome(&output);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("workers = 7  # again.toml:"), "{out}");
}

#[test]
fn the_example_is_the_file_that_is_shipped_and_holds_nothing_but_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["config", "--example"]);
    let (code, out, err) = outcome(&output);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/userprofiles.toml");
    assert_eq!((code, err), (0, ""));
    assert!(out == fs::read_to_string(&shipped).unwrap(), "config/userprofiles.toml is not what --example prints");
    let without_file = run(folder.path(), &["config", "--all"]);
    let with_file = run(folder.path(), &["config", "--all", "--config", shipped.to_str().unwrap()]);
    // All but the line that names the file.
    let settings = |output: &Output| outcome(output).1.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(settings(&without_file), settings(&with_file));
    assert!(settings(&with_file).len() > 60);
}

#[test]
fn wrong_settings_and_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file("typo.toml", "[http]\nworkers = 8\nlisen = \"127.0.0.1:0\"\n\n[bukcet]\nconnections = \"pooled\"\n");
    file("value.toml", "[bucket]\nconnections = \"shared\"\n[http]\nhead_timeout = \"soon\"\n");
    file("syntax.toml", "[http\n");
    file("secret.toml", "[couchbase]\npassword = \"secret-marker\"\n");
    for (arguments, parts) in [
        (&["--config", "typo.toml"][..], &["typo.toml:3", "lisen", "listen?", "bukcet", "[bucket]?"][..]),
        (&["--config", "value.toml"], &["value.toml:2", "per-request", "value.toml:4", "head_timeout"]),
        (&["--config", "syntax.toml"], &["syntax.toml:1"]),
        (&["--config", "secret.toml"], &["secret.toml:2", "password_file", "USERPROFILES_COUCHBASE_PASSWORD"]),
        (&["--config", "missing.toml"], &["missing.toml"]),
        (&["--set", "http.lisen=x"], &["http.lisen", "listen"]),
        (&["--set", "http.workers"], &["--set SECTION.KEY=VALUE"]),
        (&["--set", "http.workers=many"], &["http.workers"]),
        (&["--set", "couchbase.password=secret-marker"], &["password_file"]),
        (
            &[
                "--set",
                "bucket.database=couchbase",
                "--set",
                "couchbase.connection_string=couchbase://u:secret-marker@h",
            ],
            &["connection_string", "password_file"],
        ),
        (&["--log-level", "loud"], &["--log-level", "debug"]),
        (&["serve", "--listen", "nowhere"], &["--listen"]),
        (&["serve", "--lisen", "127.0.0.1:0"], &["--lisen", "--listen"]),
        (&["--listen", "127.0.0.1:0", "config"], &["serve"]),
        (&["sevre"], &["sevre", "serve"]),
    ] {
        let is_only_flags = !arguments.iter().any(|argument| ["serve", "sevre", "config"].contains(argument));
        let output = if is_only_flags {
            run(folder.path(), &[&["config"], arguments].concat())
        } else {
            run(folder.path(), arguments)
        };
        let (code, out, err) = outcome(&output);
        assert_eq!((code, out), (2, ""), "{arguments:?}: {err}");
        for part in parts {
            assert!(err.contains(part), "{arguments:?}: no {part:?} in: {err}");
        }
        assert!(!err.contains("secret-marker"), "{err}");
    }
    for (name, value, parts) in [
        ("USERPROFILES_HTTP_LISEN", "x", ["USERPROFILES_HTTP_LISEN", "USERPROFILES_HTTP_LISTEN"]),
        ("USERPROFILES_BUCKET_CONNECTIONS", "shared", ["USERPROFILES_BUCKET_CONNECTIONS", "per-request"]),
        ("USERPROFILES_NONSENSE", "secret-marker", ["USERPROFILES_NONSENSE", "unset"]),
    ] {
        let output = userprofiles().current_dir(folder.path()).arg("config").env(name, value).output().unwrap();
        let (code, out, err) = outcome(&output);
        assert_eq!((code, out), (2, ""), "{name}: {err}");
        assert!(parts.iter().all(|part| err.contains(part)) && !err.contains("secret-marker"), "{name}: {err}");
    }
}

#[test]
fn help_and_version() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in
        [(&["--help"][..], "Usage:"), (&["serve", "--help"], "--import"), (&["--version"], env!("CARGO_PKG_VERSION"))]
    {
        let output = run(folder.path(), arguments);
        let (code, out, err) = outcome(&output);
        assert_eq!((code, err), (0, ""));
        assert!(out.contains(part), "{out}");
    }
}

#[test]
fn a_database_file_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("folder")).unwrap();
    fs::write(path("text.db"), "this is no database, and long enough that it could be one. ".repeat(100)).unwrap();
    fs::write(path("file"), "").unwrap();
    let sqlite = |name: &str| rusqlite::Connection::open(path(name)).unwrap();
    sqlite("foreign.db").execute_batch("CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('x')").unwrap();
    let good = with_sample_users();
    let mut bytes = fs::read(good.path().join("data/userprofiles.db")).unwrap();
    let page_bytes = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    bytes[100..page_bytes].fill(0xA5);
    fs::write(path("corrupt.db"), bytes).unwrap();
    fs::copy(good.path().join("data/userprofiles.db"), path("newer.db")).unwrap();
    sqlite("newer.db").execute_batch("PRAGMA user_version = 99").unwrap();
    fs::copy(good.path().join("data/userprofiles.db"), path("no-table.db")).unwrap();
    sqlite("no-table.db").execute_batch("DROP TABLE documents").unwrap();
    for (name, advice) in [
        ("folder", "name a file"),
        ("text.db", "name another"),
        ("foreign.db", "name a file of its own"),
        ("corrupt.db", "stop the program first, then restore the file from a backup"),
        ("newer.db", "use that version"),
        ("no-table.db", "restore the file from a backup"),
        ("file/x.db", "name a file in a folder"),
        ("/dev/null", "name a file"),
    ] {
        let setting = format!("embedded.path={name}");
        let before = fs::read(path(name)).ok();
        let arguments = ["serve", "--set", &setting, "--set", "admin.listen=off", "--listen", "127.0.0.1:0"];
        let output = run(folder.path(), &arguments);
        let (code, out, err) = outcome(&output);
        assert_eq!((code, out), (1, ""), "{name}: {err}");
        assert!(err.contains(advice) && err.contains(name) && err.contains("[embedded] path"), "{name}: {err}");
        assert!(!err.contains("listening"), "{name}: {err}");
        assert_eq!(fs::read(path(name)).ok(), before, "{name} was written to");
    }
}

/// A pipe has no neighbours, and `/dev` is no place for files.
#[test]
fn the_reasons_of_what_comes_by_a_pipe_are_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["/dev/stdin", "-"] {
        let mut command = userprofiles();
        command.args(["import", file]).current_dir(folder.path());
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(command).unwrap();
        let lines = b"{}\n{\"username\":\"marker\"}\n{\"username\":\"a\",\"hashed_password\":\"h\"}\n";
        child.stdin.take().unwrap().write_all(lines).unwrap();
        let output = child.wait_with_output().unwrap();
        let (code, _, err) = outcome(&output);
        assert_eq!(code, 4, "{err}");
        assert!(err.contains("line 1: the document is empty\n") && err.contains("line 2: the field"), "{file}: {err}");
        assert!(err.contains("1 line stored, 2 rejected") && !err.contains("marker"), "{err}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the folder of the database");
    assert!(!std::path::Path::new("/dev/stdin.rejected.jsonl").exists());
}

#[test]
fn what_is_no_lines_of_json_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for (contents, part) in [
        (&b"[{\"username\":\"a\",\"hashed_password\":\"h\"}]"[..], "jq -c '.[]' x.json"),
        (b"\x1f\x8b\x08\x00", "zcat x.json"),
        (b"\xff\xfe{\x00", "iconv -f UTF-16"),
        (b"username,hashed_password\na,h\n", "mlr --icsv"),
    ] {
        fs::write(folder.path().join("x.json"), contents).unwrap();
        let output = run(folder.path(), &["import", "x.json"]);
        let (code, _, err) = outcome(&output);
        assert!(code == 1 && err.contains(part), "{err}");
    }
    let output = run(folder.path(), &["import", "--help"]);
    let (_, out, _) = outcome(&output);
    for part in ["username", "hashed_password", "email", "Exit code"] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[test]
fn files_with_hashes_that_others_may_use_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("x.jsonl"), "{\"username\":\"a\",\"hashed_password\":\"h\"}\n").unwrap();
    assert_eq!(run(folder.path(), &["import", "x.jsonl"]).status.code(), Some(0));
    let shared = |name: &str, mode| {
        fs::write(path(name), "secret").ok();
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::set_permissions(path("data/userprofiles.db"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(folder.path(), &["get", "a"]);
    let (_, _, err) = outcome(&output);
    assert!(err.contains("WARN") && err.contains("chmod 600") && err.contains("userprofiles.db"), "{err}");
    for (mode, is_warned_of) in [(0o644, true), (0o660, true), (0o640, false), (0o600, false)] {
        shared("password", mode);
        let settings = ["bucket.database=couchbase", "couchbase.username=u", "couchbase.password_file=password"];
        let flags: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let output = run(folder.path(), &[&["config"], flags.as_slice()].concat());
        let (_, _, err) = outcome(&output);
        assert_eq!(err.contains("password_file") && err.contains("chmod 600"), is_warned_of, "{mode:o}: {err}");
    }
    // `export > file`, as a shell makes it.
    let file = fs::File::create(path("out.jsonl")).unwrap();
    fs::set_permissions(path("out.jsonl"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut export = userprofiles();
    export.arg("export").current_dir(folder.path()).stdout(file);
    let output = export.output().unwrap();
    let (_, _, err) = outcome(&output);
    assert!(err.contains("out.jsonl may be used by others"), "{err}");
}

#[test]
fn the_level_of_a_flag_wins_over_rust_log_and_that_over_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.toml"), "[log]\nlevel = \"warn\"\n[bucket]\nmax_connections = 999\n").unwrap();
    let config = |flags: &[&str]| {
        let mut command = userprofiles();
        command.args(["config", "--config", "x.toml"]).args(flags).current_dir(folder.path()).env("RUST_LOG", "error");
        command.output().unwrap()
    };
    let output = config(&[]);
    let (code, out, err) = outcome(&output);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("# in place of level, RUST_LOG: error"), "{out}");
    assert!(err.is_empty(), "RUST_LOG holds: {err}");
    assert!(out.contains("[embedded]") && !out.contains("[couchbase]"), "only what matters: {out}");
    let output = config(&["--log-level", "info", "--all"]);
    let (_, out, err) = outcome(&output);
    assert!(out.contains("level = \"info\"  # --log-level") && !out.contains("RUST_LOG"), "{out}");
    assert!(out.contains("[couchbase]") && out.contains("[elasticsearch]"), "{out}");
    assert!(err.contains("WARN  [bucket] max_connections is 999"), "{err}");
    let output = config(&["--log-level", "trace"]);
    let (code, _, err) = outcome(&output);
    assert!(code == 2 && err.contains("compiled out"), "{err}");
}

/// What editors of other systems put before a text is no part of it, in whichever file.
#[test]
fn a_byte_order_mark_is_no_part_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), format!("\u{feff}{text}")).unwrap();
    file("x.toml", "[http]\nworkers = 7\n");
    file("users.jsonl", "{\"username\":\"a\",\"hashed_password\":\"h\"}\n");
    let output = run(folder.path(), &["--config", "x.toml", "config"]);
    let (code, out, err) = outcome(&output);
    assert!(code == 0 && out.contains("workers = 7"), "{err}");
    let output = run(folder.path(), &["import", "users.jsonl"]);
    let (code, _, err) = outcome(&output);
    assert!(code == 0 && err.contains("1 line stored, none rejected"), "{err}");
}

/// Somebody else's server has other users.
#[test]
fn the_smoke_test_says_how_to_name_another_user() {
    let server = support::server::Server::start(&[], &[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/smoke-test");
    let output = Command::new(script).arg(format!("http://{}", server.public)).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && text.contains("has no user johndoe: name one"), "{text}");
}

#[test]
fn serve_with_an_import() {
    let server = Server::embedded(&[]);
    let line = format!("{} lines stored, none rejected", fs::read_to_string(sample_users()).unwrap().lines().count());
    assert!(server.log().contains(&line), "{}", server.log());

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("some.jsonl");
    fs::write(&file, "{\"username\":\"a\",\"hashed_password\":\"marker\"}\nmarker\n").unwrap();
    let server = Server::start(&[], &["--import", file.to_str().unwrap()]);
    assert_eq!(server.get("/users/a").status, 200);
    let log = server.log();
    let warning = log.lines().find(|line| line.contains(" WARN ")).unwrap();
    assert!(warning.contains("1 rejected") && warning.contains("some.rejected.jsonl"), "{warning}");
    assert!(!log.contains("marker"), "{log}");

    let output = run(folder.path(), &["serve", "--import", "missing.jsonl", "--listen", "127.0.0.1:0"]);
    let (code, _, err) = outcome(&output);
    assert_eq!(code, 1);
    assert!(err.contains("missing.jsonl cannot be opened"), "{err}");
}

#[test]
fn an_address_that_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let admin = format!("admin.listen={address}");
    for arguments in [
        &["serve", "--listen", &address, "--set", "admin.listen=off"][..],
        &["--listen", &address],
        &["serve", "--listen", "127.0.0.1:0", "--set", &admin],
        &["serve", "--listen", "192.0.2.1:1", "--set", "admin.listen=off"],
    ] {
        let output = run(folder.path(), arguments);
        let (code, out, err) = outcome(&output);
        assert_eq!((code, out), (1, ""), "{arguments:?}: {err}");
        let wanted = if arguments.contains(&"192.0.2.1:1") { "192.0.2.1:1" } else { &address };
        assert!(err.contains(wanted), "{arguments:?}: {err}");
        assert!(err.contains("another address") || err.contains("no such address"), "no advice: {err}");
    }
}

/// A server on a unix socket, started by a command line of a shell in which `"$@"` is the program.
struct OnSocket {
    shell: Child,
    folder: tempfile::TempDir,
}

/// Sends a request and reads its answer, which must come whole: up to this end.
fn exchange(stream: &mut UnixStream, method_and_target: &str, end: &[u8]) -> Vec<u8> {
    stream.write_all(format!("{method_and_target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(end) {
        let mut piece = [0; 4096];
        let bytes = read_some(stream, &mut piece).unwrap();
        assert!(bytes > 0, "cut off: {}", answer.escape_ascii());
        answer.extend_from_slice(&piece[..bytes]);
    }
    answer
}

impl OnSocket {
    fn start(shell_line: &str, change: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = userprofiles_by_shell(shell_line);
        command.args(["serve", "--listen", "unix:socket", "--set", "admin.listen=off", "--log-level", "debug"]);
        command.args(["--import", sample_users().to_str().unwrap()]).current_dir(folder.path()).stdout(Stdio::null());
        change(&mut command);
        Self { shell: spawn(command).unwrap(), folder }
    }

    /// With what it logs from the moment on when it listens.
    fn start_with_log() -> (Self, BufReader<ChildStderr>) {
        let mut server = Self::start(r#"exec "$@""#, |command| {
            command.stderr(Stdio::piped());
        });
        let mut log = BufReader::new(server.shell.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on unix:") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0);
        }
        (server, log)
    }

    fn connect(&mut self) -> UnixStream {
        let start = std::time::Instant::now();
        loop {
            if let Ok(stream) = UnixStream::connect(self.folder.path().join("socket")) {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return stream;
            }
            assert_eq!(self.shell.try_wait().unwrap(), None, "it ended");
            assert!(start.elapsed() < PATIENCE);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Many requests, so that much would be logged.
    fn assert_answers(&mut self) {
        let mut stream = self.connect();
        for path in ["/users/johndoe", "/users/nobody", "/nothing"].iter().cycle().take(300) {
            let answer = exchange(&mut stream, &format!("GET {path}"), b"}");
            let status: &[u8] = if *path == "/users/johndoe" { b"HTTP/1.1 200 " } else { b"HTTP/1.1 404 " };
            assert_eq!(find(&answer, status), Some(0), "{}", answer.escape_ascii());
        }
    }

    /// TERM, and its exit code.
    fn stop(&mut self) -> Option<i32> {
        let done = Command::new("kill").args(["-TERM", &self.shell.id().to_string()]).status().unwrap();
        assert!(done.success());
        self.shell.wait().unwrap().code()
    }
}

impl Drop for OnSocket {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

#[test]
fn a_log_that_cannot_be_written_does_not_stop_it() {
    for shell_line in [r#"exec "$@" 2>/dev/full"#, r#"exec "$@" 2>&-"#, r#"exec "$@" >&- 2>&- <&-"#] {
        let mut server = OnSocket::start(shell_line, |_| {});
        server.assert_answers();
        server.assert_answers();
        // `exec` made the shell's process the server's.
        assert_eq!(server.stop(), Some(0), "{shell_line}");
    }
}

/// A journal that hangs: nothing waits for it, neither requests nor the end.
#[test]
fn a_log_that_nobody_reads_stops_nothing_and_what_was_dropped_is_counted() {
    for is_read_again in [true, false] {
        let (mut server, mut log) = OnSocket::start_with_log();
        // More than a pipe and the buffer take.
        let mut stream = server.connect();
        let query = "x".repeat(7000);
        for _ in 0..400 {
            exchange(&mut stream, &format!("HEAD /users/johndoe?{query}"), b"\r\n\r\n");
        }
        server.assert_answers();
        if is_read_again {
            let text =
                (&mut log).lines().map_while(Result::ok).find(|line| line.contains("lines of the log were dropped"));
            assert!(text.unwrap().contains("WARN"));
        }
        // Dropped only after the end: a reader that is gone is another matter.
        assert_eq!(server.stop(), Some(0));
        drop(log);
    }
}

#[test]
fn a_reader_of_the_log_that_goes_away_does_not_stop_it() {
    let (mut server, log) = OnSocket::start_with_log();
    drop(log);
    server.assert_answers();
    assert_eq!(server.stop(), Some(0));
}
