//! Passwords that change and certificates, on databases that are asked by drivers of their own.

use std::path::Path;
use std::process::Command;

use crate::databases::Store;
use crate::databases::real::RealServer;
use crate::support::server::Server;
use crate::{cassandra_server, mongodb_server};

const SECOND: &str = "the-second-password";

/// A server whose password comes from a file.
fn serve_by_file(server: &RealServer, section: &str, file: &Path) -> Server {
    let setting = format!("{}.password_file={}", section.to_lowercase(), file.display());
    Server::start_with(&[&setting, "bucket.operation_timeout=5s"], &[], |command| {
        command.envs(&server.settings).env_remove(format!("USERPROFILES_{section}_PASSWORD"));
    })
}

/// Changes the password of the service in the database, as its administrator.
fn change_password(server: &RealServer, section: &str) {
    let user = server.setting(&format!("{section}_USERNAME"));
    if section == "MONGODB" {
        mongodb_server::Admin::of(server).command(mongodb::bson::doc! { "updateUser": user, "pwd": SECOND });
    } else {
        cassandra_server::Admin::of(server).change(&format!("ALTER ROLE {user} WITH PASSWORD = '{SECOND}'"));
    }
}

#[test]
fn a_password_that_changes_is_followed() {
    for (name, section) in [("mongodb", "MONGODB"), ("cassandra", "CASSANDRA")] {
        for first in ["server", "file"] {
            let Some(real) = RealServer::start(name, &format!("native-logins-{first}")) else { continue };
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("password");
            std::fs::write(&file, real.setting(&format!("{section}_PASSWORD"))).unwrap();
            let server = serve_by_file(&real, section, &file);
            let what = format!("{name}, the {first} first");
            assert_eq!(server.get("/users/nobody").status, 404, "{what}: {}", server.log());
            if first == "server" {
                change_password(&real, section);
                std::fs::write(&file, SECOND).unwrap();
            } else {
                std::fs::write(&file, SECOND).unwrap();
                change_password(&real, section);
            }
            // Connections that are open stay as they are: new ones are made after this.
            real.stop();
            real.restart();
            let start = std::time::Instant::now();
            let mut answer = server.get("/users/nobody");
            while answer.status != 404 {
                assert_ne!(answer.status, 500, "{what}: {}", server.log());
                assert!(start.elapsed() < crate::support::server::PATIENCE, "{what}: {}", server.log());
                answer = server.get("/users/nobody");
            }
            for password in [SECOND, real.setting(&format!("{section}_PASSWORD"))] {
                assert!(!server.log().contains(password), "{what}");
            }
        }
    }
}

#[test]
fn a_reload_takes_the_new_password() {
    for (name, section) in [("mongodb", "MONGODB"), ("cassandra", "CASSANDRA")] {
        let Some(real) = RealServer::start(name, "native-reload") else { continue };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "not-the-password").unwrap();
        let server = serve_by_file(&real, section, &file);
        server.get("/users/nobody").assert_problem(500, "misconfigured");
        std::fs::write(&file, real.setting(&format!("{section}_PASSWORD"))).unwrap();
        let status = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status().unwrap();
        assert!(status.success());
        server.wait_for_log("HUP: reload complete");
        assert_eq!(server.get("/users/nobody").status, 404, "{name}: {}", server.log());
    }
}

#[test]
fn a_certificate_of_our_own_is_shown() {
    for (name, section) in [("mongodb", "MONGODB"), ("cassandra", "CASSANDRA")] {
        let Some(real) = RealServer::start_with(name, "native-mutual-tls", &["--mutual-tls"]) else { continue };
        let real = std::sync::Arc::new(real);
        let store = Store::of(real.clone());
        for mode in crate::databases::MODES {
            assert_eq!(store.serve(&[mode]).get("/users/nobody").status, 404, "{name}");
        }
        let without = Server::start_with(&["bucket.attempt_timeout=2s"], &[], |command| {
            command.envs(&real.settings);
            for file in ["CLIENT_CERTIFICATE_FILE", "CLIENT_KEY_FILE"] {
                command.env_remove(format!("USERPROFILES_{section}_{file}"));
            }
        });
        without.get("/users/nobody").assert_problem(500, "misconfigured");
        let setting = format!("[{}] client_certificate_file", section.to_lowercase());
        without.wait_for_log(&format!("wants a client certificate; set {setting}"));
        if name == "mongodb" {
            // It is also who we are.
            let by_certificate = Server::start_with(&[], &[], |command| {
                command.envs(&real.settings);
                command.env_remove("USERPROFILES_MONGODB_USERNAME").env_remove("USERPROFILES_MONGODB_PASSWORD");
            });
            assert_eq!(by_certificate.get("/users/nobody").status, 404, "{}", by_certificate.log());
            by_certificate.wait_for_log("by a client certificate, with TLS");
        }
    }
}
