//! Logins: a password that changes while documents are read, and one that is refused for good.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use secrecy::SecretString;
use userprofiles::BucketError;
use userprofiles::bucket::Database;
use userprofiles::config::SecretSource;

use crate::server::ToyServer;
use crate::{PASSWORD, Plan, reason, wait_until};

const READERS: usize = 4;

/// So many reads show that reading goes on.
const A_WHILE: usize = 200;

#[derive(Clone, Copy, Debug)]
enum First {
    File,
    Server,
}

#[test]
fn no_read_fails_while_a_password_is_changed_in_either_order() {
    let server = ToyServer::start(1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let write = |password: &str| {
        fs::write(folder.path().join("next"), password).unwrap();
        fs::rename(folder.path().join("next"), &path).unwrap();
    };
    write(PASSWORD);
    let mut plan = Plan::of(&server);
    plan.login.password_source = SecretSource::File(path.clone());
    let opened = plan.open();

    let (reads, is_over, failures) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Vec::new()));
    let go_on = || {
        let enough = reads.load(Ordering::Relaxed) + A_WHILE;
        wait_until("more reads", || reads.load(Ordering::Relaxed) >= enough);
    };
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    if let Err(error) = opened.read("a") {
                        failures.lock().unwrap().push(reason(&error));
                    }
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        go_on();
        for (number, first) in [First::File, First::Server, First::File, First::Server].into_iter().enumerate() {
            let password = format!("{PASSWORD}-{number}");
            let refused = server.refused();
            match first {
                First::File => {
                    write(&password);
                    server.set_password(&password);
                }
                First::Server => {
                    server.set_password(&password);
                    wait_until("a refused login", || server.refused() > refused);
                    write(&password);
                }
            }
            go_on();
            assert!(server.refused() > refused, "{first:?}: the old password was never sent again");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(failures.into_inner().unwrap(), Vec::<String>::new());
}

#[test]
fn a_password_that_cannot_change_is_refused_at_once() {
    let server = ToyServer::start(1);
    let mut plan = Plan::of(&server);
    plan.login.password = Some(SecretString::from("another"));
    let opened = plan.open();
    let error = opened.read("a").unwrap_err();
    assert!(matches!(error, BucketError::Misconfigured { .. }), "{error:?}");
    assert!(reason(&error).contains("set [toy] username and password_file"), "{error}");
    assert_eq!(server.refused(), 1);
}

#[test]
fn half_a_login_names_the_setting_that_is_missing() {
    let server = ToyServer::start(1);
    for (username, password, part) in [
        (Some("reader"), None, "[toy] username is set, and no password"),
        (None, Some(PASSWORD), "there is a password for Toybase; set [toy] username"),
        (Some("a:b"), Some(PASSWORD), "[toy] username cannot hold a colon"),
    ] {
        let mut plan = Plan::of(&server);
        plan.login.username = username.map(str::to_owned);
        plan.login.password = password.map(SecretString::from);
        let error = plan.cluster().err().unwrap();
        assert!(reason(&error).contains(part), "no {part:?} in: {error}");
    }
}

#[test]
fn the_line_at_start_up_says_which_product_and_as_whom() {
    let opened = Plan::of(&ToyServer::start(1)).open();
    assert_eq!(opened.database.describe(), "Toybase, in tests, as \"reader\", without TLS");
}
