//! What a failure of TLS means for us, and what to do about it.
//!
//! Invariant: pure. A sentence goes on from the name of the peer, and holds nothing that the peer wrote but the names and
//! dates of its certificate.

use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use super::{Identity, Trust};
use crate::bucket::BucketError;
use crate::bucket::remote::product::Product;

/// How many names of a certificate a sentence repeats.
const MOST_NAMES: usize = 5;

/// A failure of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It stays so until somebody changes something.
    Misconfigured(String),
    /// It may be well later, or elsewhere.
    Unavailable(String),
}

impl Fault {
    /// The error, of `peer`.
    #[must_use]
    pub fn error(self, peer: &str) -> BucketError {
        match self {
            Self::Misconfigured(what) => BucketError::misconfigured(format!("{peer} {what}")),
            Self::Unavailable(what) => BucketError::unavailable(format!("{peer} {what}")),
        }
    }
}

/// What it means to one who trusts these and is known by that.
pub(super) fn of(error: &rustls::Error, trust: &Trust, identity: Identity, product: &Product) -> Fault {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage, NoCertificatesPresented, PeerIncompatible};
    Fault::Misconfigured(match error {
        InvalidCertificate(certificate) => of_certificate(certificate, trust, product),
        NoCertificatesPresented => "shows no certificate; check what stands between it and us".to_owned(),
        AlertReceived(alert) => return of_alert(*alert, identity, product),
        // The first thing that came was no message of TLS.
        InvalidMessage(_) => format!("does not speak TLS there; {}", product.advice.no_tls),
        PeerIncompatible(_) => NOTHING_IN_COMMON.to_owned(),
        // The words of the library, which repeats nothing of what came.
        other => format!("could not be reached over TLS ({other}); check what stands between it and us"),
    })
}

const NOTHING_IN_COMMON: &str = "has no version or cipher of TLS in common with us; set it up for TLS 1.2 or 1.3";

fn of_certificate(error: &CertificateError, trust: &Trust, product: &Product) -> String {
    let ca_file = product.setting("ca_file");
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => match trust {
            Trust::File(path) => format!(
                "shows a certificate that comes from no authority in {} ({ca_file}); put the certificate of \
                 the cluster's authority there",
                path.display()
            ),
            Trust::System | Trust::Anybody => format!(
                "shows a certificate of an authority that this machine does not know; set {ca_file} to a file with the \
                 certificate of the cluster's authority (PEM)"
            ),
        },
        CertificateError::Expired => expired(None),
        CertificateError::ExpiredContext { not_after, .. } => expired(Some(*not_after)),
        CertificateError::NotValidYet => not_yet(None),
        CertificateError::NotValidYetContext { not_before, .. } => not_yet(Some(*not_before)),
        CertificateError::NotValidForName => other_names(&[], product),
        CertificateError::NotValidForNameContext { presented, .. } => other_names(presented, product),
        CertificateError::Revoked => "shows a certificate that was revoked; give it a new one".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "shows a certificate that is not made for a server; give it one whose extended key usage is serverAuth"
                .to_owned()
        }
        _ => {
            "shows a certificate that cannot be used; give it one of version 3 with its names in subjectAltName, that \
             is no authority itself"
                .to_owned()
        }
    }
}

fn expired(not_after: Option<UnixTime>) -> String {
    format!("shows a certificate that expired{}; renew it, or set the clock of this machine", on(not_after))
}

fn not_yet(not_before: Option<UnixTime>) -> String {
    format!(
        "shows a certificate that is not valid yet{}; set the clock of this machine, or make the certificate anew",
        on(not_before)
    )
}

fn on(moment: Option<UnixTime>) -> String {
    let moment = moment.and_then(|moment| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(moment.as_secs())));
    moment.map_or_else(String::new, |moment| format!(" ({})", humantime::format_rfc3339_seconds(moment)))
}

fn other_names(presented: &[String], product: &Product) -> String {
    let presented: Vec<&str> = presented.iter().map(|name| plain_name(name)).collect();
    let names = match presented.as_slice() {
        [] => "no name at all".to_owned(),
        names if names.len() > MOST_NAMES => format!("{} and others", names[..MOST_NAMES].join(", ")),
        names => names.join(", "),
    };
    format!(
        "shows a certificate for other hosts ({names}); write such a name in {}, or give the node a certificate with this \
         host in its subjectAltName{}",
        product.hosts_setting(),
        product.advice.other_names
    )
}

/// A name without what the library writes around it: `DnsName("localhost")`.
fn plain_name(written: &str) -> &str {
    let inside = written.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(written);
    inside.trim_matches('"')
}

fn of_alert(alert: AlertDescription, identity: Identity, product: &Product) -> Fault {
    use AlertDescription as Alert;
    let certificate_file = product.setting("client_certificate_file");
    Fault::Misconfigured(match (alert, identity) {
        (Alert::CertificateRequired, _) | (Alert::BadCertificate, Identity::None) => {
            format!("wants a client certificate; set {certificate_file} and client_key_file")
        }
        (
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError,
            Identity::Certificate,
        ) => format!(
            "does not accept our client certificate ({alert:?}); check that the one in {certificate_file} is valid, names \
             a user as the cluster expects it, and comes from an authority that the cluster trusts"
        ),
        (Alert::HandshakeFailure, Identity::None) => format!(
            "refuses the TLS handshake; if it wants a client certificate, set {certificate_file} and client_key_file, else \
             set it up for TLS 1.2 or 1.3"
        ),
        (Alert::HandshakeFailure | Alert::ProtocolVersion | Alert::InsufficientSecurity, _) => {
            NOTHING_IN_COMMON.to_owned()
        }
        (Alert::UnrecognisedName, _) => {
            format!("does not know the host name that was dialled; check the hosts of {}", product.hosts_setting())
        }
        (alert, _) => return Fault::Unavailable(format!("broke TLS off ({alert:?})")),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rustls::{InvalidMessage, PeerIncompatible};

    use super::*;
    use crate::bucket::remote::test_product::PRODUCT;

    fn sentence(error: &rustls::Error, trust: &Trust, identity: Identity) -> String {
        match of(error, trust, identity, &PRODUCT) {
            Fault::Misconfigured(sentence) | Fault::Unavailable(sentence) => sentence,
        }
    }

    #[test]
    fn each_failure_has_a_sentence_that_says_what_to_do() {
        let file = Trust::File(PathBuf::from("/ca.pem"));
        let day = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * 24 * 60 * 60));
        let names = |count: usize| -> Vec<String> { (0..count).map(|number| format!("n{number}.example")).collect() };
        let for_names = |count| CertificateError::NotValidForNameContext {
            expected: "db.example".try_into().unwrap(),
            presented: names(count),
        };
        let rows: Vec<(rustls::Error, &Trust, Identity, &str)> = vec![
            (CertificateError::UnknownIssuer.into(), &Trust::System, Identity::None, "set [toy] ca_file"),
            (CertificateError::UnknownIssuer.into(), &file, Identity::None, "no authority in /ca.pem"),
            (CertificateError::BadSignature.into(), &file, Identity::None, "no authority in /ca.pem"),
            (
                CertificateError::ExpiredContext { time: day(2), not_after: day(1) }.into(),
                &file,
                Identity::None,
                "expired (1970-01-02T00:00:00Z); renew it",
            ),
            (
                CertificateError::NotValidYetContext { time: day(1), not_before: day(2) }.into(),
                &file,
                Identity::None,
                "not valid yet (1970-01-03T00:00:00Z)",
            ),
            (CertificateError::Expired.into(), &file, Identity::None, "expired; renew it"),
            (for_names(0).into(), &file, Identity::None, "no name at all"),
            (for_names(1).into(), &file, Identity::None, "other hosts (n0.example); write"),
            (for_names(7).into(), &file, Identity::None, "n4.example and others"),
            (CertificateError::InvalidPurpose.into(), &file, Identity::None, "serverAuth"),
            (CertificateError::BadEncoding.into(), &file, Identity::None, "subjectAltName"),
            (InvalidMessage::InvalidContentType.into(), &file, Identity::None, "does not speak TLS there"),
            (PeerIncompatible::NoCipherSuitesInCommon.into(), &file, Identity::None, "TLS 1.2 or 1.3"),
            (rustls::Error::HandshakeNotComplete, &file, Identity::None, "could not be reached over TLS"),
        ];
        for (error, trust, identity, expected) in &rows {
            let found = sentence(error, trust, *identity);
            assert!(found.contains(expected), "{error:?}: {found}");
        }
    }

    #[test]
    fn alerts_are_about_our_certificate_where_we_have_one() {
        use AlertDescription as Alert;
        for (alert, identity, expected) in [
            (Alert::CertificateRequired, Identity::None, "wants a client certificate"),
            (Alert::BadCertificate, Identity::None, "wants a client certificate"),
            (Alert::HandshakeFailure, Identity::None, "if it wants a client certificate"),
            (Alert::HandshakeFailure, Identity::Certificate, "no version or cipher"),
            (Alert::BadCertificate, Identity::Certificate, "does not accept our client certificate (BadCertificate)"),
            (Alert::UnknownCA, Identity::Certificate, "does not accept our client certificate (UnknownCA)"),
            (Alert::ProtocolVersion, Identity::None, "no version or cipher"),
            (Alert::UnrecognisedName, Identity::None, "host name"),
        ] {
            let found = of_alert(alert, identity, &PRODUCT);
            assert!(matches!(&found, Fault::Misconfigured(text) if text.contains(expected)), "{alert:?}: {found:?}");
        }
        assert!(matches!(of_alert(Alert::InternalError, Identity::None, &PRODUCT), Fault::Unavailable(_)));
        assert!(matches!(of_alert(Alert::UnknownCA, Identity::None, &PRODUCT), Fault::Unavailable(_)));
    }
}
