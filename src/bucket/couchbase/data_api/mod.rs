//! The Data API of Capella and of the cloud-native gateway: `GET /v1/…/documents/{key}`.
//!
//! `answer` reads what comes back, and `meaning` what the API's error codes mean.
//!
//! Invariant: pure. No message of the server gets into an error or a log line. Nothing is asked of the cluster itself:
//! the hosts of the connection string are the gateways.

mod answer;
mod meaning;

use super::product::{COUCHBASE, Target};
use super::service::Service;
use crate::bucket::BucketError;
use crate::bucket::rest::path_segment::segment;
use crate::bucket::rest::{Call, Endpoint, Failure, Product, Protocol, ReadOutcome, Request, Response, Security};
use crate::config::{ConnectionString, Gateway, Scheme, is_loopback};
use crate::model::{DocumentId, MAX_DOCUMENT_BYTES};

/// Shown to clients, so it names neither the database nor the protocol.
const NO_SLASH: &str = "A username with a slash cannot be looked up on this server.";

/// [`Protocol`] of the Data API.
pub struct DataApi {
    target: Target,
    /// The path of a document, up to its key.
    folder: String,
}

impl DataApi {
    /// The documents of one keyspace.
    #[must_use]
    pub fn new(target: Target) -> Self {
        let keyspace = &target.keyspace;
        let folder = format!(
            "/v1/buckets/{}/scopes/{}/collections/{}/documents/",
            twice(keyspace.bucket()),
            twice(keyspace.scope()),
            twice(keyspace.collection())
        );
        Self { target, folder }
    }
}

/// A text as a segment that is decoded twice: by the gateway's router, and again where the router hands it on. Only
/// the percent sign can tell the difference.
fn twice(text: &str) -> String {
    segment(&text.replace('%', "%25")).to_string()
}

impl Protocol for DataApi {
    fn product(&self) -> &'static Product {
        &COUCHBASE
    }

    fn service(&self) -> &'static str {
        Service::Gateway.name()
    }

    fn get_request(&self, id: &DocumentId, _: &Call) -> Result<Request, BucketError> {
        // The router sees the slash decoded, and takes what follows for another segment.
        if id.as_str().contains('/') {
            return Err(BucketError::UnusableId { rule: NO_SLASH });
        }
        Ok(Request::get(format!("{}{}", self.folder, twice(id.as_str()))))
    }

    fn read_document(&self, response: &Response, id: &DocumentId, peer: &str) -> Result<ReadOutcome, Failure> {
        answer::read(response, id, peer, &self.target)
    }

    fn max_response_bytes(&self) -> usize {
        // The body is the document and nothing else.
        MAX_DOCUMENT_BYTES
    }
}

/// The gateways that a connection string names.
///
/// # Errors
/// [`BucketError::Misconfigured`] for a string by which no Data API can be reached, or only over a network that can
/// read the password.
pub fn gateways(connection_string: &ConnectionString) -> Result<Vec<Endpoint>, BucketError> {
    let refuse = |reason: &str| Err(BucketError::Misconfigured { reason: reason.to_owned() });
    match connection_string.scheme {
        Scheme::Https | Scheme::Couchbases => {}
        Scheme::Http if connection_string.gateways.iter().all(|gateway| is_loopback(&gateway.host)) => {}
        Scheme::Http => {
            return refuse(
                "[couchbase] connection_string: the Data API is reached over TLS; write https:// (http:// is taken for \
                 this machine only, such as http://127.0.0.1:8080 for a proxy that speaks TLS for us)",
            );
        }
        Scheme::Couchbase => {
            return refuse(
                "[couchbase] connection_string: couchbase:// names nodes of a cluster, and the Data API is not one; \
                 write https:// and the host that Capella, or whoever runs the gateway, shows for its Data API",
            );
        }
    }
    let security = if connection_string.scheme.is_tls() { Security::Tls } else { Security::Plain };
    let endpoint = |gateway: &Gateway| Endpoint::new(security, &gateway.host, gateway.port);
    Ok(connection_string.gateways.iter().map(endpoint).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use percent_encoding::percent_decode_str;

    use super::*;
    use crate::bucket::Trace;
    use crate::bucket::couchbase::keyspace::Keyspace;
    use crate::bucket::rest::Method;
    use crate::model::Username;

    fn request(keyspace: &Keyspace, username: &str) -> Result<Request, BucketError> {
        let data_api = DataApi::new(Target { keyspace: keyspace.clone(), username: None });
        let id = DocumentId::of(&Username::parse(username).unwrap());
        data_api.get_request(&id, &Call { left: Duration::from_secs(1), trace: &Trace::default() })
    }

    #[test]
    fn a_path_decoded_twice_is_what_was_meant_and_has_its_segments_after_the_first_time() {
        let keyspace = Keyspace::new("a.b%41c", "_default", "c%25");
        for username in ["a", "..", "a+b c", "100%", "%2F", "%252F", "é😀\"\\?#", &"%".repeat(233)] {
            let request = request(&keyspace, username).unwrap();
            assert_eq!(request.method, Method::Get);
            let once = percent_decode_str(&request.path).decode_utf8().unwrap().into_owned();
            let segments: Vec<_> =
                once.split('/').map(|segment| percent_decode_str(segment).decode_utf8().unwrap()).collect();
            let id = format!("userprofile::{username}");
            let expected =
                ["", "v1", "buckets", "a.b%41c", "scopes", "_default", "collections", "c%25", "documents", &id];
            assert_eq!(segments, expected, "{}", request.path);
        }
    }

    #[test]
    fn without_a_percent_sign_it_is_the_same_for_whoever_decodes_once() {
        let keyspace = Keyspace::new("b", "_default", "_default");
        let path = request(&keyspace, "a+b é").unwrap().path;
        let expected = "/v1/buckets/b/scopes/_default/collections/_default/documents/userprofile%3A%3Aa%2Bb%20%C3%A9";
        assert_eq!(path, expected);
    }

    #[test]
    fn a_slash_cannot_pass() {
        let keyspace = Keyspace::new("b", "_default", "_default");
        for username in ["/", "a/b", "a/"] {
            assert_eq!(request(&keyspace, username), Err(BucketError::UnusableId { rule: NO_SLASH }));
        }
    }

    #[test]
    fn gateways_are_the_hosts_of_the_string_over_tls_or_on_this_machine() {
        for (text, expected) in [
            ("https://x.data.cloud.couchbase.com", Some("x.data.cloud.couchbase.com:443")),
            ("https://a.example:18099,b.example", Some("a.example:18099 b.example:443")),
            ("https://[2001:db8::1]:8443", Some("[2001:db8::1]:8443")),
            ("couchbases://a.example", Some("a.example:443")),
            ("couchbases://a.example:18091", Some("a.example:443")),
            ("couchbases://a.example:9000=HTTPS", Some("a.example:9000")),
            ("couchbase://a.example?ssl=on", Some("a.example:443")),
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("http://localhost:8080,[::1]", Some("localhost:8080 [::1]:80")),
            ("http://127.0.0.1,a.example", None),
            ("http://10.0.0.1:8080", None),
            ("http://localhost.example", None),
            ("couchbase://127.0.0.1", None),
        ] {
            let parsed = ConnectionString::parse(text).unwrap();
            match (gateways(&parsed), expected) {
                (Ok(found), Some(expected)) => {
                    let found: Vec<String> = found.iter().map(Endpoint::authority).collect();
                    assert_eq!(found.join(" "), expected, "{text}");
                }
                (Err(BucketError::Misconfigured { reason }), None) => assert!(reason.contains("https://"), "{reason}"),
                (outcome, _) => panic!("{text}: {outcome:?}"),
            }
        }
    }
}
