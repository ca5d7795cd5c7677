//! What the errors of Cassandra and of its driver mean for us: a function for each kind of error of the driver, all
//! of which end in one for what the database said and one for a connection.
//!
//! Codes are those of the native protocol (v4, section 9).
//!
//! Invariant: pure. The message of an error decides where nothing else does, and is never repeated: it may hold values.

use scylla::errors::{
    BrokenConnectionError, BrokenConnectionErrorKind, ConnectionError, ConnectionPoolError,
    ConnectionSetupRequestErrorKind, DbError, ExecutionError, FrameHeaderParseError, MetadataError, NewSessionError,
    PrepareError, RequestAttemptError,
};
use scylla::frame::protocol_features::ProtocolFeatures;

use super::product::{CASSANDRA, Target};
use crate::bucket::remote::tls::Tls;
use crate::bucket::remote::{Failure, Meaning, Operation, Retry, Security};
use crate::bucket::{BucketError, Details};

/// The code of a failure that says that the keyspace or the table is missing.
pub const NO_TABLE: &str = "no table";

/// The code of a failure that says that the data centre has no node.
pub const NO_DATACENTER: &str = "no data centre";

/// What a failure is told from: what was asked, of which table, over which TLS.
pub struct Context<'a> {
    /// What was asked.
    pub operation: Operation,
    /// Of what.
    pub target: &'a Target,
    /// What knows the reasons of TLS.
    pub tls: &'a Tls,
}

impl Context<'_> {
    /// No session could be opened; `None`: in time.
    #[must_use]
    pub fn opening(&self, error: Option<&NewSessionError>) -> Failure {
        let Some(error) = error else {
            return Failure::of_node(BucketError::unavailable(
                "no node of Cassandra can be reached: there is no answer ([cassandra] nodes, [bucket] connect_timeout)",
            ));
        };
        match error {
            NewSessionError::FailedToResolveAnyHostname(_) => Failure::of_node(BucketError::unavailable(
                "no name of [cassandra] nodes was found; correct it, or let the name servers of this machine (or \
                 /etc/hosts) know it",
            )),
            NewSessionError::MetadataError(error) => self.metadata(error),
            _ => Failure::lasting(BucketError::misconfigured(
                "the driver of Cassandra does not take the settings of [cassandra]; compare them with its guide",
            )),
        }
    }

    fn metadata(&self, error: &MetadataError) -> Failure {
        match error {
            MetadataError::ConnectionPoolError(error) => self.pool(error),
            _ => Failure::new(
                BucketError::unavailable("Cassandra did not say which nodes there are; its own log says more"),
                Retry::Reconnect,
            ),
        }
    }

    /// A statement could not be prepared.
    #[must_use]
    pub fn prepare(&self, error: &PrepareError) -> Failure {
        match error {
            PrepareError::ConnectionPoolError(error) => self.pool(error),
            PrepareError::AllAttemptsFailed { first_attempt } => self.attempt(first_attempt),
            _ => Failure::of_node(BucketError::unavailable("the nodes of Cassandra do not agree on the table yet")),
        }
    }

    /// A statement could not be executed. `datacenters` are those that there are.
    #[must_use]
    pub fn execution(&self, error: &ExecutionError, datacenters: &[String]) -> Failure {
        match error {
            ExecutionError::EmptyPlan => self.no_node(datacenters),
            ExecutionError::PrepareError(error) => self.prepare(error),
            ExecutionError::ConnectionPoolError(error) => self.pool(error),
            ExecutionError::LastAttemptError(error) => self.attempt(error),
            ExecutionError::RequestTimeout(_) => {
                Failure::of_node(BucketError::timeout("Cassandra did not answer in time"))
            }
            ExecutionError::MetadataError(error) => self.metadata(error),
            ExecutionError::SchemaAgreementError(_) => Failure::new(
                BucketError::unavailable("the nodes of Cassandra do not agree on the schema yet"),
                Retry::AfterPause,
            ),
            _ => Failure::lasting(BucketError::unavailable("the driver of Cassandra failed by itself")),
        }
    }

    fn no_node(&self, datacenters: &[String]) -> Failure {
        let own = &self.target.datacenter;
        if datacenters.is_empty() || datacenters.contains(own) {
            let reason = format!("no node of Cassandra's data centre {own:?} can be reached");
            return Failure::new(BucketError::unavailable(reason), Retry::Reconnect);
        }
        let there_are: Vec<String> = datacenters.iter().map(|name| format!("{name:?}")).collect();
        let reason = format!(
            "Cassandra has no node in a data centre {own:?}; set [cassandra] local_datacenter to one of those that it has: {}",
            there_are.join(", ")
        );
        Failure::lasting(BucketError::misconfigured(reason)).with_details(details(NO_DATACENTER))
    }

    /// A request failed on the last node that was asked.
    fn attempt(&self, error: &RequestAttemptError) -> Failure {
        match error {
            RequestAttemptError::DbError(error, message) => self.database(error, message),
            RequestAttemptError::BrokenConnectionError(error) => self.broken(error),
            RequestAttemptError::SerializationError(_) => self.other_types(),
            RequestAttemptError::UnableToAllocStreamId => {
                Failure::new(BucketError::unavailable("too many requests wait for Cassandra"), Retry::AfterPause)
            }
            _ => broken(),
        }
    }

    /// The columns are there, and of other types.
    #[must_use]
    pub fn other_types(&self) -> Failure {
        Failure::lasting(BucketError::misconfigured(format!(
            "the columns of the table {} are not id text and doc text; set [cassandra] table to one that has them",
            self.target.name()
        )))
    }

    fn pool(&self, error: &ConnectionPoolError) -> Failure {
        match error {
            ConnectionPoolError::Broken { last_connection_error } => self.connection(last_connection_error),
            _ => Failure::new(BucketError::unavailable("no node of Cassandra is connected yet"), Retry::Reconnect),
        }
    }

    /// There is no connection.
    fn connection(&self, error: &ConnectionError) -> Failure {
        let failure = match error {
            ConnectionError::ConnectTimeout => Failure::of_node(BucketError::unavailable(
                "no node of Cassandra could be connected to in time ([cassandra] nodes, [bucket] connect_timeout)",
            )),
            ConnectionError::IoError(error) => self.closed_or(self.io(error)),
            ConnectionError::BrokenConnection(error) => self.closed_or(self.broken(error)),
            ConnectionError::ConnectionSetupRequestError(error) => match error.get_error() {
                ConnectionSetupRequestErrorKind::DbError(error, message) => self.database(error, message),
                ConnectionSetupRequestErrorKind::MissingAuthentication => {
                    self.database(&DbError::AuthenticationError, "")
                }
                ConnectionSetupRequestErrorKind::BrokenConnection(error) => self.closed_or(self.broken(error)),
                _ => not_cassandra(),
            },
            _ => broken(),
        };
        // The session tries less and less often; a new one is quicker.
        if failure.retry == Retry::NextNode { failure.with(Retry::Reconnect) } else { failure }
    }

    /// What a connection means that broke before it was open: a node that wants TLS hangs up.
    fn closed_or(&self, failure: Failure) -> Failure {
        if failure != broken() || self.tls.security() == Security::Tls {
            return failure;
        }
        Failure::of_node(BucketError::unavailable(
            "Cassandra closes each connection before it is open (if it wants TLS, set [cassandra] tls = true)",
        ))
    }

    fn io(&self, error: &std::io::Error) -> Failure {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Failure::of_node(self.tls.fault(error).error(CASSANDRA.name));
        }
        let seen = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "nobody listens there",
            std::io::ErrorKind::TimedOut => "there is no answer",
            _ => return broken(),
        };
        let reason = format!("no node of Cassandra can be reached: {seen} ([cassandra] nodes)");
        Failure::of_node(BucketError::unavailable(reason))
    }

    fn broken(&self, error: &BrokenConnectionError) -> Failure {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return self.io(error);
        }
        match error.downcast_ref::<BrokenConnectionErrorKind>() {
            Some(BrokenConnectionErrorKind::FrameHeaderParseError(FrameHeaderParseError::HeaderIoError(error))) => {
                self.io(error)
            }
            // Its first bytes are no frame of the native protocol.
            Some(BrokenConnectionErrorKind::FrameHeaderParseError(_)) => not_cassandra(),
            Some(BrokenConnectionErrorKind::WriteError(error)) => self.io(error),
            Some(BrokenConnectionErrorKind::KeepaliveTimeout(_)) => {
                Failure::of_node(BucketError::unavailable("a node of Cassandra does not answer any more"))
            }
            Some(BrokenConnectionErrorKind::TooManyOrphanedStreamIds(_)) => {
                Failure::of_node(BucketError::unavailable("a node of Cassandra answers too slowly"))
            }
            _ => broken(),
        }
    }

    /// What the database said.
    #[must_use]
    pub fn database(&self, error: &DbError, message: &str) -> Failure {
        let (meaning, retry, sentence) = self.row(error, message);
        let code = format!("{:#06x}", error.code(&ProtocolFeatures::default()));
        let reason = format!("Cassandra answered with error {code}: {sentence}");
        let is_missing = matches!(error, DbError::Invalid | DbError::ConfigError) && is_about_missing_table(message);
        let details = details(if is_missing { NO_TABLE } else { &code });
        Failure::new(meaning.error(reason), retry).with_details(details)
    }

    /// The table.
    fn row(&self, error: &DbError, message: &str) -> (Meaning, Retry, String) {
        use Meaning::{Misconfigured, Timeout, Unavailable};
        let target = self.target;
        match error {
            DbError::AuthenticationError => (
                Misconfigured,
                Retry::NewCredentials,
                match &target.username {
                    Some(_) => format!("it rejects our login; {}", CASSANDRA.advice.wrong_login),
                    None => "it wants a login; set [cassandra] username and password_file".to_owned(),
                },
            ),
            DbError::Unauthorized => (Misconfigured, Retry::Never, self.missing_permission()),
            DbError::Invalid | DbError::ConfigError if is_about_missing_table(message) => {
                (Misconfigured, Retry::Never, target.no_table())
            }
            DbError::Invalid if is_about_missing_column(message) => (
                Misconfigured,
                Retry::Never,
                format!(
                    "the table {} has no columns id and doc; set [cassandra] table to one that was made so: CREATE TABLE \
                     NAME (id text PRIMARY KEY, doc text);",
                    target.name()
                ),
            ),
            DbError::Invalid | DbError::ProtocolError
                if message.contains("too large") || message.contains("too big") =>
            {
                (
                    Misconfigured,
                    Retry::Never,
                    "a document is larger than it takes; leave it out, or raise max_mutation_size in cassandra.yaml"
                        .to_owned(),
                )
            }
            DbError::Unavailable { required, alive, .. } => (
                Unavailable,
                Retry::AfterPause,
                format!(
                    "{} needs {required} replicas of the keyspace {:?}, of which {alive} are up; start nodes, or see \
                     [cassandra] consistency and the replication of the keyspace",
                    target.consistency, target.keyspace
                ),
            ),
            DbError::ReadTimeout { .. } | DbError::WriteTimeout { .. } => {
                (Timeout, Retry::AfterPause, "its replicas did not answer it in time".to_owned())
            }
            DbError::Overloaded | DbError::RateLimitReached { .. } => {
                (Unavailable, Retry::AfterPause, "it is overloaded".to_owned())
            }
            DbError::IsBootstrapping => (Unavailable, Retry::AfterPause, "the node is starting".to_owned()),
            DbError::ReadFailure { .. }
            | DbError::WriteFailure { .. }
            | DbError::TruncateError
            | DbError::ServerError => {
                (Unavailable, Retry::AfterPause, "it failed by itself; its own log says more".to_owned())
            }
            DbError::Unprepared { .. } => (Unavailable, Retry::Reconnect, "it has forgotten our statement".to_owned()),
            DbError::SyntaxError
            | DbError::Invalid
            | DbError::ConfigError
            | DbError::ProtocolError
            | DbError::AlreadyExists { .. }
            | DbError::FunctionFailure { .. } => {
                (Misconfigured, Retry::Never, "it does not take our statement; its own log says more".to_owned())
            }
            _ => (Unavailable, Retry::Never, "it failed by itself; its own log says more".to_owned()),
        }
    }

    fn missing_permission(&self) -> String {
        match self.operation {
            Operation::Read => self.target.missing_permission("SELECT", "read"),
            Operation::List => self.target.missing_permission("SELECT", "list"),
            Operation::Store => self.target.missing_permission("MODIFY", "write to"),
            Operation::Create => format!(
                "the role of [cassandra] username may not create {}; import as a superuser, or as a \
                 role that has CREATE ON ALL KEYSPACES",
                self.target.name()
            ),
        }
    }
}

/// Cassandra 4 and 5, and `ScyllaDB`, each in its own words.
fn is_about_missing_table(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("unconfigured table")
        || ((message.contains("keyspace") || message.contains("table")) && message.contains("not exist"))
}

fn is_about_missing_column(message: &str) -> bool {
    message.contains("Undefined column")
        || message.contains("Unrecognized name")
        || message.contains("Unknown identifier")
}

fn broken() -> Failure {
    Failure::of_node(BucketError::unavailable("the connection to Cassandra broke"))
}

fn not_cassandra() -> Failure {
    Failure::lasting(BucketError::misconfigured(
        "what answers there is not Cassandra; check the hosts and ports of [cassandra] nodes, and any proxy in between",
    ))
}

fn details(code: &str) -> Details {
    Details { code: Some(code.to_owned()), ..Details::default() }
}
