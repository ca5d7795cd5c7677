//! Certificates and keys: from files to a configuration of `rustls`.
//!
//! Invariant: a configuration comes of files that are sound in full, and each error names the file, its setting and what
//! to do. Nothing of a key is ever in an error.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use zeroize::Zeroizing;

use crate::bucket::remote::product::Product;
use crate::config::{self, TlsSettings, Verification};
use crate::files::{FileReader, LONGEST_WAIT};

/// A file that is longer than this holds something else; the bundles of operating systems have a quarter of a megabyte.
const LONGEST_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// What was read, for a driver that takes files and no configuration: PEM.
#[derive(Default)]
pub struct Pem {
    /// The authorities of `ca_file`; `None`: those of the operating system.
    pub authorities: Option<Zeroizing<Vec<u8>>>,
    /// Our certificate, and its key behind it; `None`: we have none.
    pub identity: Option<Zeroizing<Vec<u8>>>,
}

/// The configuration that the settings ask for, and what it was made of. Reads files, and the operating system's authorities where no file names
/// any, which takes some milliseconds.
///
/// # Errors
/// A sentence that names the setting and the file, and says what to do.
pub fn client_config(product: &Product, settings: &TlsSettings) -> Result<(ClientConfig, Pem), String> {
    let mut pem = Pem::default();
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up ({error}): a defect of this program, please report it"))?;
    let builder = if settings.verification == Verification::Off {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer::new(&provider)))
    } else {
        builder.with_root_certificates(match &settings.ca_file {
            Some(path) => {
                let text = read(path, &product.setting("ca_file"))?;
                let roots = authorities_of_file(&text, path, &product.setting("ca_file"))?;
                pem.authorities = Some(text);
                roots
            }
            None => authorities_of_system(&product.setting("ca_file"))?,
        })
    };
    let (Some(certificate), Some(key)) = (&settings.client_certificate_file, &settings.client_key_file) else {
        return Ok((builder.with_no_client_auth(), pem));
    };
    let (certificate_setting, key_setting) =
        (product.setting("client_certificate_file"), product.setting("client_key_file"));
    let (certificate_text, key_text) = (read(certificate, &certificate_setting)?, read(key, &key_setting)?);
    let config = builder
        .with_client_auth_cert(
            certificates(&certificate_text, certificate, &certificate_setting)?,
            private_key(&key_text, key, &key_setting)?,
        )
        .map_err(|error| pair_refused(product, &error, certificate, key))?;
    pem.identity = Some(Zeroizing::new([certificate_text.as_slice(), b"\n", key_text.as_slice()].concat()));
    Ok((config, pem))
}

fn authorities_of_file(text: &[u8], path: &Path, setting: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // A bundle may hold one that is too odd for us, and be good for all others.
    let (added, _) = roots.add_parsable_certificates(certificates(text, path, setting)?);
    if added == 0 {
        return Err(format!(
            "{setting}: {} holds certificates, and none that can stand for an authority: put the certificate of the \
             cluster's authority into it (PEM)",
            path.display()
        ));
    }
    Ok(roots)
}

fn authorities_of_system(setting: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err(format!(
            "this machine trusts no authority at all: install its package of certificates (ca-certificates), or set \
             {setting} to the certificate of the cluster's authority"
        ));
    }
    Ok(roots)
}

fn certificates(text: &[u8], path: &Path, setting: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!(
            "{setting}: there is no certificate in {}: it must be PEM, with the line -----BEGIN CERTIFICATE----- in it",
            path.display()
        )),
        Err(_) => Err(format!(
            "{setting}: {} is broken PEM: write the certificates into it again, whole and unchanged",
            path.display()
        )),
    }
}

fn private_key(text: &[u8], path: &Path, setting: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(text).map_err(|_| {
        format!(
            "{setting}: there is no private key in {} that can be used: it must be PEM (PKCS #8, PKCS #1 or SEC 1), \
             without a passphrase",
            path.display()
        )
    })
}

fn pair_refused(product: &Product, error: &rustls::Error, certificate: &Path, key: &Path) -> String {
    let (certificate, key) = (certificate.display(), key.display());
    match error {
        rustls::Error::InconsistentKeys(_) => format!(
            "{}: the key in {key} does not belong to the first certificate in {certificate}: name the two that \
             were made for each other, the client's own certificate first",
            product.setting("client_key_file")
        ),
        _ => format!(
            "{}, client_key_file: {certificate} and {key} cannot be used ({error}): make a key of RSA \
             (2048 bits or more), ECDSA (P-256, P-384) or Ed25519, and a certificate for it",
            product.setting("client_certificate_file")
        ),
    }
}

/// The bytes of a file: one of them is a private key.
fn read(path: &Path, setting: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let shown = path.display();
    let read = FileReader::default().read(path, LONGEST_FILE_BYTES, LONGEST_WAIT);
    let text = read.map_err(|error| format!("{setting}: {}", config::unreadable(path, &error, "name a plain file")))?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes > LONGEST_FILE_BYTES) {
        return Err(format!("{setting}: {shown} has more than {LONGEST_FILE_BYTES} bytes: name a file of PEM"));
    }
    Ok(text)
}

/// Takes every server for the right one. What it signs must still be signed with the key of the certificate that it
/// shows, so that it is one and the same server during a connection.
#[derive(Debug)]
struct AnyServer {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyServer {
    fn new(provider: &CryptoProvider) -> Self {
        Self { algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
