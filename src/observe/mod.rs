//! Everything about the running program that somebody may want to see, as one enum; the log (and whatever else watches)
//! decides what to do with each.
//!
//! Invariant: below everything but `config` and `problem`: an observation holds kinds, names, numbers and reasons, and no
//! type of the modules that emit it. It holds no document, no value of one, no secret and no full connection string, and
//! what came from a client is escaped before it reaches a log line.

pub mod format;
mod lines;
pub mod metrics;
mod observer;
pub mod recent;
mod writer;

pub use observer::Observer;

use std::fmt::Display;
use std::time::Duration;

use crate::config::DatabaseName;
use crate::problem::ProblemCode;

/// Something that happened and that an operator may want to know.
pub enum Observation<'a> {
    // Requests.
    /// An answer went out.
    Answered(&'a Answered<'a>),
    /// A request needed the database, and that failed.
    BucketFailed {
        /// The id of the request.
        request_id: &'a str,
        /// The kind of the error, from a fixed set.
        kind: &'static str,
        /// What happened, and what to do.
        reason: &'a dyn Display,
    },
    /// A stored document is not a user profile.
    DocumentInvalid {
        /// The id of the request.
        request_id: &'a str,
        /// The id of the document.
        document: &'a str,
        /// The rule that it breaks.
        rule: &'a dyn Display,
    },
    /// The document of one user holds the username of another. It is answered all the same.
    UsernameDiffers {
        /// The id of the request.
        request_id: &'a str,
        /// The id of the document.
        document: &'a str,
    },

    // The listener.
    /// A connection was refused, cut off, or closed by us for a reason that is counted.
    Rejected {
        /// From a fixed set.
        reason: &'static str,
    },
    /// Connections cannot be accepted for want of files or memory; emitted once an episode.
    AcceptPaused {
        /// The operating system's error.
        error: &'a std::io::Error,
    },
    /// Connections are accepted again.
    AcceptResumed {
        /// How long the episode lasted.
        after: Duration,
    },
    /// The server stopped before the database had answered every request; these got a 503.
    DrainCutShort {
        /// How many requests.
        unanswered: usize,
    },
    /// The service manager has passed sockets, which are used in place of a setting.
    SocketsInherited {
        /// The setting, and how to change it.
        setting: &'a str,
        /// How many sockets.
        sockets: usize,
    },
    /// The service manager could not be notified; emitted once.
    NotificationFailed {
        /// The operating system's error.
        error: &'a std::io::Error,
    },
    /// The public listener did not answer the program's own request.
    SelfCheckFailed {
        /// Which address was asked.
        address: &'a dyn Display,
        /// The operating system's error.
        error: &'a std::io::Error,
    },
    /// A handler panicked, and its request got a 500; or, with `-` for an id, a worker did, and its connection was closed.
    WorkerPanicked {
        /// The id of the request.
        request_id: &'a str,
    },

    // The database.
    /// A request has used a bucket connection, or timed out waiting for one.
    BucketUsed {
        /// Which database.
        database: DatabaseName,
        /// `ok`, or the kind of the error.
        outcome: &'static str,
        /// How long it waited for a connection to be lent.
        waited: Duration,
        /// How long it took from then on.
        duration: Duration,
    },
    /// An attempt has failed and is repeated.
    Retried {
        /// What is done before, from a fixed set.
        kind: &'static str,
    },
    /// The database has refused a login; emitted at each attempt.
    LoginAttemptRefused,
    /// The database did what it was asked, with a warning.
    DatabaseWarned {
        /// The database's own number for it.
        code: i64,
        /// What that means for us.
        meaning: &'a str,
    },
    /// A number of a document is stored as another one, because the database has none so precise; emitted once.
    NumberRounded {
        /// The product.
        product: &'static str,
    },
    /// An operation of the database took as long as `[bucket] slow_operation`, or longer.
    SlowOperation(&'a SlowOperation<'a>),
    /// A batch failed and is tried again; emitted once a batch.
    BatchRetried {
        /// What is being done, such as "storing documents".
        what: &'static str,
        /// For how long at most it is tried again.
        limit: Duration,
        /// Why it failed.
        reason: &'a dyn Display,
    },
    /// A node does not answer, and requests go to the others.
    NodeDown {
        /// The product.
        product: &'static str,
        /// The node, as `host:port`.
        node: &'a str,
        /// Why.
        reason: &'a dyn Display,
    },
    /// A node cannot be reached, and requests go to the others.
    NodeUnreachable {
        /// The product.
        product: &'static str,
        /// The node, as `host:port`.
        node: &'a str,
        /// Why.
        reason: &'a dyn Display,
    },
    /// A node answers with errors that another node does not have, and requests go to the others.
    NodeErring {
        /// The product.
        product: &'static str,
        /// The node, as `host:port`.
        node: &'a str,
        /// Why.
        reason: &'a dyn Display,
    },
    /// A node that was down, or answered with errors, answers again.
    NodeUp {
        /// The product.
        product: &'static str,
        /// The node, as `host:port`.
        node: &'a str,
    },
    /// The nodes of a cluster were found, or are others than before.
    NodesFound {
        /// The product.
        product: &'static str,
        /// The nodes, as `host:port`, separated by commas.
        nodes: &'a str,
    },
    /// The nodes of a cluster could not be found; emitted once an episode.
    DiscoveryFailed {
        /// The product.
        product: &'static str,
        /// Why.
        reason: &'a dyn Display,
    },
    /// The nodes of a cluster can be found again.
    DiscoveryRecovered {
        /// The product.
        product: &'static str,
    },
    /// A DNS record names the hosts of a cluster.
    RecordFound {
        /// The name of the record.
        record: &'a str,
        /// The hosts, as `host:port`, separated by commas.
        hosts: &'a str,
    },
    /// There is no DNS record that names the hosts of a cluster.
    RecordMissing {
        /// The name of the record.
        record: &'a str,
    },
    /// The DNS record could not be looked up.
    RecordLookupFailed {
        /// The name of the record.
        record: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// A password is sent without TLS to a host other than this one.
    PasswordExposed {
        /// The product.
        product: &'static str,
        /// The host.
        host: &'a str,
        /// What to set.
        remedy: &'static str,
    },
    /// The database refuses a login that it accepted before; emitted once a minute at most.
    LoginRefused {
        /// The product.
        product: &'static str,
    },
    /// The database accepts the login again.
    LoginAccepted {
        /// The product.
        product: &'static str,
    },
    /// A secret could not be read again; the one from before is used. Emitted once an episode.
    SecretUnreadable {
        /// The product.
        product: &'static str,
        /// Why, and what to do.
        reason: &'a str,
    },

    // The life of the process.
    /// Something about the settings works and should be changed.
    SettingsWarning(&'a str),
    /// `[http] max_connections` was lowered to what the limit of open files leaves.
    ConnectionsLimited {
        /// The setting.
        wanted: usize,
        /// What holds.
        fitting: usize,
    },
    /// `serve --import` is done.
    Imported {
        /// How many lines were rejected.
        rejected: u64,
        /// The summary.
        summary: &'a dyn Display,
    },
    /// The database that is used from now on.
    DatabaseOpened {
        /// Its name.
        database: DatabaseName,
        /// Where it is and how it is reached, without secrets.
        description: &'a str,
    },
    /// The public listener accepts connections.
    Listening {
        /// As a URL, or `unix:` and a path.
        url: &'a str,
    },
    /// The admin listener accepts connections.
    AdminListening {
        /// As a URL, or `unix:` and a path.
        url: &'a str,
    },
    /// A command to try.
    TryCommand {
        /// The command.
        command: &'a dyn Display,
    },
    /// Lines of the log were dropped because nobody took them; the line that says so is written by the log itself.
    LogLinesDropped {
        /// How many.
        lines: u64,
    },
    /// A reload (HUP) is done.
    SettingsReloaded,
    /// One thing that is wrong with the settings of a reload.
    SettingInvalid {
        /// What is wrong.
        reason: &'a dyn Display,
    },
    /// A reload changed nothing, because of this.
    ReloadRefused {
        /// What is wrong.
        reason: &'a dyn Display,
    },
    /// Settings changed that only a restart applies.
    RestartNeeded {
        /// Their names, separated by commas.
        settings: &'a str,
    },
    /// The place or the user of a database changed, so that its secrets wait for a restart too.
    ReloadPostponed {
        /// The section.
        section: &'static str,
        /// The setting that names the place.
        place: &'static str,
    },
    /// This machine lacks an address of a name to listen on; others of the name are bound.
    AddressSkipped {
        /// The setting that has the name.
        setting: &'a str,
        /// The name, and the address with the system's words.
        reason: &'a dyn Display,
    },
    /// An import at the start was ended by a signal.
    ImportInterrupted {
        /// How far it came.
        reason: &'a dyn Display,
    },
    /// The database can be read only.
    DatabaseReadOnly {
        /// Which one.
        description: &'a str,
    },
    /// The database was made at this start.
    DatabaseIsNew {
        /// Which one.
        description: &'a str,
    },
    /// TERM or INT was received: what was sent is answered.
    Draining {
        /// For how long at most.
        limit: Duration,
    },
    /// The server stopped in order.
    Stopped,
}

/// One answer, for the access line.
pub struct Answered<'a> {
    /// As it came.
    pub method: &'a str,
    /// The target as it came.
    pub target: &'a str,
    /// The route's template, from a fixed set.
    pub route: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The size of the body, in bytes.
    pub body_bytes: usize,
    /// From the moment when the request was complete.
    pub duration: Duration,
    /// The request's id, the client's own or ours.
    pub request_id: &'a str,
    /// The client's address; `None` where none is known, as on a unix socket.
    pub client: Option<&'a dyn Display>,
    /// Such as `HTTP/1.1`.
    pub protocol: &'static str,
    /// The problem that was answered.
    pub code: Option<ProblemCode>,
}

/// A slow operation, whichever way it ended.
#[derive(Debug)]
pub struct SlowOperation<'a> {
    /// The id of the request, if there was one.
    pub request_id: Option<&'a str>,
    /// Which database.
    pub database: DatabaseName,
    /// The node that was asked last, as `host:port`.
    pub node: Option<&'a str>,
    /// The number or the name of the error that decided, as the database has it.
    pub code: Option<&'a str>,
    /// How long the database says that the request took, from its arrival there.
    pub server_elapsed: Option<Duration>,
    /// How long the database says that it worked on it.
    pub server_execution: Option<Duration>,
    /// How long it took us: opening a connection where there was none, and every attempt.
    pub duration: Duration,
    /// `ok`, or the kind of the error.
    pub outcome: &'static str,
}
