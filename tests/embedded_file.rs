//! What happens to the embedded file while the real program uses it: it is overwritten, its log grows, it is named in two
//! ways, it cannot be written to.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use support::process::userprofiles;
use support::server::{PATIENCE, Server};
use userprofiles::clock;

const USERS: usize = 5_000;

/// A line that `import` takes, of the size of a page: SQLite has the index at hand, and not all rows.
fn line(number: usize) -> String {
    let note = "x".repeat(3000);
    format!(r#"{{"username":"user{number:04}","hashed_password":"hash-marker","note":"{note}"}}"#)
}

/// Runs a command in a folder.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    userprofiles().args(arguments).current_dir(folder).output().unwrap()
}

/// Makes the database file of this name, with these users stored in their order.
fn make(folder: &Path, name: &str, users: impl Iterator<Item = usize>) {
    fs::write(folder.join("users.jsonl"), users.map(|number| line(number) + "\n").collect::<String>()).unwrap();
    let output = run(folder, &["--set", &format!("embedded.path={name}"), "import", "users.jsonl"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn serve(file: &Path, settings: &[&str]) -> Server {
    let path = format!("embedded.path={}", file.display());
    Server::start_with(&[&[path.as_str()], settings].concat(), &[], |command| {
        command.env("RUST_LOG", "info,userprofiles::access=off");
    })
}

#[test]
fn a_file_that_is_overwritten_in_place_never_shows_another_users_profile() {
    for mode in ["bucket.connections=pooled", "bucket.connections=per-request"] {
        let folder = tempfile::tempdir().unwrap();
        let (file, backup) = (folder.path().join("userprofiles.db"), folder.path().join("backup.db"));
        make(folder.path(), "userprofiles.db", 0..USERS);
        // Where one file has a user, the other has somebody else.
        make(folder.path(), "backup.db", (0..USERS).map(|number| number ^ 1));
        // With another number of pages, SQLite would find out for itself.
        assert_eq!(fs::metadata(&file).unwrap().len(), fs::metadata(&backup).unwrap().len());
        let mut server = serve(&file, &[mode]);
        let (is_over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for client in 0..4 {
                let (server, is_over, asked) = (&server, &is_over, &asked);
                scope.spawn(move || {
                    let mut connection = server.connect();
                    for turn in 0.. {
                        if is_over.load(Ordering::Relaxed) {
                            return;
                        }
                        let number = (turn * 4 + client) * 37 % USERS;
                        let answer = connection.request("GET", &format!("/users/user{number:04}"), "");
                        asked.fetch_add(1, Ordering::Relaxed);
                        match answer.status {
                            200 => assert_eq!(answer.json()["username"], format!("user{number:04}"), "{mode}"),
                            _ => drop(answer.assert_problem(500, "misconfigured")),
                        }
                    }
                });
            }
            let go_on = || {
                let (start, target) = (clock::now(), asked.load(Ordering::Relaxed) + 2 * USERS);
                while asked.load(Ordering::Relaxed) < target && start.elapsed() < PATIENCE {
                    thread::sleep(Duration::from_millis(1));
                }
            };
            go_on();
            fs::copy(&backup, &file).unwrap();
            go_on();
            is_over.store(true, Ordering::Relaxed);
        });
        let log = server.log();
        assert!(!log.contains("hash-marker"));
        assert!(!log.contains("ERROR") || log.contains("stop the program first"), "{log}");
        server.signal("TERM");
        assert_eq!(server.wait().code(), Some(0));
        // Nothing of the old file's log gets into the new one.
        let server = serve(&file, &[mode]);
        for number in 0..USERS {
            assert_eq!(server.get(&format!("/users/user{number:04}")).json()["username"], format!("user{number:04}"));
        }
    }
}

/// Readers that never leave a moment without one must not keep the log from beginning anew.
#[test]
fn the_log_stays_short_while_an_import_runs_under_reads() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "userprofiles.db", 0..100);
    let server = serve(&folder.path().join("userprofiles.db"), &["bucket.connections=pooled"]);
    fs::write(folder.path().join("users.jsonl"), (0..20_000).map(|number| line(number) + "\n").collect::<String>())
        .unwrap();
    let (is_over, longest) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for client in 0..4 {
            let (server, is_over) = (&server, &is_over);
            scope.spawn(move || {
                let mut connection = server.connect();
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(connection.request("GET", &format!("/users/user000{client}"), "").status, 200);
                }
            });
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let log = fs::metadata(folder.path().join("userprofiles.db-wal")).map_or(0, |log| log.len());
                longest.fetch_max(usize::try_from(log).unwrap(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1));
            }
        });
        let output = run(folder.path(), &["--set", "embedded.path=userprofiles.db", "import", "users.jsonl"]);
        is_over.store(true, Ordering::Relaxed);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
    let longest = longest.into_inner();
    assert!(longest > 0 && longest < 16 << 20, "the log had {longest} bytes");
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_export_never_replaces_the_database_that_it_is_made_of() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "userprofiles.db", 0..100);
    fs::hard_link(folder.path().join("userprofiles.db"), folder.path().join("link.db")).unwrap();
    for name in ["userprofiles.db", "./userprofiles.db", "link.db"] {
        let output = run(folder.path(), &["--set", "embedded.path=userprofiles.db", "export", "--force", name]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(said(&output).contains("is a file of the database that is exported"), "{}", said(&output));
    }
    let output = run(folder.path(), &["--set", "embedded.path=userprofiles.db", "get", "user0007"]);
    assert!(output.status.success(), "{}", said(&output));
}

/// SQLite keeps its log beside the file that a link leads to.
#[test]
fn a_link_to_the_file_is_as_good_as_its_path() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    make(folder.path(), "real/userprofiles.db", 0..3);
    std::os::unix::fs::symlink("real/userprofiles.db", folder.path().join("link.db")).unwrap();
    let server = serve(&folder.path().join("link.db"), &[]);
    assert_eq!(server.get("/users/user0001").status, 200);
    let output = run(folder.path(), &["--set", "embedded.path=link.db", "import", "users.jsonl"]);
    assert!(output.status.success(), "{}", said(&output));
    let output = run(folder.path(), &["--set", "embedded.path=link.db", "export", "--force", "real/userprofiles.db"]);
    assert!(said(&output).contains("is a file of the database"), "{}", said(&output));
}

#[test]
fn the_default_file_is_made_with_its_folder_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("users.jsonl"), line(1)).unwrap();
    let output = run(folder.path(), &["import", "users.jsonl"]);
    assert!(output.status.success(), "{}", said(&output));
    for name in ["data", "data/userprofiles.db"] {
        assert_eq!(fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o077, 0, "{name}");
    }
}

#[test]
fn a_mistyped_path_is_an_error_and_never_a_new_database() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("typo.db");
    for command in [&["get", "johndoe"][..], &["export"], &["export", "out.jsonl"], &["check"]] {
        let output = run(folder.path(), &[&["--set", "embedded.path=typo.db"], command].concat());
        let text = said(&output) + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {text}");
        assert!(text.contains(&missing.display().to_string()) && text.contains("is not there"), "{command:?}: {text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{command:?}");
    }
    let output = run(folder.path(), &["--set", "embedded.path=no/folder.db", "import", "/dev/null"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("make its folder"), "{}", said(&output));
    let output = run(folder.path(), &["--set", "embedded.path=~/x.db", "import", "/dev/null"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("begins with ~"), "{}", said(&output));

    let server = serve(&missing, &[]);
    server.wait_for_log(&format!("WARN  the SQLite file {} is new and empty", missing.display()));
    assert!(!server.log().contains("try: curl"), "there is nobody to ask for");
    drop(server);
    assert!(!serve(&missing, &[]).log().contains("new and empty"));
}

/// Without locks and without a log: there the file cannot change.
#[test]
fn a_file_on_a_read_only_disk_is_read_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("disk")).unwrap();
    make(folder.path(), "disk/user profiles%.db", 0..100);
    let in_mount = |command: &str| {
        let script = format!("mount --bind disk disk && mount -o remount,bind,ro disk && {command}");
        let mut shell = support::process::bound("unshare");
        shell.args(["-rm", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_userprofiles")]).current_dir(folder.path());
        shell.output().unwrap()
    };
    let setting = "--set 'embedded.path=disk/user profiles%.db'";
    let output = in_mount(&format!("exec \"$@\" {setting} get user0007"));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("mounted read-only"), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with(r#"{"username":"user0007","#));
    let output = in_mount(&format!("exec \"$@\" {setting} export"));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 100, "{}", said(&output));
    let output = in_mount(&format!("exec \"$@\" {setting} import users.jsonl"));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("lies on a read-only disk"), "{}", said(&output));
    let serve = "exec timeout 2 \"$@\" serve --listen 127.0.0.1:0";
    let output = in_mount(&format!("{serve} {setting}"));
    assert!(said(&output).contains("listening on") && said(&output).contains("mounted read-only"), "{}", said(&output));
}

/// One bad document never takes the others with it.
#[test]
fn an_export_leaves_out_what_is_not_utf8_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "userprofiles.db", 0..3);
    let sqlite = rusqlite::Connection::open(folder.path().join("userprofiles.db")).unwrap();
    let broken = "UPDATE documents SET body = CAST(x'7B22E9227D' AS TEXT) WHERE id = 'userprofile::user0001'";
    sqlite.execute_batch(broken).unwrap();
    drop(sqlite);
    let output = run(folder.path(), &["--set", "embedded.path=userprofiles.db", "export"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert_eq!(String::from_utf8(output.stdout.clone()).unwrap().lines().count(), 2);
    assert!(said(&output).contains("\"userprofile::user0001\" is left out"), "{}", said(&output));
    assert!(said(&output).contains("2 documents exported, 1 left out that are not UTF-8"), "{}", said(&output));
}
