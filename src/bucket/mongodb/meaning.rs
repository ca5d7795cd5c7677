//! What the errors of MongoDB and of its driver mean for us: one table by code, one by kind.
//!
//! Codes are those of MongoDB's `error_codes.yml`.
//!
//! Invariant: pure. The message of an error is never repeated: it may hold values of documents.

use mongodb::error::{CommandError, Error, ErrorKind, WriteFailure};
use rustls::{AlertDescription, CertificateError, InvalidMessage};

use super::product::{MONGODB, Target};
use crate::bucket::remote::tls::Tls;
use crate::bucket::remote::{Failure, Meaning, Operation, Retry, Security};
use crate::bucket::{BucketError, Details};

/// `NamespaceNotFound`: what a missing collection is called.
pub const NO_COLLECTION: &str = "26";

/// `Unauthorized`.
pub const NO_RIGHT: &str = "13";

/// What a failure is told from: what was asked, of which collection, over which TLS.
pub struct Context<'a> {
    /// What was asked.
    pub operation: Operation,
    /// Of what.
    pub target: &'a Target,
    /// What knows the reasons of TLS.
    pub tls: &'a Tls,
}

impl Context<'_> {
    /// The failure that an error of the driver means.
    #[must_use]
    pub fn failure(&self, error: &Error) -> Failure {
        match error.kind.as_ref() {
            ErrorKind::Authentication { .. } => self.of_code(18, "AuthenticationFailed"),
            ErrorKind::Command(CommandError { code, code_name, .. }) => {
                if error.contains_label("SystemOverloadedError") {
                    return overloaded(*code);
                }
                self.of_code(*code, code_name)
            }
            ErrorKind::Write(WriteFailure::WriteConcernError(error)) => self.of_code(error.code, &error.code_name),
            ErrorKind::Write(WriteFailure::WriteError(error)) => {
                self.of_code(error.code, error.code_name.as_deref().unwrap_or_default())
            }
            ErrorKind::ServerSelection { message, .. } => self.no_server(message),
            ErrorKind::ConnectionPoolCleared { message, .. } => self.of_text(message).unwrap_or_else(broken),
            ErrorKind::Io(io) => {
                let tls = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                tls.map_or_else(broken, |error| self.of_tls(error))
            }
            ErrorKind::DnsResolve { .. } => Failure::of_node(BucketError::unavailable(
                "the servers of MongoDB were not found by DNS; correct the name in [mongodb] uri, or let the name servers \
                 of this machine know it",
            )),
            ErrorKind::InvalidArgument { .. } => Failure::lasting(BucketError::misconfigured(
                "the driver of MongoDB does not take the options of [mongodb] uri; compare them with its documentation",
            )),
            ErrorKind::InvalidTlsConfig { .. } => Failure::lasting(BucketError::misconfigured(
                "the driver of MongoDB cannot use the certificates of [mongodb] ca_file, client_certificate_file and \
                 client_key_file; write them again as PEM, the key as PKCS #8",
            )),
            ErrorKind::IncompatibleServer { .. } => Failure::lasting(BucketError::misconfigured(
                "MongoDB cannot do what [mongodb] uri asks for (loadBalanced=true is for its own load balancers only)",
            )),
            ErrorKind::InvalidResponse { .. } | ErrorKind::Bson(_) => not_mongodb(),
            _ => broken(),
        }
    }

    /// The collection is not there. MongoDB does not say so by itself.
    #[must_use]
    pub fn no_collection(&self) -> Failure {
        let reason = self.target.no_collection();
        Failure::lasting(BucketError::misconfigured(reason)).with_details(details(NO_COLLECTION.to_owned()))
    }

    /// The failure that a code of the database means.
    #[must_use]
    pub fn of_code(&self, code: i32, name: &str) -> Failure {
        let (meaning, retry, sentence) = self.row(code);
        let name = plain_name(name);
        let reason = format!("MongoDB answered with error {code}{name}: {sentence}");
        Failure::new(meaning.error(reason), retry).with_details(details(code.to_string()))
    }

    /// The table.
    fn row(&self, code: i32) -> (Meaning, Retry, String) {
        use Meaning::{Misconfigured, Timeout, Unavailable};
        let target = self.target;
        match code {
            13 => (Misconfigured, Retry::Never, self.missing_role()),
            18 => {
                (Misconfigured, Retry::NewCredentials, format!("it rejects our login; {}", MONGODB.advice.wrong_login))
            }
            8000 => (
                Misconfigured,
                Retry::Never,
                "Atlas refuses us; check the database user, its rights, and the limits of the cluster there".to_owned(),
            ),
            64 => (Timeout, Retry::AfterPause, "its members did not confirm a write in time".to_owned()),
            79 | 100 => (
                Misconfigured,
                Retry::Never,
                "it has not the members that the write concern of [mongodb] uri asks for (w=)".to_owned(),
            ),
            50 => (Timeout, Retry::AfterPause, "it stopped at the time limit of the request".to_owned()),
            // The retryable ones of the drivers' specification, and those of an election or of a shutdown.
            6 | 7 | 63 | 89 | 91 | 112 | 133 | 134 | 149 | 150 | 189 | 202 | 234 | 262 | 358 | 384 | 9001 | 10107
            | 11600 | 11602 | 13388 | 13435 | 13436 => {
                (Unavailable, Retry::AfterPause, "it is shutting down, starting, or has no primary now".to_owned())
            }
            462 => (Unavailable, Retry::AfterPause, "it is overloaded".to_owned()),
            14031 => (Unavailable, Retry::Never, "its disk is full; make room on it".to_owned()),
            10334 => (
                Misconfigured,
                Retry::Never,
                "a document has more than the 16 MiB that it takes; leave it out".to_owned(),
            ),
            121 => (
                Misconfigured,
                Retry::Never,
                format!(
                    "the validator of the collection {:?} refuses a document; change it (collMod)",
                    target.collection
                ),
            ),
            11000 => (
                Misconfigured,
                Retry::Never,
                format!(
                    "a unique index of the collection {:?} ([mongodb] collection) refuses a document; drop the index, or correct \
                     the document",
                    target.collection
                ),
            ),
            73 => (
                Misconfigured,
                Retry::Never,
                "[mongodb] database or collection is no name for one; correct it".to_owned(),
            ),
            2 | 52 | 55 | 56 | 57 if self.operation == Operation::Store => (
                Misconfigured,
                Retry::Never,
                "it does not take a document: the name of a member is one that it does not allow (with a dot, perhaps)"
                    .to_owned(),
            ),
            2 | 9 | 14 | 20 | 52 | 55 | 59 | 72 | 115 | 166 | 238 | 263 | 323 | 336 | 352 | 40415 => (
                Misconfigured,
                Retry::Never,
                "it does not take our request; its own log says more, and it must be MongoDB 4.4 or later".to_owned(),
            ),
            _ => (Unavailable, Retry::Never, "it failed by itself; its own log says more".to_owned()),
        }
    }

    fn missing_role(&self) -> String {
        match self.operation {
            Operation::Read => self.target.missing_role("read", "read"),
            Operation::List => self.target.missing_role("read", "list"),
            Operation::Store => self.target.missing_role("readWrite", "write to"),
            Operation::Create => self.target.missing_role("readWrite", "create"),
        }
    }

    /// What it means that no server could be chosen. The driver tells the reasons in a text.
    fn no_server(&self, message: &str) -> Failure {
        self.of_text(message).unwrap_or_else(|| {
            let why = [
                ("Connection refused", "nobody listens there"),
                ("Connection reset", CLOSED),
                ("unexpected end of file", CLOSED),
                ("timed out", "there is no answer"),
                ("failed to lookup address", "its name was not found"),
                ("Name or service not known", "its name was not found"),
                ("ReplicaSetNoPrimary", "the replica set has no primary now"),
                ("ReplicaSetWithPrimary", "no server is as [mongodb] uri wants it (readPreference)"),
            ];
            let unknown = match self.tls.security() {
                Security::Plain => "there is no answer",
                Security::Tls => "there is no answer, or no TLS (then take tls=true out of the URI)",
            };
            let has_no_primary = message.contains("ReplicaSetNoPrimary") || message.contains("ReplicaSetWithPrimary");
            let seen = why.iter().find(|(part, _)| message.contains(part)).map_or(unknown, |(_, seen)| *seen);
            let reason = format!("no server of MongoDB can be reached: {seen} ([mongodb] uri)");
            // There its members have answered.
            let retry = if has_no_primary { Retry::AfterPause } else { Retry::NextNode };
            Failure::new(BucketError::unavailable(reason), retry)
        })
    }

    /// The reason that is somewhere in a text of the driver, if it is one that stays until somebody changes something.
    fn of_text(&self, message: &str) -> Option<Failure> {
        if message.contains("AuthenticationFailed") || message.contains("SCRAM failure") {
            return Some(self.of_code(18, "AuthenticationFailed"));
        }
        if message.contains("wire version") {
            return Some(Failure::lasting(BucketError::misconfigured(
                "MongoDB is too old for the driver of this program, or too new ([mongodb] uri); it takes 4.4 and later",
            )));
        }
        if let Some(error) = tls_error(message) {
            return Some(self.of_tls(&error));
        }
        let is_foreign = ["Invalid wire protocol opcode", "invalid message length", "Invalid header"];
        is_foreign.iter().any(|part| message.contains(part)).then(not_mongodb)
    }

    fn of_tls(&self, error: &rustls::Error) -> Failure {
        Failure::of_node(self.tls.fault(error).error(MONGODB.name))
    }
}

/// The error of TLS that a text of the driver tells of.
fn tls_error(message: &str) -> Option<rustls::Error> {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage as NotTls};
    let known = [
        ("UnknownIssuer", InvalidCertificate(CertificateError::UnknownIssuer)),
        ("certificate expired", InvalidCertificate(CertificateError::Expired)),
        ("certificate not valid yet", InvalidCertificate(CertificateError::NotValidYet)),
        ("certificate not valid for name", InvalidCertificate(CertificateError::NotValidForName)),
        ("NotValidForName", InvalidCertificate(CertificateError::NotValidForName)),
        ("BadSignature", InvalidCertificate(CertificateError::BadSignature)),
        ("invalid peer certificate", InvalidCertificate(CertificateError::BadEncoding)),
        ("CertificateRequired", AlertReceived(AlertDescription::CertificateRequired)),
        ("BadCertificate", AlertReceived(AlertDescription::BadCertificate)),
        ("UnknownCA", AlertReceived(AlertDescription::UnknownCA)),
        ("HandshakeFailure", AlertReceived(AlertDescription::HandshakeFailure)),
        ("corrupt message", NotTls(InvalidMessage::InvalidContentType)),
    ];
    known.into_iter().find(|(part, _)| message.contains(part)).map(|(_, error)| error)
}

/// A server that wants TLS hangs up.
const CLOSED: &str = "it closes each connection (if it wants TLS, write tls=true)";

fn broken() -> Failure {
    Failure::of_node(BucketError::unavailable("the connection to MongoDB broke"))
}

fn overloaded(code: i32) -> Failure {
    let reason = format!("MongoDB answered with error {code}: it is overloaded");
    Failure::new(BucketError::unavailable(reason), Retry::AfterPause).with_details(details(code.to_string()))
}

fn not_mongodb() -> Failure {
    Failure::lasting(BucketError::misconfigured(
        "what answers there is not MongoDB; check the hosts and ports of [mongodb] uri, and any proxy in between",
    ))
}

fn details(code: String) -> Details {
    Details { code: Some(code), ..Details::default() }
}

/// The name of a code, in parentheses, if it is one: letters and digits.
fn plain_name(name: &str) -> String {
    let is_name = !name.is_empty() && name.len() <= 60 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_name { format!(" ({name})") } else { String::new() }
}
