//! TLS: an authority of our own, and one that the server's certificate is not from.

use std::fs;
use std::path::Path;

use userprofiles::BucketError;
use userprofiles::bucket::rest::{Endpoint, Security};

use crate::certificates::{Authority, Clients, Validity, server_config};
use crate::couchbase::Front;
use crate::server::ToyServer;
use crate::{Plan, assert_finds, reason};

/// A server behind TLS, with the files of the authority that its certificate is from, and of another one.
pub struct Secured {
    pub server: ToyServer,
    pub front: Front,
    folder: tempfile::TempDir,
}

impl Secured {
    pub fn start() -> Self {
        let server = ToyServer::start(1);
        let (own, other) = (Authority::new("own"), Authority::new("other"));
        let config = server_config(&own.server(&["127.0.0.1"], Validity::Now), Clients::Anybody, rustls::ALL_VERSIONS);
        let front = Front::open(server.node(0).port.address(), config);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("own.pem"), own.pem()).unwrap();
        fs::write(folder.path().join("other.pem"), other.pem()).unwrap();
        Self { server, front, folder }
    }

    /// With the authority that this file has.
    pub fn plan(&self, ca_file: &str) -> Plan {
        let mut plan = Plan::of(&self.server);
        plan.nodes = vec![Endpoint::new(Security::Tls, "127.0.0.1", self.front.address().port())];
        plan.tls.ca_file = Some(self.path().join(ca_file));
        plan
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[test]
fn documents_are_read_over_tls_and_a_session_is_taken_up_again() {
    let secured = Secured::start();
    let opened = secured.plan("own.pem").open();
    for _ in 0..3 {
        assert_finds(opened.read("a"), "a");
    }
    let handshakes = secured.front.handshakes();
    assert_eq!((handshakes.full, handshakes.resumed), (1, 2));
}

#[test]
fn a_certificate_of_another_authority_is_a_setting_to_change() {
    let secured = Secured::start();
    let opened = secured.plan("other.pem").open();
    let error = opened.read("a").unwrap_err();
    assert!(matches!(error, BucketError::Misconfigured { .. }), "{error:?}");
    for part in ["the toy at 127.0.0.1:", "other.pem ([toy] ca_file)"] {
        assert!(reason(&error).contains(part), "no {part:?} in: {error}");
    }
    assert!(secured.server.node(0).asked().is_empty(), "a password was sent to somebody whom nobody vouches for");
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_setting() {
    let secured = Secured::start();
    let error = secured.plan("missing.pem").cluster().err().unwrap();
    assert!(matches!(error, BucketError::Misconfigured { .. }), "{error:?}");
    assert!(reason(&error).contains("[toy] ca_file") && reason(&error).contains("missing.pem"), "{error}");
}
